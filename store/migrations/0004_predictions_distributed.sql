-- topology: cluster
-- Question: the same as of predictions, over all shards.
-- Row: a prediction. Sharded by event_id, as outcomes are, so that a prediction and its outcome lie on one shard.
-- Nothing is stored here; INSERTs go to the shards before they are answered (distributed_foreground_insert).
CREATE TABLE IF NOT EXISTS ${database}.predictions${on_cluster} AS ${database}.predictions_local
ENGINE = Distributed(${cluster}, '${database}', 'predictions_local', cityHash64(event_id))
