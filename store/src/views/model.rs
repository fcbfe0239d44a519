//! One model: what is recorded of it, its deployments, traffic, latency and answers over time.

use super::{BUCKET, FROM, OFFSET, Parameter, TO, View, limit, text};

/// Of a model or a deployment of it, bucket by bucket.
const BUCKETED: &[Parameter] =
    &[text("model"), text("version"), text("environment"), FROM, TO, BUCKET, limit("5000"), OFFSET];

/// How many rows of each kind a model has, of how many predictions, so that a page does not look for what is not there: one statement in place of one a kind. Counts
/// by the primary key read nothing; drift in segments is looked for up to the first row. Notes are those of each monitor's latest window,
/// where it was run within thirty days.
pub const RECORDED: View = View {
    name: "recorded",
    about: "how many predictions, outcomes and findings of each kind a model has, whether columns were compared by segment, and what is odd about its monitors",
    parameters: &[text("model")],
    text: "
    SELECT (SELECT count() FROM windvane.predictions WHERE model = {model:String}) AS predictions,
           (SELECT count() FROM windvane.outcomes WHERE model = {model:String}) AS outcomes,
           (SELECT count() FROM windvane.quality_findings WHERE model = {model:String}) AS quality,
           (SELECT count() FROM windvane.performance_findings WHERE model = {model:String}) AS performance,
           (SELECT count() FROM windvane.latency_findings WHERE model = {model:String}) AS latency,
           (SELECT count() FROM windvane.fairness_findings WHERE model = {model:String}) AS fairness,
           (SELECT count() FROM windvane.attribution_findings WHERE model = {model:String}) AS attribution,
           (SELECT count() FROM (
               SELECT 1 FROM windvane.drift_findings WHERE model = {model:String} AND segment_key != '' LIMIT 1
           )) AS drift_segments,
           (SELECT arraySort(groupArray(concat(monitor, ': ', note))) FROM (
               SELECT monitor, note FROM windvane.monitor_runs FINAL
               WHERE model = {model:String} AND state = 'done' AND started_at > now() - INTERVAL 30 DAY
               ORDER BY window_end DESC, window_start DESC LIMIT 1 BY kind, monitor
           ) WHERE note != '') AS notes",
};

/// Versions and environments of a model. Where spans of its page end is not later than now, as that of all models.
pub const DEPLOYMENTS: View = View {
    name: "deployments",
    about: "versions and environments of a model, over all time",
    parameters: &[text("model"), limit("100"), OFFSET],
    text: "
    SELECT version, environment, count() AS predictions,
           formatDateTime(min(ts), '%Y-%m-%dT%H:%i:%SZ') AS first_ts,
           formatDateTime(max(ts), '%Y-%m-%dT%H:%i:%SZ') AS last_ts,
           toUnixTimestamp64Micro(least(max(ts), now64(6, 'UTC'))) AS last_us
    FROM windvane.predictions
    WHERE model = {model:String}
    GROUP BY version, environment
    ORDER BY max(ts) DESC, version, environment
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// The text of traffic, by `$start` of a prediction's time.
macro_rules! traffic {
    ($start:literal) => {
        concat!(
            "
    SELECT toUnixTimestamp(toStartOfInterval(start, toIntervalSecond({bucket:UInt64}), 'UTC')) * 1000000 AS at_us,
           version, sum(n) AS predictions, sumIf(n, status NOT IN ('', 'ok')) AS failures
    FROM (
        SELECT ",
            $start,
            "(ts) AS start, version, status, count() AS n
        FROM windvane.predictions
        WHERE model = {model:String}
          AND ({version:String} = '' OR version = {version:String})
          AND ({environment:String} = '' OR environment = {environment:String})
          AND ",
            $start,
            "(ts) >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND ",
            $start,
            "(ts) < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
        GROUP BY start, version, status
    )
    GROUP BY at_us, version
    ORDER BY at_us DESC, version
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
        )
    };
}

/// How many predictions there were, and how many failed, bucket by bucket.
pub const TRAFFIC: View = View {
    name: "traffic",
    about: "predictions and failures of a model by version, in buckets of time (seconds), the newest first",
    parameters: BUCKETED,
    text: traffic!("toStartOfHour"),
};

/// The same where buckets are of whole days, of which there are fewer rows to read.
pub const TRAFFIC_BY_DAY: View = View {
    name: "traffic_by_day",
    about: "predictions and failures of a model by version, in buckets of whole days (seconds), the newest first",
    parameters: BUCKETED,
    text: traffic!("toStartOfDay"),
};

/// The text of latency, by `$start` of a prediction's time.
macro_rules! latency {
    ($start:literal) => {
        concat!(
            "
    SELECT at_us, q[1] AS p50_us, q[2] AS p95_us, q[3] AS p99_us
    FROM (
        SELECT toUnixTimestamp(toStartOfInterval(",
            $start,
            "(ts), toIntervalSecond({bucket:UInt64}), 'UTC')) * 1000000
                   AS at_us,
               quantilesTDigest(0.5, 0.95, 0.99)(latency_us) AS q
        FROM windvane.predictions
        WHERE model = {model:String}
          AND ({version:String} = '' OR version = {version:String})
          AND ({environment:String} = '' OR environment = {environment:String})
          AND ",
            $start,
            "(ts) >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND ",
            $start,
            "(ts) < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
        GROUP BY at_us
    )
    WHERE isFinite(q[1])
    ORDER BY at_us
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
        )
    };
}

/// How fast a model answered, bucket by bucket.
pub const LATENCY: View = View {
    name: "latency",
    about: "percentiles of a model's latency (microseconds), in buckets of time (seconds)",
    parameters: BUCKETED,
    text: latency!("toStartOfHour"),
};

/// The same where buckets are of whole days, of which there are fewer digests to merge.
pub const LATENCY_BY_DAY: View = View {
    name: "latency_by_day",
    about: "percentiles of a model's latency (microseconds), in buckets of whole days (seconds)",
    parameters: BUCKETED,
    text: latency!("toStartOfDay"),
};

/// Which classes a model answered.
pub const ANSWERS: View = View {
    name: "answers",
    about: "how often a model answered each class within a span, by version, its share of all answers, and how many rows there are in all",
    parameters: &[text("model"), text("version"), text("environment"), FROM, TO, limit("60"), OFFSET],
    text: "
    SELECT version, toString(label) AS answer, count() AS predictions,
           count() / sum(count()) OVER () AS share, count() OVER () AS classes
    FROM windvane.predictions
    WHERE model = {model:String}
      AND ({version:String} = '' OR version = {version:String})
      AND ({environment:String} = '' OR environment = {environment:String})
      AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
      AND label IS NOT NULL
    GROUP BY version, label
    ORDER BY predictions DESC, version, answer
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// How the scores or values of a model lie.
pub const NUMBERS: View = View {
    name: "numbers",
    about: "how the scores or values of a model lie within a span: bins with their height",
    parameters: &[text("model"), text("version"), text("environment"), FROM, TO, limit("200"), OFFSET],
    text: "
    SELECT kind, bin.1 AS low, bin.2 AS high, bin.3 AS predictions
    FROM (
        SELECT kind, histogram(20)(if(kind = 'score', score, value)) AS bins
        FROM windvane.predictions
        WHERE model = {model:String}
          AND ({version:String} = '' OR version = {version:String})
          AND ({environment:String} = '' OR environment = {environment:String})
          AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
          AND kind IN ('score', 'value')
        GROUP BY kind
    )
    ARRAY JOIN bins AS bin
    ORDER BY kind, low
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};
