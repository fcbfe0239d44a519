//! Why a request of the read API has no answer, as problem+json with a stable code.

use axum::extract::rejection::{BytesRejection, FormRejection, JsonRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use windvane_store::StoreError;
use windvane_store::alerts::silences::MakeError;

/// Bytes of a body that changes something or asks by POST; axum's own bound.
const BODY_BYTES_MAX: usize = 2 << 20;

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
    /// As many silences as there may be.
    #[error("{}", MakeError::Full)]
    TooManySilences,
    /// A body that does not say what is wanted.
    #[error("{0}")]
    InvalidBody(String),
    /// A body of another media type than that which is taken.
    #[error("the Content-Type is not taken here; accepted is `{0}`")]
    UnsupportedContentType(&'static str),
    /// A body beyond the bound.
    #[error("the body is too large; accepted are {} bytes", BODY_BYTES_MAX)]
    BodyTooLarge,
    /// A page that would have more rows than one answer may.
    #[error("this page has more than {0} rows; ask for fewer runs with `limit`, or for one `column`")]
    PageTooLarge(usize),
    /// An answer beyond the bound, MiB.
    #[error(
        "this answer has more than {0} MiB; ask for fewer rows with `limit`, or for some of them by the other parameters"
    )]
    AnswerTooLarge(usize),
    /// ClickHouse does not answer or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.code().0
    }

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
            Self::TooManySilences => {
                (StatusCode::CONFLICT, "too_many_silences", "there are too many silences")
            }
            Self::InvalidBody(_) => (StatusCode::BAD_REQUEST, "invalid_body", "the body is not allowed"),
            Self::UnsupportedContentType(_) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_content_type",
                "the media type is not taken",
            ),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large"),
            Self::PageTooLarge(_) | Self::AnswerTooLarge(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "page_too_large", "the page is too large")
            }
            Self::Store(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the store does not answer")
            }
        }
    }
}

impl From<MakeError> for Problem {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Full => Self::TooManySilences,
            MakeError::Store(error) => Self::Store(error),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(refused: JsonRejection) -> Self {
        match refused {
            JsonRejection::MissingJsonContentType(_) => Self::UnsupportedContentType("application/json"),
            JsonRejection::BytesRejection(refused) => refused.into(),
            other => Self::InvalidBody(other.body_text()),
        }
    }
}

impl From<FormRejection> for Problem {
    fn from(refused: FormRejection) -> Self {
        match refused {
            FormRejection::InvalidFormContentType(_) => {
                Self::UnsupportedContentType("application/x-www-form-urlencoded")
            }
            FormRejection::BytesRejection(refused) => refused.into(),
            other => Self::InvalidBody(other.body_text()),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(refused: BytesRejection) -> Self {
        match refused.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            _ => Self::InvalidBody(refused.body_text()),
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
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body was not read, so this connection has no next request.
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use axum::extract::{FromRequest, Request};
    use axum::{Form, Json};
    use serde_json::Value;

    use super::*;

    /// What is said of a body that is to be read as `E`.
    async fn refused<E>(kind: &str, body: String) -> Option<(u16, String)>
    where
        E: FromRequest<()>,
        Problem: From<E::Rejection>,
    {
        let request = Request::post("/").header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap();
        let problem: Problem = E::from_request(request, &()).await.err()?.into();
        let response = problem.into_response();
        let status = response.status();
        let is_last = response.headers().contains_key(header::CONNECTION);
        assert_eq!(is_last, status == StatusCode::PAYLOAD_TOO_LARGE, "{status}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let told: Value = serde_json::from_slice(&body).unwrap();
        Some((status.as_u16(), told["code"].as_str().unwrap().to_owned()))
    }

    #[tokio::test]
    async fn a_body_is_refused_by_what_is_wrong_with_it() {
        let text = |length: usize| format!("\"{}\"", "a".repeat(length - 2));
        let form = |length: usize| format!("a={}", "a".repeat(length - 2));
        let told = |status: u16, code: &str| Some((status, code.to_owned()));
        let (large, other) = (told(413, "body_too_large"), told(415, "unsupported_content_type"));
        let (json, urlencoded) = ("application/json", "application/x-www-form-urlencoded");
        assert_eq!(refused::<Json<Value>>(json, text(BODY_BYTES_MAX)).await, None);
        assert_eq!(refused::<Json<Value>>("application/problem+json", text(9)).await, None);
        assert_eq!(refused::<Json<Value>>(json, text(BODY_BYTES_MAX + 1)).await, large);
        assert_eq!(refused::<Json<Value>>("text/plain", text(9)).await, other);
        assert_eq!(refused::<Json<Value>>(urlencoded, form(9)).await, other);
        assert_eq!(refused::<Json<Value>>(json, "{".to_owned()).await, told(400, "invalid_body"));
        assert_eq!(refused::<Json<u8>>(json, text(9)).await, told(400, "invalid_body"));
        assert_eq!(refused::<Form<Value>>(urlencoded, form(9)).await, None);
        assert_eq!(refused::<Form<Value>>(urlencoded, form(BODY_BYTES_MAX + 1)).await, large);
        assert_eq!(refused::<Form<Value>>(json, text(9)).await, other);
        assert_eq!(refused::<Bytes>("text/plain", text(BODY_BYTES_MAX)).await, None);
        assert_eq!(refused::<Bytes>("text/plain", text(BODY_BYTES_MAX + 1)).await, large);
    }

    #[test]
    fn one_silence_too_many_is_a_conflict() {
        let problem = Problem::from(MakeError::Full);
        assert_eq!((problem.status().as_u16(), problem.code().1), (409, "too_many_silences"));
        let told = problem.to_string();
        assert!(told.starts_with("there are 1000 silences that have not ended"), "{told}");
    }

    #[test]
    fn what_would_be_accepted_is_told() {
        assert!(Problem::BodyTooLarge.to_string().ends_with("accepted are 2097152 bytes"));
        let other = Problem::UnsupportedContentType("application/json").to_string();
        assert!(other.ends_with("accepted is `application/json`"), "{other}");
    }
}
