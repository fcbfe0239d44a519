//! Fairness and attributions of one model: which groups are treated unlike others, and by which features the model decides.

use super::DEPLOYS;
use super::alerts::{FIRED_OF_MODEL, RESOLVED_OF_MODEL};
use crate::panel::NONE_IS_GOOD;
use crate::variable::{
    ATTRIBUTION_MONITOR, ATTRIBUTION_REFERENCE, ENVIRONMENT, FAIRNESS_MONITOR, MODEL, VERSION,
};
use crate::{Board, Cells, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-fairness",
        title: "Windvane · Fairness and attributions",
        about: "Groups of a model's predictions against a reference group, and the ranking of its features by their attributions",
        from: "now-90d",
        variables: vec![
            MODEL,
            VERSION,
            ENVIRONMENT,
            FAIRNESS_MONITOR,
            ATTRIBUTION_MONITOR,
            ATTRIBUTION_REFERENCE,
        ],
        annotations: vec![DEPLOYS, FIRED_OF_MODEL, RESOLVED_OF_MODEL],
        rows: vec![
            Row { title: "Fairness", panels: vec![FAILED, GAPS, GROUPS] },
            Row { title: "Attributions", panels: vec![RANKING, IMPORTANCE, FEATURES] },
        ],
    }
}

const FAILED: Panel = Panel {
    about: "How many gaps between a group and the reference group failed in each window: sure, and above what is allowed.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(),
        " AS scope, countIf(verdict = 'fail') AS failed
FROM windvane.fairness_findings FINAL
WHERE ",
        scope!("fairness_monitor"),
        latest_runs!(
            "fairness_findings",
            "model, monitor, version, environment, granularity, window_start, window_end"
        ),
        " AND $__timeFilter(window_end)
GROUP BY time, scope
ORDER BY time, scope"
    ),
    steps: NONE_IS_GOOD,
    ..Panel::new(Shape::Lines, Unit::Count, "Gaps that fail")
};

const GAPS: Panel = Panel {
    about: "The share of each group less that of the reference group, over time; nought is alike. Of calibration it is the share of positive outcomes less the mean score.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!("concat(segment_key, '=', segment_value, ', ', method)"),
        " AS gap, statistic
FROM windvane.fairness_findings FINAL
WHERE ",
        scope!("fairness_monitor"),
        latest_runs!(
            "fairness_findings",
            "model, monitor, version, environment, granularity, window_start, window_end"
        ),
        " AND statistic IS NOT NULL AND $__timeFilter(window_end)
ORDER BY time, gap
LIMIT 20000"
    ),
    width: 16,
    ..Panel::new(Shape::Lines, Unit::Share, "Gaps by group")
};

const GROUPS: Panel = Panel {
    about: "Every gap of the newest windows in the span with its interval, failed ones first.",
    sql: concat!("SELECT toUnixTimestamp64Milli(window_end) AS until, version, environment, segment_key AS cut, segment_value AS of_group, reference_value AS against, method AS metric,
       value AS share, reference_statistic AS share_of_reference, statistic AS gap, ci_low, ci_high, p_adjusted, n_current, n_reference, verdict
FROM windvane.fairness_findings FINAL
WHERE ", scope!("fairness_monitor"), latest_runs!("fairness_findings", "model, monitor, version, environment, granularity, window_start, window_end"), " AND $__timeFilter(window_end)
ORDER BY window_end DESC, verdict = 'fail' DESC, cut, of_group, metric, version, environment
LIMIT 500"),
    columns: &[
        ("until", Unit::Time),
        ("p_adjusted", Unit::Number),
        ("n_current", Unit::Count),
        ("n_reference", Unit::Count),
    ],
    cells: &[("verdict", Cells::Words)],
    width: 24,
    ..Panel::new(Shape::Table, Unit::Share, "Groups by window")
};

const RANKING: Panel = Panel {
    about: "How well the ranking of features by their mean absolute attribution keeps that of the reference (nDCG, 1 where it does), and below what it has drifted.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(),
        " AS scope, statistic AS kept, threshold
FROM windvane.attribution_findings FINAL
WHERE ",
        scope!("attribution_monitor", "attribution_reference"),
        latest_runs!("attribution_findings"),
        " AND column_name = '' AND $__timeFilter(window_end)
ORDER BY time, scope"
    ),
    ..Panel::new(Shape::Lines, Unit::Number, "Ranking of features")
};

const IMPORTANCE: Panel = Panel {
    about: "Mean absolute attribution of the ten features that had most of it in the span, in the unit of the attributions.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!("column_name"),
        " AS feature, statistic AS attribution
FROM windvane.attribution_findings FINAL
WHERE ",
        scope!("attribution_monitor", "attribution_reference"),
        latest_runs!("attribution_findings"),
        " AND column_name != '' AND $__timeFilter(window_end)
  AND column_name IN (
    SELECT column_name FROM windvane.attribution_findings FINAL
    WHERE ",
        scope!("attribution_monitor", "attribution_reference"),
        latest_runs!("attribution_findings"),
        " AND column_name != '' AND $__timeFilter(window_end)
    GROUP BY column_name ORDER BY max(statistic) DESC LIMIT 10
  )
ORDER BY time, feature
LIMIT 20000"
    ),
    width: 16,
    ..Panel::new(Shape::Lines, Unit::Number, "Attributions by feature")
};

const FEATURES: Panel = Panel {
    about: "Place and mean absolute attribution of each feature in the newest windows, beside the reference's; those that moved furthest come first.",
    sql: concat!("SELECT toUnixTimestamp64Milli(window_end) AS until, version, environment, column_name AS feature, place, reference_place, statistic AS attribution,
       reference_statistic AS attribution_of_reference, n_current, n_reference
FROM windvane.attribution_findings FINAL
WHERE ", scope!("attribution_monitor", "attribution_reference"), latest_runs!("attribution_findings"), " AND column_name != '' AND $__timeFilter(window_end)
ORDER BY window_end DESC, abs(toInt64(place) - toInt64(reference_place)) DESC, place, feature, version, environment
LIMIT 500"),
    columns: &[
        ("until", Unit::Time),
        ("place", Unit::Count),
        ("reference_place", Unit::Count),
        ("n_current", Unit::Count),
        ("n_reference", Unit::Count),
    ],
    width: 24,
    ..Panel::new(Shape::Table, Unit::Number, "Features by window")
};
