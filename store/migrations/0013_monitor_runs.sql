-- Question: which windows of which monitor were run, when, how did they end?
-- Row: the latest state of one window of one monitor. Each change of state replaces the row before.
-- Sort key: the natural key: a monitor's windows over time, as the scheduler asks for them.
-- Partition: month of the window's start. Retention: 1,100 days after the last change, as long as its findings, whole parts.
-- Growth: 3 rows a window before merges, about 200 bytes each: an hourly monitor has 15 KB a day.
-- On a cluster every node holds all rows: the scheduler of each analyzer reads them.
CREATE TABLE IF NOT EXISTS ${database}.monitor_runs${on_cluster}
(
    kind LowCardinality(String) COMMENT 'What kind of job it is: drift',
    monitor LowCardinality(String) COMMENT 'Name of the monitor',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the window, UTC, included',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the window, UTC, excluded',
    model LowCardinality(String) COMMENT 'Name of the model',
    state LowCardinality(String) COMMENT 'running, failed or done',
    attempt UInt64 COMMENT 'Which attempt it is, from 1; a repeated window goes on counting',
    revision UInt64 COMMENT 'Orders the states of a window, whatever clocks say: attempt times 4, and running 0, failed 1, done 2; the largest wins',
    run_id String COMMENT 'Id of the attempt, that of its findings',
    holder String COMMENT 'The analyzer that runs it',
    started_at DateTime64(6, 'UTC') COMMENT 'When the attempt began, UTC',
    ended_at DateTime64(6, 'UTC') COMMENT 'When it ended, UTC; 1970 while it runs',
    rows_reference UInt64 COMMENT 'Rows of the reference',
    rows_current UInt64 COMMENT 'Rows of the window',
    findings UInt64 COMMENT 'Rows that it wrote into the table of findings',
    verdict LowCardinality(String) COMMENT 'What it found: drift, no_drift or insufficient_data; empty until it is done',
    error String COMMENT 'Why it failed, or empty'
)
ENGINE = ${everywhere:ReplacingMergeTree(revision)}
PARTITION BY toYYYYMM(window_start)
ORDER BY (kind, monitor, window_start, window_end)
TTL toDateTime(started_at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Which windows of monitors were run'
