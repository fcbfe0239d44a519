//! Why the quality of data could not be told.

use windvane_store::ReadError;

use crate::known_names::hint;

/// Why there is no document, and there are no expectations.
#[derive(Debug, thiserror::Error)]
pub enum QualityError {
    /// A column that was named is not there.
    #[error("there is no column `{column}`{}", hint(column, known))]
    UnknownColumn {
        /// The name.
        column: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A column was to say when, and does not.
    #[error(
        "column `{column}` holds no times: dates, times, text such as 2013-01-01T05:17:00Z, or microseconds since 1970 are"
    )]
    NoTimes {
        /// The column.
        column: String,
    },
    /// A statement failed.
    #[error("cannot read the rows")]
    Read(#[from] ReadError),
}
