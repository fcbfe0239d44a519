-- topology: cluster
-- Question: the same as of llm_calls, over all shards.
-- Row: a call. Sharded by trace_id, as spans are.
-- Nothing is stored here; INSERTs go to the shards before they are answered (distributed_foreground_insert).
CREATE TABLE IF NOT EXISTS ${database}.llm_calls${on_cluster} AS ${database}.llm_calls_local
ENGINE = Distributed(${cluster}, '${database}', 'llm_calls_local', cityHash64(trace_id))
