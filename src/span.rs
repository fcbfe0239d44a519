//! Lengths of time as people write them, on the command line and in the configuration.

use std::time::Duration;

/// Reads `90s`, `15m`, `24h`, `7d` or `2w`.
pub fn length(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn lengths_have_a_number_and_a_unit() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(length(text).map(|length| length.as_secs()), Some(seconds), "{text}");
        }
        for text in ["", "24", "h", "24y", "1.5h", "-1h", "99999999999999999999w", "999999999999999999w"] {
            assert_eq!(length(text), None, "{text}");
        }
    }
}
