//! Checks of single columns.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use windvane_store::populations::{NumberFacts, Storage, TextFacts};
use windvane_types::quality::{
    CategoryCount, Check, CheckName, ColumnExpectations, Expectations, Holds, ShareBound,
};

use super::bounds::{Bounds, Ends};
use super::inspect::{ColumnFacts, Facts};
use super::table::{EXAMPLES_MAX, band, check, share};

/// A column with what is expected of it.
struct Checked<'a> {
    name: &'a str,
    expected: &'a ColumnExpectations,
    bounds: &'a Bounds,
}

/// The checks of all columns that are expected, in their order.
pub(super) fn checks(facts: &Facts, expectations: &Expectations, bounds: &Bounds) -> Vec<Check> {
    // Without rows there is nothing to say of columns; `row_count` says that.
    if facts.rows == 0 {
        return Vec::new();
    }
    let mut checks = Vec::new();
    for (name, expected) in &expectations.columns {
        let checked = Checked { name, expected, bounds };
        match facts.column(name) {
            Some(column) => checks.extend(checked.checks(column, facts.rows)),
            None => checks.extend(checked.absent(facts)),
        }
    }
    checks
}

impl Checked<'_> {
    fn check(&self, name: CheckName, passes: bool) -> Check {
        Check { column: Some(self.name.to_owned()), ..check(name, passes) }
    }

    /// A feature that no row of a window has may be missing by chance; a column that a file lacks may not.
    fn absent(&self, facts: &Facts) -> Option<Check> {
        let by_chance = facts.events
            && self
                .expected
                .missing
                .is_some_and(|bound| self.bounds.counts(&bound, facts.rows, Ends::Both).high >= facts.rows);
        (!self.expected.optional).then(|| Check {
            observed: "absent".into(),
            expected: self.expected.holds.map_or("present", Holds::as_str).into(),
            count: facts.rows,
            ..self.check(CheckName::ColumnRemoved, by_chance)
        })
    }

    fn checks(&self, column: &ColumnFacts, rows: u64) -> Vec<Check> {
        let facts = &column.facts;
        let fits = self.expected.holds.is_none_or(|expected| is_kind_of(column.holds(), expected));
        let numbers = facts.numbers.as_ref();
        let texts = facts.texts.as_ref();
        let mut checks: Vec<Check> =
            [self.holds(column, rows), self.missing(column, rows)].into_iter().flatten().collect();
        checks.extend(numbers.map(|n| self.numbers(n)).unwrap_or_default());
        checks.extend(texts.map(|t| self.texts(t)).unwrap_or_default());
        if let (Some(numbers), None) = (numbers, texts) {
            checks.extend(self.cardinality(numbers.values, numbers.distinct));
        }
        let varied = match (fits, numbers, texts) {
            (_, _, Some(texts)) => Some((texts.values, texts.distinct)),
            (_, Some(numbers), None) => Some((numbers.values, numbers.distinct)),
            _ => None,
        };
        checks.extend(varied.and_then(|varied| self.varies(varied)));
        checks
    }

    fn holds(&self, column: &ColumnFacts, rows: u64) -> Option<Check> {
        let expected = self.expected.holds.or_else(|| self.implied(column))?;
        let found = column.holds();
        let (strange, examples) = strange((column, rows), expected, self.expected);
        Some(Check {
            observed: found.map_or(Value::Null, |found| found.as_str().into()),
            expected: expected.as_str().into(),
            count: strange,
            examples,
            ..self.check(CheckName::Type, strange == 0)
        })
    }

    /// What a column has to hold for its limits to say anything, where a person left `type` out.
    fn implied(&self, column: &ColumnFacts) -> Option<Holds> {
        let expected = self.expected;
        let of_numbers = expected.range.is_some() || expected.non_negative || expected.infinite.is_some();
        let of_texts = expected.length.is_some() || expected.empty.is_some() || expected.categories.is_some();
        match (of_numbers, of_texts) {
            (true, _) => Some(Holds::Number),
            // Numbers are looked at as text where that is asked.
            (false, true) if column.facts.texts.is_none() => Some(Holds::Text),
            (false, _) => None,
        }
    }

    fn missing(&self, column: &ColumnFacts, rows: u64) -> Option<Check> {
        let bound = self.expected.missing?;
        let missing = rows.saturating_sub(column.values()?);
        let counts = self.bounds.counts(&bound, rows, Ends::Both);
        let passes = (counts.low..=counts.high).contains(&missing);
        Some(Check {
            observed: share(missing, rows),
            expected: band(counts, rows),
            count: missing,
            ..self.check(CheckName::MissingRate, passes)
        })
    }

    fn numbers(&self, numbers: &NumberFacts) -> Vec<Check> {
        let mut checks = Vec::new();
        let finite = numbers.values - numbers.infinite;
        if let Some(range) = self.expected.range {
            let outside = numbers.below + numbers.above;
            let allowed = match (range.share, range.of) {
                (Some(share), _) => finite - inside_at_least(share, finite),
                (None, Some(of)) => self.bounds.outside(of, finite),
                (None, None) => 0,
            };
            let ends = if finite == 0 { Value::Null } else { json!([numbers.low.0, numbers.high.0]) };
            checks.push(Check {
                observed: ends,
                expected: json!([end(range.min, f64::MIN), end(range.max, f64::MAX)]),
                count: outside,
                examples: examples(numbers.below_examples.iter().chain(&numbers.above_examples)),
                reason: Some(format!(
                    "in-range share {}, at least {} expected",
                    percent(finite - outside, finite),
                    percent(finite - allowed.min(finite), finite)
                )),
                ..self.check(CheckName::Range, outside <= allowed)
            });
        }
        if self.expected.non_negative {
            checks.push(Check {
                observed: share(numbers.negative, numbers.values),
                expected: json!([0.0, 0.0]),
                count: numbers.negative,
                examples: examples(numbers.below_examples.iter().filter(|x| **x < 0.0)),
                ..self.check(CheckName::NonNegative, numbers.negative == 0)
            });
        }
        checks.extend(self.upper(
            CheckName::Infinite,
            self.expected.infinite,
            (numbers.infinite, numbers.values),
        ));
        checks
    }

    fn texts(&self, texts: &TextFacts) -> Vec<Check> {
        let mut checks = Vec::new();
        checks.extend(self.upper(CheckName::EmptyStrings, self.expected.empty, (texts.empty, texts.values)));
        if let Some(length) = self.expected.length {
            let outside = texts.short + texts.long;
            let allowed = length.of.map_or(0, |of| self.bounds.outside(of, texts.values));
            let ends = if texts.values == 0 { Value::Null } else { json!([texts.shortest, texts.longest]) };
            checks.push(Check {
                observed: ends,
                expected: json!([length.min, end(length.max, u64::MAX)]),
                count: outside,
                examples: examples(&texts.length_examples),
                ..self.check(CheckName::StringLength, outside <= allowed)
            });
        }
        checks.extend(self.cardinality(texts.values, texts.distinct));
        if let Some(categories) = &self.expected.categories {
            checks.push(self.new_categories(texts, categories));
            checks.extend(self.vanished_categories(texts, categories));
        }
        checks
    }

    fn cardinality(&self, values: u64, distinct: u64) -> Option<Check> {
        let allowed = self.bounds.distinct(&self.expected.distinct?, values);
        Some(Check {
            observed: distinct.into(),
            expected: json!([null, allowed]),
            count: distinct,
            ..self.check(CheckName::Cardinality, distinct <= allowed)
        })
    }

    fn upper(&self, name: CheckName, bound: Option<ShareBound>, (count, of): (u64, u64)) -> Option<Check> {
        let counts = self.bounds.counts(&bound?, of, Ends::Upper);
        Some(Check {
            observed: share(count, of),
            expected: band(counts, of),
            count,
            ..self.check(name, count <= counts.high)
        })
    }

    fn new_categories(&self, texts: &TextFacts, categories: &[CategoryCount]) -> Check {
        let known = |value: &String| categories.iter().any(|category| category.category == *value);
        let mut new: Vec<&String> = texts
            .top
            .iter()
            .map(|(value, _)| value)
            .filter(|value| !known(value))
            .take(EXAMPLES_MAX)
            .collect();
        if new.is_empty() {
            new = texts.unknown_examples.iter().collect();
        }
        // Rare categories come and go: as many values of unseen ones as of those that were seen once are to be expected.
        let once = categories.iter().filter(|category| category.seen == 1).count() as u64;
        let of: u64 = categories.iter().map(|category| category.seen).sum();
        let allowed = match self.expected.closed {
            true => 0,
            false => {
                // Of many rows each unseen category has several, so that they come in lumps.
                let lumps = texts.values.div_ceil(of.max(1));
                let bound = ShareBound::Seen { seen: once, of };
                self.bounds.counts(&bound, texts.values.min(of), Ends::Upper).high.saturating_mul(lumps)
            }
        };
        Check {
            observed: share(texts.unknown, texts.values),
            expected: json!([0.0, share(allowed.min(texts.values), texts.values)]),
            count: texts.unknown,
            examples: examples(new),
            ..self.check(CheckName::NewCategories, texts.unknown <= allowed)
        }
    }

    /// `None` where no category was ever seen.
    fn vanished_categories(&self, texts: &TextFacts, categories: &[CategoryCount]) -> Option<Check> {
        let seen: u64 = categories.iter().map(|category| category.seen).sum();
        if seen == 0 {
            return None;
        }
        let there: BTreeSet<&String> = texts.present.iter().collect();
        let present = |category: &CategoryCount| there.contains(&category.category);
        let alpha = self.bounds.alpha() / categories.len().max(1) as f64;
        let gone: Vec<&String> = categories
            .iter()
            .filter(|category| category.seen > 0 && !present(category))
            .filter(|category| {
                let bound = ShareBound::Seen { seen: category.seen, of: seen };
                self.bounds.counts_at(&bound, texts.values, (Ends::Both, alpha)).low > 0
            })
            .map(|category| &category.category)
            .collect();
        Some(Check {
            observed: json!(categories.iter().filter(|category| present(category)).count()),
            expected: json!(categories.iter().filter(|category| category.seen > 0).count()),
            count: gone.len() as u64,
            examples: examples(gone.iter().take(EXAMPLES_MAX)),
            ..self.check(CheckName::VanishedCategories, gone.is_empty())
        })
    }

    /// Whether a column that varied still does.
    fn varies(&self, (values, distinct): (u64, u64)) -> Option<Check> {
        let bound = self.expected.most_frequent?;
        let all_alike = distinct <= 1 && values > 1;
        let by_chance = self.bounds.counts(&bound, values, Ends::Upper).high >= values;
        Some(Check {
            observed: distinct.into(),
            expected: json!([2, null]),
            count: if all_alike { values } else { 0 },
            ..self.check(CheckName::Constant, !all_alike || by_chance)
        })
    }
}

