-- topology: cluster
-- Question: the same as of payloads, over all shards.
-- Row: a payload. Sharded by event_id, as predictions are, so that a payload and its prediction lie on one shard.
-- Nothing is stored here; INSERTs go to the shards before they are answered (distributed_foreground_insert).
CREATE TABLE IF NOT EXISTS ${database}.payloads${on_cluster} AS ${database}.payloads_local
ENGINE = Distributed(${cluster}, '${database}', 'payloads_local', cityHash64(event_id))
