//! Baselines: a population reduced once to the profile that later comparisons read in its place.
//!
//! Values come sorted, so one pass with bounded memory finds the points: every different value while there are at most
//! [`POINTS`] of them, else the values at [`POINTS`] evenly spaced ranks. Between two points less than 1/[`POINTS`] of the
//! values lie, which bounds what a comparison can lose.

use std::collections::BTreeMap;

use windvane_stats::moments::Moments;
use windvane_store::populations::{
    self, CountRows, CountSink, CountedColumn, Detail, Pair, Population, PopulationColumn, ProfileRow,
    Question, SegmentKeys, Storage, ValueRow, ValueRows, ValueSink,
};
use windvane_store::{ReadError, Reader};
use windvane_types::baseline::{ColumnProfile, MomentsProfile, NumberProfile, Point, Profile, SCHEMA};
use windvane_types::drift::Kind;

/// Points of a numeric column: 25 KB of JSON, and a largest difference of distribution functions that is at most 0.001
/// too small, a fiftieth of the effect from which it counts.
pub const POINTS: u64 = 1_000;
/// Categories of a column that are kept; a column with more has none, and is read from its population again.
pub const CATEGORIES_MAX: usize = 10_000;
/// Bytes of those categories.
const CATEGORY_BYTES_MAX: usize = 1 << 20;
/// Columns that one statement asks about.
const COLUMNS_A_STATEMENT: usize = 64;
/// Values per different value from which on values are grouped before they are sorted.
const REPEATED: u64 = 4;

/// Reduces a population. Of vectors only the names are kept: a comparison of them reads their rows again.
///
/// # Errors
/// Where a statement fails.
pub async fn profile(reader: &Reader, population: &Population) -> Result<Profile, ReadError> {
    let mut profile = Profile { schema: SCHEMA.to_owned(), rows: 0, columns: Vec::new() };
    let compared: Vec<&PopulationColumn> = population
        .columns
        .iter()
        .filter(|column| matches!(column.storage, Storage::Number(_) | Storage::Text(_)))
        .collect();
    let whole = SegmentKeys::default();
    for columns in compared.chunks(COLUMNS_A_STATEMENT) {
        let question = Question { columns, segments: &whole, quantiles: &[], detail: Detail::Distinct };
        let rows: Vec<ProfileRow> = reader.rows(&populations::profile(population, question)).await?;
        let Some(row) = rows.into_iter().next() else { continue };
        profile.rows = row.rows;
        for (column, counted) in columns.iter().zip(row.columns) {
            profile.columns.push(match column.storage {
                Storage::Number(_) => {
                    let grouped = counted.distinct.saturating_mul(REPEATED) < counted.numbers;
                    let size = Size { values: counted.numbers, grouped };
                    numeric(reader, population, column, size).await?
                }
                _ => categorical(reader, population, column, counted.texts).await?,
            });
        }
    }
    let vectors = population.columns.iter().filter(|column| matches!(column.storage, Storage::Vector(_)));
    profile.columns.extend(vectors.map(|column| ColumnProfile {
        column: column.name.clone(),
        kind: Kind::Embedding,
        values: 0,
        numbers: None,
        categories: None,
    }));
    Ok(profile)
}

#[derive(Debug, Clone, Copy)]
struct Size {
    values: u64,
    grouped: bool,
}

async fn numeric(
    reader: &Reader,
    population: &Population,
    column: &PopulationColumn,
    size: Size,
) -> Result<ColumnProfile, ReadError> {
    let nothing = populations::without_rows(String::new(), []);
    let pair = Pair { reference: population, current: &nothing };
    let statement = populations::values(pair, [Some(column), None], &SegmentKeys::default(), size.grouped);
    let read = reader.fold(&statement, "RowBinary", ValueRows::new(Points::new(size.values))).await?;
    let numbers = read.sink.finish();
    Ok(ColumnProfile {
        column: column.name.clone(),
        kind: Kind::Numeric,
        values: numbers.count(),
        numbers: Some(numbers),
        categories: None,
    })
}

async fn categorical(
    reader: &Reader,
    population: &Population,
    column: &PopulationColumn,
    values: u64,
) -> Result<ColumnProfile, ReadError> {
    let statement =
        populations::counts(population, &[CountedColumn { column: Some(column), fold_case: false }]);
    let read = reader.fold(&statement, "RowBinary", CountRows::new(vec![Categories::default()])).await?;
    let kept = read.sinks.into_iter().next().unwrap_or_default();
    Ok(ColumnProfile {
        column: column.name.clone(),
        kind: Kind::Categorical,
        values,
        numbers: None,
        categories: (!kept.overflowed).then(|| kept.counts.into_iter().collect()),
    })
}

/// The categories, until there are too many.
#[derive(Debug, Default)]
struct Categories {
    counts: BTreeMap<String, u64>,
    bytes: usize,
    overflowed: bool,
}

impl CountSink for Categories {
    fn push(&mut self, category: String, n: u64) {
        if self.overflowed {
            return;
        }
        self.bytes += category.len();
        *self.counts.entry(category).or_default() += n;
        if self.counts.len() > CATEGORIES_MAX || self.bytes > CATEGORY_BYTES_MAX {
            self.overflowed = true;
            self.counts.clear();
        }
    }
}

