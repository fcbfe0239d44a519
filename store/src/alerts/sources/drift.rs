//! Observations of drift: one column of one segment in one window of a monitor, all methods together.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "drift",
    about: "columns that monitors compare with their reference",
    measures: &[
        Measure { name: "drifted", about: "1 where any method says drift, else 0" },
        Measure { name: "effect", about: "the strongest effect over its floor: 1 is the floor of a method" },
        Measure { name: "psi", about: "the population stability index" },
        Measure { name: "ks", about: "the Kolmogorov-Smirnov distance, 0 to 1" },
        Measure { name: "missing_rate", about: "the change of the share of missing values, as a size" },
    ],
    windows: true,
    sample: r#"{"labels":{"model":"delay","monitor":"daily","column":"temp","segment_key":"origin","segment":"JFK"},
        "window_start_us":1362096000000000,"window_end_us":1362182400000000,"value":1.0,"evidence":1400.0,
        "column_kind":"numeric","method":"ks","statistic":0.31,"threshold":0.1,"p_adjusted":0.00001,"effect":0.31,
        "direction":"up","n_reference":17218,"n_current":1400,"missing_reference":12,"missing_current":3,
        "mean_reference":37.9,"mean_current":53.5,"category":"","share_reference":null,"share_current":null,
        "methods":["ks","psi"],"reference_kind":"baseline","reference_name":"spring",
        "reference_start_us":1356998400000000,"reference_end_us":1362096000000000}"#,
    statement: STATEMENT,
};

const STATEMENT: &str = concat!(
    found!("drift_findings"),
    "
    SELECT map('model', toString(model), 'version', toString(version), 'environment', toString(environment),
               'monitor', toString(monitor), 'column', toString(column_name),
               'segment_key', toString(segment_key), 'segment', segment_value) AS labels,
           toUnixTimestamp64Micro(window_start) AS window_start_us, toUnixTimestamp64Micro(window_end) AS window_end_us,
           if(any(verdict) = 'insufficient_data', NULL, multiIf(
               {measure:String} = 'drifted', toFloat64(max(drifted)),
               {measure:String} = 'effect', max(abs(effect) / nullIf(threshold, 0)),
               {measure:String} = 'missing_rate', maxIf(abs(effect), method = 'missing_rate'),
               maxIf(statistic, method = {measure:String}))) AS value,
           toFloat64(least(max(n_reference + missing_reference), max(n_current + missing_current))) AS evidence,
           toString(any(column_kind)) AS column_kind,
           toString(argMax(method, strength)) AS method, argMax(statistic, strength) AS statistic,
           argMax(threshold, strength) AS threshold, argMax(p_adjusted, strength) AS p_adjusted,
           argMax(effect, strength) AS effect, toString(any(direction)) AS direction,
           max(n_reference) AS n_reference, max(n_current) AS n_current,
           max(missing_reference) AS missing_reference, max(missing_current) AS missing_current,
           any(JSONExtract(detail, 'mean_reference', 'Nullable(Float64)')) AS mean_reference,
           any(JSONExtract(detail, 'mean_current', 'Nullable(Float64)')) AS mean_current,
           any(JSONExtractString(detail, 'largest_change', 'category')) AS category,
           any(JSONExtract(detail, 'largest_change', 'share_reference', 'Nullable(Float64)')) AS share_reference,
           any(JSONExtract(detail, 'largest_change', 'share_current', 'Nullable(Float64)')) AS share_current,
           arraySort(groupArrayIf(toString(method), drifted)) AS methods,
           toString(reference_kind) AS reference_kind, reference_name,
           toUnixTimestamp64Micro(any(reference_start)) AS reference_start_us,
           toUnixTimestamp64Micro(any(reference_end)) AS reference_end_us
    FROM (
        SELECT *, (drifted, ifNull(abs(effect) / nullIf(threshold, 0), 0)) AS strength FROM found WHERE computed_at = newest
    )
    GROUP BY model, version, environment, monitor, reference_kind, reference_name, segment_key, segment_value,
             column_name, window_start, window_end
    ORDER BY window_end DESC, window_start DESC, model, monitor, segment_key, segment_value, column_name
    LIMIT {latest:UInt64} BY model, version, environment, monitor, segment_key, segment_value, column_name
    LIMIT {rows:UInt64}"
);
