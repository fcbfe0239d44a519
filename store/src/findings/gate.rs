//! The `gate_findings` table: runs of gates, check by check, and as the whole document that was printed.

use bytes::Bytes;
use serde::Deserialize;
use windvane_types::gate::{Check, Document};

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Statement, Store, StoreError, native};

const TABLE: &str = "gate_findings";

const COLUMNS: &[Column] = &[
    column("run_id", Wire::Text),
    column("computed_at", Wire::Micros),
    column("gate", Wire::Word),
    column("model", Wire::Word),
    column("version", Wire::Word),
    column("champion_sha256", Wire::Text),
    column("candidate_sha256", Wire::Text),
    column("check", Wire::Word),
    column("subject", Wire::Text),
    column("verdict", Wire::Word),
    column("observed", Wire::OptionalNumber),
    column("bound", Wire::OptionalNumber),
    column("ci_low", Wire::OptionalNumber),
    column("ci_high", Wire::OptionalNumber),
    column("n", Wire::Count),
    column("reason", Wire::Text),
    column("overridden_by", Wire::Text),
    column("document", Wire::Text),
];

/// What a run of a gate was about; its document says what came out.
#[derive(Debug, Clone)]
pub struct Run {
    /// Unique among runs; writing a run twice under its id changes nothing.
    pub run_id: String,
    /// When it ended, microseconds since 1970 UTC.
    pub computed_at_us: i64,
    /// The gate's name.
    pub gate: String,
    /// The model that is to be replaced; empty where nobody said.
    pub model: String,
    /// The version that the candidate would be; empty where nobody said.
    pub version: String,
}

/// Writes a run: a row a check, and one for the gate as a whole.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub async fn write(store: &Store, run: &Run, document: &Document) -> Result<(), StoreError> {
    let whole = Check {
        check: String::new(),
        verdict: document.verdict,
        observed: None,
        bound: None,
        ci: None,
        n: document.requests,
        reason: String::new(),
        subject: None,
    };
    let printed = serde_json::to_string(document).unwrap_or_default();
    let mut body = Vec::new();
    encode(run, document, (&whole, &printed), &mut body);
    document.checks.iter().for_each(|check| encode(run, document, (check, ""), &mut body));
    let rows = document.checks.len() as u64 + 1;
    let pieces = native::encode(COLUMNS, &[Bytes::from(body)], rows)
        .expect("these rows were encoded for these columns");
    let token = format!("gate-{}", run.run_id);
    store.send(Insert { table: TABLE, columns: COLUMNS, token: &token, pieces }).await
}

/// Appends the columns in the order of [`COLUMNS`].
fn encode(run: &Run, document: &Document, (check, printed): (&Check, &str), out: &mut Vec<u8>) {
    rb::string(out, &run.run_id);
    rb::i64(out, run.computed_at_us);
    let provenance = &document.provenance;
    for word in
        [&run.gate, &run.model, &run.version, &provenance.champion.sha256, &provenance.candidate.sha256]
    {
        rb::string(out, word);
    }
    rb::string(out, &check.check);
    rb::string(out, check.subject.as_deref().unwrap_or_default());
    rb::string(out, check.verdict.as_str());
    for number in [check.observed, check.bound, check.ci.map(|ci| ci[0]), check.ci.map(|ci| ci[1])] {
        rb::nullable(out, number, rb::f64);
    }
    rb::u64(out, check.n);
    rb::string(out, &check.reason);
    rb::string(out, document.override_by.as_ref().map_or("", |by| by.who.as_str()));
    rb::string(out, printed);
}

/// A run of a gate as a whole.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Latest {
    /// The gate.
    pub gate: String,
    /// The run.
    pub run_id: String,
    /// When it ended, microseconds since 1970 UTC.
    pub computed_at_us: i64,
    /// The model that is to be replaced; empty where nobody said.
    pub model: String,
    /// The version that the candidate would be; empty where nobody said.
    pub version: String,
    /// SHA-256 of the candidate's file.
    pub candidate_sha256: String,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// The document `windvane.gate/1` as it was printed.
    pub document: String,
}

/// Which gates are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// One gate; all of them where it is empty.
    pub gate: &'a str,
    /// Runs on this candidate alone; on any where it is empty.
    pub candidate_sha256: &'a str,
    /// How many at most.
    pub limit: u64,
    /// After how many.
    pub offset: u64,
}

/// The latest run of each gate, the latest first.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn latest(store: &Store, asked: Asked<'_>) -> Result<Vec<Latest>, StoreError> {
    let statement = Statement::new(LATEST)
        .param("gate", asked.gate)
        .param("candidate", asked.candidate_sha256)
        .param("limit", asked.limit)
        .param("offset", asked.offset);
    store.rows(&statement).await
}

/// Documents are read of the latest runs alone.
const LATEST: &str = "
    SELECT gate, run_id, toUnixTimestamp64Micro(computed_at) AS computed_at_us, model, version, candidate_sha256, verdict, document
    FROM windvane.gate_findings FINAL
    WHERE check = '' AND (gate, computed_at) IN (
        SELECT gate, max(computed_at) FROM windvane.gate_findings
        WHERE check = '' AND {gate:String} IN ('', gate) AND {candidate:String} IN ('', candidate_sha256) GROUP BY gate
    ) AND {candidate:String} IN ('', candidate_sha256)
    ORDER BY computed_at DESC, gate
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}";
