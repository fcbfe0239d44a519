-- Question: by which features did which model decide in which window, and is that still the reference's ranking?
-- Row: one feature in one window, or, without a feature, the ranking as a whole. A run that is repeated overwrites its rows.
-- Sort key: the natural key of a finding, in the order in which it is asked: a model over time, then which feature.
-- Partition: month of the window's start. Retention: 1,100 days after it was computed, whole parts, so that years can be compared.
-- Growth: one row a feature and window, about 80 bytes each: 100 features, daily: 8 KB a day.
-- On a cluster every node holds all rows: they are small beside the events.
CREATE TABLE IF NOT EXISTS ${database}.attribution_findings${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run ended, UTC; the latest wins',
    model LowCardinality(String) COMMENT 'Name of the model',
    version LowCardinality(String) COMMENT 'Version of the model, or empty for all',
    environment LowCardinality(String) COMMENT 'Environment, or empty for all',
    monitor LowCardinality(String) COMMENT 'Name of the monitor, or empty for a run by hand',
    reference_kind LowCardinality(String) COMMENT 'baseline, window, previous or same_hour_last_week',
    reference_name String COMMENT 'Name of the baseline, or empty',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the window, UTC, included',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the window, UTC, excluded',
    granularity LowCardinality(String) COMMENT 'Length of the windows of the monitor, such as 1d, or empty',
    column_name LowCardinality(String) COMMENT 'Feature, or empty for the ranking as a whole',
    method LowCardinality(String) COMMENT 'ndcg of the ranking, importance of a feature',
    statistic Nullable(Float64) COMMENT 'How well the ranking is kept, 0 to 1; of a feature its mean absolute attribution, in the unit of the attributions',
    ci_low Nullable(Float64) COMMENT 'Lower end of the interval of the ranking',
    ci_high Nullable(Float64) COMMENT 'Upper end of it',
    reference_statistic Nullable(Float64) COMMENT 'Mean absolute attribution of the feature in the reference',
    threshold Nullable(Float64) COMMENT 'Below this the ranking has drifted',
    place UInt64 COMMENT 'Place of the feature, from 1; 0 of the ranking as a whole',
    reference_place UInt64 COMMENT 'Place of the feature in the reference, from 1',
    n_reference UInt64 COMMENT 'Attributions in the reference; of the ranking its rows',
    n_current UInt64 COMMENT 'Attributions in the window; of the ranking its rows',
    verdict LowCardinality(String) COMMENT 'Of the ranking: drift, no_drift or insufficient_data; empty of a feature'
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (model, monitor, window_start)
ORDER BY (model, monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name, column_name, method)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Results of attribution runs'
