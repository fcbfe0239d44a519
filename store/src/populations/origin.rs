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
                    structure => {
                        let open = function.strip_suffix(')').unwrap_or(function);
                        format!("{open}, {}) AS {FILE}", quote(&structure.join(", ")))
                    }
                }
            }
        }
    }
}
