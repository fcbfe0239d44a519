//! Spans of event time and what they are compared with, as people write them: `24h`, `2013-01-01/2013-04-01`, `previous`,
//! `baseline:NAME`.

use std::fmt;
use std::time::Duration;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// Seven days, microseconds.
const WEEK_US: i64 = 7 * 86_400 * 1_000_000;

/// A half-open span of event time, microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Included.
    pub start_us: i64,
    /// Excluded.
    pub end_us: i64,
}

/// What a window is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceKind {
    /// The span of the same length right before the window; of whole months, as many months.
    Previous,
    /// The same hours of the same weekday, one week before.
    SameHourLastWeek,
    /// A fixed span.
    Window(Span),
    /// A named baseline.
    Baseline(String),
}

impl Span {
    /// Reads a length back from now, or `START/END`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is no span of time: give a length such as 90m, 24h, 7d or 2w, or START/END as in 2013-01-01/2013-04-01"
            )
        };
        let span = match text.split_once('/') {
            Some((start, end)) => Self {
                start_us: instant(start).ok_or_else(expected)?,
                end_us: instant(end).ok_or_else(expected)?,
            },
            None => {
                let length = length_us(text).ok_or_else(expected)?;
                Self { start_us: now.as_microsecond().saturating_sub(length), end_us: now.as_microsecond() }
            }
        };
        span.ordered().map_err(|_| format!("the span `{text}` has to end after it starts"))
    }

    /// The same span.
    ///
    /// # Errors
    /// It ends where it starts, or before.
    pub fn ordered(self) -> Result<Self, String> {
        match self.start_us < self.end_us {
            true => Ok(self),
            false => Err(format!("the span `{self}` has to end after it starts")),
        }
    }

    /// The span of the same length right before. Of whole months, in UTC, as many months: what is compared with March is February.
    #[must_use]
    pub fn before(self) -> Self {
        let months_before =
            || month_start(month_at(self.start_us)?.checked_mul(2)?.checked_sub(month_at(self.end_us)?)?);
        let length_before = self.start_us.saturating_sub(self.end_us.saturating_sub(self.start_us));
        Self { start_us: months_before().unwrap_or(length_before), end_us: self.start_us }
    }

    /// The same hours of the same weekday, one week before.
    #[must_use]
    pub fn a_week_before(self) -> Self {
        Self { start_us: self.start_us.saturating_sub(WEEK_US), end_us: self.end_us.saturating_sub(WEEK_US) }
    }
}

/// The month that begins at an instant, in UTC, counted from January of the year 0; `None` where none does.
fn month_at(us: i64) -> Option<i32> {
    let at = TimeZone::UTC.to_datetime(Timestamp::from_microsecond(us).ok()?);
    let begins = at.day() == 1 && at.time() == Time::midnight();
    begins.then(|| i32::from(at.year()) * 12 + i32::from(at.month()) - 1)
}

/// When such a month begins; `None` where no date tells it.
fn month_start(month: i32) -> Option<i64> {
    let year = i16::try_from(month.div_euclid(12)).ok()?;
    let date = Date::new(year, i8::try_from(month.rem_euclid(12)).ok()? + 1, 1).ok()?;
    Some(TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?.as_microsecond())
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", shown(self.start_us), shown(self.end_us))
    }
}

/// Microseconds since 1970 UTC as RFC 3339.
#[must_use]
pub fn shown(us: i64) -> String {
    Timestamp::from_microsecond(us).map_or_else(|_| us.to_string(), |time| time.to_string())
}

/// The same to the second, as tables tell it to people.
#[must_use]
pub fn to_second(us: i64) -> String {
    shown(us.saturating_sub(us.rem_euclid(1_000_000)))
}

impl fmt::Display for ReferenceKind {
    /// As [`ReferenceKind::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Previous | Self::SameHourLastWeek => f.write_str(self.as_str()),
            Self::Window(span) => write!(f, "window:{span}"),
            Self::Baseline(name) => write!(f, "baseline:{name}"),
        }
    }
}

impl ReferenceKind {
    /// Its word in findings: `baseline`, `window`, `previous` or `same_hour_last_week`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Previous => "previous",
            Self::SameHourLastWeek => "same_hour_last_week",
            Self::Window(_) => "window",
            Self::Baseline(_) => "baseline",
        }
    }

    /// The baseline's name; empty for other kinds.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Baseline(name) => name,
            Self::Previous | Self::SameHourLastWeek | Self::Window(_) => "",
        }
    }

    /// Reads `previous`, `same_hour_last_week`, `window:SPAN` or `baseline:NAME`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "previous" => Ok(Self::Previous),
            None if text == "same_hour_last_week" => Ok(Self::SameHourLastWeek),
            Some(("window", span)) => Span::parse(span, now).map(Self::Window),
            Some(("baseline", name)) if !name.is_empty() => Ok(Self::Baseline(name.to_owned())),
            _ => Err(format!(
                "`{text}` is no reference: give previous, same_hour_last_week, window:START/END or baseline:NAME"
            )),
        }
    }

    /// The same, where windows of this length, microseconds, share no rows with it.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn of_windows(self, length_us: i64) -> Result<Self, String> {
        match self {
            Self::SameHourLastWeek if length_us > WEEK_US => Err(
                "same_hour_last_week is for windows of a week at most: a longer one overlaps with it, and would be compared with its own rows"
                    .to_owned(),
            ),
            kind => Ok(kind),
        }
    }
}

