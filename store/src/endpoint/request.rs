//! What a request asks for, read from its line and headers.

use std::time::Duration;

use http::{HeaderMap, Method, Uri};

use super::access::{Credentials, Role};
use super::encoding::Encoding;
use super::multipart;
use super::settings;
use super::status::{code, exception};
use crate::chdb::Exception;

/// ClickHouse's default idle time of a session, and the most a client may ask for.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);
const SESSION_TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// A session that a request belongs to.
#[derive(Debug, Clone)]
pub(super) struct SessionRequest {
    pub(super) id: String,
    pub(super) timeout: Duration,
    /// The session must exist already.
    pub(super) check: bool,
}

/// A request for a statement.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) user: String,
    pub(super) role: Role,
    /// GET and HEAD run read-only statements alone.
    pub(super) readonly: bool,
    /// The statement or its begin, from the URL.
    pub(super) query: String,
    /// Values of `{name:Type}`.
    pub(super) parameters: Vec<(String, String)>,
    /// Settings of this statement.
    pub(super) settings: Vec<(String, String)>,
    pub(super) database: Option<String>,
    /// The format where the statement names none.
    pub(super) format: Option<String>,
    pub(super) query_id: Option<String>,
    pub(super) session: Option<SessionRequest>,
    /// Hold the answer back until the statement has ended.
    pub(super) wait_end: bool,
    /// A client of the native protocol's blocks, which says hello first.
    pub(super) native_client: bool,
    pub(super) body_encoding: Encoding,
    /// The body is in ClickHouse's frames.
    pub(super) body_frames: bool,
    /// The body is a form with this boundary.
    pub(super) boundary: Option<String>,
    pub(super) answer_encoding: Encoding,
}

impl Request {
    /// Reads the URL and the headers of an authenticated request.
    pub(super) fn read(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        who: (&Credentials, Role),
    ) -> Result<Self, Exception> {
        let pairs = url_pairs(uri);
        let find =
            |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let header = |name: &str| {
            headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let flag = |name: &str| find(name).is_some_and(|value| value == "1" || value == "true");
        let role = who.1;
        let mut request = Self {
            user: who.0.user().to_owned(),
            role,
            readonly: method != Method::POST,
            query: find("query").unwrap_or_default(),
            parameters: Vec::new(),
            settings: Vec::new(),
            database: find("database")
                .or_else(|| header("x-clickhouse-database"))
                .filter(|name| !name.is_empty()),
            format: header("x-clickhouse-format")
                .or_else(|| find("default_format"))
                .filter(|name| !name.is_empty()),
            query_id: find("query_id")
                .or_else(|| header("x-clickhouse-query-id"))
                .filter(|id| !id.is_empty()),
            session: session(&find)?,
            wait_end: flag("wait_end_of_query") || flag("http_wait_end_of_query"),
            native_client: find("client_protocol_version").is_some(),
            body_encoding: body_encoding(header("content-encoding").as_deref())?,
            body_frames: flag("decompress"),
            boundary: header("content-type").as_deref().and_then(multipart::boundary),
            answer_encoding: Encoding::Identity,
        };
        request.answer_encoding = if flag("compress") {
            Encoding::Frames
        } else if find("enable_http_compression").is_some_and(|value| value == "0") {
            Encoding::Identity
        } else {
            Encoding::accepted(&header("accept-encoding").unwrap_or_default())
        };
        for (name, value) in pairs {
            if let Some(parameter) = name.strip_prefix("param_") {
                request.parameters.push((parameter.to_owned(), value));
            } else if !settings::is_transport(&name) {
                settings::check(&name, role)?;
                request.settings.push((name, value));
            }
        }
        check_names(&request)?;
        Ok(request)
    }

    /// Adds the fields of a form.
    pub(super) fn add_form(&mut self, fields: Vec<multipart::Field>) -> Result<(), Exception> {
        for field in fields {
            if field.file {
                return Err(exception(
                    code::NOT_IMPLEMENTED,
                    "External tables are not supported by this endpoint.",
                ));
            }
            let value = String::from_utf8_lossy(&field.value).into_owned();
            match field.name.strip_prefix("param_") {
                Some(parameter) => self.parameters.push((parameter.to_owned(), value)),
                None if field.name == "query" => {
                    if !self.query.is_empty() {
                        self.query.push('\n');
                    }
                    self.query.push_str(&value);
                }
                None if field.name.ends_with("_structure") || field.name.ends_with("_format") => {
                    return Err(exception(
                        code::NOT_IMPLEMENTED,
                        "External tables are not supported by this endpoint.",
                    ));
                }
                None if settings::is_transport(&field.name) => {}
                None => {
                    settings::check(&field.name, self.role)?;
                    self.settings.push((field.name, value));
                }
            }
        }
        Ok(())
    }
}

/// The parameters of a URL, decoded, in order.
pub(super) fn url_pairs(uri: &Uri) -> Vec<(String, String)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

fn body_encoding(header: Option<&str>) -> Result<Encoding, Exception> {
    let name = header.unwrap_or_default();
    Encoding::from_token(name).ok_or_else(|| {
        exception(
            code::UNKNOWN_COMPRESSION_METHOD,
            format!(
                "Unknown Content-Encoding `{name}`; gzip, deflate, br, zstd, lz4 and identity are known."
            ),
        )
    })
}

fn session(find: &impl Fn(&str) -> Option<String>) -> Result<Option<SessionRequest>, Exception> {
    let Some(id) = find("session_id").filter(|id| !id.is_empty()) else { return Ok(None) };
    let timeout = match find("session_timeout") {
        None => SESSION_TIMEOUT,
        Some(text) => match text.parse().map(Duration::from_secs) {
            Ok(timeout) if timeout <= SESSION_TIMEOUT_MAX && !timeout.is_zero() => timeout,
            _ => {
                return Err(exception(
                    code::INVALID_SESSION_TIMEOUT,
                    format!(
                        "Invalid session timeout: '{text}'; it is 1 to {} seconds.",
                        SESSION_TIMEOUT_MAX.as_secs()
                    ),
                ));
            }
        },
    };
    Ok(Some(SessionRequest { id, timeout, check: find("session_check").is_some_and(|value| value == "1") }))
}

/// Names that come back in headers hold no control characters and have a bound.
fn check_names(request: &Request) -> Result<(), Exception> {
    let session = request.session.as_ref().map(|session| &session.id);
    for name in [request.query_id.as_ref(), session, request.format.as_ref(), request.database.as_ref()]
        .into_iter()
        .flatten()
    {
        if name.len() > 256 || name.contains(char::is_control) {
            return Err(exception(
                code::BAD_ARGUMENTS,
                "query_id, session_id, format and database have at most 256 bytes and no control characters.",
            ));
        }
    }
    // A format's name becomes part of a statement.
    let odd = |name: &String| name.contains(|c: char| !c.is_ascii_alphanumeric());
    if request.format.as_ref().is_some_and(odd) {
        return Err(exception(code::BAD_ARGUMENTS, "The name of a format has letters and digits only."));
    }
    Ok(())
}
