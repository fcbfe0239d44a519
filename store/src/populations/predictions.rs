//! A population out of `windvane.predictions`: one model, one span of time, features as columns.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::labelled::{Labelled, Numbers, TRUE_VALUE, true_text};
use super::told::of_every_prediction;
use super::{EVENT_ID, Origin, Population, PopulationColumn, Sql, Storage, quote};
use crate::{ReadError, Reader, Statement, local::map_value};

/// Columns beside the features: what the model answered, and how fast.
pub(super) const ANSWERS: [(&str, &str, bool); 4] = [
    ("prediction.score", "score", true),
    ("prediction.value", "value", true),
    ("prediction.label", "label", false),
    (LATENCY, "latency_us", true),
];

/// By what rows are cut whatever features they have.
const OF_EVERY_PREDICTION: [&str; 2] = ["version", "environment"];

/// Which predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionFilter {
    /// The model.
    pub model: String,
    /// Its version; all of them where `None`.
    pub version: Option<String>,
    /// Its environment; all of them where `None`.
    pub environment: Option<String>,
    /// Start of the span of event time, microseconds since 1970 UTC, included.
    pub start_us: i64,
    /// Its end, excluded.
    pub end_us: i64,
    /// Only rows that were stored before this time, microseconds since 1970 UTC, so that every statement of a run sees
    /// the same rows.
    pub stored_before_us: i64,
}

#[derive(Debug, Default, Deserialize)]
struct Names {
    num: Vec<String>,
    cat: Vec<String>,
    tags: Vec<String>,
    embeddings: Vec<String>,
    arms: Vec<String>,
    /// Of each of [`ANSWERS`] 1 where a prediction has it, else 0.
    answers: Vec<u64>,
}

/// What makes [`Names`] of a table of predictions. Whether any has an answer is known from the first that has it.
fn names(from: &str) -> String {
    let answers: Vec<String> = ANSWERS
        .iter()
        .map(|(_, column, _)| {
            format!("(SELECT count() FROM (SELECT 1 FROM {from} WHERE isNotNull({column}) LIMIT 1))")
        })
        .collect();
    format!(
        "groupUniqArrayArray(mapKeys(num)) AS num, groupUniqArrayArray(mapKeys(cat)) AS cat, \
         groupUniqArrayArray(mapKeys(tags)) AS tags, groupUniqArrayArray(mapKeys(embeddings)) AS embeddings, \
         groupUniqArrayArray(mapKeys(arms)) AS arms, [{}] AS answers",
        answers.join(", ")
    )
}

/// Opens the predictions that pass the filter as a population. An event that was sent twice counts once.
///
/// # Errors
/// Where the store fails.
pub async fn open_predictions(
    reader: &Reader,
    source: String,
    filter: &PredictionFilter,
) -> Result<Population, ReadError> {
    let from = from_each_once(reader, filter).await?;
    let statement = Statement::new(format!("SELECT {} FROM {from}", names(&from)));
    let found: Vec<Names> = reader.rows(&statement).await?;
    Ok(named(source, from, &found))
}

/// The population of a table of predictions, by what they have.
fn named(source: String, from: String, found: &[Names]) -> Population {
    let (mut columns, mut told) = (BTreeMap::new(), Vec::new());
    let mut extra_segments: Vec<(String, String)> =
        OF_EVERY_PREDICTION.map(|name| (name.to_owned(), of_every_prediction(name))).into();
    for row in found {
        for key in &row.cat {
            columns.insert(key.clone(), Storage::Text(Sql(map_value("cat", key))));
        }
        for key in &row.num {
            columns.insert(key.clone(), Storage::Number(Sql(map_value("num", key))));
        }
        for ((name, column, number), values) in ANSWERS.iter().zip(&row.answers) {
            let sql = Sql((*column).to_owned());
            if *values > 0 {
                let storage = if *number { Storage::Number(sql) } else { Storage::Text(sql) };
                told.push(PopulationColumn { name: (*name).to_owned(), storage: storage.clone() });
                columns.entry((*name).to_owned()).or_insert(storage);
            }
        }
        for key in &row.embeddings {
            // A feature of the same name keeps it.
            let name = if columns.contains_key(key) { format!("embeddings.{key}") } else { key.clone() };
            let sql = Sql(format!("embeddings[{}]", quote(key)));
            columns.insert(name, Storage::Vector(sql));
        }
        let arm = |experiment: &String| (format!("arm:{experiment}"), map_value("arms", experiment));
        extra_segments.extend(row.arms.iter().map(arm));
        extra_segments.extend(row.tags.iter().map(|tag| (tag.clone(), map_value("tags", tag))));
    }
    let columns: Vec<PopulationColumn> =
        columns.into_iter().map(|(name, storage)| PopulationColumn { name, storage }).collect();
    let (without_columns, row) = (columns.is_empty(), Sql(EVENT_ID.to_owned()));
    let from = Origin::Table(from);
    let (plain, outcomes_of) = (None, None);
    Population { source, from, plain, outcomes_of, without_columns, columns, told, row, extra_segments }
}