/// Whether values of one kind serve where another one is expected.
fn is_kind_of(found: Option<Holds>, expected: Holds) -> bool {
    match (found, expected) {
        (None, _) | (Some(Holds::Integer), Holds::Number) => true,
        (Some(found), expected) => found == expected,
    }
}

/// Values that are not what is expected, with examples; all rows where the engine cannot tell which have one.
fn strange(
    (column, rows): (&ColumnFacts, u64),
    expected: Holds,
    expectations: &ColumnExpectations,
) -> (u64, Vec<Value>) {
    if is_kind_of(column.holds(), expected) {
        return (0, Vec::new());
    }
    let values = column.values().unwrap_or(rows);
    let (numbers, texts) = (column.facts.numbers.as_ref(), column.facts.texts.as_ref());
    let [is_text, undecided] =
        [matches!(column.storage, Storage::Text(_)), matches!(column.storage, Storage::Undecided(_))];
    match (expected, numbers, texts) {
        (Holds::Integer, Some(numbers), None) => {
            (numbers.fractional + numbers.infinite, examples(&numbers.fractional_examples))
        }
        (Holds::Integer | Holds::Number, Some(numbers), Some(texts)) => {
            match (values.saturating_sub(numbers.values), expected) {
                (0, Holds::Integer) => {
                    (numbers.fractional + numbers.infinite, examples(&numbers.fractional_examples))
                }
                (words, _) => (words, examples(&texts.word_examples)),
            }
        }
        (Holds::Boolean, _, Some(texts)) => (texts.values - texts.booleans, top(texts)),
        (Holds::Time, _, Some(texts)) => (texts.values - texts.times, top(texts)),
        // Text that happens to read as numbers is text; unless its categories were words.
        (Holds::Text, _, Some(texts))
            if is_text || (undecided && expectations.categories.is_some() && texts.unknown == 0) =>
        {
            (0, Vec::new())
        }
        (_, _, Some(texts)) => (values, top(texts)),
        (_, Some(numbers), None) => (values, examples([numbers.low.0, numbers.high.0].iter())),
        _ => (values, Vec::new()),
    }
}

/// An end of what is expected; nothing where it is open.
fn end<T: PartialEq + serde::Serialize>(end: T, open: T) -> Value {
    if end == open { Value::Null } else { json!(end) }
}

fn top(texts: &TextFacts) -> Vec<Value> {
    examples(texts.top.iter().map(|(value, _)| value).take(EXAMPLES_MAX))
}

/// Different examples, in their order.
fn examples<T: serde::Serialize>(all: impl IntoIterator<Item = T>) -> Vec<Value> {
    let mut examples: Vec<Value> = Vec::new();
    for one in all {
        let one = json!(one);
        if !examples.contains(&one) && examples.len() < EXAMPLES_MAX {
            examples.push(one);
        }
    }
    examples
}

#[expect(clippy::cast_sign_loss, reason = "a share of a count")]
fn inside_at_least(share: f64, of: u64) -> u64 {
    ((share * of as f64 - 1e-9).ceil().max(0.0) as u64).min(of)
}

fn percent(count: u64, of: u64) -> String {
    match of {
        0 => "unknown".to_owned(),
        of => format!("{:.3} %", 100.0 * count as f64 / of as f64),
    }
}
