//! Data quality and latency of one model: which checks fail, which groups became slower, which objectives burn.

use super::DEPLOYS;
use super::alerts::{FIRED_OF_MODEL, RESOLVED_OF_MODEL};
use crate::panel::NONE_IS_GOOD;
use crate::variable::{
    ENVIRONMENT, LATENCY_MONITOR, LATENCY_REFERENCE, LATENCY_SEGMENT, MODEL, QUALITY_MONITOR,
    QUALITY_REFERENCE, QUALITY_SEGMENT, VERSION,
};
use crate::{Board, Cells, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-quality",
        title: "Windvane · Quality and latency",
        about: "Checks of a model's data against what was learnt of it, and its latency against a reference and objectives",
        from: "now-30d",
        variables: vec![
            MODEL,
            VERSION,
            ENVIRONMENT,
            QUALITY_MONITOR,
            QUALITY_REFERENCE,
            QUALITY_SEGMENT,
            LATENCY_MONITOR,
            LATENCY_REFERENCE,
            LATENCY_SEGMENT,
        ],
        annotations: vec![DEPLOYS, FIRED_OF_MODEL, RESOLVED_OF_MODEL],
        rows: vec![
            Row { title: "Quality", panels: vec![FAILED, CHECKS, FAILING] },
            Row { title: "Latency", panels: vec![QUANTILES, LATENCY_VERDICTS, GROUPS] },
            Row { title: "Objectives", panels: vec![BURN, RULES] },
        ],
    }
}

const FAILED: Panel = Panel {
    about: "How many checks of the data failed in each window.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(),
        " AS scope, countIf(verdict = 'fail') AS failed
FROM windvane.quality_findings FINAL
WHERE ",
        scope!("quality_monitor", "quality_reference", "quality_segment"),
        latest_runs!("quality_findings"),
        " AND $__timeFilter(window_end)
GROUP BY time, scope
ORDER BY time, scope"
    ),
    steps: NONE_IS_GOOD,
    ..Panel::new(Shape::Lines, Unit::Count, "Failed checks")
};

const CHECKS: Panel = Panel {
    about: "Every check of every column over time: pass or fail.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!("concat(column_name, ' ', method)"),
        " AS check, toString(verdict) AS verdict
FROM windvane.quality_findings FINAL
WHERE ",
        scope!("quality_monitor", "quality_reference", "quality_segment"),
        latest_runs!("quality_findings"),
        " AND $__timeFilter(window_end)
ORDER BY time, check
LIMIT 20000"
    ),
    width: 16,
    ..Panel::new(Shape::Timeline, Unit::Words, "Checks")
};

const FAILING: Panel = Panel {
    about: "The checks of the newest windows in the span, failed ones first, with what was found and what would have passed.",
    sql: concat!("SELECT toUnixTimestamp64Milli(window_end) AS until, column_name AS column, method AS check, statistic, threshold_low, threshold, occurrences,
       n_current, version, environment, segment_key, segment_value, verdict
FROM windvane.quality_findings FINAL
WHERE ", scope!("quality_monitor", "quality_reference"), latest_runs!("quality_findings"), " AND $__timeFilter(window_end)
ORDER BY window_end DESC, verdict = 'fail' DESC, column, check, segment_key, segment_value, version, environment
LIMIT 500"),
    columns: &[("until", Unit::Time), ("occurrences", Unit::Count), ("n_current", Unit::Count)],
    cells: &[("verdict", Cells::Words)],
    width: 24,
    ..Panel::new(Shape::Table, Unit::Number, "Checks by window")
};

const QUANTILES: Panel = Panel {
    about: "Quantiles of latency in each window, and of its reference.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!("method"),
        " AS quantile, statistic AS current, reference_statistic AS reference
FROM windvane.latency_findings FINAL
WHERE ",
        scope!("latency_monitor", "latency_reference", "latency_segment"),
        latest_runs!("latency_findings"),
        " AND startsWith(method, 'p') AND $__timeFilter(window_end)
ORDER BY time, quantile"
    ),
    ..Panel::new(Shape::Lines, Unit::Microseconds, "Latency against its reference")
};

