//! Why the quality of data could not be told.

use windvane_store::ReadError;
use windvane_types::nearest::nearest;

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

/// How many names a message lists.
const NAMES_MAX: usize = 20;

fn hint(column: &str, known: &[String]) -> String {
    if let Some(near) = nearest(column, known.iter().map(String::as_str)) {
        return format!("; did you mean `{near}`?");
    }
    let shown: Vec<String> = known.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    match known.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        _ if known.is_empty() => "; there are none".to_owned(),
        Some(more) => format!("; there are {} and {more} more", shown.join(", ")),
        None => format!("; there are {}", shown.join(", ")),
    }
}
