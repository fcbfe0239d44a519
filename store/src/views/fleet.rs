//! All models side by side, and how new the newest of everything is.

use super::{BUCKET, FROM, OFFSET, TO, View, limit};

/// What is recorded of each deployment: over all time, and within a span.
pub const FLEET: View = View {
    name: "fleet",
    about: "every model, version and environment: traffic, latency and failures within a span, when it was last seen",
    parameters: &[FROM, TO, limit("200"), OFFSET],
    text: "
    SELECT known.model AS model, known.version AS version, known.environment AS environment,
           known.n AS predictions_all, within.n AS predictions, failed.n AS failures,
           if(within.n > 0 AND isFinite(within.q[1]), within.q[1], NULL) AS latency_p50_us,
           if(within.n > 0 AND isFinite(within.q[3]), within.q[3], NULL) AS latency_p99_us,
           labelled.n AS outcomes_all, sum(known.n) OVER (PARTITION BY known.model) AS predictions_model,
           formatDateTime(known.first, '%Y-%m-%dT%H:%i:%SZ') AS first_ts,
           formatDateTime(known.last, '%Y-%m-%dT%H:%i:%SZ') AS last_ts
    FROM (
        SELECT model, version, environment, count() AS n, min(ts) AS first, max(ts) AS last
        FROM windvane.predictions
        GROUP BY model, version, environment
    ) AS known
    LEFT JOIN (
        SELECT model, version, environment, count() AS n, quantilesTDigest(0.5, 0.95, 0.99)(latency_us) AS q
        FROM windvane.predictions
        WHERE toStartOfHour(ts) >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND toStartOfHour(ts) < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
        GROUP BY model, version, environment
    ) AS within USING (model, version, environment)
    LEFT JOIN (
        SELECT model, version, environment, count() AS n
        FROM windvane.predictions
        WHERE status NOT IN ('', 'ok')
          AND toStartOfHour(ts) >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND toStartOfHour(ts) < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
        GROUP BY model, version, environment
    ) AS failed USING (model, version, environment)
    LEFT JOIN (SELECT model, count() AS n FROM windvane.outcomes GROUP BY model) AS labelled USING (model)
    ORDER BY known.last DESC, model, version, environment
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// The shape of each deployment's traffic.
pub const FLEET_TRAFFIC: View = View {
    name: "fleet_traffic",
    about: "predictions of every model, version and environment, in buckets of time (seconds)",
    parameters: &[FROM, TO, BUCKET, limit("10000")],
    text: "
    SELECT model, version, environment,
           toUnixTimestamp(toStartOfInterval(toStartOfHour(ts), toIntervalSecond({bucket:UInt64}), 'UTC')) * 1000000
               AS at_us,
           count() AS predictions
    FROM windvane.predictions
    WHERE toStartOfHour(ts) >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
      AND toStartOfHour(ts) < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
    GROUP BY model, version, environment, at_us
    ORDER BY model, version, environment, at_us
    LIMIT {limit:UInt64}",
};

/// Event time of the newest prediction, not later than now: where the spans of pages end.
pub const NEWEST: View = View {
    name: "newest",
    about: "event time of the newest prediction",
    parameters: &[],
    text: "
    SELECT toUnixTimestamp64Micro(least(max(ts), now64(6, 'UTC'))) AS newest_us, count() AS predictions
    FROM windvane.predictions",
};

/// A number that changes where a page would.
pub const REVISION: View = View {
    name: "revision",
    about: "what changes when a page would",
    parameters: &[],
    text: "
    SELECT toString(cityHash64(
        (SELECT count() FROM windvane.predictions),
        (SELECT sum(rows) FROM system.parts
         WHERE database = 'windvane' AND active AND table IN ('outcomes', 'exposures', 'measurements')),
        (SELECT max(computed_at) FROM windvane.drift_findings),
        (SELECT max(computed_at) FROM windvane.experiment_looks),
        (SELECT max(computed_at) FROM windvane.gate_findings),
        (SELECT max(computed_at) FROM windvane.quality_findings),
        (SELECT max(computed_at) FROM windvane.performance_findings),
        (SELECT max(computed_at) FROM windvane.latency_findings),
        (SELECT max(computed_at) FROM windvane.fairness_findings),
        (SELECT max(computed_at) FROM windvane.attribution_findings),
        (SELECT (count(), max(started_at), max(ended_at)) FROM windvane.monitor_runs),
        (SELECT max(at) FROM windvane.alert_events),
        (SELECT max(at) FROM windvane.alert_acknowledgements),
        (SELECT max(updated_at) FROM windvane.silences)
    )) AS revision",
};
