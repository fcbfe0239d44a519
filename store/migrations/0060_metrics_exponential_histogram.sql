-- Question: which values did an exponential histogram have over time?
-- Row: one data point of one series, in the columns of the OpenTelemetry Collector's ClickHouse exporter (otel_metrics_exponential_histogram), without
--   exemplars, with ZeroThreshold besides.
-- Sort key: (ServiceName, MetricName, Attributes, TimeUnix), as of the exporter: a series is read over time.
-- Partition: day on which it came in (not of TimeUnix), so that an INSERT touches at most two.
-- Retention: 30 days after it came in, whole parts.
-- Growth: 120 bytes a row.
CREATE TABLE IF NOT EXISTS ${database}.metrics_exponential_histogram${local}${on_cluster}
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
    Scale Int32 COMMENT 'Bounds of buckets are powers of 2^(2^-Scale)' CODEC(ZSTD(1)),
    ZeroCount UInt64 COMMENT 'How many are zero, or not farther from it than ZeroThreshold' CODEC(ZSTD(1)),
    ZeroThreshold Float64 COMMENT 'Half the width of the bucket around zero, in the unit of the metric' CODEC(ZSTD(1)),
    PositiveOffset Int32 COMMENT 'Index of the first positive bucket: bucket i holds values above base^i, up to base^(i+1)' CODEC(ZSTD(1)),
    PositiveBucketCounts Array(UInt64) COMMENT 'How many are in each positive bucket' CODEC(ZSTD(1)),
    NegativeOffset Int32 COMMENT 'Index of the first negative bucket, by absolute values' CODEC(ZSTD(1)),
    NegativeBucketCounts Array(UInt64) COMMENT 'How many are in each negative bucket' CODEC(ZSTD(1)),
    Min Float64 COMMENT 'Smallest value; 0 where it was not said' CODEC(ZSTD(1)),
    Max Float64 COMMENT 'Largest value; 0 where it was not said' CODEC(ZSTD(1)),
    AggregationTemporality Int32 COMMENT '1 since the last point, 2 since StartTimeUnix' CODEC(ZSTD(1)),
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
COMMENT 'One row a data point of an exponential histogram, in the columns of otel_metrics_exponential_histogram'
