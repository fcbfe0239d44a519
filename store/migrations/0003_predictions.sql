-- Question: what did models answer in production, to which input, how fast?
-- Row: one prediction. An event that is sent twice under different keys is two rows until they are merged (or FINAL).
-- Sort key: (model, version, ts, event_id). Every reader asks for one model and a window of time; versions are compared
--   side by side; event_id makes the key unique, so that repetitions collapse. The primary index leaves event_id out,
--   which would only fill memory; a bloom filter finds single events instead.
-- Partition: month of ts. An INSERT makes a part for each partition it touches, so a month bounds the parts of late and
--   replayed events, while a day would not.
-- Retention: 400 days after the event came in (not after ts: history that is loaded today is to stay), whole parts.
-- Growth: about 250 bytes a row with 20 numeric and 5 categorical features, 2.5 GB a day at 100 events/s.
CREATE TABLE IF NOT EXISTS ${database}.predictions${local}${on_cluster}
(
    event_id String COMMENT 'Id given by the client or made by the collector, up to 128 bytes' CODEC(ZSTD(1)),
    ts DateTime64(6, 'UTC') COMMENT 'When the model answered, UTC' CODEC(Delta(8), ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the collector took the event, UTC' CODEC(Delta(8), ZSTD(1)),
    model LowCardinality(String) COMMENT 'Name of the model',
    version LowCardinality(String) COMMENT 'Version of the model, or empty',
    environment LowCardinality(String) COMMENT 'Where it ran, such as prod, or empty',
    unit_id String COMMENT 'Who or what the prediction is about, or empty' CODEC(ZSTD(1)),
    arms Map(LowCardinality(String), LowCardinality(String)) COMMENT 'Experiment to arm' CODEC(ZSTD(1)),
    num Map(LowCardinality(String), Float64) COMMENT 'Numeric features, each in its own unit; a missing one has no key' CODEC(ZSTD(1)),
    cat Map(LowCardinality(String), LowCardinality(String)) COMMENT 'Categorical features, booleans as true and false; a missing one has no key' CODEC(ZSTD(1)),
    embeddings Map(LowCardinality(String), Array(Float32)) COMMENT 'Name to vector' CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'Which column is the answer: score, label or value; empty without an answer',
    score Nullable(Float64) COMMENT 'Score of a binary model or a ranking' CODEC(ZSTD(1)),
    label LowCardinality(Nullable(String)) COMMENT 'Predicted class',
    probabilities Map(LowCardinality(String), Float64) COMMENT 'Class to probability, 0 to 1' CODEC(ZSTD(1)),
    value Nullable(Float64) COMMENT 'Predicted number, in the unit of the target' CODEC(ZSTD(1)),
    latency_us Nullable(UInt64) COMMENT 'How long the model took, microseconds' CODEC(T64, ZSTD(1)),
    status LowCardinality(String) COMMENT 'ok, or a word for the failure',
    trace_id String COMMENT 'W3C trace id, hex, or empty' CODEC(ZSTD(1)),
    span_id String COMMENT 'W3C span id, hex, or empty' CODEC(ZSTD(1)),
    tags Map(LowCardinality(String), LowCardinality(String)) COMMENT 'Free labels to cut segments by' CODEC(ZSTD(1)),
    INDEX event_id_bloom event_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ${engine:ReplacingMergeTree(ingested_at)}
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (model, version, ts)
ORDER BY (model, version, ts, event_id)
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
COMMENT 'One row a prediction of a model in production'
