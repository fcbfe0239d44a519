//! Intervals of time that come again, such as nights and weekends, in a time zone. The form is Alertmanager's.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Minutes of a day; 24:00 is its end.
const DAY_MINUTES: i32 = 24 * 60;

/// Numbers from the first to the second, both included.
type Range = (i32, i32);

/// An interval: a time is in it where each of its parts that says something has a range with it.
#[derive(Debug, Clone)]
pub struct Interval {
    zone: TimeZone,
    minutes: Vec<Range>,
    weekdays: Vec<Range>,
    days: Vec<Range>,
    months: Vec<Range>,
    years: Vec<Range>,
}

/// The texts that an interval is made of.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The time zone, such as Europe/Berlin; UTC where it is empty.
    pub zone: String,
    /// `09:00-17:00`; the end is excluded.
    pub times: Vec<String>,
    /// `monday:friday`, `sunday`.
    pub weekdays: Vec<String>,
    /// `1:5`, `-3:-1` for the last three.
    pub days_of_month: Vec<String>,
    /// `december`, `1:3`.
    pub months: Vec<String>,
    /// `2026:2027`.
    pub years: Vec<String>,
}

/// Intervals by name.
#[derive(Debug, Clone, Default)]
pub struct Intervals(pub BTreeMap<String, Interval>);

impl Intervals {
    /// Whether any of the named ones holds at a time.
    #[must_use]
    pub fn any_holds(&self, names: &[String], now_us: i64) -> bool {
        names.iter().any(|name| self.0.get(name).is_some_and(|interval| interval.holds(now_us)))
    }
}

impl Interval {
    /// Reads an interval.
    ///
    /// # Errors
    /// The part that is wrong, and what it may be.
    pub fn read(written: &Written) -> Result<Self, (&'static str, String)> {
        let zone = match written.zone.as_str() {
            "" => TimeZone::UTC,
            name => TimeZone::get(name).map_err(|_| {
                ("location", format!("`{name}` is no time zone; allowed is a name such as Europe/Berlin"))
            })?,
        };
        let ranges =
            |key: &'static str, texts: &[String], read: &dyn Fn(&str) -> Option<Range>, allowed: &str| {
                texts
                    .iter()
                    .map(|text| {
                        read(text)
                            .ok_or_else(|| (key, format!("`{text}` is not allowed; allowed is {allowed}")))
                    })
                    .collect::<Result<Vec<_>, _>>()
            };
        let weekday = |text: &str| range(text, |word| word_or_number(word, &WEEKDAYS, None));
        let month = |text: &str| range(text, |word| word_or_number(word, &MONTHS, Some((1, 12))));
        let day = |text: &str| {
            range(text, |word| word.parse().ok().filter(|day: &i32| (1..=31).contains(&day.unsigned_abs())))
                .filter(|(first, last)| (*first < 0) == (*last < 0))
                .or_else(|| negative_days(text))
        };
        let year =
            |text: &str| range(text, |word| word.parse().ok().filter(|year| (1970..=9999).contains(year)));
        Ok(Self {
            zone,
            minutes: ranges(
                "times",
                &written.times,
                &minutes,
                "a span of a day such as 09:00-17:00, or two over midnight, 22:00-24:00 and 00:00-06:00",
            )?,
            weekdays: ranges(
                "weekdays",
                &written.weekdays,
                &weekday,
                "a day or days such as monday:friday, from sunday to saturday",
            )?,
            days: ranges(
                "days_of_month",
                &written.days_of_month,
                &day,
                "1 to 31 or -31 to -1, such as 1:5 or -3:-1",
            )?,
            months: ranges("months", &written.months, &month, "a month or months such as december or 1:3")?,
            years: ranges("years", &written.years, &year, "a year or years such as 2026:2027")?,
        })
    }

    /// Whether a time, microseconds since 1970 UTC, is in it.
    #[must_use]
    pub fn holds(&self, now_us: i64) -> bool {
        let Ok(time) = Timestamp::from_microsecond(now_us) else { return false };
        let local = self.zone.to_datetime(time);
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        within(&self.minutes, |(first, end)| first <= minute && minute < end)
            && within(&self.weekdays, |range| between(range, weekday(local.weekday())))
            && within(&self.days, |range| day_between(range, local))
            && within(&self.months, |range| between(range, i32::from(local.month())))
            && within(&self.years, |range| between(range, i32::from(local.year())))
    }
}

/// A part that says nothing holds always.
fn within(ranges: &[Range], holds: impl Fn(Range) -> bool) -> bool {
    ranges.is_empty() || ranges.iter().any(|range| holds(*range))
}

fn between((first, last): Range, number: i32) -> bool {
    first <= number && number <= last
}

/// Negative days count from the end of the month.
fn day_between((first, last): Range, local: DateTime) -> bool {
    let length = i32::from(local.date().days_in_month());
    let day = |day: i32| if day < 0 { length + 1 + day } else { day };
    between((day(first).max(1), day(last).min(length)), i32::from(local.day()))
}

