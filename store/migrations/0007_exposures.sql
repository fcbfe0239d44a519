-- Question: which units saw which arm of an experiment, since when?
-- Row: one exposure. A unit is exposed as often as it comes back; the first row of an arm counts.
-- Sort key: (experiment, unit_id, ts, event_id): an experiment is read as a whole, unit by unit in time.
-- Partition: month of ts, which bounds the parts of an INSERT.
-- Retention: 400 days after it came in, whole parts.
-- Growth: about 30 bytes a row, 260 MB a day at 100 exposures/s.
CREATE TABLE IF NOT EXISTS ${database}.exposures${local}${on_cluster}
(
    experiment LowCardinality(String) COMMENT 'Name of the experiment',
    unit_id String COMMENT 'Who or what was assigned' CODEC(ZSTD(1)),
    arm LowCardinality(String) COMMENT 'The arm it was assigned to',
    ts DateTime64(6, 'UTC') COMMENT 'When it was exposed, UTC' CODEC(Delta(8), ZSTD(1)),
    event_id String COMMENT 'Id given by the client or made by the collector' CODEC(ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the collector took the event, UTC' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ${engine:ReplacingMergeTree(ingested_at)}
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (experiment, unit_id)
ORDER BY (experiment, unit_id, ts, event_id)
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
COMMENT 'One row an assignment of a unit to an arm of an experiment'
