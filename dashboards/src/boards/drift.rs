//! Drift of one model's monitor: columns × windows, the columns that drifted most, reference against current.

use super::DEPLOYS;
use super::alerts::{FIRED_OF_MODEL, RESOLVED_OF_MODEL};
use crate::panel::{NONE_IS_GOOD, TIMES_FLOOR};
use crate::variable::{COLUMN, ENVIRONMENT, MODEL, MONITOR, REFERENCE, SEGMENT, VERSION};
use crate::{Board, Cells, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-drift",
        title: "Windvane · Drift",
        about: "Which columns of a model drifted, when, how far and how surely; reference against current",
        from: "now-30d",
        variables: vec![MODEL, VERSION, ENVIRONMENT, MONITOR, REFERENCE, SEGMENT, COLUMN],
        annotations: vec![DEPLOYS, FIRED_OF_MODEL, RESOLVED_OF_MODEL],
        rows: vec![
            Row { title: "Columns × windows", panels: vec![HEATMAP, DRIFTED, VERDICTS] },
            Row { title: "Newest window", panels: vec![TOP] },
            Row { title: "One column", panels: vec![EFFECTS, HISTOGRAM, MISSING] },
        ],
    }
}

const HEATMAP: Panel = Panel {
    about: "For each column and window the effect of the method that says it loudest, in times of its floor: 1 is the floor, and only what is significant as well counts as drift.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!("column_name"),
        " AS column, max(ifNull(abs(effect) / nullIf(threshold, 0), 0)) AS times_its_floor
FROM windvane.drift_findings FINAL
WHERE ",
        scope!("monitor", "reference", "segment"),
        latest_runs!("drift_findings"),
        "
  AND $__timeFilter(window_end)
GROUP BY time, column
ORDER BY time, column
LIMIT 20000"
    ),
    steps: TIMES_FLOOR,
    width: 24,
    height: 12,
    ..Panel::new(Shape::Timeline, Unit::Number, "Effect in times of its floor")
};

const DRIFTED: Panel = Panel {
    about: "How many columns drifted in each window: an effect above its floor that is significant after correction.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(),
        " AS scope, uniqExactIf(column_name, drifted) AS columns_drifted
FROM windvane.drift_findings FINAL
WHERE ",
        scope!("monitor", "reference", "segment"),
        latest_runs!("drift_findings"),
        "
  AND $__timeFilter(window_end)
GROUP BY time, scope
ORDER BY time, scope"
    ),
    steps: NONE_IS_GOOD,
    width: 12,
    ..Panel::new(Shape::Lines, Unit::Count, "Columns that drifted")
};

const VERDICTS: Panel = Panel {
    about: "The verdict on each column over time: drift, no drift, or too few rows to tell.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!("column_name"),
        " AS column, toString(any(findings.verdict)) AS verdict
FROM windvane.drift_findings AS findings FINAL
WHERE ",
        scope!("monitor", "reference", "segment"),
        latest_runs!("drift_findings"),
        "
  AND $__timeFilter(window_end)
GROUP BY time, column
ORDER BY time, column
LIMIT 20000"
    ),
    width: 12,
    ..Panel::new(Shape::Timeline, Unit::Words, "Verdicts")
};