/// The latencies of the predictions that pass the filter, and when each was; which other columns they have is not asked. An event that was
/// sent twice counts once.
///
/// # Errors
/// Where the store fails.
pub async fn latencies(
    reader: &Reader,
    source: String,
    filter: &PredictionFilter,
) -> Result<Population, ReadError> {
    let from = from_each_once(reader, filter).await?;
    let column =
        PopulationColumn { name: LATENCY.to_owned(), storage: Storage::Number(Sql("latency_us".to_owned())) };
    let row = Sql(EVENT_ID.to_owned());
    Ok(Population { row, ..Population::of_sql(source, from, vec![column]) })
}

/// The column of how long an answer took.
pub const LATENCY: &str = "latency_us";
/// The column of what was true of a prediction: the label of its outcome, else its value as text.
pub const OUTCOME: &str = "outcome";
/// The same as a number.
pub const OUTCOME_VALUE: &str = "outcome.value";
/// When the model answered.
pub const TIME: &str = "ts";
/// Whom a prediction is about.
pub const UNIT: &str = "unit_id";
/// What the column of a class's probability begins with.
pub const PROBABILITY: &str = "prediction.probabilities.";

/// Opens the predictions that pass the filter, each joined with what was true of it where that is known. An event that was sent
/// twice counts once; of several outcomes of one event the one that was received last counts, also where it came before the prediction.
/// What is joined is read by [`Population::role`]: a feature of the same name keeps it.
///
/// # Errors
/// Where the store fails.
pub async fn open_labelled(
    reader: &Reader,
    source: String,
    filter: &PredictionFilter,
) -> Result<Population, ReadError> {
    let from = from(filter);
    let statement = Statement::new(format!(
        "SELECT {}, arraySort(groupUniqArrayArray(mapKeys(probabilities))) AS classes, count() AS rows, {} FROM {from}",
        names(&from),
        numbers(filter),
    ));
    let held: Option<Held> = reader.rows(&statement).await?.pop();
    Ok(labelled(source, filter, held))
}

/// What a measurement reads of predictions, where it is known before.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The columns that cut segments.
    pub segment_by: Vec<String>,
    /// What the model answered: `prediction.score` and the like.
    pub answer: &'static str,
}

/// The same where no more than this is read: that it is there is known from the first prediction that has it, while the names of
/// all features are read off each prediction. `None` where a column is no feature, or is not there.
///
/// # Errors
/// Where the store fails.
pub async fn open_labelled_of(
    reader: &Reader,
    source: String,
    filter: &PredictionFilter,
    wanted: &Wanted,
) -> Result<Option<Population>, ReadError> {
    let from = from(filter);
    let first =
        |condition: String| format!("(SELECT count() FROM (SELECT 1 FROM {from} WHERE {condition} LIMIT 1))");
    let named = |map: &str| {
        let has = |name: &String| first(format!("has({map}.keys, {})", quote(name)));
        format!("[{}]::Array(UInt64)", wanted.segment_by.iter().map(has).collect::<Vec<_>>().join(", "))
    };
    let answers = ANSWERS.iter().map(|(name, column, _)| match *name == wanted.answer {
        true => first(format!("isNotNull({column})")),
        false => "0".to_owned(),
    });
    // How many there are is about which way to join is cheaper.
    let statement = Statement::new(format!(
        "SELECT {} AS cat, {} AS num, [{}]::Array(UInt64) AS answers, \
         (SELECT count() FROM predictions WHERE model = {model} AND {}) AS rows, {}",
        named("cat"),
        named("num"),
        answers.collect::<Vec<_>>().join(", "),
        within(filter),
        numbers(filter),
        model = quote(&filter.model),
    ));
    let Some(there) = reader.rows::<There>(&statement).await?.pop() else { return Ok(None) };
    let of = |counts: &[u64]| -> Vec<String> {
        let names = wanted.segment_by.iter().zip(counts).filter(|(_, count)| **count > 0);
        names.map(|(name, _)| name.clone()).collect()
    };
    let names =
        Names { num: of(&there.num), cat: of(&there.cat), answers: there.answers, ..Names::default() };
    let is_found = |name: &String| {
        OF_EVERY_PREDICTION.contains(&name.as_str()) || names.num.contains(name) || names.cat.contains(name)
    };
    if names.answers.iter().all(|found| *found == 0) || !wanted.segment_by.iter().all(is_found) {
        return Ok(None);
    }
    let held = Held { names, classes: Vec::new(), numbers: there.numbers };
    Ok(Some(labelled(source, filter, Some(held))))
}

