//! `GET /api/v1/models`: every model, version and environment with what was recorded of it, the latest first.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use windvane_store::Store;

use super::parameters::Parameters;
use super::problem::Problem;
use crate::views::{self, Models};

/// Models of a page, and the most of them.
const LIMIT: u64 = 200;
const LIMIT_MAX: u64 = 1_000;

/// Parameters: `limit`, `offset`.
pub async fn list(
    State(store): State<Store>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Models>, Problem> {
    let page = Parameters::new(sent, &["limit", "offset"])?.page(LIMIT, LIMIT_MAX)?;
    let mut models = views::models(&store, page.limit + 1, page.offset).await?;
    models.next_offset = page.next(models.models.len());
    models.models.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(Json(models))
}
