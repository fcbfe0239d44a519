//! The collector's routes: ingestion, OpenTelemetry's protocol, health, readiness, metrics.

mod body;
mod cloudevents;
pub(crate) mod grpc;
mod health;
mod ingest;
mod otlp;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use windvane_types::event::Kind;

pub use self::body::{BodyRefused, read_body};
pub use self::health::Readiness;
pub(crate) use self::problem::Problem;
use crate::collector::Shared;
use crate::otlp::Signal;

/// `/v1/*` ingestion, `/healthz`, `/readyz`, `/metrics`.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for kind in Kind::ALL {
        let handler =
            move |State(shared): State<Arc<Shared>>, request: Request| ingest::ingest(shared, kind, request);
        router = router.route(&format!("/v1/{}", kind.plural()), post(handler).fallback(method_not_allowed));
    }
    for signal in Signal::ALL {
        let handler =
            move |State(shared): State<Arc<Shared>>, request: Request| otlp::export(shared, signal, request);
        router = router.route(&format!("/v1/{}", signal.word()), post(handler).fallback(method_not_allowed));
    }
    let log = |State(shared): State<Arc<Shared>>, request: Request| cloudevents::log(shared, request);
    router = router.route("/v1/cloudevents", post(log).fallback(method_not_allowed));
    router
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .with_state(shared)
}

/// The gRPC services of OpenTelemetry's protocol, for a port of their own.
pub(crate) fn grpc_router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for signal in Signal::ALL {
        let handler =
            move |State(shared): State<Arc<Shared>>, request: Request| grpc::export(shared, signal, request);
        router = router.route(signal.method(), post(handler));
    }
    router.fallback(grpc::unimplemented).with_state(shared)
}

async fn method_not_allowed() -> Response {
    let detail = "this path takes events by POST".to_owned();
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).response();
    response.headers_mut().insert(http::header::ALLOW, http::HeaderValue::from_static("POST"));
    response
}
