-- Question: which migrations has this database seen, and were they the ones this binary knows?
-- Row: one migration reached one state. `started` without `applied` is a half-applied one: it is run again.
-- Sort key: (version, state), so that appliers working at once add to each other's rows and never undo them.
-- Partition: none. Retention: for ever. Growth: two rows a migration.
-- On a cluster every node holds all rows, so that any node can answer.
CREATE TABLE IF NOT EXISTS ${database}.schema_migrations${on_cluster}
(
    version UInt32 COMMENT 'Number of the migration, from 1 without gaps',
    name LowCardinality(String) COMMENT 'Its file name without number and ending',
    checksum String COMMENT 'SHA-256 of the file before rendering, hex',
    state LowCardinality(String) COMMENT 'started or applied',
    topology LowCardinality(String) COMMENT 'single or cluster: how it was rendered',
    applied_at DateTime64(6, 'UTC') COMMENT 'When it reached the state, UTC',
    applied_by LowCardinality(String) COMMENT 'Version of the windvane that did it'
)
ENGINE = ${everywhere:ReplacingMergeTree(applied_at)}
ORDER BY (version, state)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Which migrations have run'
