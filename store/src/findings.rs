//! What the tables of findings share: which run a row comes from, the columns that say so, and how rows are written.

use bytes::Bytes;
use windvane_types::span::Span;

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::Column;
use crate::{Store, StoreError, native};

/// What a run was about; its document says what came out.
#[derive(Debug, Clone)]
pub struct Run {
    /// Unique among runs; inserting a run twice under its id changes nothing.
    pub run_id: String,
    /// When it ended, microseconds since 1970 UTC; of two runs on the same key the later one wins.
    pub computed_at_us: i64,
    /// The model.
    pub model: String,
    /// Its version; empty for all.
    pub version: String,
    /// Its environment; empty for all.
    pub environment: String,
    /// The monitor; empty for a run by hand.
    pub monitor: String,
    /// `baseline`, `window`, `previous`, `same_hour_last_week` or `expectations`; empty without a reference.
    pub reference_kind: String,
    /// The baseline's name, or empty.
    pub reference_name: String,
    /// The window that was looked at.
    pub window: Span,
    /// The length of the monitor's windows, such as `1d`; empty for a run by hand.
    pub granularity: String,
}

impl Run {
    /// Appends the columns from `run_id` to `monitor`.
    pub(crate) fn whose(&self, out: &mut Vec<u8>) {
        rb::string(out, &self.run_id);
        rb::i64(out, self.computed_at_us);
        for word in [&self.model, &self.version, &self.environment, &self.monitor] {
            rb::string(out, word);
        }
    }

    /// Appends the columns from `window_start` to `granularity`.
    pub(crate) fn when(&self, out: &mut Vec<u8>) {
        rb::i64(out, self.window.start_us);
        rb::i64(out, self.window.end_us);
        rb::string(out, &self.granularity);
    }

    /// Appends the columns from `run_id` to `granularity`, those of the reference between the two.
    pub(crate) fn head(&self, out: &mut Vec<u8>) {
        self.whose(out);
        rb::string(out, &self.reference_kind);
        rb::string(out, &self.reference_name);
        self.when(out);
    }
}

/// Writes the rows of a run under a token that is the run's, and returns how many they are.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub(crate) async fn send(
    store: &Store,
    (table, columns): (&str, &[Column]),
    token: &str,
    (rows, body): (u64, Vec<u8>),
) -> Result<u64, StoreError> {
    if rows == 0 {
        return Ok(0);
    }
    let pieces = native::encode(columns, &[Bytes::from(body)], rows)
        .expect("these rows were encoded for these columns");
    store.send(Insert { table, columns, token, pieces }).await?;
    Ok(rows)
}
