//! Columns of a Parquet file in which no value is missing, as its footer tells: they are read without a look at whether each is there.
//!
//! Most of the work over a file is to look, value by value, whether one is null or NaN. The footer counts the nulls of each column: the
//! engine goes by that count itself, however a column is read, and fails where it meets a null that may not be there
//! ([`value_is_missing`]). The footer does not count NaN; but a sum with one in it is NaN, so that whoever asks sees by the answer that
//! missing values have to be looked for after all.

use serde::Deserialize;

use super::{Bitmap, Frame, FrameColumns, Measure};
use crate::{
    ReadError, Statement,
    local::quote,
    populations::{Population, Sql, Storage},
};

/// ClickHouse's code for a null where none may be.
const CANNOT_INSERT_NULL: i32 = 349;

/// A bitmap has a bit for every integer between the smallest and the largest unit: with at most eight a unit it takes less memory and
/// time than a table of the units. Far fewer units than integers would make it slow.
const INTEGERS_PER_UNIT_MAX: i128 = 8;

/// Rows that are looked at first: where units have two rows each and lie apart in a file of a hundred million, these hold some forty pairs.
const FIRST_ROWS: u64 = 65_536;

/// The types that a bitmap takes.
const INTEGERS: [&str; 8] = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"];

/// What the footer of a Parquet file says of one column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FooterRow {
    /// Its name.
    pub column: String,
    /// Its values that are not null.
    pub values: u64,
    /// Its nulls; null where the footer does not count them.
    pub missing: Option<u64>,
    /// Its smallest value where it holds integers and the footer tells.
    pub low: Option<i64>,
    /// Its largest one.
    pub high: Option<i64>,
}

/// Whether the first units of a file have a row each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct FirstUnitsRow {
    /// 1 where they have.
    pub alone: u8,
}

/// A frame and its measures, read without a look for what the footer says is there.
#[derive(Debug, Clone)]
pub struct Complete {
    /// The rows.
    pub frame: Frame,
    /// The numbers.
    pub measures: Vec<Measure>,
}

/// Asks for what the footer says of these columns; `None` where the rows are in no Parquet file.
#[must_use]
pub fn footer(
    population: &Population,
    columns: &FrameColumns<'_>,
    measures: &[Measure],
) -> Option<Statement> {
    let source = population.footer()?;
    let names: Vec<String> = names(columns, measures).into_iter().map(quote).collect();
    let integer = |end: &str| format!("toInt64OrNull(wv_c.statistics.{end})");
    let of_all =
        |end: &str, of: &str| format!("if(countIf(isNull({0})) = 0, {of}({0}), NULL) AS {end}", integer(of));
    Some(Statement::new(format!(
        "SELECT wv_c.path AS column, sum(ifNull(wv_c.statistics.num_values, 0)) AS values, \
         if(countIf(isNull(wv_c.statistics.null_count)) = 0, sum(wv_c.statistics.null_count), NULL) AS missing, {}, {} \
         FROM (SELECT arrayJoin(arrayJoin(row_groups).columns) AS wv_c FROM {source}) \
         WHERE wv_c.path IN ({}) GROUP BY wv_c.path",
        of_all("low", "min"),
        of_all("high", "max"),
        names.join(", "),
    )))
}

