//! Whose predictions are stored: models, and under which versions and environments.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{Statement, Store, StoreError};

/// Names that one answer has at most.
pub const NAMES_MAX: u64 = 1_000;

/// Whether a prediction is stored of this model and, where they are given, of this version and this environment. The first one
/// that is found ends the reading.
///
/// # Errors
/// Where ClickHouse does not answer or refuses.
pub async fn is_known(
    store: &Store,
    model: &str,
    (version, environment): (Option<&str>, Option<&str>),
) -> Result<bool, StoreError> {
    let statement = Statement::new(
        "SELECT 1 AS found FROM predictions WHERE model = {model:String} \
         AND ({any_version:Bool} OR version = {version:String}) \
         AND ({any_environment:Bool} OR environment = {environment:String}) LIMIT 1",
    )
    .param("model", model)
    .param("any_version", version.is_none())
    .param("version", version.unwrap_or_default())
    .param("any_environment", environment.is_none())
    .param("environment", environment.unwrap_or_default());
    let found: Vec<IgnoredAny> = store.rows(&statement).await?;
    Ok(!found.is_empty())
}

/// The models whose predictions are stored, by name: [`NAMES_MAX`] at most.
///
/// # Errors
/// Where ClickHouse does not answer or refuses.
pub async fn models(store: &Store) -> Result<Vec<String>, StoreError> {
    #[derive(Deserialize)]
    struct Named {
        model: String,
    }
    let statement =
        Statement::new("SELECT model FROM predictions GROUP BY model ORDER BY model LIMIT {most:UInt64}")
            .param("most", NAMES_MAX);
    let named: Vec<Named> = store.rows(&statement).await?;
    Ok(named.into_iter().map(|row| row.model).collect())
}

/// A version of a model in an environment; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Deployed {
    /// The version.
    pub version: String,
    /// The environment.
    pub environment: String,
}

/// The versions and environments under which predictions of a model are stored: [`NAMES_MAX`] at most.
///
/// # Errors
/// Where ClickHouse does not answer or refuses.
pub async fn of_model(store: &Store, model: &str) -> Result<Vec<Deployed>, StoreError> {
    let statement = Statement::new(
        "SELECT version, environment FROM predictions WHERE model = {model:String} \
         GROUP BY version, environment ORDER BY version, environment LIMIT {most:UInt64}",
    )
    .param("model", model)
    .param("most", NAMES_MAX);
    store.rows(&statement).await
}
