-- Question: how many predictions, since when, until when, how fast, without reading them all?
-- Row of the projection: one hour of one model, version, environment and status. It lives inside each part of predictions
--   and is written with it, so that it never says anything else than its table, whatever is repeated, merged or dropped.
-- Readers ask for `count()`, `min(ts)`, `max(ts)` and `quantilesTDigest(0.5, 0.95, 0.99)(latency_us)` by these keys;
--   ClickHouse takes the projection by itself. Parts from before this migration are read as before.
-- Growth: a row an hour and key in each part, about 1 KB with its digest.
ALTER TABLE ${database}.predictions${local}${on_cluster} ADD PROJECTION IF NOT EXISTS by_hour (
    SELECT model, version, environment, status, toStartOfHour(ts),
           count(), min(ts), max(ts), quantilesTDigest(0.5, 0.95, 0.99)(latency_us)
    GROUP BY model, version, environment, status, toStartOfHour(ts)
)