/// How much there is to join, beside how many predictions, as columns of a statement.
fn numbers(filter: &PredictionFilter) -> String {
    format!(
        "(SELECT count() FROM outcomes WHERE model = {}) AS rows_outcomes, (SELECT getSetting('max_threads')) AS threads",
        quote(&filter.model)
    )
}

/// The population of what there is.
fn labelled(source: String, filter: &PredictionFilter, held: Option<Held>) -> Population {
    let from = from(filter);
    let found = held.as_ref().map(|held| std::slice::from_ref(&held.names)).unwrap_or_default();
    let mut population = named(source, from, found);
    let sql = |text: &str| Sql(text.to_owned());
    for class in held.iter().flat_map(|held| &held.classes) {
        population
            .tell(&format!("{PROBABILITY}{class}"), Storage::Number(Sql(map_value("probabilities", class))));
    }
    population.tell(OUTCOME, Storage::Text(Sql(true_text())));
    population.tell(OUTCOME_VALUE, Storage::Number(sql(TRUE_VALUE)));
    population.tell(TIME, Storage::Unsupported("DateTime64(6, 'UTC')".to_owned()));
    // There are as many units as rows, or nearly: they are a role, and cut segments, but are no column to look at.
    let unit = of_every_prediction(UNIT);
    population.told.push(PopulationColumn { name: UNIT.to_owned(), storage: Storage::Text(sql(&unit)) });
    population.extra_segments.push((UNIT.to_owned(), unit));
    population.row = Sql("cityHash64(event_id)".to_owned());
    population.plain = Some(population.from.clone());
    let held = held.map(|held| held.numbers).unwrap_or_default();
    let labelled = Labelled {
        filter: Some(filter.clone()),
        model: filter.model.clone(),
        columns: "*".to_owned(),
        condition: passes(filter),
        held,
        span_us: u64::try_from(filter.end_us.saturating_sub(filter.start_us)).unwrap_or_default(),
    };
    population.from = Origin::Table(labelled.rows());
    population.outcomes_of = Some(labelled);
    population
}

/// The column of how wrong a prediction was, where [`add_error`] has added it.
pub const ERROR: &str = "prediction.error";

/// Adds how wrong each prediction was to predictions that are joined with outcomes: 1 where the predicted class is not the true one, else 0;
/// the distance from the true number; of a score alone, whether the truth is on the other side of 0.5: the positive class or another one,
/// and where none is named 1 and true, or 0 and false. Missing where the truth is not known, or is of another kind.
pub fn add_error(population: &mut Population, positive: Option<&str>) {
    let truth = true_text();
    let is = |test: String| format!("ifNull({test}, 0)");
    let (yes, no) = match positive.map(quote) {
        Some(class) => (is(format!("{truth} = {class}")), is(format!("{truth} != {class}"))),
        None => {
            (is(format!("lower({truth}) IN ('1', 'true')")), is(format!("lower({truth}) IN ('0', 'false')")))
        }
    };
    let error = format!(
        "CAST(multiIf(isNotNull(label), toFloat64(toString(label) != {truth}), isNotNull(value), abs(value - true_value), \
         {yes}, toFloat64(score < 0.5), {no}, toFloat64(score >= 0.5), NULL), 'Nullable(Float64)')"
    );
    population.tell(ERROR, Storage::Number(Sql(error)));
}

