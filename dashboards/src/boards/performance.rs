//! How right a model is: by truth, by estimate where outcomes are late, and whether that is usual.

use super::DEPLOYS;
use super::alerts::{FIRED_OF_MODEL, RESOLVED_OF_MODEL};
use crate::panel::{COVERED, NONE_IS_GOOD};
use crate::variable::{
    ENVIRONMENT, METRIC, MODEL, PERFORMANCE_MONITOR, PERFORMANCE_REFERENCE, PERFORMANCE_SEGMENT, VERSION,
};
use crate::{Board, Cells, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-performance",
        title: "Windvane · Performance",
        about: "Realised and estimated performance of a model against what is usual, with its coverage by outcomes",
        from: "now-30d",
        variables: vec![
            MODEL,
            VERSION,
            ENVIRONMENT,
            PERFORMANCE_MONITOR,
            PERFORMANCE_REFERENCE,
            PERFORMANCE_SEGMENT,
            METRIC,
        ],
        annotations: vec![DEPLOYS, FIRED_OF_MODEL, RESOLVED_OF_MODEL],
        rows: vec![
            Row { title: "One metric", panels: vec![REALISED, COVERAGE] },
            Row { title: "All metrics", panels: vec![ALERTS, TABLE] },
        ],
    }
}

const REALISED: Panel = Panel {
    about: "The metric by outcomes with its interval, its estimate without them, and the ends of what is usual. Where the estimate follows the truth on labelled windows it can be trusted on the newest ones.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(),
        " AS scope, realised, estimated, ci_low, ci_high, threshold_low, threshold_high
FROM windvane.performance_findings FINAL
WHERE ",
        scope!("performance_monitor", "performance_reference", "performance_segment"),
        latest_runs!("performance_findings"),
        " AND metric IN (${metric:singlequote}) AND $__timeFilter(window_end)
ORDER BY time, scope"
    ),
    width: 16,
    height: 10,
    ..Panel::new(Shape::Lines, Unit::Number, "Truth, estimate and what is usual")
};

const COVERAGE: Panel = Panel {
    about: "Share of the predictions of each window of which the outcome is known. Below a few per cent the realised value says little.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(),
        " AS scope, max(coverage) AS labelled
FROM windvane.performance_findings FINAL
WHERE ",
        scope!("performance_monitor", "performance_reference", "performance_segment"),
        latest_runs!("performance_findings"),
        " AND $__timeFilter(window_end)
GROUP BY time, scope
ORDER BY time, scope"
    ),
    steps: COVERED,
    height: 10,
    ..Panel::new(Shape::Lines, Unit::Share, "Label coverage")
};

const ALERTS: Panel = Panel {
    about: "How many metrics left what is usual, window by window.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(),
        " AS scope, uniqExactIf(metric, alert) AS unusual
FROM windvane.performance_findings FINAL
WHERE ",
        scope!("performance_monitor", "performance_reference", "performance_segment"),
        latest_runs!("performance_findings"),
        " AND $__timeFilter(window_end)
GROUP BY time, scope
ORDER BY time, scope"
    ),
    steps: NONE_IS_GOOD,
    ..Panel::new(Shape::Lines, Unit::Count, "Metrics that are unusual")
};

const TABLE: Panel = Panel {
    about: "Every metric of the newest windows in the span, and of their segments; those that are unusual first.",
    sql: concat!("SELECT toUnixTimestamp64Milli(window_end) AS until, version, environment, segment_key, segment_value, metric, realised, ci_low, ci_high, estimated, threshold_low, threshold_high,
       n, labelled, verdict, trust
FROM windvane.performance_findings FINAL
WHERE ", scope!("performance_monitor", "performance_reference"), latest_runs!("performance_findings"), " AND $__timeFilter(window_end)
ORDER BY window_end DESC, alert DESC, segment_key, segment_value, version, environment, metric
LIMIT 500"),
    columns: &[("until", Unit::Time), ("n", Unit::Count), ("labelled", Unit::Count)],
    cells: &[("verdict", Cells::Words), ("trust", Cells::Words)],
    width: 16,
    ..Panel::new(Shape::Table, Unit::Number, "Metrics by window")
};
