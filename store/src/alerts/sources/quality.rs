//! Observations of data quality: one check of one column of one segment in one window of a monitor.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "quality",
    about: "checks of data that monitors make",
    measures: &[
        Measure { name: "failed", about: "1 where the check failed, else 0" },
        Measure { name: "occurrences", about: "rows, values or categories that are not as expected" },
    ],
    windows: true,
    sample: r#"{"labels":{"model":"delay","monitor":"quality","column":"temp","check":"missing_rate"},
        "window_start_us":1362096000000000,"window_end_us":1362182400000000,"value":1.0,"evidence":1400.0,
        "verdict":"fail","observed":0.21,"expected_low":0.08,"expected_high":0.12,"occurrences":294,
        "n_reference":17218,"n_current":1400,"reference_kind":"baseline","reference_name":"spring"}"#,
    statement: concat!(
        found!("quality_findings"),
        "
    SELECT map('model', toString(model), 'version', toString(version), 'environment', toString(environment),
               'monitor', toString(monitor), 'column', toString(column_name), 'check', toString(method),
               'segment_key', toString(segment_key), 'segment', segment_value) AS labels,
           toUnixTimestamp64Micro(window_start) AS window_start_us, toUnixTimestamp64Micro(window_end) AS window_end_us,
           multiIf(found.verdict = 'insufficient_data', NULL,
                   {measure:String} = 'failed', toNullable(toFloat64(found.verdict = 'fail')),
                   {measure:String} = 'occurrences', toFloat64(found.occurrences), NULL) AS value,
           toFloat64(n_current) AS evidence, toString(found.verdict) AS verdict, statistic AS observed,
           threshold_low AS expected_low, threshold AS expected_high, found.occurrences AS occurrences,
           n_reference, n_current, toString(reference_kind) AS reference_kind, reference_name
    FROM found
    WHERE computed_at = newest
    ORDER BY window_end DESC, window_start DESC, model, monitor, segment_key, segment_value, column_name, method
    LIMIT {latest:UInt64} BY model, version, environment, monitor, segment_key, segment_value, column_name, method
    LIMIT {rows:UInt64}"
    ),
};