/// Which of what is wanted there is: of each a 1 or a 0.
#[derive(Debug, Deserialize)]
struct There {
    cat: Vec<u64>,
    num: Vec<u64>,
    answers: Vec<u64>,
    #[serde(flatten)]
    numbers: Numbers,
}

/// What there is to join.
#[derive(Debug, Deserialize)]
struct Held {
    #[serde(flatten)]
    names: Names,
    classes: Vec<String>,
    #[serde(flatten)]
    numbers: Numbers,
}

/// A population of which only a profile is kept: its columns, and no rows.
#[must_use]
pub fn without_rows(source: String, columns: impl IntoIterator<Item = (String, bool)>) -> Population {
    let columns: Vec<PopulationColumn> = columns
        .into_iter()
        .map(|(name, number)| {
            let storage = match number {
                true => Storage::Number(Sql("CAST(NULL, 'Nullable(Float64)')".to_owned())),
                false => Storage::Text(Sql("CAST(NULL, 'Nullable(String)')".to_owned())),
            };
            PopulationColumn { name, storage }
        })
        .collect();
    Population {
        source,
        from: Origin::Table("(SELECT 1 WHERE 0)".to_owned()),
        plain: None,
        outcomes_of: None,
        without_columns: columns.is_empty(),
        columns,
        told: Vec::new(),
        row: Sql("0".to_owned()),
        extra_segments: Vec::new(),
    }
}

/// What tells whether the predictions that pass a filter are still the same ones: one more, or one less, changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Fingerprint {
    /// How many there are.
    pub rows: u64,
    /// The sum of when they came in, microseconds since 1970 UTC, modulo 2^64.
    pub ingested_us: i64,
}

/// Asks for the fingerprint of the predictions that pass the filter; no feature is read.
///
/// # Errors
/// Where the store fails.
pub async fn fingerprint(reader: &Reader, filter: &PredictionFilter) -> Result<Fingerprint, ReadError> {
    let statement = Statement::new(format!(
        "SELECT count() AS rows, sum(toUnixTimestamp64Micro(ingested_at)) AS ingested_us FROM {}",
        from(filter)
    ));
    let rows: Vec<Fingerprint> = reader.rows(&statement).await?;
    Ok(rows.first().copied().unwrap_or_default())
}

fn from(filter: &PredictionFilter) -> String {
    format!("(SELECT * FROM predictions WHERE {})", passes(filter))
}

/// The same, each event once: one that was sent again is a second row until ClickHouse merges the two. Rows are counted with `FINAL` and without,
/// which reads no more than the sorting key, and that only where parts lie over each other. To read every column with `FINAL` takes up to
/// twice as long, and is left out where it would leave out nothing.
async fn from_each_once(reader: &Reader, filter: &PredictionFilter) -> Result<String, ReadError> {
    #[derive(Deserialize)]
    struct Repeats {
        /// 1 where an event is there twice.
        repeats: u64,
    }
    let plain = from(filter);
    let once = format!("(SELECT * FROM predictions FINAL WHERE {})", passes(filter));
    let statement = Statement::new(format!(
        "SELECT toUInt8((SELECT count() FROM {once}) < (SELECT count() FROM {plain})) AS repeats"
    ));
    let found: Vec<Repeats> = reader.rows(&statement).await?;
    Ok(if found.iter().any(|found| found.repeats > 0) { once } else { plain })
}

/// The condition that the filter is.
fn passes(filter: &PredictionFilter) -> String {
    format!("{} AND {}", deployed(filter), within(filter))
}

/// That part of it which is about time.
pub(super) fn within(filter: &PredictionFilter) -> String {
    format!(
        "ts >= fromUnixTimestamp64Micro(toInt64({})) AND ts < fromUnixTimestamp64Micro(toInt64({}))",
        filter.start_us, filter.end_us
    )
}

/// The rest of it: whose predictions, and which were there.
pub(super) fn deployed(filter: &PredictionFilter) -> String {
    let equals = |column: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!(" AND {column} = {}", quote(value))).unwrap_or_default()
    };
    let version = equals("version", &filter.version);
    let environment = equals("environment", &filter.environment);
    format!(
        "model = {}{version}{environment} AND ingested_at < fromUnixTimestamp64Micro(toInt64({}))",
        quote(&filter.model),
        filter.stored_before_us,
    )
}
