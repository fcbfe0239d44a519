//! What a panel needs of the columns that its statement answers with, and how many of the rows say anything.

use serde::Deserialize;
use serde_json::Value;
use windvane_dashboards::{Cells, Panel, Shape, Unit};

/// What a statement answered, as ClickHouse's `JSONCompact` has it.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub meta: Vec<Column>,
    pub rows: u64,
    pub data: Vec<Vec<Value>>,
}

/// A column with its type in ClickHouse's words.
#[derive(Debug, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
}

/// What Grafana makes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Time,
    Number,
    Text,
    Truth,
    Other,
}

impl Column {
    /// What Grafana makes of it.
    pub fn of_kind(&self) -> Kind {
        let mut inner = self.kind.as_str();
        for wrapper in ["LowCardinality(", "Nullable("] {
            if let Some(rest) = inner.strip_prefix(wrapper) {
                inner = rest.strip_suffix(')').unwrap_or(rest);
            }
        }
        let begins = |words: &[&str]| words.iter().any(|word| inner.starts_with(word));
        if begins(&["Date"]) {
            Kind::Time
        } else if begins(&["UInt", "Int", "Float", "Decimal"]) {
            Kind::Number
        } else if begins(&["String", "FixedString", "Enum", "UUID"]) {
            Kind::Text
        } else if inner == "Bool" {
            Kind::Truth
        } else {
            Kind::Other
        }
    }
}

/// Rows that say something, or what is wrong with the columns.
pub fn judged(panel: &Panel, answer: &Answer) -> Result<u64, String> {
    let kinds: Vec<Kind> = answer.meta.iter().map(Column::of_kind).collect();
    let words = panel.unit == Unit::Words;
    let (fits, needs) = match panel.shape {
        Shape::Lines | Shape::Stacked => {
            time_is_first(answer)?;
            (
                only(&kinds[1..], &[Kind::Text, Kind::Number]) && kinds.contains(&Kind::Number),
                "names and numbers",
            )
        }
        Shape::Timeline => {
            time_is_first(answer)?;
            let value = if words { Kind::Text } else { Kind::Number };
            let named = kinds.len() > 2 && only(&kinds[1..kinds.len() - 1], &[Kind::Text]);
            (
                named && kinds.last() == Some(&value),
                if words { "names and then words" } else { "names and then numbers" },
            )
        }
        Shape::Stat => (!kinds.is_empty() && only(&kinds, &[Kind::Number]), "numbers"),
        Shape::Bars => {
            let named = kinds.first() == Some(&Kind::Text);
            (named && kinds.len() > 1 && only(&kinds[1..], &[Kind::Number]), "a name and then numbers")
        }
        Shape::Table => {
            (!kinds.is_empty() && !kinds.contains(&Kind::Other), "times, numbers, words and truths")
        }
    };
    if !fits {
        let told: Vec<String> =
            answer.meta.iter().map(|column| format!("`{}` {}", column.name, column.kind)).collect();
        return Err(format!("the columns are {}, and a panel of this kind needs {needs}", told.join(", ")));
    }
    fits_overrides(panel, answer)?;
    let values: Vec<usize> = (0..kinds.len())
        .filter(|&i| match panel.shape {
            Shape::Table => true,
            Shape::Timeline => i + 1 == kinds.len(),
            _ => kinds[i] == Kind::Number,
        })
        .collect();
    let says = |row: &&Vec<Value>| {
        values.iter().any(|&i| row.get(i).is_some_and(|value| !value.is_null() && value != ""))
    };
    Ok(answer.data.iter().filter(says).map(|_| 1_u64).sum())
}

fn only(kinds: &[Kind], allowed: &[Kind]) -> bool {
    kinds.iter().all(|kind| allowed.contains(kind))
}

