//! `/healthz`, `/readyz` and `/metrics` of a process without a collector, whose routes have them otherwise.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Router, body::Body};
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::json;
use windvane_store::Store;

#[derive(Debug, Clone)]
struct Shared {
    store: Store,
    registry: Registry,
}

/// The routes.
pub fn router(store: Store, registry: Registry) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Shared { store, registry })
}

/// The store answers.
async fn readyz(State(shared): State<Shared>) -> Response {
    let (ready, store) = match shared.store.ping().await {
        Ok(()) => (true, "ok".to_owned()),
        Err(error) => (false, error.to_string()),
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready, "checks": {"store": store}}))).into_response()
}

/// Everything that the registry holds, as Prometheus reads it.
async fn metrics(State(shared): State<Shared>) -> Response {
    let mut text = Vec::new();
    match TextEncoder::new().encode(&shared.registry.gather(), &mut text) {
        Ok(()) => {
            let headers = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
            (headers, Body::from(text)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
