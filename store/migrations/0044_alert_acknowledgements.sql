-- Question: which alert does somebody look after already?
-- Row: the acknowledgement of one alert since it began; one that fires again later has to be acknowledged again.
-- Sort key: the alert. Partition: none. Retention: 400 days. Growth: a row an acknowledgement.
-- On a cluster every node holds all rows: the process that sends notifications reads them all the time.
CREATE TABLE IF NOT EXISTS ${database}.alert_acknowledgements${on_cluster}
(
    fingerprint String COMMENT 'Hash of the labels, which names the alert',
    at DateTime64(6, 'UTC') COMMENT 'When it was acknowledged, UTC; it counts for an alert that fires since before',
    acknowledged_by String COMMENT 'Who looks after it',
    comment String COMMENT 'What they say'
)
ENGINE = ${everywhere:ReplacingMergeTree(at)}
ORDER BY fingerprint
TTL toDateTime(at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Alerts that somebody looks after'
