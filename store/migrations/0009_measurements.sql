-- Question: which values did a metric take for the units of an experiment?
-- Row: one value of one metric of one unit.
-- Sort key: (metric, unit_id, ts, event_id): a metric is read as a whole and summed by unit. event_id keeps two equal
--   values of one instant apart, and lets a repeated event collapse.
-- Partition: month of ts, which bounds the parts of an INSERT.
-- Retention: 400 days after it came in, whole parts.
-- Growth: about 35 bytes a row, 300 MB a day at 100 measurements/s.
CREATE TABLE IF NOT EXISTS ${database}.measurements${local}${on_cluster}
(
    metric LowCardinality(String) COMMENT 'Name of the metric',
    unit_id String COMMENT 'Whose value it is' CODEC(ZSTD(1)),
    ts DateTime64(6, 'UTC') COMMENT 'When it was measured, UTC' CODEC(Delta(8), ZSTD(1)),
    value Float64 COMMENT 'The value, in the unit of the metric' CODEC(ZSTD(1)),
    event_id String COMMENT 'Id given by the client or made by the collector' CODEC(ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the collector took the event, UTC' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ${engine:ReplacingMergeTree(ingested_at)}
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (metric, unit_id)
ORDER BY (metric, unit_id, ts, event_id)
TTL toDateTime(ingested_at) + INTERVAL 400 DAY
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480
COMMENT 'One row a value of a metric of a unit'