/// Units and colours of single columns are for columns that are there and that can have them.
fn fits_overrides(panel: &Panel, answer: &Answer) -> Result<(), String> {
    let units = panel.columns.iter().map(|(name, unit)| (*name, *unit == Unit::Words));
    let cells = panel.cells.iter().map(|(name, by)| (*name, *by == Cells::Words));
    for (name, words) in units.chain(cells) {
        let needed = if words { Kind::Text } else { Kind::Number };
        match answer.meta.iter().find(|column| column.name == name) {
            None => return Err(format!("there is no column `{name}` to show as the panel says")),
            Some(column) if column.of_kind() != needed => {
                let needs = if words { "words" } else { "numbers" };
                return Err(format!("`{name}` is {}, and how it is shown is for {needs}", column.kind));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Grafana draws over time what begins with a time.
pub fn time_is_first(answer: &Answer) -> Result<u64, String> {
    match answer.meta.first() {
        None => Err("there are no columns".to_owned()),
        Some(first) if first.of_kind() == Kind::Time && first.name == "time" => Ok(answer.rows),
        Some(first) => Err(format!("the first column is `{}`, {}, and not a time", first.name, first.kind)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(columns: &[(&str, &str)], data: Value) -> Answer {
        let data: Vec<Vec<Value>> = serde_json::from_value(data).unwrap();
        let column =
            |(name, kind): &(&str, &str)| Column { name: (*name).to_owned(), kind: (*kind).to_owned() };
        Answer { meta: columns.iter().map(column).collect(), rows: u64::try_from(data.len()).unwrap(), data }
    }

    const TIME: (&str, &str) = ("time", "DateTime64(6, 'UTC')");
    const NAME: (&str, &str) = ("model", "LowCardinality(Nullable(String))");
    const NUMBER: (&str, &str) = ("n", "Nullable(Float64)");

    #[test]
    fn each_kind_of_panel_takes_the_columns_that_it_draws() {
        for (shape, unit, columns, fits) in [
            (Shape::Lines, Unit::Count, &[TIME, NAME, NUMBER][..], true),
            (Shape::Lines, Unit::Count, &[TIME, NUMBER], true),
            (Shape::Lines, Unit::Count, &[NUMBER, TIME], false),
            (Shape::Lines, Unit::Count, &[TIME, NAME], false),
            (Shape::Lines, Unit::Count, &[TIME, NUMBER, ("pair", "Array(String)")], false),
            (Shape::Stacked, Unit::Count, &[("at", TIME.1), NUMBER], false),
            (Shape::Stat, Unit::Count, &[NUMBER], true),
            (Shape::Stat, Unit::Count, &[NAME], false),
            (Shape::Bars, Unit::Count, &[NAME, NUMBER], true),
            (Shape::Bars, Unit::Count, &[NUMBER, NUMBER], false),
            (Shape::Bars, Unit::Count, &[NAME, NAME], false),
            (Shape::Timeline, Unit::Words, &[TIME, NAME, ("state", "String")], true),
            (Shape::Timeline, Unit::Words, &[TIME, NAME, NUMBER], false),
            (Shape::Timeline, Unit::Number, &[TIME, NAME, NUMBER], true),
            (Shape::Timeline, Unit::Number, &[TIME, NUMBER], false),
            (Shape::Table, Unit::Count, &[NAME, NUMBER, ("drifted", "Bool")], true),
            (Shape::Table, Unit::Count, &[NAME, ("labels", "Map(String, String)")], false),
        ] {
            let panel = Panel::new(shape, unit, "a");
            let judged = judged(&panel, &answer(columns, json!([])));
            assert_eq!(judged.is_ok(), fits, "{shape:?} {columns:?} {judged:?}");
        }
    }

    #[test]
    fn rows_that_say_nothing_are_not_counted() {
        let stat = Panel::new(Shape::Stat, Unit::Count, "a");
        assert_eq!(judged(&stat, &answer(&[NUMBER], json!([[null]]))), Ok(0));
        assert_eq!(judged(&stat, &answer(&[NUMBER], json!([[0]]))), Ok(1));
        let lines = Panel::new(Shape::Lines, Unit::Count, "a");
        let rows = json!([["2026-01-01", "m", null], ["2026-01-02", "m", 0.5]]);
        assert_eq!(judged(&lines, &answer(&[TIME, NAME, NUMBER], rows)), Ok(1));
        let words = Panel::new(Shape::Timeline, Unit::Words, "a");
        let rows = json!([["2026-01-01", "m", ""], ["2026-01-02", "m", "pass"]]);
        assert_eq!(judged(&words, &answer(&[TIME, NAME, ("state", "String")], rows)), Ok(1));
    }

    #[test]
    fn units_and_colours_are_for_columns_that_can_have_them() {
        let told = |panel: Panel| judged(&panel, &answer(&[NAME, NUMBER], json!([]))).unwrap_err();
        let table = Panel::new(Shape::Table, Unit::Count, "a");
        let absent = Panel { columns: &[("rows", Unit::Bytes)], ..table.clone() };
        assert_eq!(told(absent), "there is no column `rows` to show as the panel says");
        let worded = Panel { cells: &[("n", Cells::Words)], ..table.clone() };
        assert_eq!(told(worded), "`n` is Nullable(Float64), and how it is shown is for words");
        let timed = Panel { columns: &[("model", Unit::Time)], ..table };
        assert!(told(timed).ends_with("is for numbers"));
    }
}
