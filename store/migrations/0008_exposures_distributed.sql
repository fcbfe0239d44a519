-- topology: cluster
-- Question: the same as of exposures, over all shards.
-- Row: an exposure. Sharded by unit, as measurements are: an experiment joins the two by unit.
CREATE TABLE IF NOT EXISTS ${database}.exposures${on_cluster} AS ${database}.exposures_local
ENGINE = Distributed(${cluster}, '${database}', 'exposures_local', cityHash64(unit_id))
