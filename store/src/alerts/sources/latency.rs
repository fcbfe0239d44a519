//! Observations of latency: one group of one window of a monitor, against its reference and against its objectives.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "latency",
    about: "latencies that monitors compare with their reference and with objectives",
    measures: &[
        Measure { name: "page", about: "1 where an objective burns its budget so fast that somebody has to look now" },
        Measure { name: "ticket", about: "1 where it burns faster than it should" },
        Measure { name: "slower", about: "1 where the group is slower than its reference, at the quantiles that grew" },
    ],
    windows: true,
    sample: r#"{"labels":{"model":"delay","monitor":"latency","objective":"burn 99.9% 250000us 3600s"},
        "window_start_us":1362096000000000,"window_end_us":1362182400000000,"value":1.0,"evidence":1400.0,
        "verdict":"page","statistic":16.2,"threshold":14.4,"reference_statistic":null,"p_value":0.0001,
        "n_reference":21,"n_current":1400}"#,
    statement: concat!(
        found!("latency_findings", "startsWith(method, 'burn ') AS is_objective"),
        "
    SELECT map('model', toString(model), 'version', toString(version), 'environment', toString(environment),
               'monitor', toString(monitor), if(is_objective, 'objective', 'quantile'), toString(method),
               'segment_key', toString(segment_key), 'segment', segment_value) AS labels,
           toUnixTimestamp64Micro(window_start) AS window_start_us, toUnixTimestamp64Micro(window_end) AS window_end_us,
           if(found.verdict = 'insufficient_data', NULL,
              toFloat64(found.verdict = {measure:String} AND ifNull(statistic > reference_statistic, 1))) AS value,
           toFloat64(n_current) AS evidence, toString(found.verdict) AS verdict, statistic, threshold,
           reference_statistic, p_value, n_reference, n_current
    FROM found
    WHERE computed_at = newest AND is_objective = ({measure:String} IN ('page', 'ticket'))
      AND {measure:String} IN ('page', 'ticket', 'slower')
    ORDER BY window_end DESC, window_start DESC, model, monitor, segment_key, segment_value, method
    LIMIT {latest:UInt64} BY model, version, environment, monitor, segment_key, segment_value, method
    LIMIT {rows:UInt64}"
    ),
};
