-- Question: how right was which model in which window, by which metric, by truth and by estimate, and is that usual?
-- Row: one metric of one chunk of the whole population or of one segment. A run that is repeated, as after late outcomes, overwrites its rows.
-- Sort key: the natural key of a finding, in the order in which it is asked: a model's monitor over time, then where.
-- Partition: month of the window's start. Retention: 1,100 days after it was computed, whole parts, so that years can be compared.
-- Growth: metrics × (1 + segments) rows a window, about 120 bytes each: 10 metrics, 5 segments, daily: 7 KB a day.
-- On a cluster every node holds all rows: they are small beside the events, and pages and alerts read them all the time.
CREATE TABLE IF NOT EXISTS ${database}.performance_findings${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run began to read, UTC; the latest wins',
    model LowCardinality(String) COMMENT 'Name of the model',
    version LowCardinality(String) COMMENT 'Version of the model, or empty for all',
    environment LowCardinality(String) COMMENT 'Environment, or empty for all',
    monitor LowCardinality(String) COMMENT 'Name of the monitor, or empty for a run by hand',
    reference_kind LowCardinality(String) COMMENT 'baseline, window, previous or same_hour_last_week',
    reference_name String COMMENT 'Name of the baseline, or empty',
    reference_start DateTime64(6, 'UTC') COMMENT 'Start of the reference, UTC, included',
    reference_end DateTime64(6, 'UTC') COMMENT 'End of the reference, UTC, excluded',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the chunk, UTC, included',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the chunk, UTC, excluded',
    granularity LowCardinality(String) COMMENT 'Length of the windows of the monitor, such as 1d, or empty',
    segment_key LowCardinality(String) COMMENT 'What the segment is cut by, or empty for the whole population',
    segment_value String COMMENT 'Value that the rows of the segment share, or empty',
    task LowCardinality(String) COMMENT 'binary, multiclass, regression or ranking',
    metric LowCardinality(String) COMMENT 'Metric, such as roc_auc or mae',
    realised Nullable(Float64) COMMENT 'Value on predictions with an outcome, in the unit of the metric',
    ci_low Nullable(Float64) COMMENT 'Lower end of its interval',
    ci_high Nullable(Float64) COMMENT 'Upper end of its interval',
    estimated Nullable(Float64) COMMENT 'Value as estimated without outcomes',
    band_low Nullable(Float64) COMMENT 'Estimate less three sampling errors',
    band_high Nullable(Float64) COMMENT 'Estimate and three sampling errors',
    threshold_low Nullable(Float64) COMMENT 'Lower end of what is usual',
    threshold_high Nullable(Float64) COMMENT 'Upper end of what is usual',
    n UInt64 COMMENT 'Predictions of the chunk',
    labelled UInt64 COMMENT 'Predictions with an outcome',
    outcomes_until DateTime64(6, 'UTC') COMMENT 'When the latest of the outcomes that the run has seen in its window was received, UTC; 1970 for none',
    coverage Nullable(Float64) COMMENT 'Their share, 0 to 1',
    alert Bool COMMENT 'Whether the metric left what is usual',
    verdict LowCardinality(String) COMMENT 'Verdict of the metric: alert, no_alert or insufficient_data',
    trust LowCardinality(String) COMMENT 'Whether estimates were near the truth: trusted, muted or unknown',
    detail String COMMENT 'What else there is to say; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (model, monitor, window_start)
ORDER BY (model, monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name, segment_key, segment_value, metric)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Results of performance runs'
