//! Observations of the monitors themselves: whether their windows are run.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "monitor",
    about: "whether the windows of monitors and experiments are run",
    measures: &[
        Measure { name: "failed", about: "1 where the latest window ended with an error, else 0" },
        Measure { name: "insufficient", about: "1 where the latest window had too few rows to tell, else 0" },
    ],
    windows: true,
    sample: r#"{"labels":{"monitor":"daily","kind":"drift","model":"delay"},
        "window_start_us":1362096000000000,"window_end_us":1362182400000000,"value":1.0,"evidence":5.0,
        "state":"failed","attempt":5,"error":"no baseline `spring`","rows_current":0}"#,
    statement: "
    SELECT map('monitor', toString(monitor), 'kind', toString(runs.kind), 'model', toString(model)) AS labels,
           toUnixTimestamp64Micro(window_start) AS window_start_us, toUnixTimestamp64Micro(window_end) AS window_end_us,
           multiIf({measure:String} = 'failed', toNullable(toFloat64(runs.state = 'failed')),
                   {measure:String} = 'insufficient', toFloat64(verdict = 'insufficient_data'), NULL) AS value,
           toFloat64(runs.attempt) AS evidence, toString(runs.state) AS state, runs.attempt AS attempt, error, rows_current
    FROM windvane.monitor_runs AS runs FINAL
    WHERE runs.state != 'running'
      AND window_end > fromUnixTimestamp64Micro({from:Int64}, 'UTC')
      AND window_end <= fromUnixTimestamp64Micro({to:Int64}, 'UTC')
      AND ({any:Bool} OR toUnixTimestamp64Micro(window_end) + 3600000000
           + 2 * (toUnixTimestamp64Micro(window_end) - toUnixTimestamp64Micro(window_start)) > {to:Int64})
    ORDER BY window_end DESC, window_start DESC, monitor
    LIMIT {latest:UInt64} BY runs.kind, monitor
    LIMIT {rows:UInt64}",
};
