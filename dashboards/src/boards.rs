//! The dashboards, one a file.

/// That findings are of the chosen model, monitor, reference and segment, as far as these variables are named, and of the chosen
/// versions and environments; findings over all versions are about each of them.
macro_rules! scope {
    ($monitor:literal) => {
        concat!(
            "model IN (${model:singlequote}) AND monitor IN (${",
            $monitor,
            ":singlequote})
  AND $__conditionalAll((version IN (${version:singlequote}) OR version = ''), $version)
  AND $__conditionalAll((environment IN (${environment:singlequote}) OR environment = ''), $environment)"
        )
    };
    ($monitor:literal, $reference:literal) => {
        concat!(
            scope!($monitor),
            "
  AND trimRight(concat(reference_kind, ' ', reference_name)) IN (${",
            $reference,
            ":singlequote})"
        )
    };
    ($monitor:literal, $reference:literal, $segment:literal) => {
        concat!(
            scope!($monitor, $reference),
            "
  AND if(segment_key = '', 'everything', concat(segment_key, '=', segment_value)) IN (${",
            $segment,
            ":singlequote})"
        )
    };
}

/// That findings of a window are those of its latest run: what that has not and an earlier run has, such as a column that is no longer
/// looked at, stays in the table and would be shown beside it.
macro_rules! latest_runs {
    ($table:literal) => {
        latest_runs!(
            $table,
            "model, monitor, version, environment, reference_kind, reference_name, granularity, window_start, window_end"
        )
    };
    ($table:literal, $window:literal) => {
        latest_runs!($table, $window, "model IN (${model:singlequote}) AND $__timeFilter(window_end)")
    };
    ($table:literal, $window:literal, $which:literal) => {
        concat!(
            "
  AND (",
            $window,
            ", computed_at) IN (
    SELECT ",
            $window,
            ", max(computed_at) FROM windvane.",
            $table,
            "
    WHERE ",
            $which,
            "
    GROUP BY ",
            $window,
            "
  )"
        )
    };
}

/// The name of a series: what it is of, and its version and environment where findings are not over all of them.
macro_rules! series {
    () => {
        "if(version = '' AND environment = '', 'all versions', arrayStringConcat(arrayFilter(part -> part != '', [version, environment]), ' · '))"
    };
    ($of:literal) => {
        concat!("arrayStringConcat(arrayFilter(part -> part != '', [", $of, ", version, environment]), ' · ')")
    };
}

mod alerts;
mod drift;
mod experiments;
mod fairness;
mod fleet;
mod gates;
mod llm;
mod model;
mod performance;
mod pipeline;
mod quality;

use crate::{Annotation, Board};

/// When a version of these rows answered first: a deploy, as far as the predictions tell.
macro_rules! deploys {
    ($which:literal, $of:literal) => {
        Annotation {
            name: "Deploys",
            colour: "blue",
            sql: concat!(
                "SELECT min(ts) AS time, concat(",
                $of,
                "'version ', version, ' answers first') AS text, 'deploy' AS tags
FROM windvane.predictions
WHERE ",
                $which,
                "
GROUP BY model, version
HAVING time >= $__fromTime AND time <= $__toTime
ORDER BY time
LIMIT 1000"
            ),
        }
    };
}

/// Of any model.
const DEPLOYS_OF_ALL: Annotation = deploys!("1 = 1", "model, ' ', ");
/// Of the model.
const DEPLOYS: Annotation = deploys!("model IN (${model:singlequote})", "");
/// Of the model that the gate guards.
const DEPLOYS_OF_GATE: Annotation = deploys!(
    "model IN (SELECT model FROM windvane.gate_findings WHERE gate IN (${gate:singlequote}) AND model != '')",
    "model, ' ', "
);

/// Windows in which columns drifted.
const DRIFTED: Annotation = Annotation {
    name: "Drift",
    colour: "red",
    sql: concat!("SELECT window_end AS time,
       concat(if(monitor = '', '', concat(monitor, ': ')), 'drift in ', toString(uniqExact(column_name)), ' columns, most in ',
              argMax(column_name, ifNull(abs(effect) / nullIf(threshold, 0), 0))) AS text,
       'drift' AS tags
FROM windvane.drift_findings FINAL
WHERE model IN (${model:singlequote}) AND drifted AND segment_key = '' AND $__timeFilter(window_end)
  AND $__conditionalAll((version IN (${version:singlequote}) OR version = ''), $version)
  AND $__conditionalAll((environment IN (${environment:singlequote}) OR environment = ''), $environment)", latest_runs!("drift_findings"), "
GROUP BY window_end, monitor
ORDER BY time"),
};

/// Every dashboard, in the order of the links.
#[must_use]
pub fn boards() -> Vec<Board> {
    vec![
        fleet::board(),
        model::board(),
        drift::board(),
        performance::board(),
        quality::board(),
        fairness::board(),
        experiments::board(),
        gates::board(),
        llm::board(),
        alerts::board(),
        pipeline::board(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_of_findings_are_of_latest_runs() {
        let boards = boards();
        for kind in ["drift", "quality", "performance", "latency", "fairness", "attribution", "experiment"] {
            let table = format!("FROM windvane.{kind}_findings");
            let latest = format!("max(computed_at) {table}");
            let of_kind: Vec<_> =
                boards.iter().flat_map(Board::panels).filter(|panel| panel.sql.contains(&table)).collect();
            assert!(of_kind.len() > 1, "{kind}: {}", of_kind.len());
            for panel in of_kind {
                assert!(panel.sql.contains(&latest), "{} of {kind}", panel.title);
            }
        }
        assert!(DRIFTED.sql.contains("max(computed_at) FROM windvane.drift_findings"), "{}", DRIFTED.sql);
    }
}
