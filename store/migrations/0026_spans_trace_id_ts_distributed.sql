-- topology: cluster
-- Question: the same as of spans_trace_id_ts, over all shards.
-- Row: a trace within one INSERT. Sharded by TraceId, as spans are.
-- Nothing is stored here, and nothing is inserted: each shard fills its own.
CREATE TABLE IF NOT EXISTS ${database}.spans_trace_id_ts${on_cluster} AS ${database}.spans_trace_id_ts_local
ENGINE = Distributed(${cluster}, '${database}', 'spans_trace_id_ts_local', cityHash64(TraceId))
