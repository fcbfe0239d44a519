//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use prometheus::{Encoder, TextEncoder};
use serde_json::json;

use super::problem::{Problem, json_response};
use crate::collector::Shared;
use crate::spool::TableSpool;

/// Longest wait for the store's answer.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a refusal of the disk counts; after that only the next batch can tell, so one is let in.
const REFUSAL: Duration = Duration::from_secs(15);

/// Whether events can be taken, and whether they arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Why events are not taken; `None` if they are.
    pub ingest: Option<String>,
    /// Why the store does not answer; `None` if it does.
    pub store: Option<String>,
}

impl Readiness {
    /// Whether all is well.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ingest.is_none() && self.store.is_none()
    }
}

impl Shared {
    /// Asks the spool and the store; answers within 2 s.
    pub(crate) async fn readiness(&self) -> Readiness {
        let ingest = match self.is_closing() {
            true => Some("the service is shutting down".to_owned()),
            false => {
                let opening = self.opening.refusal();
                opening.or_else(|| self.spools().iter().find_map(|spool| refusal(spool)))
            }
        };
        let store = match tokio::time::timeout(PING_TIMEOUT, self.sink.ping()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_elapsed) => Some(format!("the store did not answer within {} s", PING_TIMEOUT.as_secs())),
        };
        Readiness { ingest, store }
    }
}

/// Why the spool of a table takes nothing, if it takes nothing.
fn refusal(spool: &TableSpool) -> Option<String> {
    let (backlog, table) = (*spool.backlog().borrow(), spool.table);
    if backlog.failed {
        return Some(format!(
            "the disk of the spool of `{table}` failed; it is tried again until it can be written to, see the log"
        ));
    }
    let refused = backlog.refused_at.is_some_and(|at| at.elapsed() < REFUSAL);
    refused.then(|| format!("the spool of `{table}` could not write the last batch; see the log"))
}

/// The process is up.
pub(super) async fn healthz() -> Response {
    json_response(StatusCode::OK, json!({"status": "ok"}).to_string().into())
}

/// Events are taken and the store answers.
pub(super) async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let readiness = shared.readiness().await;
    let word = |fault: &Option<String>| fault.clone().unwrap_or_else(|| "ok".to_owned());
    let body = json!({
        "ready": readiness.is_ready(),
        "checks": {"ingest": word(&readiness.ingest), "store": word(&readiness.store)},
    });
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_response(status, body.to_string().into())
}

/// Everything that the registry holds, as Prometheus reads it.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    shared.refresh_gauges();
    let mut text = Vec::new();
    let encoder = TextEncoder::new();
    match encoder.encode(&shared.registry.gather(), &mut text) {
        Ok(()) => {
            let mut response = json_response(StatusCode::OK, text.into());
            let content_type = HeaderValue::from_static(prometheus::TEXT_FORMAT);
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response
        }
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            let detail = "the metrics cannot be written".to_owned();
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).response()
        }
    }
}
