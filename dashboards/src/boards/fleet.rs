//! All models side by side.

use super::DEPLOYS_OF_ALL;
use super::alerts::{FIRED, RESOLVED};
use crate::panel::{COVERED, FAILURES, NONE_IS_GOOD, TIMES_FLOOR};
use crate::{Board, Cells, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-fleet",
        title: "Windvane · Fleet",
        about: "Every model in a line: traffic, latency, failures, worst drift, label coverage, last seen",
        from: "now-24h",
        variables: Vec::new(),
        annotations: vec![DEPLOYS_OF_ALL, FIRED, RESOLVED],
        rows: vec![
            Row {
                title: "At a glance",
                panels: vec![MODELS, PREDICTIONS, FAILED, DRIFTING, LABELLED, NEWEST],
            },
            Row { title: "Models", panels: vec![TABLE] },
            Row { title: "Over time", panels: vec![TRAFFIC, LATENCY, FAILURES_OVER_TIME] },
        ],
    }
}

const MODELS: Panel = Panel {
    about: "Models that answered at least once in the span.",
    sql: "SELECT uniqExact(model) AS models FROM windvane.predictions WHERE $__timeFilter(ts)",
    width: 4,
    height: 4,
    ..Panel::new(Shape::Stat, Unit::Count, "Models")
};

const PREDICTIONS: Panel = Panel {
    about: "Predictions with an event time in the span, of all models.",
    sql: "SELECT count() AS predictions FROM windvane.predictions WHERE $__timeFilter(ts)",
    width: 4,
    height: 4,
    ..Panel::new(Shape::Stat, Unit::Count, "Predictions of the span")
};

const FAILED: Panel = Panel {
    about: "Share of predictions in the span whose status is neither empty nor ok.",
    sql: "SELECT countIf(status NOT IN ('', 'ok')) / greatest(count(), 1) AS failed FROM windvane.predictions WHERE $__timeFilter(ts)",
    steps: FAILURES,
    width: 4,
    height: 4,
    ..Panel::new(Shape::Stat, Unit::Share, "Failed")
};

const DRIFTING: Panel = Panel {
    about: "Models of which a column drifted in their newest window, whenever that was.",
    sql: concat!(
        "SELECT uniqExactIf(model, drifted) AS drifting
FROM (
    SELECT model, drifted, window_end, max(window_end) OVER (PARTITION BY model) AS newest
    FROM windvane.drift_findings FINAL
    WHERE segment_key = ''",
        latest_runs!(
            "drift_findings",
            "model, monitor, version, environment, reference_kind, reference_name, granularity, window_start, window_end",
            "segment_key = ''"
        ),
        "
)
WHERE window_end = newest"
    ),
    steps: NONE_IS_GOOD,
    width: 4,
    height: 4,
    ..Panel::new(Shape::Stat, Unit::Count, "Models that drift")
};

const LABELLED: Panel = Panel {
    about: "Outcomes as a share of predictions, over all time; below a few per cent the realised performance says little.",
    sql: "SELECT least(1, (SELECT count() FROM windvane.outcomes) / greatest((SELECT count() FROM windvane.predictions), 1)) AS labelled",
    steps: COVERED,
    width: 4,
    height: 4,
    ..Panel::new(Shape::Stat, Unit::Share, "Labelled")
};

const NEWEST: Panel = Panel {
    about: "Event time of the newest prediction of all models. Where it stands still, traffic or ingestion has stopped.",
    sql: "SELECT toUnixTimestamp64Milli(max(ts)) AS newest FROM windvane.predictions",
    width: 4,
    height: 4,
    ..Panel::new(Shape::Stat, Unit::Time, "Newest prediction")
};

