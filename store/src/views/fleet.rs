//! All models side by side, and how new the newest of everything is.

use super::{BUCKET, FROM, Kind, OFFSET, Parameter, TO, View, limit};

/// The text of the fleet, whose span is cut by `$start` of a prediction's time.
macro_rules! fleet {
    ($start:literal) => {
        concat!(
            "
    SELECT counted.model AS model, counted.version AS version, counted.environment AS environment,
           counted.n_all AS predictions_all, counted.n AS predictions, counted.n_failed AS failures,
           if(counted.n > 0 AND isFinite(timed.q[1]), timed.q[1], NULL) AS latency_p50_us,
           if(counted.n > 0 AND isFinite(timed.q[3]), timed.q[3], NULL) AS latency_p99_us,
           labelled.n AS outcomes_all, sum(counted.n_all) OVER (PARTITION BY counted.model) AS predictions_model,
           formatDateTime(counted.first, '%Y-%m-%dT%H:%i:%SZ') AS first_ts,
           formatDateTime(counted.last, '%Y-%m-%dT%H:%i:%SZ') AS last_ts
    FROM (
        SELECT model, version, environment, sum(rows) AS n_all, sumIf(rows, within) AS n,
               sumIf(rows, within AND failure) AS n_failed, min(since) AS first, max(until) AS last
        FROM (
            SELECT model, version, environment, status NOT IN ('', 'ok') AS failure,
                   ",
            $start,
            "(ts) >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
                   AND ",
            $start,
            "(ts) < fromUnixTimestamp64Micro({to:Int64}, 'UTC') AS within,
                   count() AS rows, min(ts) AS since, max(ts) AS until
            FROM windvane.predictions
            GROUP BY model, version, environment, failure, within
        )
        GROUP BY model, version, environment
    ) AS counted
    LEFT JOIN (
        SELECT model, version, environment, quantilesTDigest(0.5, 0.95, 0.99)(latency_us) AS q
        FROM windvane.predictions
        WHERE ",
            $start,
            "(ts) >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND ",
            $start,
            "(ts) < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
        GROUP BY model, version, environment
    ) AS timed USING (model, version, environment)
    LEFT JOIN (SELECT model, count() AS n FROM windvane.outcomes GROUP BY model) AS labelled USING (model)
    ORDER BY counted.last DESC, model, version, environment
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
        )
    };
}

/// What is recorded of each deployment: over all time, and within a span of whole hours.
pub const FLEET: View = View {
    name: "fleet",
    about: "every model, version and environment: traffic, latency and failures within a span of whole hours, when it was last seen",
    parameters: &[FROM, TO, limit("200"), OFFSET],
    text: fleet!("toStartOfHour"),
};

/// The same within a span of whole days, of which there are fewer digests to merge.
pub const FLEET_BY_DAY: View = View {
    name: "fleet_by_day",
    about: "every model, version and environment: traffic, latency and failures within a span of whole days, when it was last seen",
    parameters: &[FROM, TO, limit("200"), OFFSET],
    text: fleet!("toStartOfDay"),
};

/// What is asked of the fleet's traffic: a page draws up to 54 buckets of 200 deployments.
const DRAWN: &[Parameter] =
    &[FROM, TO, BUCKET, Parameter { name: "limit", kind: Kind::Count(50_000), default: "10000" }, OFFSET];

/// The text of the fleet's traffic, by `$start` of a prediction's time. Deployments come as the fleet has them, the newest bucket of
/// each first, so that what is beyond the limit is of those that answered longest ago, and the oldest of the last one.
macro_rules! traffic {
    ($start:literal) => {
        concat!(
            "
    SELECT model, version, environment, at_us, predictions
    FROM (
        SELECT *, max(until) OVER (PARTITION BY model, version, environment) AS answered_last
        FROM (
            SELECT model, version, environment,
                   toUnixTimestamp(toStartOfInterval(",
            $start,
            "(ts), toIntervalSecond({bucket:UInt64}), 'UTC')) * 1000000
                       AS at_us,
                   count() AS predictions, max(ts) AS until
            FROM windvane.predictions
            WHERE ",
            $start,
            "(ts) >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
              AND ",
            $start,
            "(ts) < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
            GROUP BY model, version, environment, at_us
        )
    )
    ORDER BY answered_last DESC, model, version, environment, at_us DESC
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
        )
    };
}

/// The shape of each deployment's traffic.
pub const FLEET_TRAFFIC: View = View {
    name: "fleet_traffic",
    about: "predictions of every model, version and environment, in buckets of time (seconds)",
    parameters: DRAWN,
    text: traffic!("toStartOfHour"),
};

/// The same where buckets are of whole days, of which there are fewer rows to read.
pub const FLEET_TRAFFIC_BY_DAY: View = View {
    name: "fleet_traffic_by_day",
    about: "predictions of every model, version and environment, in buckets of whole days (seconds)",
    parameters: DRAWN,
    text: traffic!("toStartOfDay"),
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
