//! The read API and the pages, from the same views.

mod overview;
mod page;
mod views;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use windvane_store::{Store, StoreError};

/// The routes of the pages and of the read API.
pub fn router(store: Store) -> Router {
    Router::new().route("/", get(overview_page)).route("/api/v1/models", get(models)).with_state(store)
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

/// `GET /api/v1/models`: every model, version and environment with what was recorded of it.
async fn models(State(store): State<Store>) -> Result<Json<views::Models>, Problem> {
    Ok(Json(views::models(&store).await?))
}

/// A server fault as problem+json: a fixed text for the client, the detail in the log.
struct Problem;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "cannot read from the store");
        Self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": "about:blank",
            "title": "the store does not answer",
            "status": 503,
            "code": "store_unavailable",
            "detail": "ClickHouse could not be read; try again shortly",
        });
        let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, "1")];
        (StatusCode::SERVICE_UNAVAILABLE, headers, body.to_string()).into_response()
    }
}
