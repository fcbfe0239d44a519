//! What can go wrong with the file of tokens.

use std::io;
use std::path::PathBuf;

/// Why the tokens are not known, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file system refuses.
    #[error("cannot {what} the tokens in `{}`", path.display())]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What it says.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("`{}` is not a file of tokens as `windvane token create` writes it", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where it differs.
        #[source]
        source: serde_json::Error,
    },
    /// Others can read or change it.
    #[error("`{}` is open to others (mode {mode:o}); make it 600", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
    /// A new token is not allowed.
    #[error("{problem}")]
    Wanted {
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// There is no such token.
    #[error("there is no active token with the id or name `{wanted}`; `windvane token list` shows them")]
    Unknown {
        /// What was asked for.
        wanted: String,
    },
}
