-- Question: what happened within a request, across services?
-- Row: one OpenTelemetry span, in the columns of the OpenTelemetry Collector's ClickHouse exporter (otel_traces), so that
--   dashboards and trace panels made for that table work on this one.
-- Sort key: (ServiceName, SpanName, second, time), as of the exporter: a service is read by operation and time. A bloom filter finds
--   traces; spans_trace_id_ts says when a trace was.
-- Partition: day on which it came in (not of Timestamp, as in the exporter): an INSERT touches at most two, whatever the clocks of
--   clients say; a skip index finds times.
-- Retention: 30 days after it came in, whole parts.
-- Growth: about 120 bytes a row with 10 attributes, 1 GB a day at 100 spans/s.
CREATE TABLE IF NOT EXISTS ${database}.spans${local}${on_cluster}
(
    Timestamp DateTime64(9, 'UTC') COMMENT 'When it began, UTC' CODEC(Delta(8), ZSTD(1)),
    TraceId String COMMENT 'W3C trace id, hex' CODEC(ZSTD(1)),
    SpanId String COMMENT 'W3C span id, hex' CODEC(ZSTD(1)),
    ParentSpanId String COMMENT 'Span that it is part of, hex; empty of a root' CODEC(ZSTD(1)),
    TraceState String COMMENT 'W3C trace state' CODEC(ZSTD(1)),
    SpanName LowCardinality(String) COMMENT 'What it does' CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) COMMENT 'Internal, Server, Client, Producer, Consumer or Unspecified' CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) COMMENT 'service.name of the resource' CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'The resource' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Name of the instrumentation' CODEC(ZSTD(1)),
    ScopeVersion String COMMENT 'Version of the instrumentation' CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) COMMENT 'Attributes as text; lists and maps as JSON' CODEC(ZSTD(1)),
    Duration UInt64 COMMENT 'How long it took, nanoseconds' CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) COMMENT 'Unset, Ok or Error' CODEC(ZSTD(1)),
    StatusMessage String COMMENT 'What went wrong' CODEC(ZSTD(1)),
    `Events.Timestamp` Array(DateTime64(9, 'UTC')) COMMENT 'When events within it happened, UTC' CODEC(ZSTD(1)),
    `Events.Name` Array(LowCardinality(String)) COMMENT 'What they were' CODEC(ZSTD(1)),
    `Events.Attributes` Array(Map(LowCardinality(String), String)) COMMENT 'More about them' CODEC(ZSTD(1)),
    `Links.TraceId` Array(String) COMMENT 'Traces of linked spans, hex' CODEC(ZSTD(1)),
    `Links.SpanId` Array(String) COMMENT 'Linked spans, hex' CODEC(ZSTD(1)),
    `Links.TraceState` Array(String) COMMENT 'Their W3C trace states' CODEC(ZSTD(1)),
    `Links.Attributes` Array(Map(LowCardinality(String), String)) COMMENT 'More about them' CODEC(ZSTD(1)),
    IngestedAt DateTime64(6, 'UTC') COMMENT 'When the collector took it, UTC' CODEC(Delta(8), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = ${engine:MergeTree()}
PARTITION BY toDate(IngestedAt)
PRIMARY KEY (ServiceName, SpanName, toDateTime(Timestamp))
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)
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
COMMENT 'One row an OpenTelemetry span, in the columns of otel_traces'
