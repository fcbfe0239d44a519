//! Facts of a population: what one scan says of all columns, and what keys, times and versions need beside it.

use windvane_store::Reader;
use windvane_store::populations::{
    self, Ask, InspectedColumn, Inspection, Population, PopulationColumn, RepeatedRow, Storage, TimesAsk,
    TimesRow, VersionRow,
};
use windvane_types::quality::{Expectations, Holds, TimeExpectations};

use super::QualityError;

/// Columns that one statement asks about, so that a wide table is read in bounded statements.
const COLUMNS_A_STATEMENT: usize = 64;

/// What is known of a population.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) source: String,
    pub(super) rows: u64,
    /// Rows are events, whose features may be absent.
    pub(super) events: bool,
    pub(super) columns: Vec<ColumnFacts>,
}

/// What is known of a column.
#[derive(Debug, Clone)]
pub(super) struct ColumnFacts {
    pub(super) name: String,
    pub(super) facts: InspectedColumn,
    /// Whether its values are of types (Parquet, Arrow, NDJSON, predictions) or text that decides (CSV).
    pub(super) storage: Storage,
}

impl Facts {
    pub(super) fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl ColumnFacts {
    /// How many values are there; `None` where the engine cannot tell.
    pub(super) fn values(&self) -> Option<u64> {
        let InspectedColumn { numbers, texts, others } = &self.facts;
        match &self.storage {
            Storage::Nothing => Some(0),
            Storage::Number(_) => numbers.as_ref().map(|numbers| numbers.values),
            Storage::Text(_) | Storage::Undecided(_) => texts.as_ref().map(|texts| texts.values),
            Storage::Vector(_) | Storage::List { .. } | Storage::Unsupported(_) => *others,
        }
    }

    /// What the values are; `None` where there is none.
    pub(super) fn holds(&self) -> Option<Holds> {
        let InspectedColumn { numbers, texts, .. } = &self.facts;
        if self.values() == Some(0) {
            return None;
        }
        let whole = || match numbers.as_ref().is_some_and(|n| n.fractional == 0 && n.infinite == 0) {
            true => Holds::Integer,
            false => Holds::Number,
        };
        Some(match &self.storage {
            Storage::Nothing => return None,
            Storage::Number(_) => whole(),
            Storage::Text(_) | Storage::Undecided(_) => {
                let texts = texts.as_ref()?;
                let as_numbers = numbers.as_ref().map_or(0, |numbers| numbers.values);
                match texts.values {
                    values if values == texts.booleans => Holds::Boolean,
                    values if values == as_numbers => whole(),
                    values if values == texts.times => Holds::Time,
                    _ => Holds::Text,
                }
            }
            Storage::Vector(_) | Storage::List { .. } => Holds::Vector,
            Storage::Unsupported(name) if name.starts_with("Date") => Holds::Time,
            Storage::Unsupported(_) => Holds::Other,
        })
    }
}

/// The facts of these columns, all of them where `None`, without any expectation.
pub(super) async fn all(
    reader: &Reader,
    population: &Population,
    names: Option<&[String]>,
) -> Result<Facts, QualityError> {
    let columns: Vec<&PopulationColumn> = match names {
        None => population.columns.iter().collect(),
        Some(names) => {
            let column = |name: &String| population.column(name).ok_or_else(|| unknown(population, name));
            names.iter().map(column).collect::<Result<_, _>>()?
        }
    };
    let asks: Vec<Ask<'_>> = columns
        .into_iter()
        .map(|column| Ask { column, range: None, lengths: None, categories: None })
        .collect();
    read(reader, population, &asks).await
}

/// The facts of all columns, with what lies outside of expectations.
pub(super) async fn against(
    reader: &Reader,
    population: &Population,
    expectations: &Expectations,
) -> Result<Facts, QualityError> {
    let asks: Vec<Ask<'_>> = population
        .columns
        .iter()
        .map(|column| {
            let expected = expectations.columns.iter().find(|(name, _)| *name == column.name);
            let expected = expected.map(|(_, expected)| expected);
            Ask {
                column,
                range: expected.and_then(|expected| expected.range).map(|range| (range.min, range.max)),
                lengths: expected.and_then(|expected| expected.length).map(|length| (length.min, length.max)),
                categories: expected
                    .and_then(|expected| expected.categories.as_ref())
                    .map(|categories| categories.iter().map(|category| category.category.clone()).collect()),
            }
        })
        .collect();
    read(reader, population, &asks).await
}

async fn read(reader: &Reader, population: &Population, asks: &[Ask<'_>]) -> Result<Facts, QualityError> {
    let mut facts =
        Facts { source: population.source.clone(), events: population.is_events(), ..Facts::default() };
    if population.without_columns {
        return Ok(facts);
    }
    for asks in asks.chunks(COLUMNS_A_STATEMENT) {
        let mut rows: Vec<Inspection> = reader.rows(&populations::inspection(population, asks)).await?;
        let Some(row) = rows.pop() else { continue };
        let row = row.into_row(asks);
        facts.rows = row.rows;
        facts.columns.extend(row.columns.into_iter().zip(asks).map(|(facts, ask)| ColumnFacts {
            name: ask.column.name.clone(),
            facts,
            storage: ask.column.storage.clone(),
        }));
    }
    Ok(facts)
}

/// Rows that share a key; `None` where there is no key.
pub(super) async fn repeated(
    reader: &Reader,
    population: &Population,
    key: &[String],
) -> Result<Option<RepeatedRow>, QualityError> {
    if key.is_empty() || population.without_columns {
        return Ok(None);
    }
    let Some(statement) = populations::repeated(population, key) else {
        let missing = key.iter().find(|name| population.column(name).is_none()).unwrap_or(&key[0]);
        return Err(unknown(population, missing));
    };
    Ok(reader.rows(&statement).await?.pop())
}

/// When rows were and came in.
pub(super) async fn times(
    reader: &Reader,
    population: &Population,
    (times, now_us): (&TimeExpectations, i64),
) -> Result<TimesRow, QualityError> {
    if population.without_columns {
        return Ok(TimesRow::default());
    }
    let arrival = times.arrival.as_deref();
    for name in [Some(times.timestamp.as_str()), arrival].into_iter().flatten() {
        if population.micros(name).is_none() {
            return Err(match population.column(name) {
                None => unknown(population, name),
                Some(_) => QualityError::NoTimes { column: name.to_owned() },
            });
        }
    }
    let ask = TimesAsk {
        timestamp: &times.timestamp,
        arrival,
        now_us,
        ahead_us: times.ahead_us,
        late_us: times.late_us,
    };
    let rows = match populations::times(population, ask) {
        Some(statement) => reader.rows(&statement).await?,
        None => Vec::new(),
    };
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// The column that was to say when, and says it of no row.
pub(super) fn without_times<'a>(times: &'a TimeExpectations, row: &TimesRow) -> Option<&'a String> {
    match row {
        TimesRow { timed: 0, .. } => Some(&times.timestamp),
        TimesRow { with_arrival: 0, .. } => times.arrival.as_ref(),
        _ => None,
    }
}

/// What each version of the model sends.
pub(super) async fn versions(
    reader: &Reader,
    population: &Population,
) -> Result<Vec<VersionRow>, QualityError> {
    Ok(reader.rows(&populations::version_columns(population)).await?)
}

fn unknown(population: &Population, name: &str) -> QualityError {
    QualityError::UnknownColumn {
        column: name.to_owned(),
        known: population.columns.iter().map(|column| column.name.clone()).collect(),
    }
}
