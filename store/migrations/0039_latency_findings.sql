-- Question: how fast was which model in which window, whole and by group, and which objective burnt too fast?
-- Row: one quantile of one group, or one rule of one objective, in one window. A run that is repeated overwrites its rows.
-- Sort key: the natural key of a finding, in the order in which it is asked: a model over time, then where.
-- Partition: month of the window's start. Retention: 1,100 days after it was computed, whole parts, so that years can be compared.
-- Growth: quantiles × (1 + groups) rows a window, about 80 bytes each: 5 quantiles, 10 groups, hourly: 100 KB a day.
-- On a cluster every node holds all rows: they are small beside the events, and pages and alerts read them all the time.
CREATE TABLE IF NOT EXISTS ${database}.latency_findings${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run ended, UTC; the latest wins',
    model LowCardinality(String) COMMENT 'Name of the model',
    version LowCardinality(String) COMMENT 'Version of the model, or empty for all',
    environment LowCardinality(String) COMMENT 'Environment, or empty for all',
    monitor LowCardinality(String) COMMENT 'Name of the monitor, or empty for a run by hand',
    reference_kind LowCardinality(String) COMMENT 'baseline, window, previous or same_hour_last_week; empty without a reference',
    reference_name String COMMENT 'Name of the baseline, or empty',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the window, UTC, included',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the window, UTC, excluded',
    granularity LowCardinality(String) COMMENT 'Length of the windows of the monitor, such as 1d, or empty',
    segment_key LowCardinality(String) COMMENT 'What the group is cut by, or empty for all rows',
    segment_value String COMMENT 'Value that the rows of the group share, or empty',
    method LowCardinality(String) COMMENT 'Quantile, such as p99, or rule of an objective, such as burn 99.9% 250000us 3600s',
    statistic Nullable(Float64) COMMENT 'The quantile, microseconds; of a rule the burn of the long window',
    ci_low Nullable(Float64) COMMENT 'Lower end of its interval, microseconds; of a rule the burn of the short window',
    ci_high Nullable(Float64) COMMENT 'Upper end of its interval, microseconds',
    reference_statistic Nullable(Float64) COMMENT 'The quantile of the reference, microseconds',
    threshold Nullable(Float64) COMMENT 'Floor of the distance of distributions; of a rule the burn that fires it',
    p_value Nullable(Float64) COMMENT 'Chance of such a distance, or of so many bad events, 0 to 1',
    p_adjusted Nullable(Float64) COMMENT 'The same after correction over groups, 0 to 1',
    n_reference UInt64 COMMENT 'Latencies of the reference; of a rule bad events of the long window',
    n_current UInt64 COMMENT 'Latencies of the window; of a rule events of the long window',
    verdict LowCardinality(String) COMMENT 'slower, faster, changed, steady or insufficient_data; of a rule page, ticket or ok',
    detail String COMMENT 'The group, or the objective, as it is printed; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (model, monitor, window_start)
ORDER BY (model, monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name, segment_key, segment_value, method)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Results of latency runs'
