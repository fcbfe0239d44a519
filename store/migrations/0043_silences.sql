-- Question: which alerts is nobody told of at the moment, until when, and who said so?
-- Row: one silence in its latest wording; one that was ended early has its end in the past.
-- Sort key: its name. Partition: none. Retention: 400 days after its end. Growth: a row a silence.
-- On a cluster every node holds all rows: the process that sends notifications reads them all the time.
CREATE TABLE IF NOT EXISTS ${database}.silences${on_cluster}
(
    id String COMMENT 'Names the silence',
    matchers Array(String) COMMENT 'Alerts that fulfil all of them are not told, each such as model="delay"',
    starts_at DateTime64(6, 'UTC') COMMENT 'From when, UTC, included',
    ends_at DateTime64(6, 'UTC') COMMENT 'Until when, UTC, excluded',
    created_by String COMMENT 'Who made it',
    comment String COMMENT 'Why',
    updated_at DateTime64(6, 'UTC') COMMENT 'When it was written, UTC; the latest wins'
)
ENGINE = ${everywhere:ReplacingMergeTree(updated_at)}
ORDER BY id
TTL toDateTime(ends_at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Alerts that nobody is told of for a while'
