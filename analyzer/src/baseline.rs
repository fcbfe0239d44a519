//! Baselines: a population reduced once to the profile that later comparisons read in its place.
//!
//! Values come sorted, so one pass with bounded memory finds the points: every different value while there are at most
//! [`POINTS`] of them, else the values at [`POINTS`] evenly spaced ranks. Between two points less than 1/[`POINTS`] of the
//! values lie, which bounds what a comparison can lose.

use std::collections::BTreeMap;

use windvane_stats::moments::Moments;
use windvane_store::populations::{
    self, CATEGORY_COLUMNS_MAX, CountRows, CountSink, CountedColumn, Detail, Pair, Population,
    PopulationColumn, ProfileRow, ProfiledColumn, Question, SegmentKeys, SortedRows, Storage, ValueRow,
    ValueRows, ValueSink,
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
/// Values of all columns that one statement answers as arrays, where one column does not have more: 32 MiB.
const BATCH_VALUES: u64 = 4 << 20;
/// Rows up to which values come as arrays: 64 MiB a column. Those of larger populations come one by one, in constant memory.
const ARRAY_ROWS_MAX: u64 = 8 << 20;

/// Reduces a population. Of vectors only the names are kept: a comparison of them reads their rows again.
///
/// # Errors
/// Where a statement fails.
pub async fn profile(reader: &Reader, population: &Population) -> Result<Profile, ReadError> {
    let source = Source { reader, population, keep: Keep::Ranks };
    let mut profile = Profile { schema: SCHEMA.to_owned(), rows: 0, columns: Vec::new() };
    let compared = compared(population);
    for columns in compared.chunks(COLUMNS_A_STATEMENT) {
        let Some(row) = source.survey(columns).await? else { continue };
        profile.rows = row.rows;
        profile.columns.extend(source.reduce(columns, &row).await?);
    }
    // Rows of nothing but vectors are rows.
    if compared.is_empty() {
        profile.rows = source.survey(&[]).await?.map_or(0, |row| row.rows);
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

/// Reduces a population without losing a value: every different number is kept, and every category. `None` where that would take
/// more than about `bytes_max`, or where there are no rows.
///
/// # Errors
/// Where a statement fails.
pub async fn exact(
    reader: &Reader,
    population: &Population,
    bytes_max: u64,
) -> Result<Option<Profile>, ReadError> {
    let source = Source { reader, population, keep: Keep::EveryValue };
    let compared = compared(population);
    let mut surveyed = Vec::new();
    let mut points = 0;
    for columns in compared.chunks(COLUMNS_A_STATEMENT) {
        let Some(row) = source.survey(columns).await? else { return Ok(None) };
        points += row.columns.iter().map(|column| column.distinct).sum::<u64>();
        surveyed.push((columns, row));
    }
    if points.saturating_mul(size_of::<Point>() as u64) > bytes_max {
        return Ok(None);
    }
    let mut profile = Profile { schema: SCHEMA.to_owned(), rows: 0, columns: Vec::new() };
    for (columns, row) in surveyed {
        profile.rows = row.rows;
        profile.columns.extend(source.reduce(columns, &row).await?);
        if !profile.columns.iter().all(is_whole) || bytes(&profile) > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(profile).filter(|profile| profile.rows > 0))
}

/// Whether nothing of the column is lost.
fn is_whole(column: &ColumnProfile) -> bool {
    match column.kind {
        Kind::Numeric => column.numbers.as_ref().is_some_and(NumberProfile::is_exact),
        _ => column.categories.is_some(),
    }
}

/// About what the profile takes in memory.
fn bytes(profile: &Profile) -> u64 {
    let of = |column: &ColumnProfile| {
        let points = column.numbers.as_ref().map_or(0, |numbers| numbers.points.len() * size_of::<Point>());
        let category = |(text, _): &(String, u64)| size_of::<(String, u64)>() + text.len();
        points + column.categories.iter().flatten().map(category).sum::<usize>()
    };
    profile.columns.iter().map(of).sum::<usize>() as u64
}

/// The columns that have a profile.
fn compared(population: &Population) -> Vec<&PopulationColumn> {
    let has_profile =
        |column: &&PopulationColumn| matches!(column.storage, Storage::Number(_) | Storage::Text(_));
    population.columns.iter().filter(has_profile).collect()
}

/// How much of the numbers is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Every different value while there are at most [`POINTS`] of them, else those at so many ranks.
    Ranks,
    /// Every different value.
    EveryValue,
}

/// A population, and how it is reduced.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    reader: &'a Reader,
    population: &'a Population,
    keep: Keep,
}

impl Source<'_> {
    /// How many values each column has, and about how many different ones; `None` without rows.
    async fn survey(&self, columns: &[&PopulationColumn]) -> Result<Option<ProfileRow>, ReadError> {
        let whole = SegmentKeys::default();
        let question = Question { columns, segments: &whole, quantiles: &[], detail: Detail::Distinct };
        let rows: Vec<ProfileRow> =
            self.reader.rows(&populations::profile(self.population, question)).await?;
        Ok(rows.into_iter().next())
    }

    /// The profiles of these columns, of which `row` says how many values they have.
    async fn reduce(
        &self,
        columns: &[&PopulationColumn],
        row: &ProfileRow,
    ) -> Result<Vec<ColumnProfile>, ReadError> {
        let (numbers, texts): (Vec<usize>, Vec<usize>) =
            (0..columns.len()).partition(|i| matches!(columns[*i].storage, Storage::Number(_)));
        let of = |places: &[usize]| places.iter().map(|i| columns[*i]).collect::<Vec<&PopulationColumn>>();
        let mut reduced = BTreeMap::new();
        if row.rows > ARRAY_ROWS_MAX {
            for i in &numbers {
                let points = self.streamed(columns[*i], &row.columns[*i]).await?;
                reduced.insert(*i, numeric(columns[*i], points.finish()));
            }
        } else {
            let together = usize::try_from(BATCH_VALUES / row.rows.max(1)).unwrap_or(usize::MAX).max(1);
            for places in numbers.chunks(together) {
                let empty: Vec<Points> = places.iter().map(|i| self.points(&row.columns[*i])).collect();
                let filled = self.sorted(&of(places), empty).await?;
                for (i, points) in places.iter().zip(filled) {
                    reduced.insert(*i, numeric(columns[*i], points.finish()));
                }
            }
        }
        let kept = self.categories(&of(&texts)).await?;
        for (i, kept) in texts.iter().zip(kept) {
            reduced.insert(*i, categorical(columns[*i], row.columns[*i].texts, kept));
        }
        Ok(reduced.into_values().collect())
    }

    /// No points yet of a column.
    fn points(&self, column: &ProfiledColumn) -> Points {
        // The number of different values is an estimate, within 2 % for almost all columns.
        let all_max = match self.keep {
            Keep::Ranks => POINTS,
            Keep::EveryValue => POINTS + column.distinct + column.distinct / 4,
        };
        Points::new(column.numbers, all_max)
    }

    /// The points of several columns, whose values come as arrays.
    async fn sorted(
        &self,
        columns: &[&PopulationColumn],
        empty: Vec<Points>,
    ) -> Result<Vec<Points>, ReadError> {
        let statement = populations::sorted(self.population, columns, &SegmentKeys::default());
        let read = self.reader.fold(&statement, "Native", SortedRows::new(1, columns.len())).await?;
        let mut filled = empty;
        for (points, values) in filled.iter_mut().zip(read.values.into_iter().flatten()) {
            for equal in values.chunk_by(|x, y| x == y) {
                points.push(ValueRow { segment: 0, value: equal[0], a: equal.len() as u64, b: 0 });
            }
        }
        Ok(filled)
    }

    /// The points of one column, whose values come one by one.
    async fn streamed(
        &self,
        column: &PopulationColumn,
        counted: &ProfiledColumn,
    ) -> Result<Points, ReadError> {
        let nothing = populations::without_rows(String::new(), []);
        let pair = Pair { reference: self.population, current: &nothing };
        let grouped = counted.distinct.saturating_mul(REPEATED) < counted.numbers;
        let whole = SegmentKeys::default();
        let statement = populations::values(pair, [Some(column), None], &whole, grouped);
        let empty = ValueRows::new(self.points(counted));
        Ok(self.reader.fold(&statement, "RowBinary", empty).await?.sink)
    }

    /// The categories of these columns. Where one has too many to be counted beside others, each half is counted by itself.
    async fn categories(&self, columns: &[&PopulationColumn]) -> Result<Vec<Categories>, ReadError> {
        let mut kept: Vec<Categories> = columns.iter().map(|_| Categories::default()).collect();
        let starts = (0..columns.len()).step_by(CATEGORY_COLUMNS_MAX);
        let mut waiting: Vec<(usize, &[&PopulationColumn])> =
            starts.zip(columns.chunks(CATEGORY_COLUMNS_MAX)).collect();
        while let Some((first, columns)) = waiting.pop() {
            let asked: Vec<CountedColumn<'_>> = columns
                .iter()
                .map(|column| CountedColumn { column: Some(*column), fold_case: false })
                .collect();
            let empty: Vec<Categories> = columns.iter().map(|_| Categories::default()).collect();
            let statement = populations::counts(self.population, &asked);
            match self.reader.fold(&statement, "RowBinary", CountRows::new(empty)).await {
                Ok(read) => {
                    for (place, read) in kept[first..].iter_mut().zip(read.sinks) {
                        *place = read;
                    }
                }
                Err(error) if columns.len() > 1 && populations::too_many_categories(&error) => {
                    let (a, b) = columns.split_at(columns.len() / 2);
                    waiting.extend([(first, a), (first + a.len(), b)]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }
}

fn numeric(column: &PopulationColumn, numbers: NumberProfile) -> ColumnProfile {
    ColumnProfile {
        column: column.name.clone(),
        kind: Kind::Numeric,
        values: numbers.count(),
        numbers: Some(numbers),
        categories: None,
    }
}

fn categorical(column: &PopulationColumn, values: u64, kept: Categories) -> ColumnProfile {
    ColumnProfile {
        column: column.name.clone(),
        kind: Kind::Categorical,
        values,
        numbers: None,
        categories: (!kept.overflowed).then(|| kept.counts.into_iter().collect()),
    }
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
    /// Every different value, until there are more than `all_max`.
    all: Option<Vec<Point>>,
    all_max: u64,
    /// Those at evenly spaced ranks.
    spaced: Vec<Point>,
    /// Values since the last of those.
    between: u64,
    below: u64,
    above: u64,
    moments: Moments,
}

impl Points {
    fn new(values: u64, all_max: u64) -> Self {
        Self {
            values,
            all_max,
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
            if all.len() as u64 > self.all_max {
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
        let mut sink = Points::new(values.len() as u64, POINTS);
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
    fn every_different_value_is_kept_where_so_many_may_be() {
        let kept = |all_max| {
            let mut sink = Points::new(5_000, all_max);
            (0..5_000).for_each(|i| sink.push(ValueRow { segment: 0, value: f64::from(i), a: 1, b: 0 }));
            sink.finish()
        };
        let (all, ranks) = (kept(5_000), kept(4_999));
        assert!(all.is_exact() && all.points.len() == 5_000);
        assert!(!ranks.is_exact() && ranks.points.len() as u64 <= POINTS + 2);
        assert_eq!((all.moments, all.count()), (ranks.moments, ranks.count()));
    }

    #[test]
    fn a_profile_is_as_large_as_what_it_keeps() {
        let column = numeric(
            &PopulationColumn { name: "x".to_owned(), storage: Storage::Nothing },
            points(&[1.0, 2.0, 2.0]),
        );
        let mut few = Categories::default();
        few.push("one".to_owned(), 1);
        let mut many = Categories::default();
        (0..=CATEGORIES_MAX).for_each(|i| many.push(i.to_string(), 1));
        let text = PopulationColumn { name: "c".to_owned(), storage: Storage::Nothing };
        let (few, many) = (categorical(&text, 1, few), categorical(&text, 1, many));
        assert!(is_whole(&column) && is_whole(&few) && !is_whole(&many));
        let profile = Profile { schema: SCHEMA.to_owned(), rows: 3, columns: vec![column, few, many] };
        assert_eq!(bytes(&profile), 2 * 24 + 32 + 3);
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
