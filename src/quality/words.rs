//! A check in words that a person reads.

use std::path::Path;

use serde_json::Value;
use windvane_types::quality::words::{band, beyond, is_share, otherwise};
use windvane_types::quality::{Check, CheckName, Document, Verdict};

use super::expectations::Renewed;
use crate::drift::words::{counted, grouped, number, percent};

/// What stands in place of a reference where a person wrote all that is expected.
pub const BY_HAND: &str = "limits written by hand";

/// The headline of a document.
pub fn headline(document: &Document) -> String {
    let (failed, all) = (document.failed().count(), document.checks.len());
    let unlearnt = match document.is_learnt_from_nothing() {
        true => "; the reference has no rows, so nothing was learnt about values",
        false => "",
    };
    match document.verdict {
        Verdict::Pass => format!("pass: {}{unlearnt}", counted(all as u64, "check", "checks")),
        Verdict::Fail => {
            let all = counted(all as u64, "check", "checks");
            format!("fail: {} of {all}{unlearnt}", grouped(failed as u64))
        }
    }
}

/// That there was nothing to learn from.
pub fn without_rows(source: &str) -> String {
    format!("windvane: {source} has no rows: nothing is learnt but its columns")
}

/// What was promised about chance.
pub fn promise(document: &Document) -> String {
    if document.tests == 0 {
        return "no bound was learnt from rows, so none allows for chance".to_owned();
    }
    format!(
        "{}; unchanged data break any of them in at most {} of runs",
        counted(
            document.tests as u64,
            "bound knows how many rows it was learnt from",
            "bounds know how many rows they were learnt from"
        ),
        percent(document.alpha)
    )
}

/// The columns of a table: failures first, else the order of the document.
pub fn by_verdict(document: &Document) -> Vec<&Check> {
    let (failed, passed): (Vec<_>, Vec<_>) =
        document.checks.iter().partition(|check| check.verdict == Verdict::Fail);
    failed.into_iter().chain(passed).collect()
}

/// What was found.
pub fn observed(check: &Check) -> String {
    match check.observed.get("differences").and_then(Value::as_u64) {
        Some(count) => counted(count, "difference", "differences"),
        None => told(check, &check.observed),
    }
}

/// What was expected.
pub fn expected(check: &Check) -> String {
    match &check.expected {
        Value::Array(ends) => {
            band(ends, |end| told(check, end)).unwrap_or_else(|| check.expected.to_string())
        }
        Value::Object(_) => "none".to_owned(),
        other => told(check, other),
    }
}

/// How many, and which.
pub fn evidence(check: &Check) -> String {
    let mut parts = Vec::new();
    if check.verdict == Verdict::Fail && check.count > 0 && check.check != CheckName::RowCount {
        parts.push(grouped(check.count));
    }
    if !check.examples.is_empty() && check.count > 0 {
        let examples: Vec<String> = check
            .examples
            .iter()
            .map(|example| match example {
                Value::String(text) => quoted(text),
                Value::Number(value) => beyond(check, example)
                    .unwrap_or_else(|| value.as_f64().map_or_else(|| value.to_string(), number)),
                other => otherwise(other, quoted, exact_percent).unwrap_or_else(|| other.to_string()),
            })
            .collect();
        parts.push(examples.join(", "));
    }
    if let Some(reason) = &check.reason {
        parts.push(reason.clone());
    }
    parts.join(": ")
}

fn quoted(text: &str) -> String {
    format!("`{}`", text.replace(char::is_control, " "))
}

/// A share as per cent, to a tenth; with as many digits as tell it from nothing, or from all: one row of millions may fail a check.
fn exact_percent(share: f64) -> String {
    let value = share * 100.0;
    let rest = 100.0 - value;
    if value > 0.0 && value < 0.05 {
        format!("{} %", number(value))
    } else if rest > 0.0 && rest <= 0.05 {
        let decimals = (1_u8..12).find(|digits| rest * 10_f64.powi(i32::from(*digits)) >= 1.0).unwrap_or(12);
        format!("{value:.0$} %", usize::from(decimals))
    } else {
        percent(share)
    }
}

fn told(check: &Check, value: &Value) -> String {
    let is_share = is_share(check.check);
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(ends) => ends.iter().map(|end| told(check, end)).collect::<Vec<_>>().join(" to "),
        Value::Number(count) if count.is_u64() && !is_share => grouped(count.as_u64().unwrap_or(0)),
        Value::Number(number_of) => match (number_of.as_f64(), is_share) {
            (Some(share), true) => exact_percent(share),
            (Some(found), false) => beyond(check, value).unwrap_or_else(|| number(found)),
            (None, _) => number_of.to_string(),
        },
        other => other.to_string(),
    }
}

/// What became of a file of expectations.
pub fn renewed(path: &Path, renewed: &Renewed) -> String {
    let mut text =
        format!("{}: {} renewed", path.display(), counted(renewed.renewed as u64, "value", "values"));
    for (what, names) in [
        ("kept as edited", &renewed.kept),
        ("new columns", &renewed.added),
        ("columns that the reference lacks", &renewed.absent),
    ] {
        if !names.is_empty() {
            text += &format!("\n{what}: {}", names.join(", "));
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windvane_types::quality::Check;

    use super::{evidence, exact_percent, expected, observed};

    // The table printed {"differences":2,"version":"2"}, and each of them as JSON.
    #[test]
    fn versions_that_differ_are_told_in_words() {
        let check: Check = serde_json::from_value(json!({
            "check": "version_schema", "column": null, "observed": {"differences": 2, "version": "2"},
            "expected": {"differences": 0}, "verdict": "fail", "count": 2, "reason": "version `2`, 600 rows",
            "examples": [{"column": "x", "sent_as": "text", "expected": "number"},
                {"column": "z", "missing": 1.0, "expected": [0.0, 0.03]}],
        }))
        .unwrap();
        assert_eq!((observed(&check).as_str(), expected(&check).as_str()), ("2 differences", "none"));
        assert_eq!(
            evidence(&check),
            "2: `x` sent as text instead of number, `z` missing in 100.0 % instead of 0.0 % to 3.0 %: version `2`, 600 rows"
        );
    }

    // A check of 0.0 % failed where 0.0 % was expected.
    #[test]
    fn few_of_many_rows_are_not_none_and_not_all() {
        for (share, expected) in [
            (0.0, "0.0 %"),
            (1.0, "100.0 %"),
            (0.25, "25.0 %"),
            (0.000_5, "0.1 %"),
            (0.000_05, "0.005 %"),
            (5e-6, "5.00e-4 %"),
            (0.999, "99.9 %"),
            (0.999_94, "99.994 %"),
            (0.999_999_5, "99.99995 %"),
        ] {
            assert_eq!(exact_percent(share), expected);
        }
    }
}
