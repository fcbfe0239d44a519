//! The `notifications` table: every attempt to deliver a notification.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Store, StoreError, native};

const TABLE: &str = "notifications";

const COLUMNS: &[Column] = &[
    column("at", Wire::Micros),
    column("receiver", Wire::Word),
    column("id", Wire::Text),
    column("attempt", Wire::Count),
    column("outcome", Wire::Word),
    column("answer", Wire::Text),
    column("reason", Wire::Word),
    column("group_key", Wire::Text),
    column("generation", Wire::Count),
    column("firing", Wire::Count),
    column("resolved", Wire::Count),
    column("subject", Wire::Text),
    column("took_ms", Wire::Count),
    column("holder", Wire::Text),
];

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted {
    /// When it ended, microseconds since 1970 UTC.
    pub at_us: i64,
    /// The receiver.
    pub receiver: String,
    /// Names the notification.
    pub id: String,
    /// Which attempt, from 1; 0 where there was none.
    pub attempt: u64,
    /// How it ended.
    pub outcome: String,
    /// What the receiver said.
    pub answer: String,
    /// Why it was sent.
    pub reason: String,
    /// The group.
    pub group_key: String,
    /// The how manieth of the group.
    pub generation: u64,
    /// Alerts in it that fire.
    pub firing: u64,
    /// Alerts in it that have ended.
    pub resolved: u64,
    /// Its subject.
    pub subject: String,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// Who sent it.
    pub holder: String,
}

/// Writes attempts, all at once. Writing the same ones again changes nothing.
///
/// # Errors
/// As [`Store::insert`]; they may be written again.
pub async fn write(store: &Store, attempts: &[Attempted]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else { return Ok(()) };
    let mut body = Vec::new();
    for attempt in attempts {
        encode_row(attempt, &mut body);
    }
    let pieces = native::encode(COLUMNS, &[Bytes::from(body)], attempts.len() as u64)
        .expect("these rows were encoded for these columns");
    let token = format!(
        "notifications-{}-{}-{}-{}-{}-{}",
        first.id,
        first.attempt,
        first.at_us,
        last.id,
        last.attempt,
        attempts.len()
    );
    store.send(Insert { table: TABLE, columns: COLUMNS, token: &token, pieces }).await
}

/// Appends the columns in the order of [`COLUMNS`].
fn encode_row(attempt: &Attempted, out: &mut Vec<u8>) {
    rb::i64(out, attempt.at_us);
    rb::string(out, &attempt.receiver);
    rb::string(out, &attempt.id);
    rb::u64(out, attempt.attempt);
    for word in [&attempt.outcome, &attempt.answer, &attempt.reason, &attempt.group_key] {
        rb::string(out, word);
    }
    for count in [attempt.generation, attempt.firing, attempt.resolved] {
        rb::u64(out, count);
    }
    rb::string(out, &attempt.subject);
    rb::u64(out, attempt.took_ms);
    rb::string(out, &attempt.holder);
}