/// Reads an instant (`2013-01-01T05:00:00Z`; in UTC where it has no zone) or a day (`2013-01-01`, its midnight in UTC), microseconds since
/// 1970 UTC.
#[must_use]
pub fn instant(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_microsecond());
    }
    // The name of a zone would not be read.
    let time = text.parse::<DateTime>().ok().filter(|_| !text.contains('['))?;
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_microsecond())
}

/// Reads a length: `90s`, `15m`, `24h`, `7d` or `2w`.
#[must_use]
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

/// A length for people, in the largest unit that leaves no rest or, where that would be many, with one place behind the point:
/// `90 s`, `30 min`, `1 h`, `2.5 h`, `7 days`.
#[must_use]
pub fn in_words(length: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 3_600;
    const DAY: u64 = 86_400;
    let about = |seconds: u64, unit: &str| {
        let number = format!("{:.1}", length.as_secs_f64() / seconds as f64);
        format!("{} {unit}", number.strip_suffix(".0").unwrap_or(&number))
    };
    match (length.as_secs(), length.subsec_nanos()) {
        (0, 0) => "0 s".to_owned(),
        (0, _) => format!("{} ms", length.as_millis()),
        (DAY, 0) => "1 day".to_owned(),
        (s, 0) if s.is_multiple_of(DAY) => format!("{} days", s / DAY),
        (s, 0) if s.is_multiple_of(HOUR) && s < 2 * DAY => format!("{} h", s / HOUR),
        (s, 0) if s.is_multiple_of(MINUTE) && s < 2 * HOUR => format!("{} min", s / MINUTE),
        (s, _) if s < 2 * MINUTE => about(1, "s"),
        (s, _) if s < 2 * HOUR => format!("{:.0} min", length.as_secs_f64() / MINUTE as f64),
        (s, _) if s < 2 * DAY => about(HOUR, "h"),
        _ => about(DAY, "days"),
    }
}

