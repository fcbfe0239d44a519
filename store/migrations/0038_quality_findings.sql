-- Question: which column of which model was not what was expected in which window, by which check, how often?
-- Row: one check of one column, or of the whole table, in one window. A run that is repeated overwrites its rows.
-- Sort key: the natural key of a finding, in the order in which it is asked: a model's monitor over time, then where.
-- Partition: month of the window's start. Retention: 1,100 days after it was computed, whole parts, so that years can be compared.
-- Growth: about 5 checks a column and window, about 100 bytes each: 25 columns, hourly: 300 KB a day.
-- On a cluster every node holds all rows: they are small beside the events, and pages and alerts read them all the time.
CREATE TABLE IF NOT EXISTS ${database}.quality_findings${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run ended, UTC; the latest wins',
    model LowCardinality(String) COMMENT 'Name of the model',
    version LowCardinality(String) COMMENT 'Version of the model, or empty for all',
    environment LowCardinality(String) COMMENT 'Environment, or empty for all',
    monitor LowCardinality(String) COMMENT 'Name of the monitor, or empty for a run by hand',
    reference_kind LowCardinality(String) COMMENT 'baseline, window, previous, same_hour_last_week or expectations',
    reference_name String COMMENT 'Name of the baseline, or empty',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the window, UTC, included',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the window, UTC, excluded',
    granularity LowCardinality(String) COMMENT 'Length of the windows of the monitor, such as 1d, or empty',
    segment_key LowCardinality(String) COMMENT 'What the segment is cut by, or empty for the whole population',
    segment_value String COMMENT 'Value that the rows of the segment share, or empty',
    column_name LowCardinality(String) COMMENT 'The column, or empty for the whole table',
    method LowCardinality(String) COMMENT 'The check, such as missing_rate or range; version_schema carries the version after a colon',
    statistic Nullable(Float64) COMMENT 'What was found, where it is one number: a share, 0 to 1, or a count',
    threshold_low Nullable(Float64) COMMENT 'The least that passes, where it is a number',
    threshold Nullable(Float64) COMMENT 'The most that passes, where it is a number',
    occurrences UInt64 COMMENT 'Rows, values or categories that are not as expected',
    n_reference UInt64 COMMENT 'Rows that the expectations were learnt from',
    n_current UInt64 COMMENT 'Rows of the window',
    verdict LowCardinality(String) COMMENT 'pass or fail',
    detail String COMMENT 'The check as it is printed; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (model, monitor, window_start)
ORDER BY (model, monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name, segment_key, segment_value, column_name, method)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Results of quality runs'
