//! Observations of attribution: by which features a model decides, in one window of a monitor against its reference.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "attribution",
    about: "rankings of features by attribution that monitors compare with their reference",
    measures: &[
        Measure {
            name: "drifted",
            about: "1 where the ranking is not the reference's any more, or has features of one side only, else 0",
        },
        Measure { name: "ndcg", about: "how well the ranking is kept, 0 to 1" },
    ],
    windows: true,
    sample: r#"{"labels":{"model":"delay","monitor":"attribution"},
        "window_start_us":1362096000000000,"window_end_us":1362182400000000,"value":1.0,"evidence":1400.0,
        "verdict":"drift","ndcg":0.71,"ndcg_low":0.66,"ndcg_high":0.77,"threshold":0.9,
        "moved":["temp 6 → 1","dep_delay 1 → 4"],"n_reference":17218,"n_current":1400,
        "reference_kind":"baseline","reference_name":"spring"}"#,
    statement: STATEMENT,
};

/// The ranking is a row without a feature; the rows of features say which of them are attributed on one side only, or moved furthest.
const STATEMENT: &str = concat!(
    found!("attribution_findings", "method = 'ndcg' AS is_ranking,
            n_reference > 0 AND n_current = 0 AS is_gone, n_reference = 0 AND n_current > 0 AS is_new,
            if(is_gone OR is_new, 1000000000, abs(toInt64(place) - toInt64(reference_place))) AS places"),
    "
    SELECT map('model', toString(model), 'version', toString(version), 'environment', toString(environment),
               'monitor', toString(monitor)) AS labels,
           toUnixTimestamp64Micro(window_start) AS window_start_us, toUnixTimestamp64Micro(window_end) AS window_end_us,
           multiIf(anyIf(verdict, is_ranking) = 'insufficient_data', NULL,
                   {measure:String} = 'drifted', toNullable(toFloat64(anyIf(verdict, is_ranking) = 'drift')),
                   {measure:String} = 'ndcg', anyIf(statistic, is_ranking), NULL) AS value,
           toFloat64(least(maxIf(n_reference, is_ranking), maxIf(n_current, is_ranking))) AS evidence,
           toString(anyIf(verdict, is_ranking)) AS verdict, anyIf(statistic, is_ranking) AS ndcg,
           anyIf(ci_low, is_ranking) AS ndcg_low, anyIf(ci_high, is_ranking) AS ndcg_high,
           anyIf(threshold, is_ranking) AS threshold,
           arrayMap(moved -> concat(moved.2, ' ', moved.3, ' → ', moved.4), arraySlice(arraySort(
               moved -> (-moved.1, moved.2), groupArrayIf((places, toString(column_name), if(is_new, 'absent', toString(reference_place)),
               if(is_gone, 'absent', toString(place))), NOT is_ranking AND places > 0)), 1, 3)) AS moved,
           maxIf(n_reference, is_ranking) AS n_reference, maxIf(n_current, is_ranking) AS n_current,
           toString(reference_kind) AS reference_kind, reference_name
    FROM found
    WHERE computed_at = newest
    GROUP BY model, version, environment, monitor, reference_kind, reference_name, window_start, window_end
    HAVING countIf(is_ranking) > 0
    ORDER BY window_end DESC, window_start DESC, model, monitor
    LIMIT {latest:UInt64} BY model, version, environment, monitor
    LIMIT {rows:UInt64}"
);
