//! Why a request of the read API has no answer, as problem+json with a stable code.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use windvane_store::StoreError;

/// What is wrong. A client's mistake says what would have been accepted; the store's fault says nothing but that.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A parameter that this resource does not have.
    #[error("there is no parameter `{name}`; there are {known}")]
    UnknownParameter {
        /// What was sent.
        name: String,
        /// What is known, in words.
        known: String,
    },
    /// A parameter whose value is not allowed.
    #[error("`{name}={value}` is not allowed; allowed is {allowed}")]
    InvalidParameter {
        /// The parameter.
        name: &'static str,
        /// What was sent.
        value: String,
        /// What is allowed, in words.
        allowed: String,
    },
    /// A path at which there is nothing.
    #[error("there is nothing at `{0}`; /api/openapi.json lists what there is")]
    UnknownPath(String),
    /// An address that cannot be read, such as a name that is not UTF-8.
    #[error("{0}")]
    InvalidRequest(String),
    /// A method that a path does not have.
    #[error("this path is not asked so; `Allow` names the methods that it has")]
    OtherMethod,
    /// A model of which nothing is recorded.
    #[error("nothing is recorded of model `{0}`; /api/v1/models lists those of which there is")]
    UnknownModel(String),
    /// An experiment that nobody has looked at.
    #[error("no look at experiment `{0}` is recorded; /api/v1/experiments lists those of which there is")]
    UnknownExperiment(String),
    /// A view that there is not.
    #[error("there is no view `{0}`; /api/v1/views lists them")]
    UnknownView(String),
    /// A gate that nobody has run.
    #[error(
        "no run of gate `{0}` is recorded; /api/v1/gates lists those of which there is (`windvane shadow run --record NAME`)"
    )]
    UnknownGate(String),
    /// An alert that is neither pending nor firing nor recovering.
    #[error("no alert `{0}` is pending, firing or recovering; /api/v1/alerts lists those that are")]
    UnknownAlert(String),
    /// A silence that is not there, or has ended.
    #[error("there is no silence `{0}` that has not ended; /api/v1/silences lists those that there are")]
    UnknownSilence(String),
    /// A body that does not say what is wanted.
    #[error("{0}")]
    InvalidBody(String),
    /// A page that would have more rows than one answer may.
    #[error("this page has more than {0} rows; ask for fewer runs with `limit`, or for one `column`")]
    PageTooLarge(usize),
    /// ClickHouse does not answer or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem {
    fn code(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::UnknownParameter { .. } => {
                (StatusCode::BAD_REQUEST, "unknown_parameter", "a parameter is not known")
            }
            Self::InvalidParameter { .. } => {
                (StatusCode::BAD_REQUEST, "invalid_parameter", "a parameter is not allowed")
            }
            Self::UnknownPath(_) => (StatusCode::NOT_FOUND, "unknown_path", "there is no such path"),
            Self::InvalidRequest(_) => {
                (StatusCode::BAD_REQUEST, "invalid_request", "the address cannot be read")
            }
            Self::OtherMethod => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the method is not allowed")
            }
            Self::UnknownModel(_) => (StatusCode::NOT_FOUND, "unknown_model", "there is no such model"),
            Self::UnknownExperiment(_) => {
                (StatusCode::NOT_FOUND, "unknown_experiment", "there is no such experiment")
            }
            Self::UnknownView(_) => (StatusCode::NOT_FOUND, "unknown_view", "there is no such view"),
            Self::UnknownGate(_) => (StatusCode::NOT_FOUND, "unknown_gate", "there is no such gate"),
            Self::UnknownAlert(_) => (StatusCode::NOT_FOUND, "unknown_alert", "there is no such alert"),
            Self::UnknownSilence(_) => (StatusCode::NOT_FOUND, "unknown_silence", "there is no such silence"),
            Self::InvalidBody(_) => (StatusCode::BAD_REQUEST, "invalid_body", "the body is not allowed"),
            Self::PageTooLarge(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "page_too_large", "the page is too large")
            }
            Self::Store(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the store does not answer")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, title) = self.code();
        let detail = match &self {
            Self::Store(error) => {
                tracing::warn!(%error, "cannot read from the store");
                "ClickHouse could not be read; try again shortly".to_owned()
            }
            mistake => mistake.to_string(),
        };
        let body = serde_json::json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail,
        });
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}
