//! What gates said of candidates.

use super::{OFFSET, View, limit, text};

/// The latest run of each gate, in one line.
pub const GATES: View = View {
    name: "gates",
    about: "the latest run of each gate: its verdict, and which models it held against each other",
    parameters: &[text("model"), limit("200"), OFFSET],
    text: "
    SELECT gate, formatDateTime(findings.computed_at, '%FT%TZ', 'UTC') AS ran_at, run_id, model, version, verdict,
           n AS requests, overridden_by, champion_sha256, candidate_sha256
    FROM windvane.gate_findings AS findings FINAL
    WHERE check = '' AND {model:String} IN ('', model) AND (gate, findings.computed_at) IN (
        SELECT gate, max(computed_at) FROM windvane.gate_findings WHERE check = '' GROUP BY gate
    )
    ORDER BY findings.computed_at DESC, gate
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// The checks of the latest run of a gate.
pub const GATE_CHECKS: View = View {
    name: "gate_checks",
    about: "the checks of a gate's latest run: what was seen, what is accepted, and why",
    parameters: &[text("gate"), limit("10000"), OFFSET],
    text: "
    SELECT formatDateTime(findings.computed_at, '%FT%TZ', 'UTC') AS ran_at, run_id, check, subject, verdict, observed,
           bound, ci_low, ci_high, n, reason
    FROM windvane.gate_findings AS findings FINAL
    WHERE gate = {gate:String} AND check != '' AND findings.computed_at = (
        SELECT max(computed_at) FROM windvane.gate_findings WHERE gate = {gate:String} AND check = ''
    )
    ORDER BY verdict = 'fail' DESC, verdict = 'inconclusive' DESC, check, subject
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};
