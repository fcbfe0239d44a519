-- Question: in which state is each alert and each group now, for whoever takes over, and for pages?
-- Row: the whole state in one document, written after each change; the largest revision wins.
-- Sort key: its name, of which there is one. Partition: none. Retention: none. Growth: none after merges.
-- On a cluster every node holds the row: the process that takes over reads it.
CREATE TABLE IF NOT EXISTS ${database}.alert_state${on_cluster}
(
    name LowCardinality(String) COMMENT 'Whose state: alerts',
    revision UInt64 COMMENT 'Counts up with each change; the largest wins',
    at DateTime64(6, 'UTC') COMMENT 'When it was written, UTC',
    holder String COMMENT 'The process that wrote it',
    standing String COMMENT 'Alerts that are pending, firing or recovering, as /api/v1/alerts shows them; JSON' CODEC(ZSTD(3)),
    document String COMMENT 'Everything that the next process needs to go on; JSON' CODEC(ZSTD(3))
)
ENGINE = ${everywhere:ReplacingMergeTree(revision)}
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'The state of alerts and groups'
