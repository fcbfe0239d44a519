-- topology: cluster
-- Question: the same as of metrics_summary, over all shards.
-- Row: a data point. Sharded by series, so that one lies on one shard.
-- Nothing is stored here; INSERTs go to the shards before they are answered (distributed_foreground_insert).
CREATE TABLE IF NOT EXISTS ${database}.metrics_summary${on_cluster} AS ${database}.metrics_summary_local
ENGINE = Distributed(${cluster}, '${database}', 'metrics_summary_local', cityHash64(ServiceName, MetricName, Attributes))
