-- Question: which values did a summary have over time?
-- Row: one data point of one series, in the columns of the OpenTelemetry Collector's ClickHouse exporter (otel_metrics_summary).
-- Sort key: (ServiceName, MetricName, Attributes, TimeUnix), as of the exporter: a series is read over time.
-- Partition: day on which it came in (not of TimeUnix), so that an INSERT touches at most two.
-- Retention: 30 days after it came in, whole parts.
-- Growth: 80 bytes a row.
CREATE TABLE IF NOT EXISTS ${database}.metrics_summary${local}${on_cluster}
(
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'The resource' CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) COMMENT 'Schema of the resource' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Name of the instrumentation' CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) COMMENT 'Version of the instrumentation' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the instrumentation' CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) COMMENT 'Schema of the instrumentation' CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) COMMENT 'service.name of the resource' CODEC(ZSTD(1)),
    MetricName LowCardinality(String) COMMENT 'The metric' CODEC(ZSTD(1)),
    MetricDescription LowCardinality(String) COMMENT 'What it says' CODEC(ZSTD(1)),
    MetricUnit LowCardinality(String) COMMENT 'Its unit, UCUM' CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) COMMENT 'Which series of the metric' CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9, 'UTC') COMMENT 'Since when it counts, UTC; 1970 where it was not said' CODEC(Delta(8), ZSTD(1)),
    TimeUnix DateTime64(9, 'UTC') COMMENT 'When it was read, UTC' CODEC(Delta(8), ZSTD(1)),
    Flags UInt32 COMMENT 'Flags of OpenTelemetry' CODEC(ZSTD(1)),
    IngestedAt DateTime64(6, 'UTC') COMMENT 'When the collector took it, UTC' CODEC(Delta(8), ZSTD(1)),
    Count UInt64 COMMENT 'How many values' CODEC(Delta(8), ZSTD(1)),
    Sum Float64 COMMENT 'Their sum, in the unit of the metric' CODEC(ZSTD(1)),
    `ValueAtQuantiles.Quantile` Array(Float64) COMMENT 'Which quantiles are told, from 0 (the smallest value) to 1 (the largest)' CODEC(ZSTD(1)),
    `ValueAtQuantiles.Value` Array(Float64) COMMENT 'Their values, in the unit of the metric' CODEC(ZSTD(1)),
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${engine:MergeTree()}
PARTITION BY toDate(IngestedAt)
PRIMARY KEY (ServiceName, MetricName)
ORDER BY (ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))
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
COMMENT 'One row a data point of a summary, in the columns of otel_metrics_summary'
