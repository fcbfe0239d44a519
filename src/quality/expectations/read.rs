//! TOML as expectations: every fault is told with its key, its value and what is allowed.

use toml_edit::{Document, Item, TableLike, Value};
use windvane_types::nearest::nearest;
use windvane_types::quality::{
    AddedColumns, CategoryCount, ColumnExpectations, Expectations, Holds, Lengths, Range, ShareBound,
    TableExpectations, TimeExpectations,
};
use windvane_types::span;

use super::{LEARNT, SCHEMA, agree};

const ROOT: &[&str] = &["schema", "source", "rows", "alpha", "tolerance", "table", "columns"];
const TABLE: &[&str] = &[
    "rows_min",
    "added_columns",
    "key",
    "duplicates",
    "timestamp",
    "arrival",
    "clock_ahead",
    "late_after",
    "late",
    "out_of_order",
    LEARNT,
];
const COLUMN: &[&str] = &[
    "type",
    "optional",
    "missing",
    "infinite",
    "empty",
    "most_frequent",
    "distinct",
    "range",
    "non_negative",
    "length",
    "closed",
    "categories",
    LEARNT,
];

/// How far a clock may be ahead, and after how long an event is late, where a file does not say.
pub(in crate::quality) const AHEAD_US: i64 = 300_000_000;
pub(in crate::quality) const LATE_US: i64 = 600_000_000;

/// Reads a file, or says everything that is wrong with it.
pub(super) fn read(text: &str) -> Result<Expectations, Vec<String>> {
    let document = Document::parse(text)
        .map_err(|error| vec![format!("it is no TOML: {}", error.to_string().trim())])?;
    let mut reader = Reader { faults: Vec::new() };
    let expectations = reader.root(document.as_table());
    if reader.faults.is_empty() { Ok(expectations) } else { Err(reader.faults) }
}

/// A table at its place in the file.
struct At<'a> {
    table: &'a dyn TableLike,
    path: String,
}

