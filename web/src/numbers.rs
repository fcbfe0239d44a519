//! Numbers as a person reads them.

pub use windvane_types::counting::{counted, form, grouped as thousands};
use windvane_types::span;

/// A time of the API without seconds.
pub fn short(time: &str) -> String {
    time.get(..16).map_or_else(|| time.to_owned(), |time| time.replace('T', " "))
}

/// Up to which length a window is told to the second, microseconds: an hour.
const TOLD_TO_SECONDS_US: i64 = 3_600_000_000;

/// The ends of a window without seconds; with them where it is short and they tell one window from the next.
pub fn ends(start: &str, end: &str) -> [String; 2] {
    let to_second =
        |time: &str| time.get(..19).map_or_else(|| time.to_owned(), |time| time.replace('T', " "));
    if has_seconds(start, end) { [start, end].map(to_second) } else { [start, end].map(short) }
}

/// Whether a window is told to the second.
pub fn has_seconds(start: &str, end: &str) -> bool {
    let is_short = match (span::instant(start), span::instant(end)) {
        (Some(start), Some(end)) => end.saturating_sub(start) < TOLD_TO_SECONDS_US,
        _ => false,
    };
    is_short && [start, end].iter().any(|time| time.get(16..19).is_some_and(|seconds| seconds != ":00"))
}

/// A number that may not be known.
pub fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// The ends of an interval that may not be known.
pub fn interval(ends: Option<[f64; 2]>) -> String {
    ends.map_or_else(|| "–".to_owned(), |[low, high]| format!("{} to {}", number(low), number(high)))
}

/// Microseconds in the unit a person reads.
pub fn latency(us: Option<f64>) -> String {
    match us {
        None => "–".to_owned(),
        Some(us) if us < 1_000.0 => format!("{us:.0} µs"),
        Some(us) if us < 1_000_000.0 => format!("{:.1} ms", us / 1_000.0),
        Some(us) => format!("{:.2} s", us / 1_000_000.0),
    }
}

/// Bytes in the unit a person reads: powers of 1,024.
pub fn bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", units[unit]) }
}

/// Four digits that count, with a minus that is as wide as a plus.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        0.0 => return "0".to_owned(),
        size if !(1e-3..1e7).contains(&size) => format!("{size:.2e}"),
        size => {
            let before = size.log10().floor() as i32;
            let decimals = usize::try_from(3 - before).unwrap_or(0);
            let text = format!("{size:.decimals$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// A share as per cent: to a tenth above ten of them, to a hundredth below, unless nothing would be left.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let fine = if value.abs() >= 10.0 { 10.0 } else { 100.0 };
    let rounded = (value * fine).round() / fine;
    format!("{} %", number(if rounded.abs() >= 0.1 { rounded } else { value }))
}

/// The same with its sign.
pub fn signed_percent(share: f64) -> String {
    let text = percent(share);
    if share > 0.0 { format!("+{text}") } else { text }
}

/// A difference of two shares in percentage points: from 50 % to 30 % it is 20 points, and 40 % of what was there.
pub fn points(difference: f64) -> String {
    format!("{} points", percent(difference).trim_end_matches(" %"))
}

/// The same with its sign.
pub fn signed_points(difference: f64) -> String {
    let text = points(difference);
    if difference > 0.0 { format!("+{text}") } else { text }
}

/// A number with its sign.
pub fn signed(value: f64) -> String {
    let text = number(value);
    if value > 0.0 { format!("+{text}") } else { text }
}

/// `p 0.0021`.
pub fn p_value(p: Option<f64>) -> String {
    match p {
        None => "no p".to_owned(),
        // Smaller than a number can be.
        Some(0.0) => "p < 1e-300".to_owned(),
        Some(p) if p < 0.0001 => format!("p {p:.1e}"),
        Some(p) => format!("p {p:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn a_short_window_is_told_to_the_second_where_minutes_do_not_tell_it_from_the_next() {
        for (start, end, told) in [
            ("2026-01-01T08:20:00Z", "2026-01-01T08:20:30Z", ["2026-01-01 08:20:00", "2026-01-01 08:20:30"]),
            ("2026-01-01T08:20:30Z", "2026-01-01T08:21:00Z", ["2026-01-01 08:20:30", "2026-01-01 08:21:00"]),
            ("2026-01-01T08:20:00Z", "2026-01-01T08:21:00Z", ["2026-01-01 08:20", "2026-01-01 08:21"]),
            ("2026-01-01T08:20:30Z", "2026-01-02T08:20:30Z", ["2026-01-01 08:20", "2026-01-02 08:20"]),
            ("soon", "é", ["soon", "é"]),
        ] {
            assert_eq!(ends(start, end), told);
        }
    }

    #[test]
    fn sizes_have_the_unit_a_person_reads() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn latency_has_the_unit_a_person_reads() {
        for (us, text) in
            [(None, "–"), (Some(830.0), "830 µs"), (Some(1_500.0), "1.5 ms"), (Some(2_500_000.0), "2.50 s")]
        {
            assert_eq!(latency(us), text);
        }
    }

    #[test]
    fn shares_keep_the_digits_that_count() {
        for (share, text) in [(-0.04, "−4 %"), (0.0, "0 %"), (0.00001234, "+0.001234 %"), (2.0, "+200 %")] {
            assert_eq!(signed_percent(share), text);
        }
    }

    #[test]
    fn a_difference_of_shares_is_in_points() {
        for (difference, text) in [(-0.1187, "−11.9 points"), (0.0, "0 points"), (0.0034, "+0.34 points")] {
            assert_eq!(signed_points(difference), text);
        }
        assert_eq!(points(0.05), "5 points");
    }
}
