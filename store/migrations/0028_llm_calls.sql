-- Question: which large language models were called, how fast, with how many tokens, and what did it cost?
-- Row: one call, read out of a span with attributes of OpenTelemetry's GenAI conventions, OpenInference or OpenLLMetry.
-- Sort key: (service, response_model, ts, trace_id, span_id): a service's calls are compared by model over time; the ids make the key
--   unique, so that a repeated span collapses.
-- Partition: day on which it came in (not of ts), so that an INSERT touches at most two.
-- Retention: 400 days after it came in, whole parts.
-- Growth: about 90 bytes a row, 80 MB a day at 10 calls/s.
CREATE TABLE IF NOT EXISTS ${database}.llm_calls${local}${on_cluster}
(
    ts DateTime64(6, 'UTC') COMMENT 'When the call began, UTC' CODEC(Delta(8), ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the collector took it, UTC' CODEC(Delta(8), ZSTD(1)),
    trace_id String COMMENT 'W3C trace id, hex' CODEC(ZSTD(1)),
    span_id String COMMENT 'W3C span id, hex' CODEC(ZSTD(1)),
    service LowCardinality(String) COMMENT 'service.name of who called',
    environment LowCardinality(String) COMMENT 'deployment.environment.name of who called, or empty',
    operation LowCardinality(String) COMMENT 'chat, text_completion, embeddings …',
    provider LowCardinality(String) COMMENT 'Who answered: openai, anthropic …, or empty',
    request_model LowCardinality(String) COMMENT 'Model that was asked for, or empty',
    response_model LowCardinality(String) COMMENT 'Model that answered; the one asked for where the span does not say',
    response_id String COMMENT 'Id of the answer at the provider, or empty' CODEC(ZSTD(1)),
    conversation_id String COMMENT 'Conversation that the call is part of, or empty' CODEC(ZSTD(1)),
    input_tokens Nullable(UInt64) COMMENT 'Tokens of the prompt, those from the cache included' CODEC(T64, ZSTD(1)),
    output_tokens Nullable(UInt64) COMMENT 'Tokens of the answer, those of reasoning included' CODEC(T64, ZSTD(1)),
    cache_read_tokens Nullable(UInt64) COMMENT 'Tokens of the prompt that came from the cache' CODEC(T64, ZSTD(1)),
    cache_write_tokens Nullable(UInt64) COMMENT 'Tokens of the prompt that were written to the cache' CODEC(T64, ZSTD(1)),
    reasoning_tokens Nullable(UInt64) COMMENT 'Tokens of the answer that were reasoning' CODEC(T64, ZSTD(1)),
    finish_reasons Array(LowCardinality(String)) COMMENT 'Why each choice ended: stop, length, tool_calls …' CODEC(ZSTD(1)),
    streamed Bool COMMENT 'Whether the answer came piece by piece',
    duration_us UInt64 COMMENT 'How long the call took, microseconds' CODEC(T64, ZSTD(1)),
    time_to_first_token_us Nullable(UInt64) COMMENT 'How long until the first piece of the answer, microseconds' CODEC(T64, ZSTD(1)),
    time_per_output_token_us Nullable(Float64) COMMENT 'How long each token after the first took, microseconds' CODEC(ZSTD(1)),
    cost Nullable(Float64) COMMENT 'What it cost by the price table of the configuration, in currency; none for a model without a price' CODEC(ZSTD(1)),
    currency LowCardinality(String) COMMENT 'Currency of cost; empty without one',
    status LowCardinality(String) COMMENT 'ok, or a word for the failure',
    convention LowCardinality(String) COMMENT 'Whose attributes the span had: gen_ai, openinference or openllmetry',
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ${engine:ReplacingMergeTree(ingested_at)}
PARTITION BY toDate(ingested_at)
PRIMARY KEY (service, response_model, ts)
ORDER BY (service, response_model, ts, trace_id, span_id)
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
COMMENT 'One row a call of a large language model'
