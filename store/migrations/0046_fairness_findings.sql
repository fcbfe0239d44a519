-- Question: which groups did which model treat unlike others in which window, by which measure?
-- Row: one measure of one group against the reference group, in one window. A run that is repeated overwrites its rows.
-- Sort key: the natural key of a finding, in the order in which it is asked: a model over time, then which groups.
-- Partition: month of the window's start. Retention: 1,100 days after it was computed, whole parts, so that years can be compared.
-- Growth: four measures a group and window, about 100 bytes each: 10 groups, daily: 4 KB a day.
-- On a cluster every node holds all rows: they are small beside the events.
CREATE TABLE IF NOT EXISTS ${database}.fairness_findings${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run ended, UTC; the latest wins',
    model LowCardinality(String) COMMENT 'Name of the model',
    version LowCardinality(String) COMMENT 'Version of the model, or empty for all',
    environment LowCardinality(String) COMMENT 'Environment, or empty for all',
    monitor LowCardinality(String) COMMENT 'Name of the monitor, or empty for a run by hand',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the window, UTC, included',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the window, UTC, excluded',
    granularity LowCardinality(String) COMMENT 'Length of the windows of the monitor, such as 1d, or empty',
    segment_key LowCardinality(String) COMMENT 'What groups are cut by; several columns are joined by commas',
    segment_value String COMMENT 'Value that the rows of the group share; several are joined by commas',
    reference_value String COMMENT 'The same of the group that it is compared with',
    method LowCardinality(String) COMMENT 'demographic_parity, equal_opportunity, predictive_parity or calibration',
    statistic Nullable(Float64) COMMENT 'The share of the group less that of the reference group, -1 to 1; of calibration the share of positive outcomes less the mean score',
    ci_low Nullable(Float64) COMMENT 'Lower end of its interval',
    ci_high Nullable(Float64) COMMENT 'Upper end of its interval',
    value Nullable(Float64) COMMENT 'The share of the group, 0 to 1',
    reference_statistic Nullable(Float64) COMMENT 'The share of the reference group, 0 to 1; of calibration the mean score',
    threshold Nullable(Float64) COMMENT 'The difference up to which none is called one',
    p_value Nullable(Float64) COMMENT 'Chance of such a difference between groups that are treated alike, 0 to 1',
    p_adjusted Nullable(Float64) COMMENT 'The same after correction over groups and measures, 0 to 1',
    n_reference UInt64 COMMENT 'Rows of the reference group that the share is of',
    n_current UInt64 COMMENT 'Rows of the group that the share is of',
    verdict LowCardinality(String) COMMENT 'pass, fail or insufficient_data',
    detail String COMMENT 'The group by its columns, rows and those with an outcome; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (model, monitor, window_start)
ORDER BY (model, monitor, window_start, window_end, granularity, version, environment, segment_key, segment_value, method)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Results of fairness runs'
