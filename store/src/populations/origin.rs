//! What stands after FROM: a table, a subquery, or a file with the columns that a statement reads.
//!
//! A file that is read in place is described to the engine with these columns alone. Left to itself it would look at all of them
//! once more for every statement: of a file with a thousand columns that is most of the work.

use std::collections::BTreeMap;

use super::{PopulationColumn, quote, quote_identifier};

/// What a file that is read in place is called in statements: its columns are named with it, so that one called `rows` or `value`
/// is not taken for what a statement names so.
pub(super) const FILE: &str = "windvane_file";

/// Where the rows come from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// A table or a subquery.
    Table(String),
    /// A file: the table function, and the types of its columns by name.
    File { function: String, types: BTreeMap<String, String> },
}

impl Origin {
    /// The expression for a statement that reads these columns, and cuts segments by those names.
    pub(super) fn read(&self, columns: &[&PopulationColumn], segments: &[String]) -> String {
        match self {
            Self::Table(table) => table.clone(),
            Self::File { function, types } => {
                let mut names: Vec<&String> =
                    columns.iter().map(|column| &column.name).chain(segments).collect();
                names.sort_unstable();
                names.dedup();
                let structure: Vec<String> = names
                    .into_iter()
                    .filter_map(|name| Some(format!("{} {}", quote_identifier(name), types.get(name)?)))
                    .collect();
                match structure.as_slice() {
                    // Rows alone: the engine knows how many there are.
                    [] => format!("{function} AS {FILE}"),
                    structure => described(function, structure),
                }
            }
        }
    }

    /// The expression for a statement that reads these columns of a file, where the `complete` ones have a value in every row. `None`
    /// where this is no file, or has no such column.
    pub(super) fn read_complete(&self, complete: &[&str], others: &[&str]) -> Option<String> {
        let Self::File { function, types } = self else { return None };
        let complete = complete.iter().map(|name| Some((name, self.type_of(name)?)));
        let others = others.iter().map(|name| Some((name, types.get(*name)?.as_str())));
        let column = |(name, of): (&&str, &str)| format!("{} {of}", quote_identifier(name));
        let structure: Option<Vec<String>> = complete.chain(others).map(|found| found.map(column)).collect();
        Some(described(function, &structure?))
    }

    /// The type of the values of a column of a file, nulls aside, by ClickHouse's name. A column that the file says to have none is not
    /// nullable to begin with.
    pub(super) fn type_of(&self, name: &str) -> Option<&str> {
        let Self::File { types, .. } = self else { return None };
        let declared = types.get(name)?;
        let of_values = declared.strip_prefix("Nullable(").and_then(|inner| inner.strip_suffix(')'));
        Some(of_values.unwrap_or(declared))
    }

    /// The expression for a statement about the footer of a Parquet file; `None` where this is none.
    pub(super) fn footer(&self) -> Option<String> {
        let Self::File { function, .. } = self else { return None };
        Some(format!("{}'ParquetMetadata')", function.strip_suffix("'Parquet')")?))
    }
}

fn described(function: &str, structure: &[String]) -> String {
    let open = function.strip_suffix(')').unwrap_or(function);
    format!("{open}, {}) AS {FILE}", quote(&structure.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn a_file_is_described_without_nulls_where_it_has_none() {
        let types = [("x", "Nullable(Float64)"), ("it's", "Nullable(Decimal(9, 2))"), ("required", "Int64")];
        let types = types.map(|(name, of)| (name.to_owned(), of.to_owned())).into();
        let file = Origin::File { function: "file('/a.parquet', 'Parquet')".to_owned(), types };
        assert_eq!(
            file.read_complete(&["it's", "required"], &["x"]).unwrap(),
            r"file('/a.parquet', 'Parquet', '`it\'s` Decimal(9, 2), `required` Int64, `x` Nullable(Float64)') AS windvane_file"
        );
        assert_eq!((file.read_complete(&["x", "y"], &[]), file.read_complete(&["x"], &["y"])), (None, None));
        assert_eq!(file.footer().unwrap(), "file('/a.parquet', 'ParquetMetadata')");
        let table = Origin::Table("t".to_owned());
        assert_eq!(
            (table.read_complete(&["x"], &[]), table.footer(), table.type_of("x")),
            (None, None, None)
        );
    }
}
