-- Question: the same as of `by_hour` (0020) for spans of many days: of a month by the hour it is the merging of digests that takes the time.
-- Row of the projection: one day of one model, version, environment and status. It lives inside each part of predictions
--   and is written with it.
-- Readers name `toStartOfDay(ts)`, by which ClickHouse takes this projection and not the other.
-- Growth: a row a day and key in each part, about 1 KB with its digest.
ALTER TABLE ${database}.predictions${local}${on_cluster} ADD PROJECTION IF NOT EXISTS by_day (
    SELECT model, version, environment, status, toStartOfDay(ts),
           count(), min(ts), max(ts), quantilesTDigest(0.5, 0.95, 0.99)(latency_us)
    GROUP BY model, version, environment, status, toStartOfDay(ts)
)
