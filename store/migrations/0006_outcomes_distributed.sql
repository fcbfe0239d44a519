-- topology: cluster
-- Question: the same as of outcomes, over all shards.
-- Row: an outcome. Sharded by event_id, so that corrections meet, and beside its prediction.
CREATE TABLE IF NOT EXISTS ${database}.outcomes${on_cluster} AS ${database}.outcomes_local
ENGINE = Distributed(${cluster}, '${database}', 'outcomes_local', cityHash64(event_id))
