-- Question: when was a trace, so that its spans can be read without looking at all times?
-- Row: a trace within one INSERT of spans: its first and its last time. Several rows of a trace are read with min and max. Columns as
--   of the exporter's otel_traces_trace_id_ts.
-- Sort key: (TraceId, Start): one trace is asked for.
-- Partition: day on which it came in, as of spans. Filled by spans_trace_id_ts_mv.
-- Retention: 30 days after it came in, whole parts.
-- Growth: about 30 bytes a trace.
CREATE TABLE IF NOT EXISTS ${database}.spans_trace_id_ts${local}${on_cluster}
(
    TraceId String COMMENT 'W3C trace id, hex' CODEC(ZSTD(1)),
    Start DateTime('UTC') COMMENT 'When its first span began, UTC' CODEC(Delta(4), ZSTD(1)),
    End DateTime('UTC') COMMENT 'When its last span began, UTC' CODEC(Delta(4), ZSTD(1)),
    IngestedOn Date COMMENT 'Day on which the collector took it, UTC' CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${engine:MergeTree()}
PARTITION BY IngestedOn
ORDER BY (TraceId, Start)
TTL IngestedOn + INTERVAL 30 DAY
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480
COMMENT 'One row a trace of an INSERT of spans: when it was'
