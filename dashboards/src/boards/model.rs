//! One model: traffic, latency, answers, coverage.

use super::alerts::{FIRED_OF_MODEL, RESOLVED_OF_MODEL};
use super::{DEPLOYS, DRIFTED};
use crate::panel::{COVERED, FAILURES};
use crate::variable::{ENVIRONMENT, MODEL, VERSION};
use crate::{Board, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-model",
        title: "Windvane · Model",
        about: "One model: traffic, latency percentiles by version, what it answers, how much is labelled",
        from: "now-7d",
        variables: vec![MODEL, VERSION, ENVIRONMENT],
        annotations: vec![DEPLOYS, DRIFTED, FIRED_OF_MODEL, RESOLVED_OF_MODEL],
        rows: vec![
            Row { title: "Traffic", panels: vec![TRAFFIC, FAILED, VERSIONS] },
            Row {
                title: "Latency",
                panels: vec![PERCENTILES, LATENCY_SHAPE, P50_BY_VERSION, P95_BY_VERSION, P99_BY_VERSION],
            },
            Row { title: "Answers", panels: vec![SCORE_QUANTILES, SCORES, CLASSES] },
            Row { title: "Outcomes", panels: vec![COVERAGE, DELAY] },
        ],
    }
}

const TRAFFIC: Panel = Panel {
    about: "Predictions in each interval, by version. A step down without a deploy is lost traffic.",
    sql: "SELECT $__timeInterval(ts) AS time, version, count() AS predictions
FROM windvane.predictions
WHERE model IN (${model:singlequote}) AND $__timeFilter(ts)
  AND $__conditionalAll(version IN (${version:singlequote}), $version)
  AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
GROUP BY time, version
ORDER BY time, version",
    ..Panel::new(Shape::Stacked, Unit::Count, "Predictions by version")
};

const FAILED: Panel = Panel {
    about: "Share of predictions in each interval whose status is neither empty nor ok, by version.",
    sql: "SELECT $__timeInterval(ts) AS time, version, countIf(status NOT IN ('', 'ok')) / count() AS failed
FROM windvane.predictions
WHERE model IN (${model:singlequote}) AND $__timeFilter(ts)
  AND $__conditionalAll(version IN (${version:singlequote}), $version)
  AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
GROUP BY time, version
ORDER BY time, version",
    steps: FAILURES,
    ..Panel::new(Shape::Lines, Unit::Share, "Failed")
};

const VERSIONS: Panel = Panel {
    about: "Versions and environments in the span, with what each answered and how fast.",
    sql: "SELECT version, environment, count() AS predictions, toUnixTimestamp64Milli(min(ts)) AS first, toUnixTimestamp64Milli(max(ts)) AS last,
       quantileTDigest(0.99)(latency_us) AS p99
FROM windvane.predictions
WHERE model IN (${model:singlequote}) AND $__timeFilter(ts)
  AND $__conditionalAll(version IN (${version:singlequote}), $version)
  AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
GROUP BY version, environment
ORDER BY last DESC, version, environment
LIMIT 100",
    columns: &[("first", Unit::Time), ("last", Unit::Time), ("p99", Unit::Microseconds)],
    ..Panel::new(Shape::Table, Unit::Count, "Deployments")
};

const PERCENTILES: Panel = Panel {
    about: "Latency percentiles in each interval. Where p99 leaves p50 behind, a few requests wait.",
    sql: "SELECT $__timeInterval(ts) AS time, quantileTDigest(0.5)(latency_us) AS p50, quantileTDigest(0.95)(latency_us) AS p95,
       quantileTDigest(0.99)(latency_us) AS p99
FROM windvane.predictions
WHERE model IN (${model:singlequote}) AND $__timeFilter(ts) AND latency_us IS NOT NULL
  AND $__conditionalAll(version IN (${version:singlequote}), $version)
  AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
GROUP BY time
ORDER BY time",
    width: 12,
    ..Panel::new(Shape::Lines, Unit::Microseconds, "Latency percentiles")
};

/// A percentile of latency by version; each has a chart of its own, in which a line is a version.
macro_rules! by_version {
    ($quantile:literal, $name:literal, $title:literal, $about:literal) => {
        Panel {
            about: $about,
            sql: concat!(
                "SELECT $__timeInterval(ts) AS time, version, quantileTDigest(",
                $quantile,
                ")(latency_us) AS ",
                $name,
                "
FROM windvane.predictions
WHERE model IN (${model:singlequote}) AND $__timeFilter(ts) AND latency_us IS NOT NULL
  AND $__conditionalAll(version IN (${version:singlequote}), $version)
  AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
GROUP BY time, version
ORDER BY time, version"
            ),
            ..Panel::new(Shape::Lines, Unit::Microseconds, $title)
        }
    };
}

const P50_BY_VERSION: Panel = by_version!(
    "0.5",
    "p50",
    "Latency p50 by version",
    "Median of latency in each interval, by version: is the new one slower for everybody?"
);

