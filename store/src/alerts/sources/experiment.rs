//! Observations of experiments: one metric of one arm against the control, as of one look.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "experiment",
    about: "metrics of arms as scheduled looks found them",
    measures: &[
        Measure { name: "worse", about: "1 where the arm is worse than the control, else 0" },
        Measure { name: "better", about: "1 where it is better, else 0" },
        Measure { name: "relative", about: "the change as a share of the control, with its sign" },
    ],
    windows: true,
    sample: r#"{"labels":{"experiment":"checkout","metric":"revenue","arm":"B","role":"guardrail"},
        "window_end_us":1362182400000000,"value":1.0,"evidence":4000.0,"verdict":"worse","control":"A",
        "relative":-0.04,"relative_low":-0.06,"relative_high":-0.02,"p_adjusted":0.001,"n":4000,"n_control":4100}"#,
    statement: "
    SELECT map('experiment', toString(experiment), 'metric', toString(metric), 'arm', toString(arm),
               'role', toString(role)) AS labels,
           0 AS window_start_us, toUnixTimestamp64Micro(as_of) AS window_end_us,
           multiIf({measure:String} = 'worse', toNullable(toFloat64(found.verdict = 'worse')),
                   {measure:String} = 'better', toFloat64(found.verdict = 'better'),
                   {measure:String} = 'relative', found.relative, NULL) AS value,
           toFloat64(least(n, n_control)) AS evidence, toString(found.verdict) AS verdict, toString(control) AS control,
           found.relative AS relative, relative_low, relative_high, p_adjusted, n, n_control
    FROM windvane.experiment_findings AS found FINAL
    WHERE segment_key = ''
      AND as_of > fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND as_of <= fromUnixTimestamp64Micro({to:Int64}, 'UTC')
      AND ({any:Bool} OR as_of > fromUnixTimestamp64Micro({to:Int64}, 'UTC') - INTERVAL 14 DAY)
    ORDER BY as_of DESC, experiment, metric, arm
    LIMIT {latest:UInt64} BY experiment, metric, arm, metric_kind, quantile
    LIMIT {rows:UInt64}",
};
