//! Observations of performance: one metric of one segment in one window of a monitor.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "performance",
    about: "metrics of models that monitors compare with what is usual",
    measures: &[
        Measure { name: "alert", about: "1 where the metric left what is usual, else 0" },
        Measure { name: "realised", about: "the metric on predictions with an outcome" },
        Measure { name: "estimated", about: "the metric as estimated without outcomes" },
    ],
    windows: true,
    sample: r#"{"labels":{"model":"delay","monitor":"performance","metric":"roc_auc","task":"binary"},
        "window_start_us":1362096000000000,"window_end_us":1362182400000000,"value":1.0,"evidence":1400.0,
        "verdict":"alert","realised":0.84,"ci_low":0.82,"ci_high":0.86,"estimated":0.85,"threshold_low":0.88,
        "threshold_high":0.94,"trust":"trusted","coverage":0.93,"rows":1400,"labelled":1300}"#,
    // A realised value of too few rows lies within what is usual where the estimate raised the alert: then the estimate is told.
    statement: concat!(
        found!("performance_findings"),
        "
    SELECT map('model', toString(model), 'version', toString(version), 'environment', toString(environment),
               'monitor', toString(monitor), 'metric', toString(metric), 'task', toString(task),
               'segment_key', toString(segment_key), 'segment', segment_value) AS labels,
           toUnixTimestamp64Micro(window_start) AS window_start_us, toUnixTimestamp64Micro(window_end) AS window_end_us,
           multiIf({measure:String} = 'alert', if(found.verdict = 'insufficient_data', NULL, toNullable(toFloat64(found.alert))),
                   {measure:String} = 'realised', found.realised, {measure:String} = 'estimated', found.estimated,
                   NULL) AS value,
           toFloat64(n) AS evidence, toString(found.verdict) AS verdict,
           if(found.alert AND ifNull(found.realised >= ifNull(threshold_low, -inf) AND found.realised <= ifNull(threshold_high, inf), 0),
              NULL, found.realised) AS realised, ci_low, ci_high,
           found.estimated AS estimated, threshold_low, threshold_high, toString(trust) AS trust, coverage,
           n AS rows, labelled
    FROM found
    WHERE computed_at = newest
    ORDER BY window_end DESC, window_start DESC, model, monitor, segment_key, segment_value, metric
    LIMIT {latest:UInt64} BY model, version, environment, monitor, segment_key, segment_value, metric
    LIMIT {rows:UInt64}"
    ),
};
