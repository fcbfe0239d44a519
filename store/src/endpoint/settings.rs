//! Which URL parameters are settings of the engine, and which of those a reader may send.

use super::access::Role;
use super::status::{code, exception};
use crate::chdb::Exception;

/// Parameters of the transport: read by the endpoint or without meaning here, never given to the engine.
const TRANSPORT: [&str; 33] = [
    "query",
    "database",
    "default_format",
    "user",
    "password",
    "quota_key",
    "query_id",
    "session_id",
    "session_timeout",
    "session_check",
    "close_session",
    "compress",
    "decompress",
    "enable_http_compression",
    "http_zlib_compression_level",
    "network_compression_method",
    "network_zstd_compression_level",
    "buffer_size",
    "wait_end_of_query",
    "client_protocol_version",
    "role",
    "stacktrace",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "http_wait_end_of_query",
    "http_response_buffer_size",
    "http_write_exception_in_output_format",
    "http_max_request_param_data_size",
    "http_make_head_request",
    "add_http_cors_header",
    "cancel_http_readonly_queries_on_client_close",
    "replace_running_query",
    "framing",
];

/// Settings that change how text is parsed: with them the engine would run another statement than the one checked.
const PARSER: [&str; 5] = [
    "dialect",
    "implicit_select",
    "allow_settings_after_format_in_insert",
    "allow_experimental_kusto_dialect",
    "allow_experimental_prql_dialect",
];

/// Whether the endpoint keeps a parameter to itself.
pub(super) fn is_transport(name: &str) -> bool {
    TRANSPORT.contains(&name)
}

/// Checks that a role may send a setting.
pub(super) fn check(name: &str, role: Role) -> Result<(), Exception> {
    let lower = name.to_ascii_lowercase();
    let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.');
    if name.is_empty() || name.len() > 128 || name.contains(odd) {
        return Err(exception(
            code::BAD_ARGUMENTS,
            "The name of a setting has letters, digits and `_` only.",
        ));
    }
    if PARSER.contains(&lower.as_str()) {
        return Err(exception(
            code::ACCESS_DENIED,
            format!("Setting `{lower}` cannot be changed over this endpoint."),
        ));
    }
    let kept_from_readers = lower == "readonly" || lower.starts_with("allow_") || lower == "user_files_path";
    if role == Role::Reader && kept_from_readers {
        return Err(exception(code::READONLY, format!("Cannot modify '{lower}' setting in readonly mode.")));
    }
    Ok(())
}

/// Whether a statement that names this setting changes how later statements are parsed or guarded.
pub(super) fn is_guarded(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    PARSER.contains(&lower.as_str()) || lower == "log_comment" || lower == "readonly"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_cannot_loosen_their_own_limits() {
        for (name, writer, reader) in [
            ("max_threads", None, None),
            ("readonly", None, Some(code::READONLY)),
            ("ReadOnly", None, Some(code::READONLY)),
            ("allow_introspection_functions", None, Some(code::READONLY)),
            ("user_files_path", None, Some(code::READONLY)),
            ("dialect", Some(code::ACCESS_DENIED), Some(code::ACCESS_DENIED)),
            ("a = 1, readonly", Some(code::BAD_ARGUMENTS), Some(code::BAD_ARGUMENTS)),
            ("", Some(code::BAD_ARGUMENTS), Some(code::BAD_ARGUMENTS)),
        ] {
            let outcome = |role| check(name, role).err().map(|error| error.code);
            assert_eq!((outcome(Role::Writer), outcome(Role::Reader)), (writer, reader), "{name}");
        }
    }
}