fn weekday(day: Weekday) -> i32 {
    i32::from(day.to_sunday_zero_offset())
}

fn minutes(text: &str) -> Option<Range> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute) = (hour.parse::<i32>().ok()?, minute.parse::<i32>().ok()?);
        let all = hour.checked_mul(60)?.checked_add(minute)?;
        ((0..60).contains(&minute) && (0..=DAY_MINUTES).contains(&all)).then_some(all)
    };
    let (first, end) = text.split_once('-')?;
    let (first, end) = (minute(first)?, minute(end)?);
    (first < end).then_some((first, end))
}

fn range(text: &str, read: impl Fn(&str) -> Option<i32>) -> Option<Range> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let (first, last) = (read(first.trim())?, read(last.trim())?);
    (first <= last).then_some((first, last))
}

/// Days such as `20:-1`, where the end is counted from the end of the month.
fn negative_days(text: &str) -> Option<Range> {
    let (first, last) = text.split_once(':')?;
    let (first, last) = (first.trim().parse::<i32>().ok()?, last.trim().parse::<i32>().ok()?);
    ((1..=31).contains(&first) && (-31..0).contains(&last)).then_some((first, last))
}

fn word_or_number(word: &str, words: &[&str], numbers: Option<Range>) -> Option<i32> {
    let first = numbers.map_or(0, |(first, _)| first);
    if let Some(at) = words.iter().position(|known| known.eq_ignore_ascii_case(word)) {
        return i32::try_from(at).ok().map(|at| at + first);
    }
    word.parse().ok().filter(|number| numbers.is_some_and(|range| between(range, *number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn office_hours_follow_the_clock_of_their_zone_through_summer_time() {
        let office = Interval::read(&Written {
            zone: "Europe/Berlin".to_owned(),
            times: texts(&["09:00-17:00"]),
            weekdays: texts(&["monday:friday"]),
            ..Written::default()
        })
        .unwrap();
        for (time, holds) in [
            ("2026-01-05T08:00:00Z", true),
            ("2026-01-05T07:59:59Z", false),
            ("2026-01-05T16:00:00Z", false),
            ("2026-07-06T07:00:00Z", true),
            ("2026-07-06T15:00:00Z", false),
            ("2026-07-05T10:00:00Z", false),
        ] {
            assert_eq!(office.holds(us(time)), holds, "{time}");
        }
    }

    #[test]
    fn days_may_be_counted_from_the_end_of_the_month() {
        let last =
            Interval::read(&Written { days_of_month: texts(&["-3:-1"]), ..Written::default() }).unwrap();
        for (time, holds) in
            [("2024-02-27T00:00:00Z", true), ("2024-02-26T23:59:00Z", false), ("2023-02-26T00:00:00Z", true)]
        {
            assert_eq!(last.holds(us(time)), holds, "{time}");
        }
        let rest =
            Interval::read(&Written { days_of_month: texts(&["20:-1"]), ..Written::default() }).unwrap();
        assert!(rest.holds(us("2024-02-29T00:00:00Z")) && !rest.holds(us("2024-02-19T00:00:00Z")));
    }

    #[test]
    fn months_and_years_are_words_or_numbers() {
        let winter = Interval::read(&Written {
            months: texts(&["December", "1:2"]),
            years: texts(&["2026"]),
            ..Written::default()
        })
        .unwrap();
        assert!(winter.holds(us("2026-12-24T12:00:00Z")) && winter.holds(us("2026-02-01T00:00:00Z")));
        assert!(!winter.holds(us("2026-03-01T00:00:00Z")) && !winter.holds(us("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn what_is_no_interval_says_what_is() {
        let wrong = [
            (Written { zone: "Berlin".to_owned(), ..Written::default() }, "location"),
            (Written { times: texts(&["17:00-09:00"]), ..Written::default() }, "times"),
            (Written { times: texts(&["9-17"]), ..Written::default() }, "times"),
            (Written { times: texts(&["71582789:00-02:00"]), ..Written::default() }, "times"),
            (Written { weekdays: texts(&["friday:monday"]), ..Written::default() }, "weekdays"),
            (Written { days_of_month: texts(&["0"]), ..Written::default() }, "days_of_month"),
            (Written { days_of_month: texts(&["-2147483648"]), ..Written::default() }, "days_of_month"),
            (Written { days_of_month: texts(&["-3:5"]), ..Written::default() }, "days_of_month"),
            (Written { months: texts(&["13"]), ..Written::default() }, "months"),
            (Written { years: texts(&["26"]), ..Written::default() }, "years"),
        ];
        for (written, key) in wrong {
            let (found, problem) = Interval::read(&written).unwrap_err();
            assert!(found == key && problem.contains("allowed is"), "{written:?}: {found} {problem}");
        }
    }
}
