//! Numeric columns of populations that are small enough: the values of one side of several columns come at once, sorted by the engine or
//! else here, and both sides are merged. Where a profile stands for the reference, the other side's values are merged with its points.
//!
//! At most [`VALUES_MAX`] values are held at a time in each lane, whatever the populations are; larger ones go through the engine's
//! own merge, row by row, in constant memory.

use windvane_stats::ascending::Sorter;
use windvane_stats::walk::{Sizes, SizesChanged, Walk};
use windvane_store::ReadError;
use windvane_store::populations::{self, PlainRows, PopulationColumn, SortedRows, ValueRow, ValueSink};

use super::profile::came;
use super::{Column, DriftError, Merge, Merged, Rows, Scan, Side, begin_merge, begin_walk};

/// Values of one column of both sides up to which they are sorted as arrays: 64 MiB.
pub(in crate::drift) const VALUES_MAX: u64 = 8 << 20;
/// Values of all columns of both sides that one pair of statements answers, where one column does not have more.
pub(super) const BATCH_VALUES: u64 = 4 << 20;

/// The values of one side: by segment, then by column.
type Values = Vec<Vec<Vec<f64>>>;
/// The walks of columns, each by segment.
type WalkedColumns = Vec<Result<Vec<Merged>, SizesChanged>>;

/// What a lane keeps from one batch to the next: memory that was touched before is had in less time than other memory.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Values of columns of files that were walked.
    columns: Vec<Vec<f64>>,
    sorter: Sorter,
}

/// The walks of these columns: by column, then by segment. `sides` has an entry a column.
pub(super) async fn walks(
    scan: &Scan<'_>,
    columns: &[&Column],
    sides: &[&[[Side; 2]]],
    room: &mut Room,
) -> Result<Vec<Vec<Merged>>, DriftError> {
    let whole = sides.first().and_then(|sides| sides.first());
    let rows = |side: usize| whole.map_or(0, |sides| sides[side].rows);
    let reference = values(scan, columns, (0, rows(0)), room).await?;
    // One side is sorted while the other one is read.
    let sorter = std::mem::take(&mut room.sorter);
    let sorting = tokio::task::spawn_blocking(move || ascending(reference, sorter));
    let current = values(scan, columns, (1, rows(1)), room).await?;
    let (mut reference, sorter) = sorting.await.map_err(ReadError::Thread)?;
    let sorting = tokio::task::spawn_blocking(move || ascending(current, sorter));
    let (mut current, sorter) = sorting.await.map_err(ReadError::Thread)?;
    room.sorter = sorter;
    let mut pending = Vec::with_capacity(columns.len());
    for (i, column) in columns.iter().enumerate() {
        let mut of_column = Vec::with_capacity(sides[i].len());
        for (segment, sides) in sides[i].iter().enumerate() {
            let a = std::mem::take(&mut reference[segment][i]);
            let b = std::mem::take(&mut current[segment][i]);
            let sides = counted(column, sides, (&a, &b))?;
            of_column.push(match scan.points(column) {
                Some(points) => Pending::Against(b, begin_merge(scan, column, points, &sides)),
                None => {
                    let walk = begin_walk(scan, column, &sides, &quantiles(&a, scan.request.bins));
                    Pending::Both(a, b, walk)
                }
            });
        }
        pending.push(of_column);
    }
    // A walk takes a while: on a thread of its own, beside the statements and the walks of the other lane.
    let walking = tokio::task::spawn_blocking(move || walked(pending));
    let (walked, used) = walking.await.map_err(ReadError::Thread)?;
    if is_plain(scan, 0) || is_plain(scan, 1) {
        room.columns = used;
    }
    let changed = |column: &Column, source| DriftError::Changed { column: column.name.clone(), source };
    let columns = columns.iter().zip(walked);
    columns.map(|(column, walked)| walked.map_err(|source| changed(column, source))).collect()
}

/// Each column of a side in ascending order.
fn ascending(mut values: Values, mut sorter: Sorter) -> (Values, Sorter) {
    values.iter_mut().flatten().for_each(|column| sorter.sort(column));
    (values, sorter)
}

/// Walks what is pending of each column; answers the values that were walked, too.
fn walked(pending: Vec<Vec<Pending>>) -> (WalkedColumns, Vec<Vec<f64>>) {
    let mut used = Vec::new();
    let mut walks = Vec::with_capacity(pending.len());
    for column in pending {
        walks.push(column.into_iter().map(|pending| pending.walk(&mut used)).collect());
    }
    (walks, used)
}

