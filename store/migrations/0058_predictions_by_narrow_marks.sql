-- since: 26.1
-- Question: how fast was one model, without reading what is known of others?
-- Row of the projections: one hour or day of one model, version, environment and status, as before (0020, 0053). Readers ask as before.
-- A mark holds 256 rows, ten days of hours. ClickHouse takes a projection where it has fewer marks than its table: from 32 predictions a row on,
--   below which the rows themselves are as quick to read.
ALTER TABLE ${database}.predictions${local}${on_cluster}
    ADD PROJECTION IF NOT EXISTS by_hour (
        SELECT model, version, environment, status, toStartOfHour(ts),
               count(), min(ts), max(ts), quantilesTDigest(0.5, 0.95, 0.99)(latency_us)
        GROUP BY model, version, environment, status, toStartOfHour(ts)
    ) WITH SETTINGS (index_granularity = 256),
    ADD PROJECTION IF NOT EXISTS by_day (
        SELECT model, version, environment, status, toStartOfDay(ts),
               count(), min(ts), max(ts), quantilesTDigest(0.5, 0.95, 0.99)(latency_us)
        GROUP BY model, version, environment, status, toStartOfDay(ts)
    ) WITH SETTINGS (index_granularity = 256)
