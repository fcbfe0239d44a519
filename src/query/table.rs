//! An answer of ClickHouse as a table for people.

use anyhow::Context;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets};
use windvane_types::counting::form;

/// The format that the table is made of: names, types, then rows, each a JSON array of texts.
pub const FORMAT: &str = "JSONCompactStringsEachRowWithNamesAndTypes";

/// The table, with a line that counts the rows; nothing for a statement without columns.
///
/// # Errors
/// The answer is not in [`FORMAT`].
pub fn render(answer: &[u8]) -> anyhow::Result<String> {
    let mut lines = serde_json::Deserializer::from_slice(answer).into_iter::<Vec<String>>();
    let (Some(names), Some(types)) = (lines.next().transpose()?, lines.next().transpose()?) else {
        return Ok(String::new());
    };
    let rows = lines.collect::<Result<Vec<_>, _>>().context("ClickHouse answered in another format")?;
    let count = rows.len();
    let mut table = Table::new();
    let style = presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(names).add_rows(rows);
    for (index, name) in types.iter().enumerate() {
        if let Some(column) = table.column_mut(index).filter(|_| is_number(name)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Ok(format!("{table}\n{count} {}\n", form(count as u64, "row", "rows")))
}

/// Whether values of this ClickHouse type are read from the right.
fn is_number(type_name: &str) -> bool {
    let inner = type_name.trim_start_matches("LowCardinality(").trim_start_matches("Nullable(");
    ["Int", "UInt", "Float", "Decimal", "BFloat"].iter().any(|prefix| inner.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_a_table_with_numbers_to_the_right() {
        let answer =
            "[\"model\", \"n\"]\n[\"String\", \"UInt64\"]\n[\"delay\", \"12\"]\n[\"fraud\", \"3\"]\n";
        let table = render(answer.as_bytes()).unwrap();
        let lines: Vec<&str> = table.lines().map(str::trim).collect();
        assert!(lines.contains(&"delay   12"), "{table}");
        assert!(lines.contains(&"fraud    3"), "{table}");
        assert!(table.ends_with("2 rows\n"), "{table}");
    }

    #[test]
    fn a_statement_without_columns_prints_nothing() {
        assert_eq!(render(b"").unwrap(), "");
    }
}
