-- Question: which tensors was a model given, so that another model can be given the same?
-- Row: the input tensors of one call of a model, and its answer where it was captured, too.
-- Sort key: (model, version, ts, event_id), as of predictions: a replay reads a window of one model in order, and event_id finds the
--   prediction that was made of it, and lets a repeated event collapse.
-- Partition: day on which it came in (not of ts), so that one INSERT touches at most two, whatever the clocks of clients say.
-- Retention: 7 days after it came in, whole parts.
-- Growth: what clients capture: 2 KB a row with 25 features, 170 MB a day at one a second.
CREATE TABLE IF NOT EXISTS ${database}.payloads${local}${on_cluster}
(
    event_id String COMMENT 'Id of the prediction that was made of it, given by the client or made by the collector' CODEC(ZSTD(1)),
    ts DateTime64(6, 'UTC') COMMENT 'When the model was asked, UTC' CODEC(Delta(8), ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the collector took the event, UTC' CODEC(Delta(8), ZSTD(1)),
    model LowCardinality(String) COMMENT 'Name of the model',
    version LowCardinality(String) COMMENT 'Version of the model, or empty',
    environment LowCardinality(String) COMMENT 'Where it ran, such as prod, or empty',
    inputs String COMMENT 'What the model was given: a JSON array of tensors {"name","datatype","shape","data"} in the words of the Open Inference Protocol, data flat in row-major order' CODEC(ZSTD(3)),
    outputs String COMMENT 'What it answered, in the same way, or empty' CODEC(ZSTD(3)),
    INDEX ts_range ts TYPE minmax GRANULARITY 1,
    INDEX event_id_bloom event_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ${engine:ReplacingMergeTree(ingested_at)}
PARTITION BY toDate(ingested_at)
PRIMARY KEY (model, version, ts)
ORDER BY (model, version, ts, event_id)
TTL toDateTime(ingested_at) + INTERVAL 7 DAY
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480
COMMENT 'One row the tensors of a call of a model'
