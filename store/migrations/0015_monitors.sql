-- Question: which monitors are there, and when does each run next?
-- Row: a monitor as the analyzer that has it in its configuration announced it last.
-- Sort key: (kind, monitor), its name. Partition: none.
-- Retention: 30 days after it was announced last, so that one that was taken out of the configuration goes.
-- Growth: a row a minute and monitor before merges, one after.
-- On a cluster every node holds all rows.
CREATE TABLE IF NOT EXISTS ${database}.monitors${on_cluster}
(
    kind LowCardinality(String) COMMENT 'What kind of job it is: drift',
    monitor String COMMENT 'Name of the monitor',
    model LowCardinality(String) COMMENT 'Name of the model',
    settings String COMMENT 'Its settings: reference, window, columns, segments, methods, alpha; JSON',
    enabled Bool COMMENT 'Whether it runs by itself',
    next_due DateTime64(6, 'UTC') COMMENT 'When its next window becomes due, UTC',
    holder String COMMENT 'The analyzer that announced it',
    seen_at DateTime64(6, 'UTC') COMMENT 'When it was announced, by the clock of ClickHouse; the latest wins'
)
ENGINE = ${everywhere:ReplacingMergeTree(seen_at)}
ORDER BY (kind, monitor)
TTL toDateTime(seen_at) + INTERVAL 30 DAY
COMMENT 'Monitors as analyzers have announced them'
