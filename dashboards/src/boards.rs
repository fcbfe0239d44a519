//! The dashboards, one a file.

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

/// When a version answered first: a deploy, as far as the predictions tell.
const DEPLOYS: Annotation = Annotation {
    name: "Deploys",
    colour: "blue",
    sql: "SELECT min(ts) AS time, concat('version ', version, ' answers first') AS text, 'deploy' AS tags
FROM windvane.predictions
WHERE model IN (${model:singlequote})
GROUP BY version
HAVING time >= $__fromTime AND time <= $__toTime
ORDER BY time",
};

/// Windows in which columns drifted.
const DRIFTED: Annotation = Annotation {
    name: "Drift",
    colour: "red",
    sql: "SELECT window_end AS time,
       concat('drift in ', toString(uniqExact(column_name)), ' columns, most in ',
              argMax(column_name, ifNull(abs(effect) / nullIf(threshold, 0), 0))) AS text,
       'drift' AS tags
FROM windvane.drift_findings FINAL
WHERE model IN (${model:singlequote}) AND drifted AND segment_key = '' AND $__timeFilter(window_end)
GROUP BY window_end
ORDER BY time",
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
