//! Lengths of windows, and the boundaries they end at: fixed lengths from a fixed origin, or calendar months, in UTC.

use std::fmt;

use jiff::{Timestamp, Unit, civil::DateTime, tz::TimeZone};
use windvane_types::span;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
const WEEK_US: i64 = 7 * DAY_US;
/// The first Monday after 1970 began, where weeks start.
const MONDAY_US: i64 = 4 * DAY_US;
/// Months of the longest period, and its length: ten years.
const MONTHS_MAX: u32 = 120;
const LENGTH_US_MAX: i64 = 3_660 * DAY_US;

/// A length of time with boundaries: every instant lies between two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A number of microseconds, above 0. Boundaries lie at its multiples since 1970; of whole weeks since a Monday.
    Fixed(i64),
    /// A number of calendar months, above 0. Boundaries lie at the starts of months.
    Months(u32),
}

impl Period {
    /// Reads `90m`, `24h`, `7d`, `2w`, or `1mo` for calendar months, up to ten years.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_suffix("mo") {
            let months = digits.parse().ok().filter(|months| (1..=MONTHS_MAX).contains(months))?;
            return Some(Self::Months(months));
        }
        span::length_us(text).filter(|us| (SECOND_US..=LENGTH_US_MAX).contains(us)).map(Self::Fixed)
    }

    /// The last boundary at or before an instant, microseconds since 1970 UTC.
    #[must_use]
    pub fn boundary_before(self, us: i64) -> i64 {
        match self {
            Self::Fixed(length) => {
                let origin = if length % WEEK_US == 0 { MONDAY_US } else { 0 };
                us - (us - origin).rem_euclid(length)
            }
            Self::Months(months) => {
                let month = month_of(us);
                start_of(month - month.rem_euclid(i64::from(months)))
            }
        }
    }

    /// What lies this period before an instant: for months the start of the month that many before its own.
    #[must_use]
    pub fn back_from(self, us: i64) -> i64 {
        match self {
            Self::Fixed(length) => us.saturating_sub(length),
            Self::Months(months) => start_of(month_of(us) - i64::from(months)),
        }
    }

    /// The first boundary after a boundary.
    #[must_use]
    pub fn after(self, boundary: i64) -> i64 {
        match self {
            Self::Fixed(length) => boundary.saturating_add(length),
            Self::Months(months) => start_of(month_of(boundary) + i64::from(months)),
        }
    }

    /// About how long it is, microseconds.
    #[must_use]
    pub fn about_us(self) -> i64 {
        match self {
            Self::Fixed(length) => length,
            Self::Months(months) => i64::from(months) * 30 * DAY_US,
        }
    }
}

impl fmt::Display for Period {
    /// As [`Period::parse`] reads it, in the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Months(months) => write!(f, "{months}mo"),
            Self::Fixed(length) => {
                let seconds = length / SECOND_US;
                let (size, unit) = [(604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m")]
                    .into_iter()
                    .find(|(size, _)| seconds % size == 0)
                    .unwrap_or((1, "s"));
                write!(f, "{}{unit}", seconds / size)
            }
        }
    }
}

/// Months since the year 0 of the month that holds an instant.
fn month_of(us: i64) -> i64 {
    let time = Timestamp::from_microsecond(us).unwrap_or_default();
    let date = TimeZone::UTC.to_datetime(time);
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// The start of a month, microseconds since 1970 UTC; the nearest instant that can be told where it cannot.
fn start_of(month: i64) -> i64 {
    let year = i16::try_from(month.div_euclid(12)).unwrap_or(i16::MAX).clamp(-9999, 9999);
    let month = i8::try_from(month.rem_euclid(12) + 1).expect("1 to 12");
    DateTime::new(year, month, 1, 0, 0, 0, 0)
        .and_then(|date| date.round(Unit::Microsecond))
        .ok()
        .and_then(|date| TimeZone::UTC.to_timestamp(date).ok())
        .map_or(0, Timestamp::as_microsecond)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn us(text: &str) -> i64 {
        span::instant(text).unwrap()
    }

    #[test]
    fn periods_read_back_as_they_are_written() {
        for text in ["30s", "90m", "1h", "1d", "2w", "1mo", "12mo"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Period::parse("24h").unwrap().to_string(), "1d");
        assert_eq!(Period::parse("3660d").unwrap().to_string(), "3660d");
        for text in ["", "0s", "0mo", "121mo", "3661d", "9999999d", "mo", "1.5h", "-1h", "1y"] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }

    #[test]
    fn boundaries_are_midnights_mondays_and_firsts() {
        for (period, at, boundary) in [
            ("1d", "2013-03-05T13:00:00Z", "2013-03-05"),
            ("1d", "2013-03-05", "2013-03-05"),
            ("6h", "2013-03-05T13:00:00Z", "2013-03-05T12:00:00Z"),
            ("1w", "2013-03-05T13:00:00Z", "2013-03-04"),
            ("1mo", "2013-03-31T23:59:59Z", "2013-03-01"),
            ("3mo", "2013-03-31T23:59:59Z", "2013-01-01"),
            ("1d", "1969-12-31T01:00:00Z", "1969-12-31"),
        ] {
            let period = Period::parse(period).unwrap();
            assert_eq!(period.boundary_before(us(at)), us(boundary), "{period} {at}");
        }
        let month = Period::Months(1);
        assert_eq!(month.back_from(us("2013-03-01")), us("2013-02-01"));
        assert_eq!(month.after(us("2012-12-01")), us("2013-01-01"));
    }

    proptest! {
        // Every instant lies at or after its boundary and before the next one, and going back from there comes to the boundary.
        #[test]
        fn an_instant_lies_between_two_boundaries(
            at in -4_000_000_000_000_000_i64..8_000_000_000_000_000,
            months in 1_u32..=24,
            seconds in 1_i64..3_000_000,
            calendar: bool,
        ) {
            let period =
                if calendar { Period::Months(months) } else { Period::Fixed(seconds * SECOND_US) };
            let boundary = period.boundary_before(at);
            let next = period.after(boundary);
            prop_assert!(boundary <= at && at < next);
            prop_assert_eq!(period.boundary_before(boundary), boundary);
            prop_assert_eq!(period.boundary_before(next), next);
            prop_assert_eq!(period.back_from(next), boundary);
        }
    }
}
