//! The document `windvane.detect/1`: what `windvane detect` prints.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved.

use serde::{Deserialize, Serialize};

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.detect/1";

/// The answer to "since when is this stream no longer what it was?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// A file name, or a description of a part of the store.
    pub source: String,
    /// The column.
    pub column: String,
    /// One entry a detector.
    pub detectors: Vec<Detected>,
}

/// What one detector says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detected {
    /// Its name.
    pub detector: String,
    /// Its settings, in words.
    pub settings: String,
    /// Values that it saw; missing and infinite ones it did not.
    pub values: u64,
    /// Changes that it signalled.
    pub changes: u64,
    /// Values at which it warned.
    pub warnings: u64,
    /// The first changes.
    pub first: Vec<Change>,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The number of the value, from 0.
    pub index: u64,
    /// When it was; null where rows have no time.
    pub at: Option<String>,
    /// The mean of the values since the change before, or since the start.
    pub mean_before: f64,
}
