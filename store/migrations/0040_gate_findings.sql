-- Question: what did a gate say about a candidate, check by check, and may the candidate be rolled out?
-- Row: one check of one run of a gate, and one row a run whose check is empty: the gate as a whole, with the document that was printed.
--   A run that is written twice overwrites its rows.
-- Sort key: a gate's runs in time, then the checks of a run.
-- Partition: month of the run. Retention: 1,100 days after it was computed, whole parts, as the findings.
-- Growth: some ten rows a run and its document of about 20 KB: a hundred runs a day are 2 MB, a tenth of it on disk.
-- On a cluster every node holds all rows: they are small beside the events, and roll-outs ask them all the time.
CREATE TABLE IF NOT EXISTS ${database}.gate_findings${on_cluster}
(
    run_id String COMMENT 'Id of the run that wrote the row',
    computed_at DateTime64(6, 'UTC') COMMENT 'When the run ended, UTC',
    gate LowCardinality(String) COMMENT 'Name of the gate',
    model LowCardinality(String) COMMENT 'The model that is to be replaced; empty where nobody said',
    version LowCardinality(String) COMMENT 'The version that the candidate would be; empty where nobody said',
    champion_sha256 String COMMENT 'SHA-256 of the champion''s file, in hex',
    candidate_sha256 String COMMENT 'SHA-256 of the candidate''s file, in hex',
    check LowCardinality(String) COMMENT 'Which check; empty for the gate as a whole',
    subject String COMMENT 'What the check is about where there are several alike, such as a segment',
    verdict LowCardinality(String) COMMENT 'pass, fail or inconclusive',
    observed Nullable(Float64) COMMENT 'What was seen, in the unit of the check',
    bound Nullable(Float64) COMMENT 'What is accepted, in the unit of the check',
    ci_low Nullable(Float64) COMMENT 'Lower end of the interval of what was seen',
    ci_high Nullable(Float64) COMMENT 'Upper end of the interval of what was seen',
    n UInt64 COMMENT 'Requests that the check is made over',
    reason String COMMENT 'The answer in words',
    overridden_by String COMMENT 'Who let the gate pass although it did not; empty where nobody did',
    document String COMMENT 'The document windvane.gate/1 of the gate as a whole; empty for checks; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(computed_at)}
PARTITION BY toYYYYMM(computed_at)
ORDER BY (gate, computed_at, run_id, check, subject)
TTL toDateTime(computed_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Verdicts of gates, check by check'
