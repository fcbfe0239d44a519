-- Question: which column of which model moved in which window, by which method, how far, how sure?
-- Row: one method on one column (of one segment) in one window. A run that is repeated overwrites its rows.
-- Sort key: the natural key of a finding, in the order in which it is asked: a model's monitor over time, then where.
-- Partition: month of the window's start. Retention: 1,100 days after it was computed, whole parts, so that years can be compared.
-- Growth: columns × methods × (1 + segments) rows a window, about 100 bytes each: 25 columns, 3 methods, hourly: 180 KB a day.
-- On a cluster every node holds all rows: they are small beside the events, and pages and alerts read them all the time.
CREATE TABLE IF NOT EXISTS ${database}.drift_findings${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run ended, UTC; the latest wins',
    model LowCardinality(String) COMMENT 'Name of the model',
    version LowCardinality(String) COMMENT 'Version of the model, or empty for all',
    environment LowCardinality(String) COMMENT 'Environment, or empty for all',
    monitor LowCardinality(String) COMMENT 'Name of the monitor, or empty for a run by hand',
    reference_kind LowCardinality(String) COMMENT 'baseline, window or previous',
    reference_name String COMMENT 'Name of the baseline, or empty',
    reference_start DateTime64(6, 'UTC') COMMENT 'Start of the reference, UTC, included',
    reference_end DateTime64(6, 'UTC') COMMENT 'End of the reference, UTC, excluded',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the window, UTC, included',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the window, UTC, excluded',
    granularity LowCardinality(String) COMMENT 'Length of the windows of the monitor, such as 1d, or empty',
    segment_key LowCardinality(String) COMMENT 'What the segment is cut by, or empty for the whole population',
    segment_value String COMMENT 'Value that the rows of the segment share, or empty',
    column_name LowCardinality(String) COMMENT 'The column, or empty for the whole population',
    column_kind LowCardinality(String) COMMENT 'numeric, categorical, embedding or text',
    method LowCardinality(String) COMMENT 'Method, such as ks or psi',
    statistic Nullable(Float64) COMMENT 'Statistic of the method, in its own unit',
    threshold Nullable(Float64) COMMENT 'Floor that the effect has to pass',
    p_value Nullable(Float64) COMMENT 'Two-sided p, 0 to 1',
    p_adjusted Nullable(Float64) COMMENT 'p after correction over columns and segments, 0 to 1',
    effect Nullable(Float64) COMMENT 'Effect size, in the unit of the method',
    n_reference UInt64 COMMENT 'Values on the side of the reference',
    n_current UInt64 COMMENT 'Values in the window',
    missing_reference UInt64 COMMENT 'Rows of the reference without a value',
    missing_current UInt64 COMMENT 'Rows of the window without a value',
    direction LowCardinality(String) COMMENT 'up, down, mixed or none',
    drifted Bool COMMENT 'Whether this method says drift',
    verdict LowCardinality(String) COMMENT 'Verdict of the column: drift, no_drift or insufficient_data',
    detail String COMMENT 'What else the method says; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (model, monitor, window_start)
ORDER BY (model, monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name, segment_key, segment_value, column_name, method)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Results of drift runs'