/// The sides of a segment of a column, with as many numbers as came where they were not counted before.
fn counted(column: &Column, sides: &[Side; 2], (a, b): (&[f64], &[f64])) -> Result<[Side; 2], DriftError> {
    let mut sides = sides.clone();
    if column.counted_later {
        let values = Rows { reference: a.len() as u64, current: b.len() as u64 };
        let Rows { reference, current } = came(column, &sides, values)?;
        (sides[0].numbers, sides[1].numbers) = (reference, current);
    }
    Ok(sides)
}

/// Values that are still to be walked.
enum Pending {
    /// Those of both sides, as one.
    Both(Vec<f64>, Vec<f64>, Walk),
    /// Those of the current side, against the points that are kept of the other one.
    Against(Vec<f64>, Merge),
}

impl Pending {
    fn walk(self, used: &mut Vec<Vec<f64>>) -> Result<Merged, SizesChanged> {
        match self {
            Self::Both(a, b, walk) => {
                let walked = walk.of_sorted(&a, &b);
                used.extend([a, b]);
                walked.map(Merged::exact)
            }
            Self::Against(values, merge) => {
                let walked = against(&values, merge);
                used.push(values);
                walked
            }
        }
    }
}

/// The values of one side, which has so many rows where it is whole, in ascending order or not; a column that it does not have is empty,
/// and so is every one that a profile stands for.
async fn values(
    scan: &Scan<'_>,
    columns: &[&Column],
    (side, rows): (usize, u64),
    room: &mut Room,
) -> Result<Values, DriftError> {
    let population = [&scan.request.reference, &scan.request.current][side];
    let stored = side == 0 && scan.request.baseline.is_some();
    let read = columns.iter().filter(|_| !stored);
    let asked: Vec<&PopulationColumn> = read.filter_map(|column| column.sides[side].as_ref()).collect();
    let mut values = if asked.is_empty() {
        vec![Vec::new(); scan.segment_count()]
    } else if is_plain(scan, side) {
        vec![plain(scan, &asked, (side, rows), room).await?]
    } else {
        let statement = populations::sorted(population, &asked, scan.segments);
        let empty = SortedRows::new(scan.segment_count(), asked.len());
        scan.readers[side].fold(&statement, "Native", empty).await?.values
    };
    for values in &mut values {
        let mut answered = std::mem::take(values).into_iter();
        values.extend(
            columns
                .iter()
                .map(|column| column.sides[side].as_ref().and_then(|_| answered.next()).unwrap_or_default()),
        );
    }
    Ok(values)
}

/// Whether the values of a side come as they lie in its file. Segments are gathered by the engine.
fn is_plain(scan: &Scan<'_>, side: usize) -> bool {
    [&scan.request.reference, &scan.request.current][side].is_in_file() && scan.segments.names.is_empty()
}

/// The values of these columns of one side, which has so many rows, in any order.
async fn plain(
    scan: &Scan<'_>,
    columns: &[&PopulationColumn],
    (side, rows): (usize, u64),
    room: &mut Room,
) -> Result<Vec<Vec<f64>>, DriftError> {
    let population = [&scan.request.reference, &scan.request.current][side];
    let held = usize::try_from(rows.min(VALUES_MAX)).unwrap_or_default();
    let place = |_: &&PopulationColumn| {
        let mut place = room.columns.pop().unwrap_or_default();
        place.clear();
        place.reserve(held);
        place
    };
    let empty = PlainRows::new(columns.iter().map(place).collect());
    let read = scan.readers[side].fold(&populations::plain(population, columns), "Native", empty).await?;
    if read.rows == rows {
        return Ok(read.values);
    }
    // Of the other side nothing is said.
    let sizes = |rows: u64| match side {
        0 => Sizes { a: rows, b: 0 },
        _ => Sizes { a: 0, b: rows },
    };
    let source = SizesChanged { announced: sizes(rows), came: sizes(read.rows) };
    Err(DriftError::Changed { column: columns[0].name.clone(), source })
}

/// Walks a sorted sample against the points that are kept of the other one.
fn against(values: &[f64], mut merge: Merge) -> Result<Merged, SizesChanged> {
    for equal in values.chunk_by(|x, y| x == y) {
        merge.push(ValueRow { segment: 0, value: equal[0], a: 0, b: equal.len() as u64 });
    }
    merge.finish()
}