/// Reads a length, in microseconds.
#[must_use]
pub fn length_us(text: &str) -> Option<i64> {
    i64::try_from(length(text)?.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{ReferenceKind, Span, in_words, instant, length, to_second};

    fn now() -> Timestamp {
        "2013-03-02T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn times_for_people_end_with_the_second() {
        for (us, told) in [
            (1_362_182_400_999_999, "2013-03-02T00:00:00Z"),
            (1_362_182_400_000_000, "2013-03-02T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::MAX, "9223372036854000000"),
        ] {
            assert_eq!(to_second(us), told);
        }
    }

    #[test]
    fn spans_are_lengths_or_bounds() {
        let day = Span::parse("24h", now()).unwrap();
        assert_eq!(day.to_string(), "2013-03-01T00:00:00Z/2013-03-02T00:00:00Z");
        assert_eq!(day.before().to_string(), "2013-02-28T00:00:00Z/2013-03-01T00:00:00Z");
        let month = Span::parse("2013-01-01/2013-02-01T12:00:00Z", now()).unwrap();
        assert_eq!(month.to_string(), "2013-01-01T00:00:00Z/2013-02-01T12:00:00Z");
    }

    // March was compared with 31 days, from January 29 on.
    #[test]
    fn the_span_before_whole_months_is_as_many_months() {
        for (window, expected) in [
            ("2013-03-01/2013-04-01", "2013-02-01T00:00:00Z/2013-03-01T00:00:00Z"),
            ("2013-01-01/2013-02-01", "2012-12-01T00:00:00Z/2013-01-01T00:00:00Z"),
            ("2013-01-01/2013-04-01", "2012-10-01T00:00:00Z/2013-01-01T00:00:00Z"),
            ("2013-01-01/2014-01-01", "2012-01-01T00:00:00Z/2013-01-01T00:00:00Z"),
            ("2013-03-01/2013-03-31", "2013-01-30T00:00:00Z/2013-03-01T00:00:00Z"),
            ("2013-03-01T01:00/2013-04-01T01:00", "2013-01-29T01:00:00Z/2013-03-01T01:00:00Z"),
        ] {
            let window = Span::parse(window, now()).unwrap();
            assert_eq!(window.before().to_string(), expected, "{window}");
        }
        let ends = Span { start_us: i64::MIN, end_us: i64::MAX }.before();
        assert_eq!((ends.start_us, ends.end_us), (i64::MIN, i64::MIN));
    }

    // `--at 2013-03-02T05:00:00` looked at the window that ended at midnight.
    #[test]
    fn a_time_without_a_zone_is_in_utc_and_no_midnight() {
        const MIDNIGHT_US: i64 = 1_362_182_400_000_000;
        for (text, expected) in [
            ("2013-03-02", Some(MIDNIGHT_US)),
            ("20130302", Some(MIDNIGHT_US)),
            ("2013-03-02T05:00:00Z", Some(MIDNIGHT_US + 5 * 3_600_000_000)),
            ("2013-03-02 05:00:00Z", Some(MIDNIGHT_US + 5 * 3_600_000_000)),
            ("2013-03-02T05:00:00+05:00", Some(MIDNIGHT_US)),
            ("2013-03-02T05:00:00", Some(MIDNIGHT_US + 5 * 3_600_000_000)),
            ("2013-03-02T05:00", Some(MIDNIGHT_US + 5 * 3_600_000_000)),
            ("2013-03-02 05:00:00", Some(MIDNIGHT_US + 5 * 3_600_000_000)),
            ("2013-03-02T05", Some(MIDNIGHT_US + 5 * 3_600_000_000)),
            ("2013-03-02[Europe/Berlin]", None),
            ("2013-03-02T05:00:00[Europe/Berlin]", None),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }

    #[test]
    fn a_week_before_is_the_same_hours_of_the_same_weekday() {
        let day = Span::parse("24h", now()).unwrap();
        assert_eq!(day.a_week_before().to_string(), "2013-02-22T00:00:00Z/2013-02-23T00:00:00Z");
        // In UTC, where clocks are never put forward, and across the end of a year and a leap day.
        let hour = |text| Span::parse(text, now()).unwrap().a_week_before().to_string();
        assert_eq!(
            hour("2013-01-03T08:00:00Z/2013-01-03T09:00:00Z"),
            "2012-12-27T08:00:00Z/2012-12-27T09:00:00Z"
        );
        assert_eq!(
            hour("2012-03-04T23:00:00Z/2012-03-05T00:00:00Z"),
            "2012-02-26T23:00:00Z/2012-02-27T00:00:00Z"
        );
        let ends = Span { start_us: i64::MIN, end_us: i64::MIN + 1 }.a_week_before();
        assert_eq!((ends.start_us, ends.end_us), (i64::MIN, i64::MIN));
    }

    #[test]
    fn a_window_that_overlaps_with_a_week_ago_is_not_compared_with_that() {
        const DAY_US: i64 = 86_400_000_000;
        let of = |kind: ReferenceKind, days: i64| kind.of_windows(days * DAY_US);
        let week = ReferenceKind::SameHourLastWeek;
        assert_eq!(of(week.clone(), 7), Ok(week.clone()));
        assert!(of(week, 8).unwrap_err().contains("a week at most"));
        assert_eq!(of(ReferenceKind::Previous, 365), Ok(ReferenceKind::Previous));
    }

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

    #[test]
    fn lengths_are_told_in_words() {
        for (ms, words) in [
            (0, "0 s"),
            (430, "430 ms"),
            (9_900, "9.9 s"),
            (10_000, "10 s"),
            (60_000, "1 min"),
            (90_000, "90 s"),
            (1_800_000, "30 min"),
            (3_600_000, "1 h"),
            (5_400_000, "90 min"),
            (5_425_000, "90 min"),
            (9_000_000, "2.5 h"),
            (86_400_000, "1 day"),
            (129_600_000, "36 h"),
            (216_000_000, "2.5 days"),
            (604_800_000, "7 days"),
        ] {
            assert_eq!(in_words(Duration::from_millis(ms)), words, "{ms} ms");
        }
    }

    #[test]
    fn what_is_no_span_says_what_is() {
        for text in ["", "24", "h", "24y", "2013-01-01", "2013-02-01/2013-01-01", "a/b", "99999999999999999w"]
        {
            assert!(Span::parse(text, now()).is_err(), "{text}");
        }
    }

    #[test]
    fn references_are_previous_windows_or_baselines() {
        assert_eq!(ReferenceKind::parse("previous", now()), Ok(ReferenceKind::Previous));
        assert_eq!(ReferenceKind::parse("same_hour_last_week", now()), Ok(ReferenceKind::SameHourLastWeek));
        assert_eq!(ReferenceKind::parse("baseline:q1", now()), Ok(ReferenceKind::Baseline("q1".to_owned())));
        assert!(ReferenceKind::parse("window:2013-01-01/2013-02-01", now()).is_ok());
        for text in ["previous", "same_hour_last_week", "baseline:q1"] {
            assert_eq!(ReferenceKind::parse(text, now()).unwrap().to_string(), text);
        }
        for text in ["baseline:", "baseline", "next", "window:"] {
            assert!(ReferenceKind::parse(text, now()).is_err(), "{text}");
        }
    }
}
