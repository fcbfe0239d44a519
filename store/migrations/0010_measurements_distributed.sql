-- topology: cluster
-- Question: the same as of measurements, over all shards.
-- Row: a measurement. Sharded by unit, beside the unit's exposures.
CREATE TABLE IF NOT EXISTS ${database}.measurements${on_cluster} AS ${database}.measurements_local
ENGINE = Distributed(${cluster}, '${database}', 'measurements_local', cityHash64(unit_id))
