//! Quality: a reference in, expectations out; rows and expectations in, the document `windvane.quality/1` out.
//!
//! `inspect` reads facts of all columns in one scan, `learn` makes expectations of them, `bounds` says how far chance reaches,
//! `columns` and `table` compare facts with expectations. Nothing here holds rows.

mod bounds;
mod columns;
mod error;
mod inspect;
mod learn;
mod table;
#[cfg(test)]
mod tests;

use windvane_store::Reader;
use windvane_store::populations::Population;
use windvane_types::drift::Side;
use windvane_types::quality::{Check, Document, Expectations, SCHEMA, Verdict};

pub use error::QualityError;
pub use learn::LearnOptions;

use bounds::Bounds;
use inspect::Facts;

/// Learns what is to be expected from a reference.
///
/// # Errors
/// A column that is asked for is not there or cannot serve, or a statement fails.
pub async fn learn(
    reader: &Reader,
    reference: &Population,
    options: &LearnOptions,
) -> Result<Expectations, QualityError> {
    let facts = inspect::all(reader, reference, options.columns.as_deref()).await?;
    let repeated = inspect::repeated(reader, reference, &options.key).await?;
    let times = match &options.times {
        Some(times) => {
            let row = inspect::times(reader, reference, (times, options.now_us)).await?;
            if let Some(column) = inspect::without_times(times, &row).filter(|_| facts.rows > 0)
                && options.times_named.contains(column)
            {
                return Err(QualityError::NoTimes { column: column.clone() });
            }
            Some(row)
        }
        None => None,
    };
    Ok(learn::expectations(&facts, (repeated.as_ref(), times.as_ref()), options))
}

/// Checks rows against expectations. `now_us` is what time it is, microseconds since 1970 UTC.
///
/// # Errors
/// A column that names rows or times is not there or cannot serve, or a statement fails.
pub async fn check(
    reader: &Reader,
    current: &Population,
    (expectations, now_us): (&Expectations, i64),
) -> Result<Document, QualityError> {
    let facts = inspect::against(reader, current, expectations).await?;
    let bounds = Bounds::of(expectations);
    let mut checks = table::checks(&facts, expectations);
    checks.extend(keys_and_times(reader, current, (expectations, now_us), (facts.rows, &bounds)).await?);
    if current.is_events() {
        let versions = inspect::versions(reader, current).await?;
        checks.extend(table::versions(&versions, expectations, &bounds));
    }
    checks.extend(columns::checks(&facts, expectations, &bounds));
    Ok(document(&facts, expectations, (bounds, checks)))
}

async fn keys_and_times(
    reader: &Reader,
    current: &Population,
    (expectations, now_us): (&Expectations, i64),
    (rows, bounds): (u64, &Bounds),
) -> Result<Vec<Check>, QualityError> {
    let mut checks = Vec::new();
    let is_told = |name: &String, serves: bool| !serves && is_told(expectations, current, name);
    let key = &expectations.table.key;
    if let Some(bound) = &expectations.table.duplicates
        && !key.iter().any(|name| is_told(name, current.column(name).is_some()))
        && let Some(row) = inspect::repeated(reader, current, key).await?
    {
        checks.push(table::duplicates(&row, bound, bounds));
    }
    if let Some(times) = &expectations.table.times
        && !times.columns().any(|name| is_told(name, current.micros(name).is_some()))
    {
        let row = inspect::times(reader, current, (times, now_us)).await?;
        checks.extend(table::times((&row, rows), times, bounds));
    }
    Ok(checks)
}

/// Whether the checks of a column tell that it is gone, or holds something else, so that nothing has to be said of keys or times.
fn is_told(expectations: &Expectations, current: &Population, name: &str) -> bool {
    let expected = expectations.columns.iter().find(|(known, _)| known == name);
    let is_gone = current.column(name).is_none();
    let may_lack = !current.is_events() && !current.without_columns;
    may_lack && expected.is_some_and(|(_, column)| is_gone || column.holds.is_some())
}

fn document(facts: &Facts, expectations: &Expectations, (bounds, checks): (Bounds, Vec<Check>)) -> Document {
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Document {
        schema: SCHEMA.to_owned(),
        verdict: if failed { Verdict::Fail } else { Verdict::Pass },
        reference: side(&expectations.source, expectations.rows),
        current: side(&facts.source, facts.rows),
        alpha: expectations.alpha,
        tests: bounds.tests(),
        checks,
    }
}

fn side(source: &str, rows: u64) -> Side {
    Side { source: source.to_owned(), rows, stored_profile: false }
}
