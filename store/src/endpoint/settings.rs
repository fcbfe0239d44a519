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

/// Settings that nobody may change here: those that change how text is parsed (the engine would run another statement
/// than the one checked), that hold expressions or table names nobody checks, or that name files and services.
const REFUSED: [&str; 33] = [
    "dialect",
    "polyglot_dialect",
    "implicit_select",
    "implicit_table_at_top_level",
    "allow_settings_after_format_in_insert",
    "allow_experimental_kusto_dialect",
    "allow_experimental_prql_dialect",
    "allow_experimental_polyglot_dialect",
    "additional_table_filters",
    "additional_result_filter",
    "parallel_replicas_custom_key",
    "cluster_for_parallel_replicas",
    "promql_database",
    "promql_table",
    "default_table_engine",
    "default_temporary_table_engine",
    "user_files_path",
    "url_base",
    "rename_files_after_processing",
    "input_format_record_errors_file_path",
    "format_schema",
    "format_schema_source",
    "format_schema_message_name",
    "output_format_schema",
    "format_template_resultset",
    "format_template_row",
    "format_template_row_format",
    "format_template_resultset_format",
    "format_avro_schema_registry_url",
    "s3queue_default_zookeeper_path",
    "filesystem_cache_name",
    "ai_function_text_default_credentials",
    "ai_function_embedding_default_credentials",
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
    if is_refused(&lower) {
        return Err(refused(&lower));
    }
    if role == Role::Reader && is_kept_from_readers(&lower) {
        return Err(kept_from_readers(&lower));
    }
    Ok(())
}

/// Whether nobody may change a setting, by its name in lower case.
pub(super) fn is_refused(lower: &str) -> bool {
    REFUSED.contains(&lower)
}

/// The answer to a setting that nobody may change.
pub(super) fn refused(name: &str) -> Exception {
    exception(code::ACCESS_DENIED, format!("Setting `{name}` cannot be changed over this endpoint."))
}

/// Whether a setting would loosen the limits of a reader, by its name in lower case.
pub(super) fn is_kept_from_readers(lower: &str) -> bool {
    lower == "readonly" || lower.starts_with("allow_")
}

/// The answer to a setting that a reader may not change.
pub(super) fn kept_from_readers(name: &str) -> Exception {
    exception(code::READONLY, format!("Cannot modify '{name}' setting in readonly mode."))
}

/// Whether `SET` may not change a setting in a session, by its name in lower case.
pub(super) fn is_kept_from_sessions(lower: &str) -> bool {
    is_refused(lower) || lower == "log_comment" || lower == "readonly"
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
            ("user_files_path", Some(code::ACCESS_DENIED), Some(code::ACCESS_DENIED)),
            ("additional_result_filter", Some(code::ACCESS_DENIED), Some(code::ACCESS_DENIED)),
            ("dialect", Some(code::ACCESS_DENIED), Some(code::ACCESS_DENIED)),
            ("a = 1, readonly", Some(code::BAD_ARGUMENTS), Some(code::BAD_ARGUMENTS)),
            ("", Some(code::BAD_ARGUMENTS), Some(code::BAD_ARGUMENTS)),
        ] {
            let outcome = |role| check(name, role).err().map(|error| error.code);
            assert_eq!((outcome(Role::Writer), outcome(Role::Reader)), (writer, reader), "{name}");
        }
    }
}
