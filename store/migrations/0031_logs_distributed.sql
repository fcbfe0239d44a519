-- topology: cluster
-- Question: the same as of logs, over all shards.
-- Row: a log record. Sharded at random: records are read by service and time.
-- Nothing is stored here; INSERTs go to the shards before they are answered (distributed_foreground_insert).
CREATE TABLE IF NOT EXISTS ${database}.logs${on_cluster} AS ${database}.logs_local
ENGINE = Distributed(${cluster}, '${database}', 'logs_local', rand())
