//! Expectations as TOML.

use std::collections::BTreeMap;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};
use windvane_types::quality::{
    AddedColumns, ColumnExpectations, Expectations, ShareBound, TableExpectations,
};

use super::{LEARNT, SCHEMA, fingerprint};

/// What a person needs to know who sees such a file for the first time.
const HEADER: &str = "\
# What `windvane quality check` expects of data. Made to be edited and kept in git; comments stay.
#
# A bound with `seen` and `of` was learnt: it widens by as much as chance explains for the rows at hand. One without is a person's and
# holds as it stands: `missing = { max = 0.05 }`, `range = { min = 0.0, max = 120.0 }`, `range = { min = 0.0, max = 120.0, share = 0.99 }`.
# Leave out what is not to be checked. `learnt` lines are fingerprints: `windvane quality learn --update` renews what is as it was
# learnt and keeps what was edited or left out.
";

/// A file of expectations.
pub fn write(expectations: &Expectations) -> DocumentMut {
    let mut document = DocumentMut::new();
    let root = document.as_table_mut();
    root.insert("schema", value(SCHEMA));
    root.insert("source", value(&expectations.source));
    root.insert("rows", count(expectations.rows));
    root.insert("alpha", value(expectations.alpha));
    root.insert("tolerance", value(expectations.tolerance));
    comment(root, "schema", HEADER);
    comment(
        root,
        "alpha",
        "# The bound on the chance that unchanged data fail any check that chance can fail.\n",
    );
    comment(root, "tolerance", "# How far shares may move beyond chance, as a share of themselves.\n");
    root.insert("table", Item::Table(table(&expectations.table)));
    let mut columns = Table::new();
    columns.set_implicit(true);
    for (name, column) in &expectations.columns {
        columns.insert(name, Item::Table(self::column(column)));
    }
    root.insert("columns", Item::Table(columns));
    document
}

fn comment(table: &mut Table, key: &str, text: &str) {
    if let Some(mut key) = table.key_mut(key) {
        key.leaf_decor_mut().set_prefix(text);
    }
}

fn table(expectations: &TableExpectations) -> Table {
    let mut table = Table::new();
    table.insert("rows_min", count(expectations.rows_min));
    let added = match expectations.added_columns {
        AddedColumns::Fail => "fail",
        AddedColumns::Allow => "allow",
    };
    table.insert("added_columns", value(added));
    if !expectations.key.is_empty() {
        table.insert("key", value(expectations.key.iter().map(String::as_str).collect::<Array>()));
    }
    if let Some(bound) = &expectations.duplicates {
        table.insert("duplicates", share(bound));
    }
    if let Some(times) = &expectations.times {
        table.insert("timestamp", value(&times.timestamp));
        if let Some(arrival) = &times.arrival {
            table.insert("arrival", value(arrival));
        }
        table.insert("clock_ahead", value(length(times.ahead_us)));
        table.insert("late_after", value(length(times.late_us)));
        if let Some(bound) = &times.late {
            table.insert("late", share(bound));
        }
        if let Some(bound) = &times.out_of_order {
            table.insert("out_of_order", share(bound));
        }
    }
    with_fingerprints(table, &["duplicates", "late", "out_of_order"])
}

fn column(expectations: &ColumnExpectations) -> Table {
    let mut table = Table::new();
    if let Some(holds) = expectations.holds {
        table.insert("type", value(holds.as_str()));
    }
    if expectations.optional {
        table.insert("optional", value(true));
    }
    let mut bound = |key: &str, bound: &Option<ShareBound>| {
        if let Some(bound) = bound {
            table.insert(key, share(bound));
        }
    };
    bound("missing", &expectations.missing);
    bound("infinite", &expectations.infinite);
    bound("empty", &expectations.empty);
    bound("most_frequent", &expectations.most_frequent);
    bound("distinct", &expectations.distinct);
    if let Some(range) = expectations.range {
        let ends = [("min", Some(Value::from(range.min))), ("max", Some(Value::from(range.max)))];
        let rest = [("of", range.of.map(number)), ("share", range.share.map(Value::from))];
        table.insert("range", inline(ends.into_iter().chain(rest)));
    }
    if expectations.non_negative {
        table.insert("non_negative", value(true));
    }
    if let Some(length) = expectations.length {
        let parts = [
            ("min", Some(number(length.min))),
            ("max", Some(number(length.max))),
            ("of", length.of.map(number)),
        ];
        table.insert("length", inline(parts));
    }
    if let Some(categories) = &expectations.categories {
        table.insert("closed", value(expectations.closed));
        let mut counts = Table::new();
        for category in categories {
            counts.insert(&category.category, count(category.seen));
        }
        table.insert("categories", Item::Table(counts));
    }
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).filter(|key| *key != "optional").collect();
    with_fingerprints(table, &keys)
}

/// The table with the fingerprints of these values; tables of its own come after it in the text.
fn with_fingerprints(mut table: Table, keys: &[&str]) -> Table {
    let fingerprints: BTreeMap<String, String> =
        keys.iter().filter_map(|key| Some(((*key).to_owned(), fingerprint::of(table.get(key)?)))).collect();
    if !fingerprints.is_empty() {
        table.insert(LEARNT, value(fingerprint::line(&fingerprints)));
    }
    table
}

fn share(bound: &ShareBound) -> Item {
    match *bound {
        ShareBound::Seen { seen, of } => inline([("seen", Some(number(seen))), ("of", Some(number(of)))]),
        ShareBound::Limits { min: 0.0, max } => inline([("max", Some(Value::from(max)))]),
        ShareBound::Limits { min, max } => {
            inline([("min", Some(Value::from(min))), ("max", Some(Value::from(max)))])
        }
    }
}

fn inline<'a>(parts: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Item {
    let mut table = InlineTable::new();
    for (key, part) in parts {
        if let Some(part) = part {
            table.insert(key, part);
        }
    }
    value(table)
}

fn number(count: u64) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}

fn count(count: u64) -> Item {
    Item::Value(number(count))
}

/// A length as `span::length` reads it, in the largest unit that leaves no rest.
fn length(us: i64) -> String {
    let seconds = us / 1_000_000;
    match seconds {
        s if s > 0 && s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s > 0 && s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}
