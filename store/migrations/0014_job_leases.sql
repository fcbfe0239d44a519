-- Question: who runs a job now?
-- Row: the latest renewal of one claim on one job. A claim is live until it expires; giving it back makes it expire at once.
-- Sort key: (job, token): the live claims on one job are read together, each once.
-- Partition: none. Retention: a day after it expired. Growth: a row a renewal and run, gone after a day.
-- On a cluster every node holds all rows; see docs/decisions/0005-leases-by-insert-and-read-back.md for what lag does.
-- No fsync: a claim that a crash of the machine loses belonged to a run that it ended, or its findings are written twice alike.
CREATE TABLE IF NOT EXISTS ${database}.job_leases${on_cluster}
(
    job String COMMENT 'What is claimed: kind, monitor and window',
    token String COMMENT 'Which claim, unique',
    holder String COMMENT 'The analyzer that claims',
    renewal UInt64 COMMENT 'Counts up with each renewal; the largest wins, and giving back is the largest number there is',
    expires_at DateTime64(6, 'UTC') COMMENT 'When the claim runs out, by the clock of ClickHouse'
)
ENGINE = ${everywhere:ReplacingMergeTree(renewal)}
ORDER BY (job, token)
TTL toDateTime(expires_at) + INTERVAL 1 DAY
COMMENT 'Claims of analyzers on jobs'
