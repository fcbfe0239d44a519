//! A population out of `windvane.predictions`: one model, one span of time, features as columns.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Population, PopulationColumn, Sql, Storage, quote};
use crate::{ReadError, Reader, Statement};

/// Columns beside the features: what the model answered, and how fast.
const ANSWERS: [(&str, &str, bool); 4] = [
    ("prediction.score", "score", true),
    ("prediction.value", "value", true),
    ("prediction.label", "label", false),
    ("latency_us", "latency_us", true),
];

/// Which predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionFilter {
    /// The model.
    pub model: String,
    /// Its version; all of them where `None`.
    pub version: Option<String>,
    /// Start of the span of event time, microseconds since 1970 UTC, included.
    pub start_us: i64,
    /// Its end, excluded.
    pub end_us: i64,
    /// Only rows that were stored before this time, microseconds since 1970 UTC, so that every statement of a run sees
    /// the same rows.
    pub stored_before_us: i64,
}

#[derive(Debug, Deserialize)]
struct Names {
    num: Vec<String>,
    cat: Vec<String>,
    tags: Vec<String>,
    answers: Vec<u64>,
}

/// Opens the predictions that pass the filter as a population.
///
/// # Errors
/// Where the store fails.
pub async fn open_predictions(
    reader: &Reader,
    source: String,
    filter: &PredictionFilter,
) -> Result<Population, ReadError> {
    let from = from(filter);
    let counted: Vec<String> =
        ANSWERS.iter().map(|(_, column, _)| format!("countIf(isNotNull({column}))")).collect();
    let statement = Statement::new(format!(
        "SELECT groupUniqArrayArray(mapKeys(num)) AS num, groupUniqArrayArray(mapKeys(cat)) AS cat, \
         groupUniqArrayArray(mapKeys(tags)) AS tags, [{}] AS answers FROM {from}",
        counted.join(", ")
    ));
    let names: Vec<Names> = reader.rows(&statement).await?;
    let mut columns = BTreeMap::new();
    let mut extra_segments = vec![
        ("version".to_owned(), "toNullable(version)".to_owned()),
        ("environment".to_owned(), "toNullable(environment)".to_owned()),
    ];
    for row in &names {
        for key in &row.cat {
            columns.insert(key.clone(), Storage::Text(map_value("cat", key)));
        }
        for key in &row.num {
            columns.insert(key.clone(), Storage::Number(map_value("num", key)));
        }
        for ((name, column, number), values) in ANSWERS.iter().zip(&row.answers) {
            let sql = Sql((*column).to_owned());
            if *values > 0 {
                columns.entry((*name).to_owned()).or_insert(if *number {
                    Storage::Number(sql)
                } else {
                    Storage::Text(sql)
                });
            }
        }
        extra_segments.extend(row.tags.iter().map(|tag| (tag.clone(), map_value("tags", tag).0)));
    }
    let columns: Vec<PopulationColumn> =
        columns.into_iter().map(|(name, storage)| PopulationColumn { name, storage }).collect();
    Ok(Population { source, from, without_columns: columns.is_empty(), columns, extra_segments })
}

/// The span of event time that a saved baseline stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BaselineSpan {
    /// Its version; empty for all.
    pub version: String,
    /// Its start, microseconds since 1970 UTC, included.
    pub start_us: i64,
    /// Its end, microseconds since 1970 UTC, excluded.
    pub end_us: i64,
}

/// Looks a baseline up by its name.
///
/// # Errors
/// Where the store fails.
pub async fn find_baseline(
    reader: &Reader,
    model: &str,
    name: &str,
) -> Result<Option<BaselineSpan>, ReadError> {
    let statement = Statement::new(
        "SELECT version, toUnixTimestamp64Micro(window_start) AS start_us, \
         toUnixTimestamp64Micro(window_end) AS end_us FROM baselines \
         WHERE model = {model:String} AND name = {name:String} ORDER BY created_at DESC LIMIT 1",
    )
    .param("model", model)
    .param("name", name);
    Ok(reader.rows(&statement).await?.into_iter().next())
}

fn map_value(map: &str, key: &str) -> Sql {
    let key = quote(key);
    Sql(format!("if(mapContains({map}, {key}), {map}[{key}], NULL)"))
}

fn from(filter: &PredictionFilter) -> String {
    let version = filter
        .version
        .as_ref()
        .map(|version| format!(" AND version = {}", quote(version)))
        .unwrap_or_default();
    format!(
        "(SELECT * FROM predictions WHERE model = {}{version} AND ts >= fromUnixTimestamp64Micro(toInt64({})) \
         AND ts < fromUnixTimestamp64Micro(toInt64({})) AND ingested_at < fromUnixTimestamp64Micro(toInt64({})))",
        quote(&filter.model),
        filter.start_us,
        filter.end_us,
        filter.stored_before_us,
    )
}
