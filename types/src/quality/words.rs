//! Words about a check that a terminal and a page share: the ends of a band, and which checks look at a share.

use serde_json::Value;

use super::CheckName;

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