const LATENCY_VERDICTS: Panel = Panel {
    about: "What each quantile and each rule of an objective says over time: slower, faster, steady; page, ticket or ok.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!("method"),
        " AS about, toString(verdict) AS verdict
FROM windvane.latency_findings FINAL
WHERE ",
        scope!("latency_monitor", "latency_reference", "latency_segment"),
        latest_runs!("latency_findings"),
        " AND $__timeFilter(window_end)
ORDER BY time, about
LIMIT 20000"
    ),
    width: 16,
    ..Panel::new(Shape::Timeline, Unit::Words, "Verdicts on latency")
};

const GROUPS: Panel = Panel {
    about: "Quantiles of the newest windows by group, with their intervals; what is slower comes first.",
    sql: concat!("SELECT toUnixTimestamp64Milli(window_end) AS until, version, environment, segment_key, segment_value, method, statistic, ci_low, ci_high, reference_statistic, p_adjusted,
       n_reference, n_current, verdict
FROM windvane.latency_findings FINAL
WHERE ", scope!("latency_monitor", "latency_reference"), latest_runs!("latency_findings"), " AND startsWith(method, 'p') AND $__timeFilter(window_end)
ORDER BY window_end DESC, verdict = 'slower' DESC, segment_key, segment_value, method, version, environment
LIMIT 500"),
    columns: &[
        ("until", Unit::Time),
        ("p_adjusted", Unit::Number),
        ("n_reference", Unit::Count),
        ("n_current", Unit::Count),
    ],
    cells: &[("verdict", Cells::Words)],
    width: 24,
    ..Panel::new(Shape::Table, Unit::Microseconds, "Latency by group")
};

const BURN: Panel = Panel {
    about: "How fast the budget of each objective burns, as a share of the burn at which its rule fires: the slower one of the rule's two windows. From 1 on it fires, unless there were so few bad events that chance explains them.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(
            "substring(method, 6), if(segment_key = '', '', concat(segment_key, '=', segment_value)), trimRight(concat(reference_kind, ' ', reference_name))"
        ),
        " AS rule, least(statistic, ci_low) / nullIf(threshold, 0) AS burn
FROM windvane.latency_findings FINAL
WHERE ",
        scope!("latency_monitor"),
        latest_runs!("latency_findings"),
        " AND startsWith(method, 'burn ') AND statistic IS NOT NULL AND ci_low IS NOT NULL
  AND $__timeFilter(window_end)
ORDER BY time, rule
LIMIT 20000"
    ),
    steps: NONE_IS_GOOD,
    ..Panel::new(Shape::Lines, Unit::Number, "Burn of objectives")
};

const RULES: Panel = Panel {
    about: "The rules of objectives in the newest windows, those that fire first: how many times as fast as allowed the budget burns in the long and the short window, and above what the rule fires.",
    sql: concat!("SELECT toUnixTimestamp64Milli(window_end) AS until, substring(method, 6) AS rule, version, environment, segment_key, segment_value, trimRight(concat(reference_kind, ' ', reference_name)) AS reference, statistic AS burn_long, ci_low AS burn_short,
       threshold AS fires_above, p_value, n_reference AS bad, n_current AS events, verdict
FROM windvane.latency_findings FINAL
WHERE ", scope!("latency_monitor"), latest_runs!("latency_findings"), " AND startsWith(method, 'burn ') AND $__timeFilter(window_end)
ORDER BY window_end DESC, verdict != 'ok' DESC, rule, segment_key, segment_value, version, environment, reference
LIMIT 500"),
    columns: &[("until", Unit::Time), ("bad", Unit::Count), ("events", Unit::Count)],
    cells: &[("verdict", Cells::Words)],
    width: 16,
    ..Panel::new(Shape::Table, Unit::Number, "Objectives by window")
};
