//! Observations of gates: whether the latest run of each let its candidate pass.

use super::{Kind, Measure};

/// The row of a run has no reason of its own: those of the checks that decided stand in its document.
pub(super) const KIND: Kind = Kind {
    name: "gate",
    about: "gates that decide whether a candidate may be rolled out",
    measures: &[
        Measure { name: "failed", about: "1 where the gate failed and nobody overrode it, else 0" },
        Measure { name: "inconclusive", about: "1 where it had too little evidence, else 0" },
    ],
    windows: true,
    sample: r#"{"labels":{"gate":"delay","model":"delay","version":"8"},"window_end_us":1362182400000000,"value":1.0,
        "evidence":4000.0,"verdict":"fail","reason":"agreement 0.91, at least 0.99 is asked for","overridden_by":""}"#,
    statement: "
    SELECT map('gate', toString(gate), 'model', toString(model), 'version', toString(version)) AS labels,
           0 AS window_start_us, toUnixTimestamp64Micro(computed_at) AS window_end_us,
           multiIf({measure:String} = 'failed', toNullable(toFloat64(found.verdict = 'fail' AND found.overridden_by = '')),
                   {measure:String} = 'inconclusive', toFloat64(found.verdict = 'inconclusive'), NULL) AS value,
           toFloat64(n) AS evidence, toString(found.verdict) AS verdict,
           arrayStringConcat(arrayMap(told -> told.2, arrayFilter(told -> told.1 = toString(found.verdict),
               JSONExtract(document, 'checks', 'Array(Tuple(verdict String, reason String))'))), '; ') AS reason,
           overridden_by
    FROM windvane.gate_findings AS found FINAL
    WHERE check = ''
      AND computed_at > fromUnixTimestamp64Micro({from:Int64}, 'UTC')
      AND computed_at <= fromUnixTimestamp64Micro({to:Int64}, 'UTC')
      AND ({any:Bool} OR computed_at > fromUnixTimestamp64Micro({to:Int64}, 'UTC') - INTERVAL 14 DAY)
    ORDER BY computed_at DESC, gate, model, version
    LIMIT {latest:UInt64} BY gate, model
    LIMIT {rows:UInt64}",
};

#[cfg(test)]
mod tests {
    use super::KIND;

    #[test]
    fn a_later_version_takes_the_place_of_an_earlier_one() {
        assert!(KIND.statement.contains("LIMIT {latest:UInt64} BY gate, model\n"), "{}", KIND.statement);
    }
}
