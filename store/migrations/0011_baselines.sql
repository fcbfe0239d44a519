-- Question: what did the population look like that a model is compared with?
-- Row: one named reference population with its profile. Saving a name again replaces it.
-- Sort key: (model, name): a baseline is looked up by both.
-- Partition: none. Retention: for ever. Growth: a few rows a model, 1 to 100 KB each.
-- On a cluster every node holds all rows: they are few, and every drift run reads one.
CREATE TABLE IF NOT EXISTS ${database}.baselines${on_cluster}
(
    model LowCardinality(String) COMMENT 'Name of the model',
    name String COMMENT 'Name of the baseline',
    version LowCardinality(String) COMMENT 'Version of the model that the population came from, or empty for all',
    environment LowCardinality(String) COMMENT 'Environment that the population came from, or empty for all',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the population, UTC, included',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the population, UTC, excluded',
    row_count UInt64 COMMENT 'Rows of the population',
    profile String COMMENT 'Per column: type, edges, quantiles, categories; JSON' CODEC(ZSTD(3)),
    created_at DateTime64(6, 'UTC') COMMENT 'When it was saved, UTC; the latest wins'
)
ENGINE = ${everywhere:ReplacingMergeTree(created_at)}
ORDER BY (model, name)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Named reference populations'