const P95_BY_VERSION: Panel = by_version!(
    "0.95",
    "p95",
    "Latency p95 by version",
    "95th percentile of latency in each interval, by version: is the new one slower for some?"
);

const P99_BY_VERSION: Panel = by_version!(
    "0.99",
    "p99",
    "Latency p99 by version",
    "99th percentile of latency in each interval, by version: do a few requests wait for the new one?"
);

const LATENCY_SHAPE: Panel = Panel {
    about: "How many predictions of the span took how long: bins of powers of 1.5.",
    sql: "SELECT toString(toUInt64(round(pow(1.5, bin)))) AS up_to_us, count() AS predictions
FROM (
    SELECT ceil(log(greatest(latency_us, 1)) / log(1.5)) AS bin
    FROM windvane.predictions
    WHERE model IN (${model:singlequote}) AND $__timeFilter(ts) AND latency_us IS NOT NULL
      AND $__conditionalAll(version IN (${version:singlequote}), $version)
      AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
)
GROUP BY bin
ORDER BY bin
LIMIT 60",
    width: 12,
    ..Panel::new(Shape::Bars, Unit::Count, "Latency, microseconds up to")
};

const SCORE_QUANTILES: Panel = Panel {
    about: "Tenths of the answered score or value in each interval. A band that moves or widens is a model that answers differently.",
    sql: "SELECT $__timeInterval(ts) AS time, quantileTDigest(0.1)(coalesce(score, value)) AS q10, quantileTDigest(0.5)(coalesce(score, value)) AS q50,
       quantileTDigest(0.9)(coalesce(score, value)) AS q90
FROM windvane.predictions
WHERE model IN (${model:singlequote}) AND $__timeFilter(ts) AND coalesce(score, value) IS NOT NULL
  AND $__conditionalAll(version IN (${version:singlequote}), $version)
  AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
GROUP BY time
ORDER BY time",
    ..Panel::new(Shape::Lines, Unit::Number, "Score or value")
};

const SCORES: Panel = Panel {
    about: "How the scores of the span lie, in twenty bins from 0 to 1.",
    sql: "SELECT toString(bin / 20) AS from, count() AS predictions
FROM (
    SELECT least(floor(greatest(score, 0) * 20), 19) AS bin
    FROM windvane.predictions
    WHERE model IN (${model:singlequote}) AND $__timeFilter(ts) AND score IS NOT NULL
      AND $__conditionalAll(version IN (${version:singlequote}), $version)
      AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
)
GROUP BY bin
ORDER BY bin",
    ..Panel::new(Shape::Bars, Unit::Count, "Scores of the span")
};

const CLASSES: Panel = Panel {
    about: "Share of each answered class in each interval; the ten most frequent ones.",
    sql: "SELECT time, label, predictions / sum(predictions) OVER (PARTITION BY time) AS share
FROM (
    SELECT $__timeInterval(ts) AS time, toString(label) AS label, count() AS predictions
    FROM windvane.predictions
    WHERE model IN (${model:singlequote}) AND $__timeFilter(ts) AND label IS NOT NULL
      AND $__conditionalAll(version IN (${version:singlequote}), $version)
      AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
    GROUP BY time, label
    ORDER BY predictions DESC
    LIMIT 10 BY time
)
ORDER BY time, label",
    ..Panel::new(Shape::Stacked, Unit::Share, "Answered classes")
};

const COVERAGE: Panel = Panel {
    about: "Share of the predictions of each day of which the outcome is known by now. The newest days fill up as outcomes come in.",
    sql: "SELECT toStartOfDay(ts) AS time, countIf(event_id IN (
           SELECT event_id FROM windvane.outcomes WHERE model IN (${model:singlequote}))) / count() AS labelled
FROM windvane.predictions
WHERE model IN (${model:singlequote}) AND $__timeFilter(ts)
  AND $__conditionalAll(version IN (${version:singlequote}), $version)
  AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
GROUP BY time
ORDER BY time",
    steps: COVERED,
    width: 12,
    ..Panel::new(Shape::Lines, Unit::Share, "Label coverage by day")
};

const DELAY: Panel = Panel {
    about: "How long after a prediction its outcome became known: tenths of the span's predictions that have one, by day.",
    sql: "SELECT toStartOfDay(predicted.ts) AS time, quantileTDigest(0.5)(dateDiff('second', predicted.ts, outcomes.ts)) AS median,
       quantileTDigest(0.9)(dateDiff('second', predicted.ts, outcomes.ts)) AS q90
FROM (
    SELECT event_id, ts FROM windvane.predictions WHERE model IN (${model:singlequote}) AND $__timeFilter(ts)
      AND $__conditionalAll(version IN (${version:singlequote}), $version)
      AND $__conditionalAll(environment IN (${environment:singlequote}), $environment)
) AS predicted
INNER JOIN (SELECT event_id, ts FROM windvane.outcomes WHERE model IN (${model:singlequote})) AS outcomes USING (event_id)
GROUP BY time
ORDER BY time",
    width: 12,
    ..Panel::new(Shape::Lines, Unit::Seconds, "Delay of outcomes")
};