/// Edges between `bins` bins of about equal counts of the finite values: quantiles of type 7, rounded as the engine's are.
#[expect(clippy::cast_sign_loss, reason = "positions are not below 1")]
fn quantiles(sorted: &[f64], bins: u32) -> Vec<f64> {
    let low = sorted.partition_point(|value| *value == f64::NEG_INFINITY);
    let high = sorted.partition_point(|value| *value < f64::INFINITY);
    let finite = &sorted[low..high];
    (0..=bins)
        .filter_map(|i| {
            let level = f64::from(i) / f64::from(bins);
            let position = level * finite.len().checked_sub(1)? as f64 + 1.0;
            let below = position as usize;
            match finite.get(below) {
                None => finite.last().copied(),
                Some(above) => {
                    let value = finite[below - 1];
                    Some(value + (position - below as f64) * (above - value))
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use windvane_stats::walk::{Sizes, Walk};
    use windvane_types::baseline::{MomentsProfile, NumberProfile, Point};

    use super::{Merge, against, quantiles};
    use crate::drift::stored;

    // Oracle: NumPy 2 `np.quantile([1, 2, 4, 8, 16], [0, 0.25, 0.5, 0.75, 1])`, `np.quantile([1, 2, 4], [0, 0.5, 1])`.
    #[test]
    fn edges_are_quantiles_of_the_finite_values() {
        assert_eq!(quantiles(&[1.0, 2.0, 4.0, 8.0, 16.0], 4), [1.0, 2.0, 4.0, 8.0, 16.0]);
        assert_eq!(quantiles(&[1.0, 2.0, 8.0, 9.0], 2), [1.0, 5.0, 9.0]);
        let infinite = [f64::NEG_INFINITY, 1.0, 2.0, 4.0, f64::INFINITY];
        assert_eq!(quantiles(&infinite, 2), [1.0, 2.0, 4.0]);
        assert!(quantiles(&[f64::INFINITY], 2).is_empty() && quantiles(&[], 2).is_empty());
    }

    // To the last bit: a value on an edge must fall on the same side of it.
    #[test]
    fn a_profile_of_all_values_gives_the_edges_of_the_values() {
        for n in [1, 2, 3, 7, 100, 997, 1_001] {
            let values: Vec<f64> = (0..n).map(|i| (f64::from(i / 2) + 0.1).sqrt() / 3.0).collect();
            let distinct = values.chunk_by(|x, y| x == y);
            let points: Vec<Point> =
                distinct.map(|equal| Point { value: equal[0], between: 0, at: equal.len() as u64 }).collect();
            let moments = MomentsProfile { shift: 0.0, mean: 0.0, m2: 0.0 };
            let profile = NumberProfile { below: 0, above: 0, moments, points };
            for bins in [1, 3, 10, 64] {
                assert_eq!(
                    stored::edges(&profile, bins),
                    quantiles(&values, bins),
                    "{n} values, {bins} bins"
                );
            }
        }
    }

    #[test]
    fn a_merge_loses_nothing() {
        let (a, b) = ([f64::NEG_INFINITY, -0.0, 1.0, 1.0], [0.0, 1.0, 2.0, f64::INFINITY, f64::INFINITY]);
        let walked = Walk::new(Sizes { a: 4, b: 5 }, Vec::new()).of_sorted(&a, &b).unwrap();
        assert_eq!(walked.distinct, 5);
        // F - G is 1/4 below all, 1/4 + 1/4 - 1/5 at nought, and 1 - 2/5 at one.
        assert!((walked.ks().statistic.unwrap() - 0.6).abs() < 1e-12);
        assert!(Walk::new(Sizes { a: 4, b: 4 }, Vec::new()).of_sorted(&a, &b).is_err());
    }

    #[test]
    fn kept_points_stand_for_the_values_of_a_side() {
        let b = [0.0, 0.5, 1.0, 1.0, 2.0, f64::INFINITY, f64::INFINITY];
        let sizes = Sizes { a: 4, b: 7 };
        let values =
            Walk::new(sizes, Vec::new()).of_sorted(&[f64::NEG_INFINITY, -0.0, 1.0, 1.0], &b).unwrap();
        let points = |between, at| NumberProfile {
            below: 1,
            above: 0,
            moments: MomentsProfile { shift: 0.0, mean: 2.0 / 3.0, m2: 2.0 / 3.0 },
            points: vec![Point { value: -0.0, between: 0, at: 1 }, Point { value: 1.0, between, at }],
        };
        let walked = |numbers| against(&b, Merge::new(&numbers, Walk::new(sizes, Vec::new()), 7)).unwrap();
        let exact = walked(points(0, 2));
        assert_eq!(exact.walked.ks().statistic, values.ks().statistic);
        assert_eq!((exact.walked.distinct, exact.error), (values.distinct, None));
        // One value of the four lies somewhere in a cell with one of the seven.
        assert_eq!(walked(points(1, 1)).error, Some(1.0 / 7.0));
        assert!(against(&b[1..], Merge::new(&points(0, 2), Walk::new(sizes, Vec::new()), 7)).is_err());
    }
}
