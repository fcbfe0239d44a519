//! What can go wrong between us and a ClickHouse URL, and whether trying again helps.

use std::sync::Arc;

/// A statement or an INSERT that did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nobody answered, or what answered is not ClickHouse.
    #[error("cannot reach ClickHouse at `{url}`")]
    Unreachable {
        /// The address.
        url: String,
        /// What the connection said.
        #[source]
        source: Arc<clickhouse::error::Error>,
    },
    /// No answer came in time. The statement may still be running.
    #[error("ClickHouse at `{url}` did not answer within {seconds} s")]
    TimedOut {
        /// The address.
        url: String,
        /// How long was waited, seconds.
        seconds: u64,
    },
    /// ClickHouse answered with an exception.
    #[error("{message}")]
    Exception {
        /// ClickHouse's error code, such as 60 for an unknown table.
        code: i32,
        /// Its message, which begins with the code.
        message: String,
    },
    /// The rows do not have the shape that the reader asked for.
    #[error("cannot read the rows that ClickHouse answered")]
    Rows {
        /// Where the row and the type part.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// The rows of a block are not what they are said to be; nothing was sent.
    #[error("block `{token}` of `{table}` does not hold rows of layout {layout}")]
    Malformed {
        /// The block's table.
        table: crate::Table,
        /// The block's layout.
        layout: u16,
        /// The block's token.
        token: String,
        /// What is wrong with them.
        #[source]
        source: crate::Malformed,
    },
    /// A block of a layout that this binary does not know, which a newer binary has written.
    #[error("block `{token}` of `{table}` has layout {layout}, newer than this binary knows")]
    UnknownLayout {
        /// The block's table.
        table: crate::Table,
        /// The block's layout.
        layout: u16,
        /// The block's token.
        token: String,
    },
}

/// Whether it makes sense to try a failed INSERT again with the same block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nobody answered: try again later. Whether the block was stored is unknown; its token makes a repetition safe.
    Unavailable,
    /// ClickHouse refused for a reason that lies outside the block (memory, too many parts, a missing table, access).
    Retryable,
    /// ClickHouse cannot take these bytes, however often they are sent.
    Poison,
}

/// ClickHouse's codes that speak about the bytes of a block and would come again with every repetition:
/// CANNOT_PARSE_{TEXT, NUMBER, …}, CANNOT_READ_ALL_DATA, TYPE_MISMATCH, ARGUMENT_OUT_OF_BOUND, INCORRECT_DATA,
/// TOO_LARGE_ARRAY_SIZE, TOO_LARGE_STRING_SIZE, VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE, DECIMAL_OVERFLOW, VIOLATED_CONSTRAINT.
const POISON_CODES: [i32; 17] = [6, 26, 27, 32, 33, 38, 41, 53, 69, 72, 117, 128, 131, 321, 407, 469, 636];

/// ClickHouse's codes that speak about where it runs and not about what it was asked, so that the same may be asked again:
/// CANNOT_WRITE_TO_FILE_DESCRIPTOR, TOO_MANY_SIMULTANEOUS_QUERIES, TABLE_IS_READ_ONLY, NOT_ENOUGH_SPACE, TOO_MANY_PARTS.
const HINDERED_CODES: [i32; 5] = [75, 202, 242, 243, 252];

impl StoreError {
    /// Whether ClickHouse answered that it cannot do it now, whatever was asked: its disk is full, say.
    #[must_use]
    pub fn is_hindered(&self) -> bool {
        self.code().is_some_and(|code| HINDERED_CODES.contains(&code))
    }

    /// What the failure means for the block that was being inserted.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => Fault::Unavailable,
            Self::Exception { code, .. } if POISON_CODES.contains(code) => Fault::Poison,
            Self::Malformed { .. } => Fault::Poison,
            Self::Exception { .. } | Self::Rows { .. } | Self::UnknownLayout { .. } => Fault::Retryable,
        }
    }

    /// ClickHouse's error code, where it answered with one.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Exception { code, .. } => Some(*code),
            _ => None,
        }
    }

    pub(crate) fn from_client(url: &str, error: clickhouse::error::Error) -> Self {
        if let clickhouse::error::Error::BadResponse(text) = &error
            && let Some(code) = exception_code(text)
        {
            return Self::Exception { code, message: text.clone() };
        }
        Self::Unreachable { url: url.to_owned(), source: Arc::new(error) }
    }
}

/// The number in `Code: 60. DB::Exception: …`; also found after the start of a result that failed half-way.
fn exception_code(text: &str) -> Option<i32> {
    let rest = &text[text.find("Code: ")? + "Code: ".len()..];
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> StoreError {
        StoreError::from_client("http://h", clickhouse::error::Error::BadResponse(text.to_owned()))
    }

    #[test]
    fn an_answer_is_told_from_silence_by_its_exception_code() {
        for (text, code, fault) in [
            (
                "Code: 60. DB::Exception: Table windvane.t does not exist. (UNKNOWN_TABLE)",
                Some(60),
                Fault::Retryable,
            ),
            ("Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)", Some(252), Fault::Retryable),
            ("Code: 241. DB::Exception: memory limit exceeded", Some(241), Fault::Retryable),
            (
                "Code: 33. DB::Exception: Cannot read all data. (CANNOT_READ_ALL_DATA)",
                Some(33),
                Fault::Poison,
            ),
            ("Code: 117. DB::Exception: (INCORRECT_DATA)", Some(117), Fault::Poison),
            ("502 Bad Gateway", None, Fault::Unavailable),
            ("", None, Fault::Unavailable),
        ] {
            let error = answered(text);
            assert_eq!((error.code(), error.fault()), (code, fault), "{text}");
        }
    }
}