const TABLE: Panel = Panel {
    about: "One line a model, version and environment in the span. Worst drift is the newest window's largest effect in times of its floor: from 1 on it counts, if it is significant. A click leads to the model.",
    sql: concat!("SELECT model, version, environment, predictions, predictions / greatest(toUnixTimestamp($__toTime) - toUnixTimestamp($__fromTime), 1) AS rate,
       latency[1] AS p50, latency[2] AS p99, failed, drift.worst_column AS worst_column, drift.worst AS worst_drift,
       least(1, labelled.n / greatest(everything.n, 1)) AS labelled, last_seen
FROM (
    SELECT model, version, environment, count() AS predictions, quantilesTDigest(0.5, 0.99)(latency_us) AS latency,
           countIf(status NOT IN ('', 'ok')) / count() AS failed, toUnixTimestamp64Milli(max(ts)) AS last_seen
    FROM windvane.predictions
    WHERE $__timeFilter(ts)
    GROUP BY model, version, environment
) AS recorded
LEFT JOIN (
    SELECT model, argMax(column_name, (window_end, strength)) AS worst_column, argMax(strength, (window_end, strength)) AS worst
    FROM (
        SELECT model, column_name, window_end, ifNull(abs(effect) / nullIf(threshold, 0), 0) AS strength
        FROM windvane.drift_findings FINAL
        WHERE segment_key = ''", latest_runs!("drift_findings", "model, monitor, version, environment, reference_kind, reference_name, granularity, window_start, window_end", "segment_key = ''"), "
    )
    GROUP BY model
) AS drift USING (model)
LEFT JOIN (SELECT model, count() AS n FROM windvane.outcomes GROUP BY model) AS labelled USING (model)
LEFT JOIN (SELECT model, count() AS n FROM windvane.predictions GROUP BY model) AS everything USING (model)
ORDER BY worst_drift DESC, predictions DESC, model, version, environment
LIMIT 500"),
    columns: &[
        ("rate", Unit::PerSecond),
        ("p50", Unit::Microseconds),
        ("p99", Unit::Microseconds),
        ("failed", Unit::Share),
        ("worst_drift", Unit::Number),
        ("labelled", Unit::Share),
        ("last_seen", Unit::Time),
    ],
    cells: &[("failed", Cells::Steps(FAILURES)), ("worst_drift", Cells::Steps(TIMES_FLOOR))],
    width: 24,
    height: 10,
    link: Some(("windvane-model", "var-model=${__data.fields.model}")),
    ..Panel::new(Shape::Table, Unit::Count, "All models")
};

const TRAFFIC: Panel = Panel {
    about: "Predictions in each interval, by model; the twenty with most traffic.",
    sql: "SELECT $__timeInterval(ts) AS time, model, count() AS predictions
FROM windvane.predictions
WHERE $__timeFilter(ts)
  AND model IN (SELECT model FROM windvane.predictions WHERE $__timeFilter(ts) GROUP BY model ORDER BY count() DESC LIMIT 20)
GROUP BY time, model
ORDER BY time, model",
    ..Panel::new(Shape::Stacked, Unit::Count, "Predictions")
};

const LATENCY: Panel = Panel {
    about: "99th percentile of latency in each interval, by model.",
    sql: "SELECT $__timeInterval(ts) AS time, model, quantileTDigest(0.99)(latency_us) AS p99
FROM windvane.predictions
WHERE $__timeFilter(ts) AND latency_us IS NOT NULL
GROUP BY time, model
ORDER BY time, model",
    ..Panel::new(Shape::Lines, Unit::Microseconds, "Latency p99")
};

const FAILURES_OVER_TIME: Panel = Panel {
    about: "Share of predictions that failed in each interval, by model.",
    sql: "SELECT $__timeInterval(ts) AS time, model, countIf(status NOT IN ('', 'ok')) / count() AS failed
FROM windvane.predictions
WHERE $__timeFilter(ts)
GROUP BY time, model
ORDER BY time, model",
    steps: FAILURES,
    ..Panel::new(Shape::Lines, Unit::Share, "Failed by model")
};
