//! The read API and the pages, from the same views.

mod api;
mod experiment;
mod gate;
mod numbers;
mod overview;
mod page;
mod views;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::Markup;
use windvane_store::experiment_findings::{self, Series};
use windvane_store::experiment_looks::{self, Asked};
use windvane_store::{Store, StoreError};

pub use experiment::experiment_report;
pub use gate::gate_report;

/// Most experiments that the page shows at once; the read API pages through all.
const EXPERIMENTS_MAX: u64 = 200;

/// The routes of the pages and of the read API.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/", get(overview_page))
        .route("/experiments", get(experiments_page))
        .route("/experiments/{name}", get(experiment_page))
        .with_state(store.clone())
        .merge(api::router(store))
}

/// `GET /`: what is recorded and what drifted last, for a person.
async fn overview_page(State(store): State<Store>) -> Response {
    shown(views::overview(&store).await.map(|overview| overview::render(&overview)))
}

/// `GET /experiments`: all experiments with what their latest look said.
async fn experiments_page(State(store): State<Store>) -> Response {
    let asked = Asked { limit: EXPERIMENTS_MAX, ..Asked::default() };
    shown(experiment_looks::latest(&store, asked).await.map(|latest| experiment::list(&latest)))
}

/// `GET /experiments/{name}`: the latest look at an experiment, and how it came to that.
async fn experiment_page(State(store): State<Store>, Path(name): Path<String>) -> Response {
    let read = async {
        let latest = api::experiments::latest(&store, &name).await?;
        let points = experiment_findings::over_time(&store, Series::of(&name)).await?;
        Ok((latest, points))
    };
    let (latest, points) = match read.await {
        Ok(read) => read,
        Err(error) => return shown(Err(error)),
    };
    let as_of =
        latest.as_ref().map(|latest| windvane_types::span::shown(latest.as_of_us)).unwrap_or_default();
    let missing =
        |what: &str| (StatusCode::NOT_FOUND, Html(page::missing(what).into_string())).into_response();
    match latest.map(|latest| serde_json::from_str(&latest.document)) {
        None => missing("No look at this experiment is recorded."),
        Some(Err(_other_version)) => missing(
            "The latest look at this experiment was recorded by another version; look again to see it.",
        ),
        Some(Ok(document)) => shown(Ok(experiment::experiment_page(&name, &as_of, (&document, &points)))),
    }
}

fn shown(page: Result<Markup, StoreError>) -> Response {
    match page {
        Ok(page) => Html(page.into_string()).into_response(),
        Err(error) => {
            tracing::warn!(%error, "cannot read what the page shows");
            (StatusCode::SERVICE_UNAVAILABLE, Html(page::unavailable().into_string())).into_response()
        }
    }
}
