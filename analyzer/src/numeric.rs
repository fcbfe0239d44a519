//! Which columns hold numbers: by their type, and of a CSV file, which has no types, by their values.

use windvane_store::populations::{self, NumbersRow, Population, PopulationColumn, Storage};
use windvane_store::{ReadError, Reader};

/// Columns of a CSV file that are looked at.
const UNDECIDED_MAX: usize = 200;

/// Those of some columns of a population that hold numbers, however few different ones, and nothing else but missing values.
pub(crate) async fn numeric<'a>(
    reader: &Reader,
    population: &Population,
    columns: &[&'a PopulationColumn],
) -> Result<Vec<&'a PopulationColumn>, ReadError> {
    let undecided = |column: &&PopulationColumn| matches!(column.storage, Storage::Undecided(_));
    let asked: Vec<&PopulationColumn> =
        columns.iter().copied().filter(undecided).take(UNDECIDED_MAX).collect();
    let rows: Vec<NumbersRow> = match asked.as_slice() {
        [] => Vec::new(),
        asked => reader.rows(&populations::hold_numbers(population, asked)).await?,
    };
    let are = rows.first().map(|row| row.are.as_slice()).unwrap_or_default();
    let found: Vec<&str> =
        asked.iter().zip(are).filter(|(_, is)| **is == 1).map(|(column, _)| column.name.as_str()).collect();
    let is_numeric = |column: &&PopulationColumn| {
        matches!(column.storage, Storage::Number(_)) || found.contains(&column.name.as_str())
    };
    Ok(columns.iter().copied().filter(is_numeric).collect())
}
