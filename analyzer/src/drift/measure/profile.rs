//! What is known of each column before its values are read: how many there are, and edges where they will come row by row.
//!
//! Most of it was counted when the kinds of columns were looked for, or is kept by a baseline; a side is read again only for the rest.

use windvane_stats::walk::{Sizes, SizesChanged};
use windvane_store::Real;
use windvane_store::populations::{
    self, Detail, Population, PopulationColumn, ProfileRow, ProfiledColumn, Question,
};
use windvane_types::baseline;
use windvane_types::drift::Kind;

use super::{Column, DriftError, Rows, Scan, Side};
use crate::drift::stored;

/// What is known of one side of one segment before its values are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Profile {
    pub(super) rows: u64,
    columns: Vec<Option<ProfiledColumn>>,
}

impl Profile {
    /// What it says of a column, by its place among those asked for.
    pub(super) fn side(&self, column: usize) -> Side {
        let rows = self.rows;
        match self.columns.get(column).and_then(Option::as_ref) {
            None => Side { rows, ..Side::default() },
            Some(profiled) => Side {
                rows,
                numbers: profiled.numbers,
                texts: profiled.texts,
                distinct: profiled.distinct,
                low: profiled.low.0,
                high: profiled.high.0,
                skewness: profiled.skewness.0,
                edges: profiled.quantiles.iter().map(|edge| edge.0).collect(),
            },
        }
    }
}

/// The profiles of one side, one a segment, with one entry a column asked for.
pub(super) async fn profiles(
    scan: &Scan<'_>,
    columns: &[Column],
    side: usize,
) -> Result<Vec<Profile>, DriftError> {
    let population: &Population = [&scan.request.reference, &scan.request.current][side];
    if let (0, Some(stored)) = (side, &scan.request.baseline) {
        return Ok(vec![of_stored(stored, columns, scan.request.bins)]);
    }
    let mut profiles = vec![Profile::default(); scan.segment_count()];
    let asked: Vec<&PopulationColumn> =
        columns.iter().filter_map(|column| column.sides[side].as_ref()).collect();
    if asked.is_empty() {
        return Ok(profiles);
    }
    // What is sorted as arrays is its own source of edges, and never grouped.
    let by_rows = |column: &&Column| column.kind == Kind::Numeric && !scan.sorts_arrays(column);
    let binned = columns.iter().filter(by_rows).any(|column| column.methods.iter().any(|m| m.is_binned()));
    let levels: Vec<f64> = match (side, binned) {
        (0, true) => (0..=scan.request.bins).map(|i| f64::from(i) / f64::from(scan.request.bins)).collect(),
        _ => Vec::new(),
    };
    let question = Question {
        columns: &asked,
        segments: scan.segments,
        quantiles: &levels,
        detail: match scan.request.rule.compat {
            Some(_) => Detail::Shape,
            None if columns.iter().any(|column| by_rows(&column)) => Detail::Distinct,
            None => Detail::Counts,
        },
    };
    if question.detail == Detail::Counts && scan.segments.names.is_empty() {
        let rows = [scan.rows.reference, scan.rows.current][side];
        if let Some(counted) = counted(columns, side, rows) {
            return Ok(vec![counted]);
        }
    }
    let rows: Vec<ProfileRow> = scan.readers[side].rows(&populations::profile(population, question)).await?;
    for row in rows {
        let Some(profile) = profiles.get_mut(row.segment as usize) else { continue };
        let mut answered = row.columns.into_iter();
        profile.rows = row.rows;
        profile.columns =
            columns.iter().map(|column| column.sides[side].as_ref().and_then(|_| answered.next())).collect();
    }
    Ok(profiles)
}

