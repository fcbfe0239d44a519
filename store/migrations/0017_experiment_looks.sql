-- Question: what did the latest look at an experiment say as a whole: its arms, its health, its verdict?
-- Row: one look at an experiment, with the document that was printed. Its comparisons are rows of experiment_findings, too, where
--   they can be filtered and plotted; arms, health and rule are here only. A look that is repeated overwrites its row.
-- Sort key: an experiment's looks in time.
-- Partition: month of the look. Retention: 1,100 days after it was computed, whole parts, as the findings.
-- Growth: a row a look, about 3 KB with 10 metrics of 2 arms: hourly 72 KB a day.
-- On a cluster every node holds all rows: they are small beside the events, and pages read them all the time.
CREATE TABLE IF NOT EXISTS ${database}.experiment_looks${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run ended, UTC; the latest wins',
    as_of DateTime64(6, 'UTC') COMMENT 'Exposures before this time were looked at, UTC',
    experiment LowCardinality(String) COMMENT 'Name of the experiment',
    control LowCardinality(String) COMMENT 'The arm that the others are compared with',
    units UInt64 COMMENT 'Units of all arms',
    srm_verdict LowCardinality(String) COMMENT 'ok or mismatch',
    verdict LowCardinality(String) COMMENT 'worse where any comparison is, else better where any is, else equivalent where all are, else inconclusive',
    document String COMMENT 'The document windvane.experiment/1; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(as_of)
ORDER BY (experiment, as_of)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Looks at experiments as whole documents'
