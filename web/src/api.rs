//! The read API: what is recorded and what was found, as JSON, page by page.

pub mod alerts;
pub mod attribution;
mod drift;
pub mod experiments;
pub mod fairness;
pub mod gates;
pub mod latency;
mod models;
mod monitors;
mod parameters;
pub mod performance;
pub mod problem;
pub mod quality;
pub mod run;
mod runs;
pub mod silences;
pub mod views;

use axum::Router;
use axum::routing::{delete, get, post};
use windvane_store::Store;

/// `/api/v1/…`.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/api/v1/alerts", get(alerts::list))
        .route("/api/v1/alerts/events", get(alerts::events))
        .route("/api/v1/models", get(models::list))
        .route("/api/v1/models/{model}/drift", get(drift::runs))
        .route("/api/v1/models/{model}/performance", get(performance::windows))
        .route("/api/v1/models/{model}/latency", get(latency::runs))
        .route("/api/v1/models/{model}/quality", get(quality::runs))
        .route("/api/v1/models/{model}/fairness", get(fairness::runs))
        .route("/api/v1/models/{model}/attribution", get(attribution::runs))
        .route("/api/v1/experiments", get(experiments::list))
        .route("/api/v1/experiments/{name}", get(experiments::one))
        .route("/api/v1/gates", get(gates::list))
        .route("/api/v1/gates/{name}", get(gates::one))
        .route("/api/v1/gates/{name}/evaluate", get(gates::evaluate).post(gates::evaluate))
        .route("/api/v1/monitors", get(monitors::list))
        .route("/api/v1/views", get(views::list))
        .route("/api/v1/views/{view}", get(views::one))
        .route("/api/v1/silences", get(silences::list))
        .with_state(store)
}

/// What changes something: alerts are acknowledged, silences made and ended. For whoever may do more than read.
pub fn writes(store: Store) -> Router {
    Router::new()
        .route("/api/v1/alerts/{fingerprint}/acknowledge", post(alerts::acknowledge))
        .route("/api/v1/silences", post(silences::create))
        .route("/api/v1/silences/{id}", delete(silences::end))
        .with_state(store)
}