/// The same rows and numbers, where columns of which the footer says that all values are there are read as what never lacks one; `None`
/// where it says so of none.
#[must_use]
pub fn complete(
    population: &Population,
    (frame, columns): (&Frame, &FrameColumns<'_>),
    measures: &[Measure],
    footer: &[FooterRow],
) -> Option<Complete> {
    let all_there = |name: &str| footer.iter().any(|row| row.column == name && row.missing == Some(0));
    let (there, others): (Vec<&str>, Vec<&str>) =
        names(columns, measures).into_iter().partition(|name| all_there(name));
    if there.is_empty() {
        return None;
    }
    let rows = footer.iter().map(|row| row.values).max().unwrap_or(0);
    let mut frame = frame.complete(population.reading_complete(&there, &others)?, rows);
    // NaN is missing, too, and no footer counts it.
    let is_assigned = |name: &str| all_there(name) && !population.may_be_nan(name);
    if is_assigned(columns.unit) && is_assigned(columns.arm) {
        frame.trust_assignment();
    }
    let read = |measure: &Measure| match all_there(&measure.name) {
        true => never_missing(population, measure),
        false => None,
    };
    let measures = measures.iter().map(|measure| read(measure).unwrap_or_else(|| measure.clone())).collect();
    Some(Complete { frame, measures })
}

/// Asks whether the first units have a row each ([`FirstUnitsRow`]).
#[must_use]
pub fn first_units(frame: &Frame) -> Statement {
    let (key, from, assigned) = (frame.unit_key(), &frame.from, frame.assigned());
    frame.statement(format!(
        "SELECT count() = uniqExact(wv_key) AS alone \
         FROM (SELECT {key} AS wv_key FROM {from} WHERE {assigned} LIMIT {FIRST_ROWS})"
    ))
}

/// Whether units are integers of which there are at least as many as rows between the smallest and the largest, and not many more: most
/// likely each row has its own then. `None` where the footer does not say.
#[must_use]
pub fn units_seem_single(population: &Population, unit: &str, footer: &[FooterRow]) -> Option<bool> {
    close_units(population, unit, footer)?;
    footer.iter().find(|row| row.column == unit).and_then(has_room)
}

fn has_room(row: &FooterRow) -> Option<bool> {
    Some(i128::from(row.high?) - i128::from(row.low?) >= i128::from(row.values) - 1)
}

/// The bitmap that tells units apart best; `None` where they are no integers that lie close together.
#[must_use]
pub fn close_units(population: &Population, unit: &str, footer: &[FooterRow]) -> Option<Bitmap> {
    population.type_of(unit).filter(|type_name| INTEGERS.contains(type_name))?;
    bitmap(footer.iter().find(|row| row.column == unit)?)
}

fn bitmap(row: &FooterRow) -> Option<Bitmap> {
    let (low, high) = (row.low?, row.high?);
    if i128::from(high) - i128::from(low) > INTEGERS_PER_UNIT_MAX * i128::from(row.values) {
        return None;
    }
    match low >= 0 && u32::try_from(high).is_ok() {
        true => Some(Bitmap::Narrow),
        false => Some(Bitmap::Wide),
    }
}

/// Whether a statement failed because a value is missing where the footer says that none is.
#[must_use]
pub fn value_is_missing(error: &ReadError) -> bool {
    error.code() == Some(CANNOT_INSERT_NULL)
}

/// The columns that are read.
fn names<'a>(columns: &FrameColumns<'a>, measures: &'a [Measure]) -> Vec<&'a str> {
    let mut names = vec![columns.unit, columns.arm];
    names.extend(measures.iter().map(|measure| measure.name.as_str()));
    names.sort_unstable();
    names.dedup();
    names
}

/// The measure without a look at each value; `None` where values have to be looked at for what they say.
fn never_missing(population: &Population, measure: &Measure) -> Option<Measure> {
    match &population.column(&measure.name)?.storage {
        Storage::Number(Sql(sql)) => Some(measure.never_missing(format!("toFloat64({sql})"))),
        Storage::Text(Sql(sql)) if population.type_of(&measure.name) == Some("Bool") => {
            Some(measure.never_missing(format!("toFloat64({sql})")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Bitmap, FooterRow, bitmap, has_room};

    #[test]
    fn a_bitmap_is_for_integers_that_lie_close() {
        for (low, high, expected) in [
            (Some(-5), Some(4), Some(Bitmap::Wide)),
            (Some(0), Some(80), Some(Bitmap::Narrow)),
            (Some(0), Some(81), None),
            (Some(4_294_967_290), Some(4_294_967_295), Some(Bitmap::Narrow)),
            (Some(4_294_967_290), Some(4_294_967_296), Some(Bitmap::Wide)),
            (Some(i64::MIN), Some(i64::MAX), None),
            (None, Some(9), None),
            (Some(0), None, None),
        ] {
            let row = FooterRow { column: "unit".to_owned(), values: 10, missing: Some(0), low, high };
            assert_eq!(bitmap(&row), expected, "{low:?} to {high:?}");
        }
    }

    #[test]
    fn units_of_fewer_integers_than_rows_have_several() {
        for (low, high, expected) in [
            (Some(0), Some(9), Some(true)),
            (Some(-9), Some(0), Some(true)),
            (Some(1), Some(80), Some(true)),
            (Some(0), Some(8), Some(false)),
            (None, Some(9), None),
        ] {
            let row = FooterRow { column: "unit".to_owned(), values: 10, missing: Some(0), low, high };
            assert_eq!(has_room(&row), expected, "{low:?} to {high:?}");
        }
    }
}
