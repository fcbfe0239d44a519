//! One experiment: the interval over time, whether it is healthy, what it says now.

use super::DEPLOYS_OF_ALL;
use super::alerts::{FIRED_OF_EXPERIMENT, RESOLVED_OF_EXPERIMENT};
use crate::panel::MISMATCH;
use crate::variable::EXPERIMENT;
use crate::{Board, Cells, Panel, Row, Shape, Unit};

/// That findings are of the chosen experiment and of the later one of two looks as of one time: what it has not and the earlier one has stays
/// in the table, and would be shown beside it.
macro_rules! latest {
    () => {
        "experiment IN (${experiment:singlequote})
  AND (experiment, as_of, computed_at) IN (
    SELECT experiment, as_of, max(computed_at) FROM windvane.experiment_findings
    WHERE experiment IN (${experiment:singlequote}) GROUP BY experiment, as_of
  )"
    };
}

pub fn board() -> Board {
    Board {
        uid: "windvane-experiments",
        title: "Windvane · Experiments",
        about: "What an experiment says, how sure it is, and whether its arms have their share of units",
        from: "now-30d",
        variables: vec![EXPERIMENT],
        annotations: vec![DEPLOYS_OF_ALL, FIRED_OF_EXPERIMENT, RESOLVED_OF_EXPERIMENT],
        rows: vec![
            Row { title: "Now", panels: vec![COMPARISONS] },
            Row { title: "Over time", panels: vec![LIFT, SEQUENTIAL, PROBABILITY] },
            Row { title: "Health", panels: vec![SRM, UNITS, VERDICTS] },
        ],
    }
}

const COMPARISONS: Panel = Panel {
    about: "The latest look in the span: each metric of each arm against the control. A mismatch of the sample ratio comes before every number: then nothing is better or worse.",
    sql: concat!("SELECT metric, metric_kind, role, arm, control, verdict, relative, relative_low, relative_high, sequential_low, sequential_high,
       probability_better, p_adjusted, n, n_control, srm_p_value, srm_verdict, segment_value
FROM windvane.experiment_findings FINAL
WHERE ", latest!(), " AND segment_key = ''
  AND as_of = (SELECT max(as_of) FROM windvane.experiment_findings WHERE experiment IN (${experiment:singlequote}) AND $__timeFilter(as_of))
ORDER BY role = 'primary' DESC, metric, arm
LIMIT 500"),
    columns: &[
        ("relative", Unit::Share),
        ("relative_low", Unit::Share),
        ("relative_high", Unit::Share),
        ("sequential_low", Unit::Share),
        ("sequential_high", Unit::Share),
        ("probability_better", Unit::Share),
        ("n", Unit::Count),
        ("n_control", Unit::Count),
    ],
    cells: &[("verdict", Cells::Words), ("srm_verdict", Cells::Words)],
    width: 24,
    height: 9,
    ..Panel::new(Shape::Table, Unit::Number, "Comparisons")
};

const LIFT: Panel = Panel {
    about: "Relative difference from the control with the interval of one look at a planned end, metric by metric and arm by arm.",
    sql: concat!("SELECT as_of AS time, concat(metric, ' · ', arm) AS comparison, relative AS estimate, relative_low AS low, relative_high AS high
FROM windvane.experiment_findings FINAL
WHERE ", latest!(), " AND segment_key = '' AND relative IS NOT NULL AND $__timeFilter(as_of)
ORDER BY time, comparison"),
    ..Panel::new(Shape::Lines, Unit::Share, "Difference and interval")
};

const SEQUENTIAL: Panel = Panel {
    about: "The interval that holds however often you look: where it leaves nought, you may stop.",
    sql: concat!("SELECT as_of AS time, concat(metric, ' · ', arm) AS comparison, sequential_low AS low, sequential_high AS high
FROM windvane.experiment_findings FINAL
WHERE ", latest!(), " AND segment_key = '' AND (sequential_low IS NOT NULL OR sequential_high IS NOT NULL)
  AND $__timeFilter(as_of)
ORDER BY time, comparison"),
    ..Panel::new(Shape::Lines, Unit::Share, "Always-valid interval")
};

const PROBABILITY: Panel = Panel {
    about: "Probability that the arm is better than the control, with a flat prior. It does not correct for looking often.",
    sql: concat!(
        "SELECT as_of AS time, concat(metric, ' · ', arm) AS comparison, probability_better
FROM windvane.experiment_findings FINAL
WHERE ",
        latest!(),
        " AND segment_key = '' AND probability_better IS NOT NULL AND $__timeFilter(as_of)
ORDER BY time, comparison"
    ),
    ..Panel::new(Shape::Lines, Unit::Share, "Probability better")
};

const SRM: Panel = Panel {
    about: "p of the planned shares of units, fixed and always-valid. Below .001 the assignment is broken, and no difference can be trusted.",
    sql: concat!(
        "SELECT as_of AS time, min(srm_p_value) AS p, min(srm_sequential_p_value) AS p_at_any_time
FROM windvane.experiment_findings FINAL
WHERE ",
        latest!(),
        " AND $__timeFilter(as_of)
GROUP BY time
ORDER BY time"
    ),
    steps: MISMATCH,
    ..Panel::new(Shape::Lines, Unit::Number, "Sample ratio")
};

const UNITS: Panel = Panel {
    about: "Units with a value, by arm and control, of the metric that has most.",
    sql: concat!(
        "SELECT as_of AS time, arm, max(n) AS units, max(n_control) AS units_of_control
FROM windvane.experiment_findings FINAL
WHERE ",
        latest!(),
        " AND segment_key = '' AND $__timeFilter(as_of)
GROUP BY time, arm
ORDER BY time, arm"
    ),
    ..Panel::new(Shape::Lines, Unit::Count, "Units")
};

const VERDICTS: Panel = Panel {
    about: "Looks at the experiment as a whole: how many units, whether the ratio holds, what the look said.",
    sql: "SELECT toUnixTimestamp64Milli(as_of) AS as_of_ms, units, srm_verdict, verdict
FROM windvane.experiment_looks FINAL
WHERE experiment IN (${experiment:singlequote}) AND $__timeFilter(as_of)
ORDER BY as_of DESC
LIMIT 200",
    columns: &[("as_of_ms", Unit::Time)],
    cells: &[("srm_verdict", Cells::Words), ("verdict", Cells::Words)],
    ..Panel::new(Shape::Table, Unit::Count, "Looks")
};
