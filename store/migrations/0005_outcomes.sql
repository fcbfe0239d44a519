-- Question: what was true of a prediction?
-- Row: one outcome of one event. It may come weeks late and may be corrected: the row taken last replaces the others.
-- Sort key: (model, event_id), the key of the join with predictions and of the replacement.
-- Partition: none. A correction must meet the row it corrects, so no column that it may change can partition.
-- Retention: 400 days after it came in, row by row while parts are merged.
-- Growth: about 40 bytes a row, 350 MB a day at 100 outcomes/s.
CREATE TABLE IF NOT EXISTS ${database}.outcomes${local}${on_cluster}
(
    model LowCardinality(String) COMMENT 'Name of the model that predicted',
    event_id String COMMENT 'event_id of the prediction' CODEC(ZSTD(1)),
    ts DateTime64(6, 'UTC') COMMENT 'When the outcome became known, UTC' CODEC(Delta(8), ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the collector took the event, UTC; the latest wins' CODEC(Delta(8), ZSTD(1)),
    label LowCardinality(Nullable(String)) COMMENT 'True class',
    value Nullable(Float64) COMMENT 'True number, in the unit of the target' CODEC(ZSTD(1))
)
ENGINE = ${engine:ReplacingMergeTree(ingested_at)}
ORDER BY (model, event_id)
TTL toDateTime(ingested_at) + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480
COMMENT 'One row a ground truth of a prediction'
