-- Question: who was told what, when, at which attempt, and what did the receiver answer?
-- Row: one attempt to deliver one notification. A row that is written again replaces itself.
-- Sort key: a receiver's notifications in time.
-- Partition: month of the attempt. Retention: 1,100 days, whole parts.
-- Growth: about 500 bytes an attempt: 50 notifications a day have 25 KB.
-- On a cluster every node holds all rows: they are few.
CREATE TABLE IF NOT EXISTS ${database}.notifications${on_cluster}
(
    at DateTime64(6, 'UTC') COMMENT 'When the attempt ended, UTC',
    receiver LowCardinality(String) COMMENT 'Name of the receiver',
    id String COMMENT 'Names the notification: the same for each attempt, and the Idempotency-Key',
    attempt UInt64 COMMENT 'Which attempt, from 1',
    outcome LowCardinality(String) COMMENT 'taken, later (tried again), refused, dead (given up), superseded or held (in a digest)',
    answer String COMMENT 'What the receiver said',
    reason LowCardinality(String) COMMENT 'Why it was sent, one of the words of docs/ALERTS.md',
    group_key String COMMENT 'The group that it is about',
    generation UInt64 COMMENT 'The how manieth notification of the group it is',
    firing UInt64 COMMENT 'Alerts in it that fire',
    resolved UInt64 COMMENT 'Alerts in it that have ended',
    subject String COMMENT 'Its subject',
    took_ms UInt64 COMMENT 'How long the attempt took, milliseconds',
    holder String COMMENT 'The process that sent it'
)
ENGINE = ${everywhere:ReplacingMergeTree()}
PARTITION BY toYYYYMM(at)
ORDER BY (receiver, at, id, attempt)
TTL toDateTime(at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Every attempt to deliver a notification'
