//! Categorical columns: the engine counts several of them at once, on both sides; here the counts meet the kernels.

use windvane_stats::cells::{Cell, Cells as Counts};
use windvane_store::ReadError;
use windvane_store::populations::{self, CategoryColumn, CategoryRow, CountRows, CountedColumn, Pair};
use windvane_types::drift::Change;

use super::profile::came;
use super::{Column, DriftError, MeasuredColumn, Rows, Scan, Side, distribution, kernels};
use crate::drift::stored::Cells;

/// The counted categories of these columns, at most as many as one statement counts: one entry a column. A stored profile has those
/// of the reference of all of them, or of none.
///
/// Where one of them has too many to be counted beside others, each half is counted by itself: at most twice as many statements
/// as there are columns, of which those that fail end early.
pub(super) async fn count(scan: &Scan<'_>, columns: &[&Column]) -> Result<Vec<Vec<CategoryRow>>, DriftError> {
    let mut counted = vec![Vec::new(); columns.len()];
    let mut waiting = vec![(0, columns)];
    while let Some((first, columns)) = waiting.pop() {
        let kept = columns.iter().all(|column| scan.categories(column).is_some());
        let answer = if kept { merged(scan, columns).await } else { both(scan, columns).await };
        match answer {
            Ok(rows) => {
                for (place, rows) in counted[first..].iter_mut().zip(rows) {
                    *place = rows;
                }
            }
            Err(error) if columns.len() > 1 && populations::too_many_categories(&error) => {
                let (a, b) = columns.split_at(columns.len() / 2);
                waiting.extend([(first, a), (first + a.len(), b)]);
            }
            Err(error) => return Err(error.into()),
        }
    }
    // That all of them are booleans is known only now.
    for (rows, column) in counted.iter_mut().zip(columns) {
        if column.counted_later && populations::are_booleans_in_any_case(rows) {
            let folded = Column { fold_case: true, ..(*column).clone() };
            *rows = both(scan, &[&folded]).await?.into_iter().flatten().collect();
        }
    }
    Ok(counted)
}

/// The categories of both sides.
async fn both(scan: &Scan<'_>, columns: &[&Column]) -> Result<Vec<Vec<CategoryRow>>, ReadError> {
    let pair = Pair { reference: &scan.request.reference, current: &scan.request.current };
    let asked: Vec<CategoryColumn<'_>> = columns
        .iter()
        .map(|column| CategoryColumn {
            sides: [column.sides[0].as_ref(), column.sides[1].as_ref()],
            fold_case: column.fold_case,
        })
        .collect();
    let mut counted = vec![Vec::new(); columns.len()];
    for row in scan.reader.rows::<CategoryRow>(&populations::categories(pair, &asked, scan.segments)).await? {
        counted[row.column as usize].push(row);
    }
    Ok(counted)
}

/// The categories that are kept of the reference, with the counts of the current population.
async fn merged(scan: &Scan<'_>, columns: &[&Column]) -> Result<Vec<Vec<CategoryRow>>, ReadError> {
    let cells = |column: &Column| Cells::new(scan.categories(column).unwrap_or_default(), column.fold_case);
    let mut kept: Vec<Cells> = columns.iter().map(|column| cells(column)).collect();
    // An empty population has no columns to read.
    if columns.iter().any(|column| column.sides[1].is_some()) {
        let asked: Vec<CountedColumn<'_>> = columns
            .iter()
            .map(|column| CountedColumn { column: column.sides[1].as_ref(), fold_case: column.fold_case })
            .collect();
        let statement = populations::counts(&scan.request.current, &asked);
        kept = scan.reader.fold(&statement, "RowBinary", CountRows::new(kept)).await?.sinks;
    }
    Ok(kept.into_iter().map(Cells::finish).collect())
}

/// Measures a column, with its categories as they were counted on both sides.
pub(super) fn measure(
    scan: &Scan<'_>,
    column: &Column,
    (sides, rows): (&[[Side; 2]], &[CategoryRow]),
) -> Result<Vec<MeasuredColumn>, DriftError> {
    sides
        .iter()
        .enumerate()
        .map(|(segment, sides)| {
            let [reference, current] = sides;
            let rows: Vec<&CategoryRow> = rows.iter().filter(|row| row.segment as usize == segment).collect();
            let values = match column.counted_later {
                true => {
                    let sum = |of: fn(&CategoryRow) -> u64| -> u64 {
                        rows.iter().map(|row| of(row) * row.times).sum()
                    };
                    came(column, sides, Rows { reference: sum(|row| row.a), current: sum(|row| row.b) })?
                }
                false => Rows { reference: reference.texts, current: current.texts },
            };
            let missing =
                Rows { reference: reference.rows - values.reference, current: current.rows - values.current };
            let shown = kernels::Categories {
                cells: cells(&rows),
                by_name: cells(&by_name(&rows)),
                values,
                missing,
                seed: scan.request.seed,
                alpha: scan.request.rule.alpha,
                compat: scan.request.rule.compat,
            };
            Ok(MeasuredColumn {
                name: column.name.clone(),
                kind: column.kind,
                values,
                missing,
                methods: column.methods.iter().map(|method| shown.measure(*method)).collect(),
                location: None,
                ks_error: None,
                largest_change: largest_change(&rows, values, missing),
                embedding: None,
                text: None,
                distribution: scan.segments.names.is_empty().then(|| distribution::of_categories(&rows)),
            })
        })
        .collect()
}

fn cells(rows: &[&CategoryRow]) -> Counts {
    rows.iter().map(|row| Cell { a: row.a, b: row.b, times: row.times }).collect()
}

/// Two categories in the order of their names; any other number of them as they came, by their counts.
fn by_name<'a>(rows: &[&'a CategoryRow]) -> Vec<&'a CategoryRow> {
    match *rows {
        [one, two] if two.category < one.category => vec![two, one],
        _ => rows.to_vec(),
    }
}

fn largest_change(rows: &[&CategoryRow], values: Rows, missing: Rows) -> Option<Change> {
    let (n, m) = (values.reference + missing.reference, values.current + missing.current);
    if n == 0 || m == 0 {
        return None;
    }
    let change = |category: Option<&String>, a: u64, b: u64| Change {
        category: category.cloned(),
        share_reference: a as f64 / n as f64,
        share_current: b as f64 / m as f64,
    };
    let gap = |change: &Change| (change.share_current - change.share_reference).abs();
    rows.iter()
        .map(|row| change(Some(&row.category), row.a, row.b))
        .chain(std::iter::once(change(None, missing.reference, missing.current)))
        .filter(|change| gap(change) > 0.0)
        .max_by(|a, b| gap(a).total_cmp(&gap(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(category: &str, a: u64, b: u64) -> CategoryRow {
        CategoryRow { column: 0, segment: 0, a, b, times: 1, category: category.to_owned(), spelling: 2 }
    }

    // The engine answers by counts, so that the rarer category comes first, whichever that is.
    #[test]
    fn the_first_of_two_categories_is_told_by_its_name() {
        let (right, wrong) = (row("right", 126, 121), row("wrong", 10, 16));
        let counts = |rows: &[&CategoryRow]| -> Vec<Cell> { cells(&by_name(rows)).as_slice().to_vec() };
        let expected = vec![Cell::new(126, 121), Cell::new(10, 16)];
        assert_eq!(counts(&[&wrong, &right]), expected);
        assert_eq!(counts(&[&right, &wrong]), expected);
        assert_eq!(counts(&[&wrong]), [Cell::new(10, 16)]);
    }
}
