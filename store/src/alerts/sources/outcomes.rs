//! Observations of outcomes: the share of predictions whose truth comes to be known, against the week before.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "outcomes",
    about: "models whose outcomes stop coming",
    measures: &[
        Measure {
            name: "coverage_ratio",
            about: "the share of predictions that had an outcome within a day, over that of the week before",
        },
        Measure { name: "coverage", about: "that share, 0 to 1" },
    ],
    windows: false,
    sample: r#"{"labels":{"model":"delay"},"window_end_us":1362182400000000,"value":0.2,"evidence":1400.0,
        "coverage":0.18,"coverage_before":0.9,"rows":1400,"rows_before":9800}"#,
    statement: STATEMENT,
};

/// Predictions are a day old when they are counted, and so are those of the week before: their outcomes count where they
/// came within a day. A model of which hardly any outcome comes that soon has no observation.
const STATEMENT: &str = "
    WITH fromUnixTimestamp64Micro({to:Int64}, 'UTC') AS now
    SELECT map('model', toString(model)) AS labels, 0 AS window_start_us, {to:Int64} AS window_end_us,
           if({measure:String} = 'coverage_ratio', coverage / coverage_before,
              if({measure:String} = 'coverage', coverage, NULL)) AS value,
           toFloat64(least(rows, rows_before)) AS evidence, coverage, coverage_before, rows, rows_before
    FROM (
        SELECT model, countIf(recent) AS rows, countIf(NOT recent) AS rows_before,
               countIf(recent AND known) / rows AS coverage, countIf(NOT recent AND known) / rows_before AS coverage_before
        FROM (
            SELECT predicted.model AS model, predicted.ts > now - INTERVAL 2 DAY AS recent,
                   truth.event_id != '' AND truth.ts <= predicted.ts + INTERVAL 1 DAY AS known
            FROM (
                SELECT model, event_id, ts FROM windvane.predictions
                WHERE ts > now - INTERVAL 9 DAY AND ts <= now - INTERVAL 1 DAY
                  AND model GLOBAL IN (SELECT DISTINCT model FROM windvane.outcomes)
            ) AS predicted
            LEFT ANY JOIN (
                SELECT model, event_id, ts FROM windvane.outcomes WHERE ts > now - INTERVAL 9 DAY AND ts <= now
            ) AS truth ON truth.model = predicted.model AND truth.event_id = predicted.event_id
        )
        GROUP BY model
    )
    WHERE rows > 0 AND rows_before > 0 AND coverage_before >= 0.05
      AND {from:Int64} < {to:Int64} AND ({any:Bool} OR NOT {any:Bool}) AND {latest:UInt64} > 0
    ORDER BY model
    LIMIT {rows:UInt64}";
