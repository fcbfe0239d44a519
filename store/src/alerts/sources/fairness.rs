//! Observations of fairness: one metric of one group against the reference group, in one window of a monitor.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "fairness",
    about: "groups that monitors compare by how the model treats them",
    measures: &[
        Measure { name: "failed", about: "1 where the gap is large and chance does not explain it, else 0" },
        Measure { name: "gap", about: "the gap to the reference group as a size, 0 to 1" },
    ],
    windows: true,
    sample: r#"{"labels":{"model":"delay","monitor":"fairness","metric":"demographic_parity","segment_key":"origin",
        "segment":"JFK"},
        "window_start_us":1362096000000000,"window_end_us":1362182400000000,"value":1.0,"evidence":1400.0,
        "verdict":"fail","gap":-0.18,"gap_low":-0.22,"gap_high":-0.14,"share":0.31,"share_reference":0.49,
        "reference":"EWR","threshold":0.05,"p_adjusted":0.0001,"n_reference":1900,"n_current":1400}"#,
    statement: STATEMENT,
};

const STATEMENT: &str = concat!(
    found!("fairness_findings"),
    "
    SELECT map('model', toString(model), 'version', toString(version), 'environment', toString(environment),
               'monitor', toString(monitor), 'metric', toString(method), 'segment_key', toString(segment_key),
               'segment', segment_value) AS labels,
           toUnixTimestamp64Micro(window_start) AS window_start_us, toUnixTimestamp64Micro(window_end) AS window_end_us,
           multiIf(found.verdict = 'insufficient_data', NULL,
                   {measure:String} = 'failed', toNullable(toFloat64(found.verdict = 'fail')),
                   {measure:String} = 'gap', abs(found.statistic), NULL) AS value,
           toFloat64(least(n_reference, n_current)) AS evidence,
           toString(found.verdict) AS verdict, statistic AS gap, ci_low AS gap_low, ci_high AS gap_high,
           found.value AS share, reference_statistic AS share_reference, reference_value AS reference,
           threshold, p_adjusted, n_reference, n_current
    FROM found
    WHERE computed_at = newest
    ORDER BY window_end DESC, window_start DESC, model, monitor, segment_key, segment_value, method
    LIMIT {latest:UInt64} BY model, version, environment, monitor, segment_key, segment_value, method
    LIMIT {rows:UInt64}"
);
