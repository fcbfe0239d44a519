//! The `alert_events` table: every change of state of an alert.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Statement, Store, StoreError, native};

const TABLE: &str = "alert_events";

const COLUMNS: &[Column] = &[
    column("at", Wire::Micros),
    column("rule", Wire::Word),
    column("fingerprint", Wire::Text),
    column("from_state", Wire::Word),
    column("to_state", Wire::Word),
    column("reason", Wire::Word),
    column("severity", Wire::Word),
    column("model", Wire::Word),
    column("labels", Wire::Words),
    column("value", Wire::OptionalNumber),
    column("window_start", Wire::Micros),
    column("window_end", Wire::Micros),
    column("summary", Wire::Text),
    column("link", Wire::Text),
    column("holder", Wire::Text),
];

/// A change of state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertEvent {
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
    /// The rule.
    pub rule: String,
    /// Names the alert.
    pub fingerprint: String,
    /// The state before.
    pub from_state: String,
    /// The state after.
    pub to_state: String,
    /// Why.
    pub reason: String,
    /// How urgent it is.
    pub severity: String,
    /// All its labels, `model` among them where it has one.
    pub labels: BTreeMap<String, String>,
    /// What the rule looked at.
    pub value: Option<f64>,
    /// Start of the window that was judged, microseconds since 1970 UTC; 0 without one.
    pub window_start_us: i64,
    /// Its end.
    pub window_end_us: i64,
    /// What people read.
    pub summary: String,
    /// The page of the finding, or empty.
    pub link: String,
    /// Who judged.
    pub holder: String,
}

/// Writes changes, all at once. Writing the same ones again changes nothing.
///
/// # Errors
/// As [`Store::insert`]; they may be written again.
pub async fn write(store: &Store, events: &[AlertEvent]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
    let mut body = Vec::new();
    for event in events {
        encode_row(event, &mut body);
    }
    let pieces = native::encode(COLUMNS, &[Bytes::from(body)], events.len() as u64)
        .expect("these rows were encoded for these columns");
    let token = format!(
        "alert-events-{}-{}-{}-{}-{}",
        first.at_us,
        first.fingerprint,
        last.at_us,
        last.fingerprint,
        events.len()
    );
    store.send(Insert { table: TABLE, columns: COLUMNS, token: &token, pieces }).await
}

/// Appends the columns in the order of [`COLUMNS`].
fn encode_row(event: &AlertEvent, out: &mut Vec<u8>) {
    rb::i64(out, event.at_us);
    for word in
        [&event.rule, &event.fingerprint, &event.from_state, &event.to_state, &event.reason, &event.severity]
    {
        rb::string(out, word);
    }
    rb::string(out, event.labels.get("model").map_or("", String::as_str));
    rb::varint(out, event.labels.len());
    for (name, value) in &event.labels {
        rb::string(out, name);
        rb::string(out, value);
    }
    rb::nullable(out, event.value, rb::f64);
    rb::i64(out, event.window_start_us);
    rb::i64(out, event.window_end_us);
    for text in [&event.summary, &event.link, &event.holder] {
        rb::string(out, text);
    }
}

/// How many changes are there for `/api/v1/alerts/events`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// One rule; all where it is empty.
    pub rule: &'a str,
    /// One model; all where it is empty.
    pub model: &'a str,
    /// From when, microseconds since 1970 UTC.
    pub from_us: i64,
    /// Until when, excluded.
    pub to_us: i64,
    /// How many at most.
    pub limit: u64,
    /// After how many.
    pub offset: u64,
}

/// Changes, the latest first.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store, asked: Asked<'_>) -> Result<Vec<AlertEvent>, StoreError> {
    let statement = Statement::new(
        "SELECT toUnixTimestamp64Micro(at) AS at_us, rule, fingerprint, from_state, to_state, reason, severity, labels, value, \
         toUnixTimestamp64Micro(window_start) AS window_start_us, toUnixTimestamp64Micro(window_end) AS window_end_us, \
         summary, link, holder \
         FROM windvane.alert_events FINAL \
         WHERE {rule:String} IN ('', rule) AND {model:String} IN ('', model) \
         AND at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC') \
         ORDER BY at DESC, rule, fingerprint LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
    )
    .param("rule", asked.rule)
    .param("model", asked.model)
    .param("from", asked.from_us)
    .param("to", asked.to_us)
    .param("limit", asked.limit)
    .param("offset", asked.offset);
    store.rows(&statement).await
}
