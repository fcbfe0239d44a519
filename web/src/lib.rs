//! The read API and the pages, from the same views.

mod api;
mod overview;
mod page;
mod views;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use windvane_store::Store;

/// The routes of the pages and of the read API.
pub fn router(store: Store) -> Router {
    Router::new().route("/", get(overview_page)).with_state(store.clone()).merge(api::router(store))
}

/// `GET /`: what is recorded and what drifted last, for a person.
async fn overview_page(State(store): State<Store>) -> Response {
    let overview = match views::overview(&store).await {
        Ok(overview) => overview,
        Err(error) => {
            tracing::warn!(%error, "cannot read what the page shows");
            return (StatusCode::SERVICE_UNAVAILABLE, Html(page::unavailable().into_string()))
                .into_response();
        }
    };
    Html(overview::render(&overview).into_string()).into_response()
}
