//! The categories of several columns of both populations, counted in one reading of each side.
//!
//! Predictions keep their features in one map, so a statement a column would read all features once for every one of them. The
//! engine groups the same rows by each column beside the others, and an answer says which column it is of. What that may take is
//! bounded: a column of more categories than fit beside others makes the statement fail early, and is counted alone.

use serde::Deserialize;

use super::{CountedColumn, Pair, Population, PopulationColumn, SegmentKeys};
use crate::{ReadError, Statement};

/// Columns that one statement counts.
pub const CATEGORY_COLUMNS_MAX: usize = 8;

/// Categories of a column, of all segments together, up to which it is counted beside others. The engine looks at it after each
/// block of 65,409 rows, so that a group in each of two threads holds less than 100,000 of them: 8 × 2 × 100,000 × 130 B = 208 MB.
const CATEGORIES_TOGETHER_MAX: u32 = 32_768;

/// ClickHouse's code for more groups than `max_rows_to_group_by`.
const TOO_MANY_ROWS: i32 = 158;

/// A column whose categories are counted.
#[derive(Debug, Clone, Copy)]
pub struct CategoryColumn<'a> {
    /// How each side reads it, the reference first; `None` where a side does not have it.
    pub sides: [Option<&'a PopulationColumn>; 2],
    /// Reads `True` as `true`.
    pub fold_case: bool,
}

/// Categories of a column that occur equally often on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CategoryRow {
    /// The place of the column among those asked for.
    pub column: u32,
    /// The number of the segment.
    pub segment: u32,
    /// Occurrences in the reference.
    pub a: u64,
    /// Occurrences in the current population.
    pub b: u64,
    /// How many categories these are.
    pub times: u64,
    /// The first of them.
    #[serde(rename = "first")]
    pub category: String,
    /// Whether they are booleans: 0 where each is `true` or `false`, 1 where some are in another case, 2 where some are none.
    pub spelling: u8,
}

/// Whether these categories, all those of a column, are booleans of which some are in another case than `true` and `false`: read as they
/// are told, `True` and `true` are two.
#[must_use]
pub fn are_booleans_in_any_case(rows: &[CategoryRow]) -> bool {
    rows.iter().map(|row| row.spelling).max() == Some(1)
}

/// The categories of these columns, at least one and at most [`CATEGORY_COLUMNS_MAX`] of them. Several columns may have too many to
/// be counted together ([`too_many_categories`]); a column alone may have any number.
#[must_use]
pub fn categories(pair: Pair<'_>, columns: &[CategoryColumn<'_>], segments: &SegmentKeys) -> Statement {
    let each = |of: &dyn Fn(usize) -> String| (0..columns.len()).map(of).collect::<Vec<String>>().join(", ");
    let whole = segments.names.is_empty();
    let side = |population: &Population, side: usize| {
        let texts = each(&|i| format!("{} AS category_{i}", columns[i].text(side)));
        let read: Vec<&PopulationColumn> = columns.iter().filter_map(|column| column.sides[side]).collect();
        let from = population.from.read(&read, &segments.names);
        let segment = match (whole, population.without_columns) {
            (true, _) => String::new(),
            (false, true) => "toUInt32(0) AS segment, ".to_owned(),
            (false, false) => format!("{} AS segment, ", segments.number(population)),
        };
        format!("SELECT {segment}{texts}, {} AS a, {side} AS b FROM {from}", 1 - side)
    };
    // A second key, also a constant one, doubles what a group costs.
    let (key, answered, within) = match whole {
        true => ("", "toUInt32(0) AS segment", String::new()),
        false => ("segment, ", "segment", format!(" WHERE segment < {}", segments.count())),
    };
    // A group is of one column: in it all others are NULL, and so is its own where values are missing.
    let statement = Statement::new(format!(
        "SELECT column, {answered}, a, b, count() AS times, min(category) AS first, max(multiIf(category IN ('true', 'false'), 0, \
         lower(category) IN ('true', 'false'), 1, 2)) AS spelling FROM (\
         SELECT {key}toUInt32(multiIf({}, {count})) AS column, ifNull(coalesce({}), '') AS category, sum(a) AS a, sum(b) AS b \
         FROM ({} UNION ALL {}){within} GROUP BY GROUPING SETS ({})) \
         WHERE column < {count} GROUP BY column, {key}a, b ORDER BY column, {key}a, b",
        each(&|i| format!("isNotNull(category_{i}), {i}")),
        each(&|i| format!("category_{i}")),
        side(pair.reference, 0),
        side(pair.current, 1),
        each(&|i| format!("({key}category_{i})")),
        count = columns.len(),
    ));
    let statement = bounded(statement, columns.len());
    match pair.reference.is_in_file() && pair.current.is_in_file() {
        // The engine of one command would compile the aggregates for this statement alone: 25 ms that no number of rows gives back.
        true => statement.setting("compile_aggregate_expressions", 0),
        false => statement,
    }
}

/// The statement with a bound on the categories of each of its columns, where they are several.
pub(super) fn bounded(statement: Statement, columns: usize) -> Statement {
    match columns {
        1 => statement,
        _ => statement
            .setting("max_rows_to_group_by", CATEGORIES_TOGETHER_MAX)
            .setting("group_by_overflow_mode", "throw"),
    }
}

/// Whether [`categories`] or [`counts`](super::counts()) failed because one of several columns has too many: fewer of them may do.
#[must_use]
pub fn too_many_categories(error: &ReadError) -> bool {
    error.code() == Some(TOO_MANY_ROWS)
}

impl CategoryColumn<'_> {
    /// The expression of the values on one side, as nullable String.
    fn text(&self, side: usize) -> String {
        CountedColumn { column: self.sides[side], fold_case: self.fold_case }.text()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, Storage};
    use super::*;
    use crate::populations::Sql;

    #[test]
    fn only_a_server_compiles_aggregates() {
        let columns =
            vec![PopulationColumn { name: "c".to_owned(), storage: Storage::Text(Sql("c".to_owned())) }];
        let stored = Population::of_sql("rows".to_owned(), "t".to_owned(), columns);
        let mut file = stored.clone();
        let types = [("c".to_owned(), "Nullable(String)".to_owned())].into();
        file.from = Origin::File { function: "file('/a.parquet', 'Parquet')".to_owned(), types };
        let compiles = |reference: &Population| {
            let asked = CategoryColumn { sides: [reference.column("c"); 2], fold_case: false };
            let pair = Pair { reference, current: reference };
            let statement = categories(pair, &[asked], &SegmentKeys::default());
            !statement.settings().any(|(name, value)| (name, value) == ("compile_aggregate_expressions", "0"))
        };
        assert!(compiles(&stored) && !compiles(&file));
    }

    #[test]
    fn booleans_are_told_by_every_category() {
        let row = |spelling| CategoryRow {
            column: 0,
            segment: 0,
            a: 1,
            b: 1,
            times: 1,
            category: "true".to_owned(),
            spelling,
        };
        let cases: [(&[u8], bool); 4] =
            [(&[0, 1], true), (&[0, 0], false), (&[0, 1, 2], false), (&[], false)];
        for (spellings, expected) in cases {
            let rows: Vec<CategoryRow> = spellings.iter().copied().map(row).collect();
            assert_eq!(are_booleans_in_any_case(&rows), expected, "{spellings:?}");
        }
    }
}
