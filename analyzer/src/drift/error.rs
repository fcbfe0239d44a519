//! Why two populations could not be compared.

use windvane_stats::walk::SizesChanged;
use windvane_store::ReadError;

use super::Method;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// A column that was asked for is on neither side.
    #[error("there is no column `{column}`; there are {}", list(known))]
    UnknownColumn {
        /// The name asked for.
        column: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// No column is left to compare.
    #[error("no column can be compared: {}", list(reasons))]
    NoColumns {
        /// Why each column was skipped.
        reasons: Vec<String>,
    },
    /// A method that was asked for fits the kind of no column.
    #[error("method `{}` fits none of the columns; it compares {} columns", .method.as_str(), .method.kinds())]
    MethodFitsNothing {
        /// The method.
        method: Method,
    },
    /// The populations cannot be cut into the segments asked for.
    #[error("these populations cannot be cut into segments")]
    Segments,
    /// The values of a column changed between two statements.
    #[error("column `{column}` changed while it was read")]
    Changed {
        /// The column.
        column: String,
        /// How many values came.
        source: SizesChanged,
    },
    /// A statement failed.
    #[error("cannot read the populations")]
    Read(#[from] ReadError),
}

/// How many names an error lists.
const NAMES_MAX: usize = 20;

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        _ if names.is_empty() => "none".to_owned(),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}
