//! A check in words.

use serde_json::Value;
use windvane_types::quality::words::{band, beyond, is_share, otherwise};
use windvane_types::quality::{Check, CheckName, Verdict};

use crate::chart::cut;
use crate::numbers::{counted, number, percent, thousands};

/// Characters of a name, of an example, and of what else there is to say.
const NAME_MAX: usize = 80;
const EXAMPLE_MAX: usize = 40;
const REASON_MAX: usize = 300;

/// How many checks fail, or that none does.
pub fn headline(checks: &[Check]) -> String {
    let failed = checks.iter().filter(|check| check.verdict == Verdict::Fail).count();
    let all = counted(checks.len() as u64, "check", "checks");
    match failed {
        0 if checks.len() == 1 => "The data are as expected: the one check passes".to_owned(),
        0 => format!("The data are as expected: all {all} pass"),
        1 => format!("One of {all} fails"),
        failed => format!("{} of {all} fail", thousands(failed as u64)),
    }
}

/// What a check that fails says: of what, what was found, what was expected, and which values.
pub fn sentence(check: &Check) -> String {
    let subject = match &check.column {
        Some(column) => format!("{}, {}", cut(column, NAME_MAX), what(check.check)),
        None => capital(what(check.check)),
    };
    let compared = match &check.expected {
        Value::Null => format!("{subject}: {}", observed(check)),
        _ => format!("{subject}: {}, where {} was expected", observed(check), expected(check)),
    };
    match evidence(check) {
        evidence if evidence.is_empty() => format!("{compared}."),
        evidence => format!("{compared} ({evidence})."),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What a check looks at.
pub fn what(name: CheckName) -> &'static str {
    match name {
        CheckName::RowCount => "rows",
        CheckName::ColumnRemoved => "expected column",
        CheckName::ColumnAdded => "column that nobody expected",
        CheckName::VersionSchema => "features by version",
        CheckName::DuplicateKeys => "repeated keys",
        CheckName::LateEvents => "late events",
        CheckName::OutOfOrder => "events out of order",
        CheckName::FutureTimestamps => "times in the future",
        CheckName::Type => "kind of values",
        CheckName::MissingRate => "missing values",
        CheckName::Range => "smallest and largest number",
        CheckName::NonNegative => "numbers below 0",
        CheckName::Infinite => "infinite numbers",
        CheckName::EmptyStrings => "empty texts",
        CheckName::StringLength => "shortest and longest text",
        CheckName::NewCategories => "values of new categories",
        CheckName::VanishedCategories => "known categories",
        CheckName::Constant | CheckName::Cardinality => "different values",
    }
}

/// What was found.
pub fn observed(check: &Check) -> String {
    match &check.observed {
        Value::Object(fields) => match fields.get("differences").and_then(Value::as_u64) {
            Some(1) => "one difference".to_owned(),
            Some(count) => format!("{} differences", thousands(count)),
            None => told(check, &check.observed),
        },
        other => told(check, other),
    }
}

/// What was expected.
pub fn expected(check: &Check) -> String {
    let told = |value: &Value| told(check, value);
    match &check.expected {
        Value::Array(ends) => band(ends, told).unwrap_or_else(|| told(&check.expected)),
        Value::Object(_) => "none".to_owned(),
        other => told(other),
    }
}

/// How many are not as expected, and some of them.
pub fn evidence(check: &Check) -> String {
    let mut parts = Vec::new();
    if check.verdict == Verdict::Fail && check.count > 0 && check.check != CheckName::RowCount {
        parts.push(thousands(check.count));
    }
    if !check.examples.is_empty() && check.count > 0 {
        let told = |value: &Value| beyond(check, value).unwrap_or_else(|| example(value));
        parts.push(check.examples.iter().map(told).collect::<Vec<_>>().join(", "));
    }
    parts.extend(check.reason.as_ref().map(|reason| cut(reason, REASON_MAX)));
    parts.join(": ")
}

fn example(value: &Value) -> String {
    match value {
        Value::String(text) => format!("“{}”", cut(text, EXAMPLE_MAX)),
        Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), number),
        other => otherwise(other, |name| cut(name, EXAMPLE_MAX), percent)
            .unwrap_or_else(|| cut(&other.to_string(), EXAMPLE_MAX)),
    }
}

fn told(check: &Check, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => cut(text, NAME_MAX),
        Value::Array(ends) => ends.iter().map(|end| told(check, end)).collect::<Vec<_>>().join(" to "),
        Value::Number(found) => match (found.as_u64(), found.as_f64(), is_share(check.check)) {
            (_, Some(share), true) => percent(share),
            (Some(count), _, false) => thousands(count),
            (None, Some(found), false) => beyond(check, value).unwrap_or_else(|| number(found)),
            _ => found.to_string(),
        },
        other => cut(&other.to_string(), NAME_MAX),
    }
}
