-- Question: what did an experiment's definition sum to in each part of predictions, so that a part is read once?
-- Row: parts that were looked at together, in which no event and no unit is there twice, with the sums of each by arm. The latest wins.
-- Sort key: an experiment's definition, and who asked: ClickHouse may show two users other rows of predictions.
-- Partition: none. Retention: 30 days after it was written; what is gone is read again.
-- Growth: a row a definition after merges, of at most 4 MB before it is compressed; ten metrics, three arms and ten parts are 20 KB.
-- On a cluster nothing is written here: parts of predictions belong to servers there, and sums are made anew at every look.
-- No fsync: what a crash of the machine loses is read again.
CREATE TABLE IF NOT EXISTS ${database}.experiment_sums${on_cluster}
(
    experiment String COMMENT 'Name of the experiment',
    definition String COMMENT 'What decides the sums, by their statement: SHA-256, hex',
    reader String DEFAULT currentUser() COMMENT 'The user who asked',
    sums String COMMENT 'Each part by name and hash, with its units and sums by arm; JSON' CODEC(ZSTD(3)),
    kept_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When it was written, by the clock of ClickHouse; the latest wins'
)
ENGINE = ${everywhere:ReplacingMergeTree(kept_at)}
ORDER BY (experiment, definition, reader)
TTL toDateTime(kept_at) + INTERVAL 30 DAY
COMMENT 'Sums of experiments by part of predictions'
