-- topology: cluster
-- Question: the same as of spans, over all shards.
-- Row: a span. Sharded by TraceId, so that a trace lies on one shard.
-- Nothing is stored here; INSERTs go to the shards before they are answered (distributed_foreground_insert).
CREATE TABLE IF NOT EXISTS ${database}.spans${on_cluster} AS ${database}.spans_local
ENGINE = Distributed(${cluster}, '${database}', 'spans_local', cityHash64(TraceId))
