-- Question: what did services write down?
-- Row: one OpenTelemetry log record, in the columns of the OpenTelemetry Collector's ClickHouse exporter (otel_logs).
-- Sort key: (ServiceName, five minutes, time): a service's lines are read over time.
-- Partition: day on which it came in (not of Timestamp), so that an INSERT touches at most two; a skip index finds times.
-- Retention: 30 days after it came in, whole parts.
-- Growth: about 100 bytes a row, 900 MB a day at 100 records/s.
CREATE TABLE IF NOT EXISTS ${database}.logs${local}${on_cluster}
(
    Timestamp DateTime64(9, 'UTC') COMMENT 'When it happened, or was observed, UTC' CODEC(Delta(8), ZSTD(1)),
    TraceId String COMMENT 'W3C trace id, hex, or empty' CODEC(ZSTD(1)),
    SpanId String COMMENT 'W3C span id, hex, or empty' CODEC(ZSTD(1)),
    TraceFlags UInt8 COMMENT 'W3C trace flags',
    SeverityText LowCardinality(String) COMMENT 'How severe, in the words of the source' CODEC(ZSTD(1)),
    SeverityNumber UInt8 COMMENT 'How severe, 1 to 24; 0 where it was not said',
    ServiceName LowCardinality(String) COMMENT 'service.name of the resource' CODEC(ZSTD(1)),
    Body String COMMENT 'The text; a structure as JSON' CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) COMMENT 'Schema of the resource' CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'The resource' CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) COMMENT 'Schema of the instrumentation' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Name of the instrumentation' CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) COMMENT 'Version of the instrumentation' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the instrumentation' CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) COMMENT 'Attributes as text; lists and maps as JSON' CODEC(ZSTD(1)),
    EventName String COMMENT 'Which event, of an event' CODEC(ZSTD(1)),
    IngestedAt DateTime64(6, 'UTC') COMMENT 'When the collector took it, UTC' CODEC(Delta(8), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1,
    INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${engine:MergeTree()}
PARTITION BY toDate(IngestedAt)
PRIMARY KEY (ServiceName, toStartOfFiveMinutes(Timestamp))
ORDER BY (ServiceName, toStartOfFiveMinutes(Timestamp), Timestamp)
TTL toDateTime(IngestedAt) + INTERVAL 30 DAY
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480
COMMENT 'One row an OpenTelemetry log record, in the columns of otel_logs'
