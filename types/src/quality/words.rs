//! Words about a check that a terminal and a page share: the ends of a band, what a version does otherwise, and which checks look at a share.

use serde_json::Value;

use super::{Check, CheckName, Verdict};

/// A band of what was expected, each end as it is `told`; nothing where `ends` is not a band.
#[must_use]
pub fn band(ends: &[Value], told: impl Fn(&Value) -> String) -> Option<String> {
    match ends {
        [Value::Null, Value::Null] => Some("any".to_owned()),
        [low, Value::Null] => Some(format!("{} or more", told(low))),
        [Value::Null, high] => Some(format!("{} at most", told(high))),
        [low, high] if low == high => Some(told(low)),
        [low, high] => Some(format!("{} to {}", told(low), told(high))),
        _ => None,
    }
}

/// A number of a range that was left, to all its digits: rounded it may be the end that it lies beyond. Nothing for other checks.
#[must_use]
pub fn beyond(check: &Check, value: &Value) -> Option<String> {
    let left = check.check == CheckName::Range && check.verdict == Verdict::Fail;
    let value = value.as_f64().filter(|_| left)?;
    let short = value == 0.0 || (1e-5..1e15).contains(&value.abs());
    Some(if short { format!("{value}") } else { format!("{value:e}") })
}

/// What a version does otherwise with a feature, as [`CheckName::VersionSchema`] has it among its examples: the `name` of the feature, and how it
/// was sent, or the `share` of rows without it. Nothing for other values.
#[must_use]
pub fn otherwise(
    value: &Value,
    name: impl Fn(&str) -> String,
    share: impl Fn(f64) -> String,
) -> Option<String> {
    let feature = name(value.get("column")?.as_str()?);
    let expected = value.get("expected")?;
    if let Some(kind) = value.get("sent_as") {
        return Some(format!("{feature} sent as {} instead of {}", kind.as_str()?, expected.as_str()?));
    }
    let missing = share(value.get("missing")?.as_f64()?);
    let usual = band(expected.as_array()?, |end| end.as_f64().map_or_else(|| end.to_string(), &share))?;
    Some(format!("{feature} missing in {missing} instead of {usual}"))
}

/// Whether a check looks at a share of the rows, and not at a count or a value.
#[must_use]
pub fn is_share(name: CheckName) -> bool {
    matches!(
        name,
        CheckName::DuplicateKeys
            | CheckName::LateEvents
            | CheckName::OutOfOrder
            | CheckName::FutureTimestamps
            | CheckName::MissingRate
            | CheckName::NonNegative
            | CheckName::Infinite
            | CheckName::EmptyStrings
            | CheckName::NewCategories
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // `fail`, found 0 to 120, expected 0 to 120.
    #[test]
    fn what_lies_beyond_a_range_is_not_told_as_its_end() {
        let check = |check, verdict| Check {
            check,
            column: None,
            observed: Value::Null,
            expected: Value::Null,
            verdict,
            count: 0,
            examples: Vec::new(),
            reason: None,
        };
        let left = check(CheckName::Range, Verdict::Fail);
        for (value, words) in [(120.01, "120.01"), (120.0, "120"), (-1.5e300, "-1.5e300"), (1e-9, "1e-9")] {
            assert_eq!(beyond(&left, &json!(value)).as_deref(), Some(words));
        }
        assert_eq!(beyond(&left, &json!([1.0, 2.0])), None);
        assert_eq!(beyond(&check(CheckName::Range, Verdict::Pass), &json!(1.0)), None);
        assert_eq!(beyond(&check(CheckName::MissingRate, Verdict::Fail), &json!(0.5)), None);
    }

    // It was told as JSON, which a page cut off in the middle.
    #[test]
    fn what_a_version_does_otherwise_is_told_in_words() {
        let told = |value: Value| otherwise(&value, str::to_owned, |share| format!("{} %", share * 100.0));
        for (value, words) in [
            (
                json!({"column": "x", "sent_as": "text", "expected": "number"}),
                Some("x sent as text instead of number"),
            ),
            (
                json!({"column": "w", "missing": 1.0, "expected": [0.25, 0.5]}),
                Some("w missing in 100 % instead of 25 % to 50 %"),
            ),
            (json!({"column": "w", "missing": 1.0}), None),
            (json!(["w"]), None),
            (json!("w"), None),
        ] {
            assert_eq!(told(value).as_deref(), words);
        }
    }

    #[test]
    fn a_band_says_which_end_is_open() {
        for (ends, words) in [
            (json!([1, null]), Some("1 or more")),
            (json!([null, 2]), Some("2 at most")),
            (json!([3, 3]), Some("3")),
            (json!([1, 2]), Some("1 to 2")),
            (json!([null, null]), Some("any")),
            (json!([1, 2, 3]), None),
            (json!([]), None),
        ] {
            let ends = ends.as_array().expect("the case is an array");
            assert_eq!(band(ends, ToString::to_string).as_deref(), words);
        }
    }
}
