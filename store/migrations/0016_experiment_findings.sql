-- Question: what did an experiment say when it was looked at: how large is the effect, how sure is it, is the experiment healthy?
-- Row: one metric of one arm against the control, as of one look. A look that is repeated overwrites its rows; looks are kept
--   side by side, so that the interval can be plotted over time.
-- Sort key: the natural key of a finding: an experiment's metric and arm over time.
-- Partition: month of the look. Retention: 1,100 days after it was computed, whole parts, so that years can be compared.
-- Growth: metrics × arms rows a look, about 150 bytes each: 10 metrics, 2 arms, hourly: 72 KB a day.
-- On a cluster every node holds all rows: they are small beside the events, and pages read them all the time.
CREATE TABLE IF NOT EXISTS ${database}.experiment_findings${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run ended, UTC; the latest wins',
    as_of DateTime64(6, 'UTC') COMMENT 'Exposures before this time were looked at, UTC',
    experiment LowCardinality(String) COMMENT 'Name of the experiment',
    metric LowCardinality(String) COMMENT 'Name of the metric',
    metric_kind LowCardinality(String) COMMENT 'mean, proportion, ratio or quantile',
    quantile Float64 COMMENT 'Level of a quantile, 0 to 1; 0 for other kinds',
    role LowCardinality(String) COMMENT 'primary, secondary or guardrail',
    arm LowCardinality(String) COMMENT 'The arm',
    control LowCardinality(String) COMMENT 'The arm that it is compared with',
    segment_key LowCardinality(String) COMMENT 'What the segment is cut by, or empty for all units',
    segment_value String COMMENT 'Value that the units of the segment share, or empty',
    n UInt64 COMMENT 'Units of the arm with a value',
    n_control UInt64 COMMENT 'Units of the control with a value',
    mean Nullable(Float64) COMMENT 'Estimate of the arm, in the unit of the metric',
    mean_control Nullable(Float64) COMMENT 'Estimate of the control, in the unit of the metric',
    absolute Nullable(Float64) COMMENT 'Difference, in the unit of the metric',
    absolute_low Nullable(Float64) COMMENT 'Lower end of its interval',
    absolute_high Nullable(Float64) COMMENT 'Upper end of its interval',
    relative Nullable(Float64) COMMENT 'Difference as a share of the control',
    relative_low Nullable(Float64) COMMENT 'Lower end of its interval',
    relative_high Nullable(Float64) COMMENT 'Upper end of its interval',
    sequential_low Nullable(Float64) COMMENT 'Lower end of the always-valid interval of the relative difference',
    sequential_high Nullable(Float64) COMMENT 'Upper end of the always-valid interval of the relative difference',
    sequential_p_value Nullable(Float64) COMMENT 'Always-valid p, 0 to 1',
    probability_better Nullable(Float64) COMMENT 'Probability that the arm is better, 0 to 1',
    p_value Nullable(Float64) COMMENT 'p of the absolute difference, 0 to 1',
    p_adjusted Nullable(Float64) COMMENT 'p after correction over metrics and arms, 0 to 1',
    srm_p_value Nullable(Float64) COMMENT 'p of the sample ratio, 0 to 1',
    srm_sequential_p_value Nullable(Float64) COMMENT 'Always-valid p of the sample ratio, 0 to 1',
    srm_verdict LowCardinality(String) COMMENT 'ok or mismatch',
    verdict LowCardinality(String) COMMENT 'better, worse, equivalent or inconclusive',
    detail String COMMENT 'The comparison as the document has it; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(as_of)
PRIMARY KEY (experiment, metric, arm)
ORDER BY (experiment, metric, arm, metric_kind, quantile, segment_key, segment_value, as_of)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Results of experiments over time'