/// The profile of a whole side, where each of its columns was counted when its kind was looked for, or will be when its values are read:
/// no reading for it alone then.
fn counted(columns: &[Column], side: usize, rows: u64) -> Option<Profile> {
    let columns = columns.iter().map(|column| match (&column.sides[side], &column.counted[side]) {
        (None, _) => Some(None),
        (Some(_), None) if column.counted_later => Some(None),
        (Some(_), counted) => counted.clone().map(Some),
    });
    Some(Profile { rows, columns: columns.collect::<Option<_>>()? })
}

/// The values that came of a column whose values were not counted before they were read: no more of them than there are rows.
pub(super) fn came(
    column: &Column,
    [reference, current]: &[Side; 2],
    values: Rows,
) -> Result<Rows, DriftError> {
    if values.reference <= reference.rows && values.current <= current.rows {
        return Ok(values);
    }
    let source = SizesChanged {
        announced: Sizes { a: reference.rows, b: current.rows },
        came: Sizes { a: values.reference, b: values.current },
    };
    Err(DriftError::Changed { column: column.name.clone(), source })
}

/// The profile of a baseline in the shape of one that was read.
fn of_stored(stored: &baseline::Profile, columns: &[Column], bins: u32) -> Profile {
    let unknown = Real(f64::NAN);
    let of = |kept: &baseline::ColumnProfile| ProfiledColumn {
        texts: kept.values,
        numbers: kept.values,
        times: 0,
        booleans: 0,
        distinct: 0,
        low: unknown,
        high: unknown,
        skewness: unknown,
        quantiles: kept
            .numbers
            .as_ref()
            .map(|numbers| stored::edges(numbers, bins).into_iter().map(Real).collect())
            .unwrap_or_default(),
    };
    Profile {
        rows: stored.rows,
        columns: columns.iter().map(|column| stored.column(&column.name).map(of)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use windvane_store::populations::{Sql, Storage};

    use super::*;

    fn column(sides: [bool; 2], counted: [Option<u64>; 2]) -> Column {
        let of = |numbers| ProfiledColumn {
            texts: numbers,
            numbers,
            times: 0,
            booleans: 0,
            distinct: 0,
            low: Real(f64::NAN),
            high: Real(f64::NAN),
            skewness: Real(f64::NAN),
            quantiles: Vec::new(),
        };
        let read = || PopulationColumn { name: "x".to_owned(), storage: Storage::Number(Sql::nothing()) };
        Column {
            name: "x".to_owned(),
            kind: Kind::Numeric,
            methods: Vec::new(),
            sides: sides.map(|has| has.then(read)),
            fold_case: false,
            width: 0,
            counted: counted.map(|numbers| numbers.map(of)),
            counted_later: false,
        }
    }

    #[test]
    fn no_more_values_come_than_there_are_rows() {
        let column = column([true, true], [None, None]);
        let side = |rows| Side { rows, ..Side::default() };
        let values = Rows { reference: 3, current: 2 };
        assert_eq!(came(&column, &[side(3), side(2)], values).unwrap(), values);
        for rows in [[2, 2], [3, 1]] {
            let error = came(&column, &rows.map(side), values).unwrap_err();
            assert!(matches!(error, DriftError::Changed { .. }), "{error}");
        }
    }

    #[test]
    fn what_was_counted_of_every_column_is_not_counted_again() {
        let columns = [column([true, true], [Some(7), None]), column([false, true], [None, Some(3)])];
        let profile = counted(&columns, 0, 9).unwrap();
        assert_eq!((profile.side(0).rows, profile.side(0).numbers), (9, 7));
        assert_eq!((profile.side(1).rows, profile.side(1).numbers), (9, 0), "this side lacks it");
        assert!(counted(&columns, 1, 9).is_none(), "nothing was counted of one that this side has");
        let later = columns.map(|column| Column { counted_later: true, ..column });
        let profile = counted(&later, 1, 9).unwrap();
        assert_eq!((profile.side(0).rows, profile.side(0).numbers), (9, 0), "its values say it");
        assert_eq!(profile.side(1).numbers, 3);
    }
}
