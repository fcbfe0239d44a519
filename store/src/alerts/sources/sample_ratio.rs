//! Observations of the sample ratio of experiments, as of one look.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "sample_ratio",
    about: "whether experiments have as many units an arm as they should",
    measures: &[Measure { name: "mismatch", about: "1 where the ratio is not what was planned, else 0" }],
    windows: true,
    sample: r#"{"labels":{"experiment":"checkout"},"window_end_us":1362182400000000,"value":1.0,"evidence":8100.0,
        "verdict":"mismatch","p_value":0.00001,"sequential_p_value":0.0004}"#,
    statement: "
    SELECT map('experiment', toString(experiment)) AS labels,
           0 AS window_start_us, toUnixTimestamp64Micro(as_of) AS window_end_us,
           toNullable(toFloat64(srm_verdict = 'mismatch')) AS value, toFloat64(units) AS evidence,
           toString(srm_verdict) AS verdict, JSONExtract(document, 'srm', 'p_value', 'Nullable(Float64)') AS p_value,
           JSONExtract(document, 'srm', 'sequential_p_value', 'Nullable(Float64)') AS sequential_p_value
    FROM windvane.experiment_looks FINAL
    WHERE {measure:String} = 'mismatch'
      AND as_of > fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND as_of <= fromUnixTimestamp64Micro({to:Int64}, 'UTC')
      AND ({any:Bool} OR as_of > fromUnixTimestamp64Micro({to:Int64}, 'UTC') - INTERVAL 14 DAY)
    ORDER BY as_of DESC, experiment
    LIMIT {latest:UInt64} BY experiment
    LIMIT {rows:UInt64}",
};
