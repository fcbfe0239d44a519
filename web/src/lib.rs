//! The read API and the pages, from the same views.

mod address;
mod alert;
mod api;
mod assets;
mod chart;
mod delivery;
mod drift;
mod events;
mod experiment;
mod feature;
mod fleet;
mod gate;
mod listed;
mod model;
mod numbers;
mod page;
mod pages;
mod performance;
mod pipeline;
mod quality;
mod readings;
mod rights;
mod settings;
mod span;
mod sql;
mod views;

use axum::{Router, middleware};
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use windvane_store::Store;

pub use drift::drift_report;
pub use experiment::experiment_report;
pub use gate::gate_report;
pub use performance::performance_report;
pub use quality::quality_report;
pub use rights::Rights;
pub use settings::Setting;

/// What the pages are made from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// ClickHouse.
    pub store: Store,
    /// The metrics of this process.
    pub registry: Registry,
    /// What it was configured with, in the order of the documentation.
    pub settings: Vec<Setting>,
    /// Cancelled when the service ends, so that live connections do not hold it up.
    pub closing: CancellationToken,
}

/// What changes something, by the API and by forms of the pages. For whoever may do more than read.
pub fn writes(store: Store) -> Router {
    pages::forms(store.clone()).merge(api::writes(store)).layer(middleware::from_fn(delivery::deliver))
}

/// The routes of the pages and of the read API, and what is said of any other path of the service. Requests carry the [`Rights`] of their sender.
pub fn router(sources: Sources) -> Router {
    let api = api::router(sources.store.clone());
    pages::router(sources)
        .merge(assets::router())
        .merge(api)
        .fallback(pages::nothing_there)
        .method_not_allowed_fallback(pages::not_that_way)
        .layer(middleware::from_fn(delivery::deliver))
}