impl At<'_> {
    fn path(&self, key: &str) -> String {
        let plain =
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let key = if plain { key.to_owned() } else { format!("{key:?}") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

struct Reader {
    faults: Vec<String>,
}

impl Reader {
    fn fault(&mut self, path: &str, found: &Item, allowed: &str) {
        self.faults
            .push(format!("{path}: `{}` is not allowed; allowed is {allowed}", found.to_string().trim()));
    }

    fn known(&mut self, at: &At<'_>, known: &[&str]) {
        for (key, _) in at.table.iter().filter(|(key, _)| !known.contains(key)) {
            let hint = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are `{}`", known.join("`, `")),
            };
            self.faults.push(format!("{}: the key is not known; {hint}", at.path(key)));
        }
    }

    fn root(&mut self, table: &dyn TableLike) -> Expectations {
        let at = At { table, path: String::new() };
        self.known(&at, ROOT);
        match table.get("schema") {
            Some(item) if item.as_str() == Some(SCHEMA) => {}
            Some(item) => self.fault("schema", item, &format!("`{SCHEMA}`")),
            None => self.faults.push(format!("schema: it is missing; allowed is `{SCHEMA}`")),
        }
        let alpha = self.number(&at, "alpha", (1e-12, 0.5)).unwrap_or(0.01);
        let tolerance = self.number(&at, "tolerance", (0.0, 10.0)).unwrap_or(0.1);
        let mut expectations = Expectations {
            source: self.text(&at, "source").unwrap_or_default(),
            rows: self.count(&at, "rows").unwrap_or(0),
            alpha,
            tolerance,
            table: TableExpectations::default(),
            columns: Vec::new(),
        };
        if let Some(table) = self.table(&at, "table") {
            expectations.table = self.whole(&At { table, path: at.path("table") });
        }
        if let Some(columns) = self.table(&at, "columns") {
            let at = At { table: columns, path: at.path("columns") };
            for (name, item) in columns.iter() {
                match item.as_table_like() {
                    Some(table) => {
                        let column = self.column(&At { table, path: at.path(name) });
                        expectations.columns.push((name.to_owned(), column));
                    }
                    None => self.fault(&at.path(name), item, "a table of what is expected of a column"),
                }
            }
        }
        expectations
    }

    fn whole(&mut self, at: &At<'_>) -> TableExpectations {
        self.known(at, TABLE);
        let added_columns = match self.text(at, "added_columns").as_deref() {
            None | Some("fail") => AddedColumns::Fail,
            Some("allow") => AddedColumns::Allow,
            Some(_) => {
                self.refuse(at, "added_columns", "`fail` or `allow`");
                AddedColumns::Fail
            }
        };
        let key = self.texts(at, "key");
        let duplicates = self.share(at, "duplicates");
        if key.is_empty() && duplicates.is_some() {
            self.faults
                .push(format!("{}: it needs `key`, the columns that tell rows apart", at.path("duplicates")));
        }
        let times = self.text(at, "timestamp").map(|timestamp| TimeExpectations {
            timestamp,
            arrival: self.text(at, "arrival"),
            ahead_us: self.length(at, "clock_ahead").unwrap_or(AHEAD_US),
            late_us: self.length(at, "late_after").unwrap_or(LATE_US),
            late: self.share(at, "late"),
            out_of_order: self.share(at, "out_of_order"),
        });
        if times.is_none() {
            for key in ["arrival", "late", "out_of_order"] {
                if at.table.get(key).is_some() {
                    self.faults
                        .push(format!("{}: it needs `timestamp`, the column that says when", at.path(key)));
                }
            }
        } else if at.table.contains_key("late") && !at.table.contains_key("arrival") {
            self.faults.push(format!(
                "{}: it needs `arrival`, the column that says when events came in",
                at.path("late")
            ));
        }
        let rows_min = self.count(at, "rows_min").unwrap_or(1);
        TableExpectations { rows_min, added_columns, key, duplicates, times }
    }

    fn column(&mut self, at: &At<'_>) -> ColumnExpectations {
        self.known(at, COLUMN);
        let holds = self.text(at, "type").and_then(|word| {
            let found = Holds::ALL.into_iter().find(|holds| holds.as_str() == word);
            if found.is_none() {
                let all: Vec<&str> = Holds::ALL.into_iter().map(Holds::as_str).collect();
                self.refuse(at, "type", &format!("one of `{}`", all.join("`, `")));
            }
            found
        });
        let expected = ColumnExpectations {
            holds,
            optional: self.flag(at, "optional"),
            missing: self.share(at, "missing"),
            range: self.range(at),
            non_negative: self.flag(at, "non_negative"),
            infinite: self.share(at, "infinite"),
            empty: self.share(at, "empty"),
            length: self.lengths(at),
            most_frequent: self.share(at, "most_frequent"),
            distinct: self.distinct(at),
            closed: self.flag(at, "closed"),
            categories: self.categories(at),
        };
        for (key, fault) in agree::faults(&expected) {
            self.faults.push(format!("{}: {fault}", at.path(key)));
        }
        expected
    }

    fn share(&mut self, at: &At<'_>, key: &str) -> Option<ShareBound> {
        let bound = self.bound(at, key)?;
        if let ShareBound::Limits { min, max } = bound
            && !(0.0..=1.0).contains(&min.min(max).max(max))
        {
            self.refuse(at, key, "shares from 0 to 1");
            return None;
        }
        Some(bound)
    }

    /// How many different values: a count, of which only the largest is a bound.
    fn distinct(&mut self, at: &At<'_>) -> Option<ShareBound> {
        let bound = self.bound(at, "distinct")?;
        let table = at.table.get("distinct").and_then(Item::as_table_like);
        let has_min = table.is_some_and(|table| table.contains_key("min"));
        match bound {
            ShareBound::Limits { max, .. } if has_min || max < 1.0 => {
                self.refuse(at, "distinct", "`{ seen = 3, of = 1000 }` or `{ max = 50 }`, a count from 1");
                None
            }
            bound => Some(bound),
        }
    }

    /// `{ seen, of }`, or `{ min, max }` of which one may be left out.
    fn bound(&mut self, at: &At<'_>, key: &str) -> Option<ShareBound> {
        let table = self.table(at, key)?;
        let at = At { table, path: at.path(key) };
        self.known(&at, &["seen", "of", "min", "max"]);
        let learnt = (self.count(&at, "seen"), self.count(&at, "of"));
        let limits = (self.number(&at, "min", (0.0, f64::MAX)), self.number(&at, "max", (0.0, f64::MAX)));
        match (learnt, limits) {
            ((Some(seen), Some(of)), (None, None)) if seen <= of => Some(ShareBound::Seen { seen, of }),
            ((None, None), (min, Some(max))) if min.unwrap_or(0.0) <= max => {
                Some(ShareBound::Limits { min: min.unwrap_or(0.0), max })
            }
            ((None, None), (Some(min), None)) => Some(ShareBound::Limits { min, max: min.max(1.0) }),
            _ => {
                let path = at.path;
                self.faults.push(format!(
                    "{path}: allowed is `{{ seen = 3, of = 1000 }}` or `{{ max = 0.05 }}`, and `min` beside or for `max`, not above it"
                ));
                None
            }
        }
    }

    fn range(&mut self, at: &At<'_>) -> Option<Range> {
        let table = self.table(at, "range")?;
        let at = At { table, path: at.path("range") };
        self.known(&at, &["min", "max", "of", "share"]);
        self.some_end(&at, "`{ min = 0.0, max = 120.0 }`");
        let everything = (f64::MIN, f64::MAX);
        let min = self.number(&at, "min", everything).unwrap_or(f64::MIN);
        let max = self.number(&at, "max", everything).unwrap_or(f64::MAX);
        if min > max {
            self.faults.push(format!("{}: `min` is above `max`", at.path));
        }
        Some(Range { min, max, of: self.count(&at, "of"), share: self.number(&at, "share", (0.0, 1.0)) })
    }

    fn lengths(&mut self, at: &At<'_>) -> Option<Lengths> {
        let table = self.table(at, "length")?;
        let at = At { table, path: at.path("length") };
        self.known(&at, &["min", "max", "of"]);
        self.some_end(&at, "`{ min = 1, max = 40 }`");
        let min = self.count(&at, "min").unwrap_or(0);
        let max = self.count(&at, "max").unwrap_or(u64::MAX);
        if min > max {
            self.faults.push(format!("{}: `min` is above `max`", at.path));
        }
        Some(Lengths { min, max, of: self.count(&at, "of") })
    }

    /// Says that a table without any end bounds nothing.
    fn some_end(&mut self, at: &At<'_>, allowed: &str) {
        if !at.table.contains_key("min") && !at.table.contains_key("max") {
            self.faults.push(format!("{}: allowed is {allowed}, or one of both ends", at.path));
        }
    }

    fn categories(&mut self, at: &At<'_>) -> Option<Vec<CategoryCount>> {
        let table = self.table(at, "categories")?;
        let at = At { table, path: at.path("categories") };
        let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
        let of = |reader: &mut Self, category: String| {
            let seen = reader.count(&at, &category).unwrap_or(0);
            CategoryCount { category, seen }
        };
        Some(names.into_iter().map(|category| of(self, category)).collect())
    }

    fn refuse(&mut self, at: &At<'_>, key: &str, allowed: &str) {
        if let Some(item) = at.table.get(key) {
            self.fault(&at.path(key), item, allowed);
        }
    }

    fn table<'a>(&mut self, at: &At<'a>, key: &str) -> Option<&'a dyn TableLike> {
        let item = at.table.get(key)?;
        let table = item.as_table_like();
        if table.is_none() {
            self.fault(&at.path(key), item, "a table");
        }
        table
    }

    fn text(&mut self, at: &At<'_>, key: &str) -> Option<String> {
        let item = at.table.get(key)?;
        let text = item.as_str().map(str::to_owned);
        if text.is_none() {
            self.fault(&at.path(key), item, "a text in quotes");
        }
        text
    }

    fn texts(&mut self, at: &At<'_>, key: &str) -> Vec<String> {
        let Some(item) = at.table.get(key) else { return Vec::new() };
        let texts = item.as_array().and_then(|array| {
            array.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        texts.unwrap_or_else(|| {
            self.fault(&at.path(key), item, "a list of column names such as [\"event_id\"]");
            Vec::new()
        })
    }

    fn flag(&mut self, at: &At<'_>, key: &str) -> bool {
        let Some(item) = at.table.get(key) else { return false };
        item.as_bool().unwrap_or_else(|| {
            self.fault(&at.path(key), item, "true or false");
            false
        })
    }

    fn length(&mut self, at: &At<'_>, key: &str) -> Option<i64> {
        let text = self.text(at, key)?;
        let length = span::length_us(&text);
        if length.is_none() {
            self.refuse(at, key, "a length such as 90s, 10m, 24h or 7d");
        }
        length
    }

    fn count(&mut self, at: &At<'_>, key: &str) -> Option<u64> {
        let item = at.table.get(key)?;
        let count = item.as_integer().and_then(|count| u64::try_from(count).ok());
        if count.is_none() {
            self.fault(&at.path(key), item, "a whole number from 0");
        }
        count
    }

    fn number(&mut self, at: &At<'_>, key: &str, (low, high): (f64, f64)) -> Option<f64> {
        let item = at.table.get(key)?;
        let number = match item.as_value() {
            Some(Value::Integer(whole)) => Some(*whole.value() as f64),
            Some(Value::Float(float)) => Some(*float.value()),
            _ => None,
        };
        let number = number.filter(|number| (low..=high).contains(number));
        if number.is_none() {
            let allowed = match (low, high) {
                (f64::MIN, f64::MAX) => "a number".to_owned(),
                (low, f64::MAX) => format!("a number from {low}"),
                (low, high) => format!("a number from {low} to {high}"),
            };
            self.fault(&at.path(key), item, &allowed);
        }
        number
    }
}