/// The points of ascending values.
#[derive(Debug)]
struct Points {
    /// How many values will come.
    values: u64,
    seen: u64,
    group: Option<(f64, u64)>,
    /// Every different value, until there are too many.
    all: Option<Vec<Point>>,
    /// Those at evenly spaced ranks.
    spaced: Vec<Point>,
    /// Values since the last of those.
    between: u64,
    below: u64,
    above: u64,
    moments: Moments,
}

impl Points {
    fn new(values: u64) -> Self {
        Self {
            values,
            seen: 0,
            group: None,
            all: Some(Vec::new()),
            spaced: Vec::new(),
            between: 0,
            below: 0,
            above: 0,
            moments: Moments::default(),
        }
    }

    fn close_group(&mut self) {
        let Some((value, at)) = self.group.take() else { return };
        self.moments.push(value, at);
        if let Some(all) = &mut self.all {
            all.push(Point { value, between: 0, at });
            if all.len() as u64 > POINTS {
                self.all = None;
            }
        }
        // The rank of a point lies in this group where the number of whole steps grows over it.
        let steps = |rank: u64| u128::from(rank) * u128::from(POINTS) / u128::from(self.values.max(1));
        let first = self.spaced.is_empty();
        if first || steps(self.seen + at) > steps(self.seen) {
            self.spaced.push(Point { value, between: self.between, at });
            self.between = 0;
        } else {
            self.between += at;
        }
        self.seen += at;
    }

    fn finish(mut self) -> NumberProfile {
        let last = self.group;
        self.close_group();
        if let (Some((value, at)), true) = (last, self.between > 0) {
            self.spaced.push(Point { value, between: self.between - at, at });
        }
        let parts = self.moments.parts();
        NumberProfile {
            below: self.below,
            above: self.above,
            moments: MomentsProfile { shift: parts.shift, mean: parts.mean, m2: parts.m2 },
            points: self.all.unwrap_or(self.spaced),
        }
    }
}

impl ValueSink for Points {
    fn push(&mut self, ValueRow { value, a, .. }: ValueRow) {
        if value == f64::NEG_INFINITY {
            self.below += a;
            self.seen += a;
        } else if value == f64::INFINITY {
            self.above += a;
        } else if let Some((_, count)) = self.group.as_mut().filter(|(last, _)| *last == value) {
            *count += a;
        } else {
            self.close_group();
            self.group = Some((value, a));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(values: &[f64]) -> NumberProfile {
        let mut sink = Points::new(values.len() as u64);
        for value in values {
            sink.push(ValueRow { segment: 0, value: *value, a: 1, b: 0 });
        }
        sink.finish()
    }

    #[test]
    fn few_different_values_are_kept_exactly() {
        let values: Vec<f64> = (0..5_000).map(|i| f64::from(i / 10)).collect();
        let profile = points(&values);
        assert!(profile.is_exact());
        assert_eq!(profile.points.len(), 500);
        assert!(profile.points.iter().all(|point| point.at == 10));
        let moments = profile.moments;
        assert_eq!(moments.shift + moments.mean, 249.5);
    }

    #[test]
    fn infinite_values_are_counted_apart() {
        let profile = points(&[f64::NEG_INFINITY, 1.0, 1.0, f64::INFINITY, f64::INFINITY]);
        assert_eq!((profile.below, profile.above, profile.count()), (1, 2, 5));
        assert_eq!(profile.points, [Point { value: 1.0, between: 0, at: 2 }]);
        assert_eq!(points(&[]).count(), 0);
    }

    #[test]
    fn too_many_categories_are_not_kept() {
        let mut few = Categories::default();
        let mut many = Categories::default();
        (0..CATEGORIES_MAX).for_each(|i| few.push(i.to_string(), 1));
        (0..=CATEGORIES_MAX).for_each(|i| many.push(i.to_string(), 1));
        assert!(!few.overflowed && few.counts.len() == CATEGORIES_MAX);
        assert!(many.overflowed && many.counts.is_empty());
    }

    proptest! {
        // Whatever the values, each is counted once, at its place, and no cell between points holds more than one part in POINTS.
        #[test]
        fn every_value_is_counted_in_its_cell(
            mut values in prop::collection::vec(-1e3_f64..1e3, 1..6_000),
            repeated in 0_usize..3_000,
        ) {
            values.extend(std::iter::repeat_n(0.5, repeated));
            values.sort_by(f64::total_cmp);
            let profile = points(&values);
            prop_assert_eq!(profile.count(), values.len() as u64);
            let mut from = f64::NEG_INFINITY;
            for point in &profile.points {
                let between = values.iter().filter(|x| **x > from && **x < point.value).count() as u64;
                let at = values.iter().filter(|x| **x == point.value).count() as u64;
                prop_assert_eq!((point.between, point.at), (between, at));
                prop_assert!(point.between <= values.len() as u64 / POINTS);
                from = point.value;
            }
            prop_assert_eq!(profile.points.first().map(|point| point.value), values.first().copied());
            prop_assert_eq!(profile.points.last().map(|point| point.value), values.last().copied());
        }
    }
}
