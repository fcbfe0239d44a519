//! Which HTTP status goes with which exception: ClickHouse's own mapping (`exceptionCodeToHTTPStatus.cpp`, 26.7).

use http::StatusCode;

use crate::chdb::Exception;

/// Codes that the endpoint itself raises.
pub(crate) mod code {
    pub(crate) const UNEXPECTED_END_OF_FILE: i32 = 3;
    pub(crate) const BAD_ARGUMENTS: i32 = 36;
    pub(crate) const TOO_LARGE_SIZE_COMPRESSED: i32 = 39;
    pub(crate) const CHECKSUM_DOESNT_MATCH: i32 = 40;
    pub(crate) const NOT_IMPLEMENTED: i32 = 48;
    pub(crate) const SYNTAX_ERROR: i32 = 62;
    pub(crate) const UNKNOWN_COMPRESSION_METHOD: i32 = 89;
    pub(crate) const READONLY: i32 = 164;
    pub(crate) const REQUIRED_PASSWORD: i32 = 194;
    pub(crate) const TOO_MANY_SIMULTANEOUS_QUERIES: i32 = 202;
    pub(crate) const NETWORK_ERROR: i32 = 210;
    pub(crate) const QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: i32 = 216;
    pub(crate) const QUERY_IS_TOO_LARGE: i32 = 229;
    pub(crate) const CANNOT_DECOMPRESS: i32 = 271;
    pub(crate) const SESSION_NOT_FOUND: i32 = 372;
    pub(crate) const SESSION_IS_LOCKED: i32 = 373;
    pub(crate) const INVALID_SESSION_TIMEOUT: i32 = 374;
    pub(crate) const QUERY_WAS_CANCELLED: i32 = 394;
    pub(crate) const TOO_MANY_ROWS_OR_BYTES: i32 = 396;
    pub(crate) const ACCESS_DENIED: i32 = 497;
    pub(crate) const AUTHENTICATION_FAILED: i32 = 516;
    pub(crate) const UNKNOWN_EXCEPTION: i32 = 1002;
}

/// An exception of the endpoint's own. The name is the one ClickHouse has for the code.
pub(crate) fn exception(code: i32, message: impl Into<String>) -> Exception {
    let name = match code {
        code::UNEXPECTED_END_OF_FILE => "UNEXPECTED_END_OF_FILE",
        code::BAD_ARGUMENTS => "BAD_ARGUMENTS",
        code::TOO_LARGE_SIZE_COMPRESSED => "TOO_LARGE_SIZE_COMPRESSED",
        code::CHECKSUM_DOESNT_MATCH => "CHECKSUM_DOESNT_MATCH",
        code::NOT_IMPLEMENTED => "NOT_IMPLEMENTED",
        code::SYNTAX_ERROR => "SYNTAX_ERROR",
        code::UNKNOWN_COMPRESSION_METHOD => "UNKNOWN_COMPRESSION_METHOD",
        code::READONLY => "READONLY",
        code::REQUIRED_PASSWORD => "REQUIRED_PASSWORD",
        code::TOO_MANY_SIMULTANEOUS_QUERIES => "TOO_MANY_SIMULTANEOUS_QUERIES",
        code::NETWORK_ERROR => "NETWORK_ERROR",
        code::QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING => "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
        code::QUERY_IS_TOO_LARGE => "QUERY_IS_TOO_LARGE",
        code::CANNOT_DECOMPRESS => "CANNOT_DECOMPRESS",
        code::SESSION_NOT_FOUND => "SESSION_NOT_FOUND",
        code::SESSION_IS_LOCKED => "SESSION_IS_LOCKED",
        code::INVALID_SESSION_TIMEOUT => "INVALID_SESSION_TIMEOUT",
        code::QUERY_WAS_CANCELLED => "QUERY_WAS_CANCELLED",
        code::TOO_MANY_ROWS_OR_BYTES => "TOO_MANY_ROWS_OR_BYTES",
        code::ACCESS_DENIED => "ACCESS_DENIED",
        code::AUTHENTICATION_FAILED => "AUTHENTICATION_FAILED",
        _ => "UNKNOWN_EXCEPTION",
    };
    Exception { code, name: name.to_owned(), message: message.into() }
}

/// The HTTP status of an exception code. Refused admission (202) is 503 here, not 500 as in ClickHouse, because clients
/// try again after 503 and `Retry-After`.
pub(crate) fn status(code: i32) -> StatusCode {
    match code {
        194 => StatusCode::UNAUTHORIZED,
        192 | 193 | 497 | 512 | 516 => StatusCode::FORBIDDEN,
        6 | 8 | 15 | 25 | 26 | 27 | 36 | 37 | 38 | 41 | 44 | 53 | 62 | 72 | 117 | 123 | 167 | 168 | 223
        | 376 | 427 | 441 | 457 | 467 | 675 | 676 => StatusCode::BAD_REQUEST,
        3 | 39 | 40 | 89 | 271 => StatusCode::BAD_REQUEST,
        46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 152 | 336 | 372 => StatusCode::NOT_FOUND,
        159 => StatusCode::REQUEST_TIMEOUT,
        229 => StatusCode::PAYLOAD_TOO_LARGE,
        381 => StatusCode::LENGTH_REQUIRED,
        48 => StatusCode::NOT_IMPLEMENTED,
        76 | 202 | 209 | 439 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