const TOP: Panel = Panel {
    about: "Every column and method of the newest window in the span, those that drifted first. A method says drift where its effect passes the floor and its corrected p is below alpha.",
    sql: concat!("SELECT column_name AS column, version, environment, method, verdict, drifted, direction, effect, threshold AS floor, statistic, p_value, p_adjusted, n_reference, n_current,
       missing_reference, missing_current
FROM windvane.drift_findings FINAL
WHERE ", scope!("monitor", "reference", "segment"), latest_runs!("drift_findings"), "
  AND window_end = (
    SELECT max(window_end) FROM windvane.drift_findings
    WHERE ", scope!("monitor", "reference", "segment"), " AND $__timeFilter(window_end)
  )
ORDER BY drifted DESC, ifNull(abs(effect) / nullIf(threshold, 0), 0) DESC, column, method
LIMIT 500"),
    columns: &[("n_reference", Unit::Count), ("n_current", Unit::Count), ("missing_reference", Unit::Count), ("missing_current", Unit::Count)],
    cells: &[("verdict", Cells::Words)],
    width: 24,
    height: 10,
    link: Some(("windvane-drift", "var-column=${__data.fields.column}&${model:queryparam}&${version:queryparam}&${environment:queryparam}&${monitor:queryparam}&${reference:queryparam}&${segment:queryparam}")),
    ..Panel::new(Shape::Table, Unit::Number, "Top drifted")
};

const EFFECTS: Panel = Panel {
    about: "The chosen column's effect in times of its floor, method by method. From 1 on it counts if it is significant.",
    sql: concat!("SELECT window_end AS time, ", series!("method"), " AS method_of, abs(effect) / threshold AS times_its_floor
FROM windvane.drift_findings FINAL
WHERE ", scope!("monitor", "reference", "segment"), latest_runs!("drift_findings"), "
  AND column_name IN (${column:singlequote}) AND threshold > 0 AND effect IS NOT NULL AND $__timeFilter(window_end)
ORDER BY time, method_of"),
    steps: TIMES_FLOOR,
    ..Panel::new(Shape::Lines, Unit::Number, "Effect of the column")
};

const HISTOGRAM: Panel = Panel {
    about: "Shares of the chosen column's values in the newest window of the span, against its reference: bins of numbers from their lower edge, or categories. Whichever segment is chosen, it is of everything: the shares of single segments are not kept.",
    sql: concat!("SELECT if(empty(edges), if(i > length(categories), 'all others', categories[i]), if(i = 1, concat('< ', toString(round(edges[1], 4))), toString(round(edges[i - 1], 4)))) AS bin,
       before / greatest(arraySum(reference), 1) AS reference_share, now / greatest(arraySum(current), 1) AS current_share
FROM (
    SELECT JSONExtract(detail, 'distribution', 'edges', 'Array(Float64)') AS edges,
           JSONExtract(detail, 'distribution', 'categories', 'Array(String)') AS categories,
           JSONExtract(detail, 'distribution', 'reference', 'Array(UInt64)') AS reference,
           JSONExtract(detail, 'distribution', 'current', 'Array(UInt64)') AS current
    FROM windvane.drift_findings FINAL
    WHERE ", scope!("monitor", "reference"), latest_runs!("drift_findings"), "
      AND segment_key = '' AND column_name IN (${column:singlequote}) AND JSONHas(detail, 'distribution') AND $__timeFilter(window_end)
    ORDER BY window_end DESC, computed_at DESC
    LIMIT 1
)
ARRAY JOIN reference AS before, current AS now, arrayEnumerate(reference) AS i"),
    ..Panel::new(Shape::Bars, Unit::Share, "Reference against current, of everything")
};

const MISSING: Panel = Panel {
    about: "Share of rows without a value of the chosen column, in each window and in its reference.",
    sql: concat!(
        "SELECT window_end AS time, ",
        series!(),
        " AS scope, max(missing_reference / greatest(missing_reference + n_reference, 1)) AS reference,
       max(missing_current / greatest(missing_current + n_current, 1)) AS current
FROM windvane.drift_findings FINAL
WHERE ",
        scope!("monitor", "reference", "segment"),
        latest_runs!("drift_findings"),
        "
  AND column_name IN (${column:singlequote}) AND $__timeFilter(window_end)
GROUP BY time, scope
ORDER BY time, scope"
    ),
    ..Panel::new(Shape::Lines, Unit::Share, "Missing values")
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_is_of_everything_whichever_segment_is_chosen() {
        assert!(
            HISTOGRAM.sql.contains("segment_key = ''") && !HISTOGRAM.sql.contains("${segment"),
            "{}",
            HISTOGRAM.sql
        );
        assert!(TOP.sql.contains("${segment:singlequote}"));
    }
}
