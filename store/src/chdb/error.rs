//! What goes wrong in the embedded engine: its own exceptions, and failures to reach it.

use std::path::PathBuf;

/// Why a call to the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process has the data folder open.
    #[error("the data folder `{path}` is in use by another engine")]
    InUse {
        /// The data folder.
        path: PathBuf,
    },
    /// The data folder cannot be made, read or locked.
    #[error("cannot use the data folder `{path}`")]
    Folder {
        /// The data folder.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// The path cannot be given to the engine.
    #[error("the path `{path}` contains a zero byte")]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The engine gave no connection; it has written the reason to stderr.
    #[error("the engine refuses a connection to `{path}`")]
    Connect {
        /// The data folder.
        path: PathBuf,
    },
    /// The engine gave no connection, and the process is in a time zone that there is not.
    #[error(
        "the engine does not start in the time zone `{zone}` of the variable TZ; it takes names of the IANA database, such as UTC and Europe/Berlin, spelt so, or no TZ at all"
    )]
    TimeZone {
        /// What TZ says.
        zone: String,
    },
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
    /// The library answered with a null pointer.
    #[error("the engine gave no answer")]
    NoAnswer,
    /// The statement failed.
    #[error(transparent)]
    Exception(#[from] Exception),
}

impl EngineError {
    /// The exception as ClickHouse would report it: code 1002 (UNKNOWN_EXCEPTION) for failures that are not its own.
    pub fn into_exception(self) -> Exception {
        match self {
            Self::Exception(exception) => exception,
            other => Exception { code: 1002, name: "UNKNOWN_EXCEPTION".into(), message: other.to_string() },
        }
    }
}

/// An exception of ClickHouse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Code: {code}. DB::Exception: {message} ({name})")]
pub struct Exception {
    /// ClickHouse's error code, such as 60.
    pub code: i32,
    /// Its name, such as `UNKNOWN_TABLE`.
    pub name: String,
    /// The message, which ends with a full stop.
    pub message: String,
}

impl Exception {
    /// Takes the code, the message and the name out of the engine's text, dropping its version and an exception that
    /// it wrapped around the same one.
    pub fn parse(text: &str) -> Self {
        let mut rest = text.trim();
        if let Some(start) = rest.rfind(" (version ") {
            // Wrapped exceptions carry the version of the inner one, followed by the outer name.
            let tail = &rest[start..];
            rest = match tail.find(").") {
                Some(_) | None if tail.ends_with(')') => rest[..start].trim_end(),
                _ => rest,
            };
        }
        let (code, mut message) = split_code(rest).unwrap_or((1002, rest));
        while let Some((inner, unwrapped)) = split_code(message) {
            if inner != code {
                break;
            }
            message = unwrapped;
        }
        let (message, name) = match message.rfind(" (").filter(|_| message.ends_with(')')) {
            Some(at) if is_name(&message[at + 2..message.len() - 1]) => {
                (&message[..at], &message[at + 2..message.len() - 1])
            }
            _ => (message, "UNKNOWN_EXCEPTION"),
        };
        Self { code, name: name.to_owned(), message: message.trim_end().to_owned() }
    }
}

/// `Code: 60. DB::Exception: rest` → (60, rest).
fn split_code(text: &str) -> Option<(i32, &str)> {
    let (code, rest) = text.strip_prefix("Code: ")?.split_once('.')?;
    let rest = rest.trim_start().strip_prefix("DB::Exception:")?;
    Some((code.parse().ok()?, rest.trim_start()))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_code_name_and_message_apart() {
        for (text, code, name, message) in [
            (
                "Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)",
                60,
                "UNKNOWN_TABLE",
                "Table x does not exist.",
            ),
            (
                "Code: 27. DB::Exception: Cannot parse: (at row 2)\n. (CANNOT_PARSE_INPUT_ASSERTION_FAILED) (version 26.7.2.1)",
                27,
                "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
                "Cannot parse: (at row 2)\n.",
            ),
            (
                "Code: 164. DB::Exception: Code: 164. DB::Exception: Cannot modify 'max_threads'. (READONLY) (version 26.7.2.1). (READONLY)",
                164,
                "READONLY",
                "Cannot modify 'max_threads'.",
            ),
            (
                "send_insert does not support INSERT ... SELECT",
                1002,
                "UNKNOWN_EXCEPTION",
                "send_insert does not support INSERT ... SELECT",
            ),
        ] {
            let parsed = Exception::parse(text);
            assert_eq!(
                (parsed.code, parsed.name.as_str(), parsed.message.as_str()),
                (code, name, message),
                "{text}"
            );
        }
    }
}
