//! The span of time that a page shows: a length back from the newest prediction, so that history that was loaded today is
//! seen as well as what comes in now.

use maud::{Markup, html};
use serde::Deserialize;
use windvane_store::views::{Asked, NEWEST};
use windvane_store::{Store, StoreError};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;
const US: i64 = 1_000_000;

/// A choice of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// In the address.
    pub word: &'static str,
    /// How long, seconds.
    pub length_s: i64,
    /// The buckets that it is drawn in, seconds: whole hours.
    pub bucket_s: i64,
    /// For a person, after "the last".
    pub name: &'static str,
}

/// The choices, from the shortest.
pub const LENGTHS: [Length; 4] = [
    Length { word: "24h", length_s: 24 * HOUR_S, bucket_s: HOUR_S, name: "24 hours" },
    Length { word: "7d", length_s: 7 * 24 * HOUR_S, bucket_s: 6 * HOUR_S, name: "7 days" },
    Length { word: "30d", length_s: 30 * 24 * HOUR_S, bucket_s: 24 * HOUR_S, name: "30 days" },
    Length { word: "1y", length_s: 365 * 24 * HOUR_S, bucket_s: 7 * 24 * HOUR_S, name: "year" },
];

/// A span in event time: whole hours where it is a day, else whole days in UTC, which are kept together in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Which choice.
    pub length: Length,
    /// Start, microseconds since 1970 UTC, included.
    pub from_us: i64,
    /// End, excluded.
    pub to_us: i64,
    /// End of the hour of the newest prediction; of what is later in the span nothing is known yet.
    pub known_us: i64,
}

/// What is asked for in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    range: String,
}

#[derive(Deserialize)]
struct Newest {
    newest_us: i64,
    predictions: u64,
}

impl Length {
    /// Whether its spans are whole days.
    pub fn is_of_days(&self) -> bool {
        self.length_s > DAY_S
    }

    /// Whether its buckets are whole days.
    pub fn is_drawn_by_day(&self) -> bool {
        self.bucket_s % DAY_S == 0
    }
}

impl Choice {
    /// The length of this name, else `usual`.
    pub fn length(&self, usual: usize) -> Length {
        LENGTHS.into_iter().find(|length| length.word == self.range).unwrap_or(LENGTHS[usual])
    }
}

impl Range {
    /// This length back from an instant.
    pub fn ending(at_us: i64, length: Length) -> Self {
        let end = |of_us: i64| at_us.div_euclid(of_us) * of_us + of_us;
        let known_us = end(HOUR_S * US);
        let to_us = if length.is_of_days() { end(DAY_S * US) } else { known_us };
        Self { length, from_us: to_us - length.length_s * US, to_us, known_us }
    }

    /// This length back from the newest prediction of all; `None` without any.
    ///
    /// # Errors
    /// ClickHouse does not answer or refuses.
    pub async fn newest(store: &Store, length: Length) -> Result<Option<Self>, StoreError> {
        let rows: Vec<Newest> = NEWEST.rows(store, &Asked::new()).await?;
        let newest = rows.first().filter(|row| row.predictions > 0);
        Ok(newest.map(|row| Self::ending(row.newest_us, length)))
    }

    /// As parameters of a view.
    pub fn ask(&self, asked: &mut Asked) {
        asked.insert("from", self.from_us.to_string());
        asked.insert("to", self.to_us.to_string());
    }

    /// The same, and the buckets.
    pub fn ask_bucketed(&self, asked: &mut Asked) {
        self.ask(asked);
        asked.insert("bucket", self.length.bucket_s.to_string());
    }

    /// Predictions of a span as a rate for a person.
    pub fn rate(&self, predictions: u64) -> String {
        let known_s = (self.known_us - self.from_us) / US;
        let per_s = predictions as f64 / known_s as f64;
        let (rate, unit) = match per_s {
            rate if rate >= 1.0 => (rate, "/s"),
            rate if rate >= 1.0 / 60.0 => (rate * 60.0, "/min"),
            rate if rate >= 1.0 / 3_600.0 => (rate * 3_600.0, "/h"),
            rate => (rate * 86_400.0, "/day"),
        };
        if predictions == 0 { "–".to_owned() } else { format!("{}{unit}", crate::numbers::number(rate)) }
    }

    /// Links to the other lengths; `here` is the page's path, `rest` what else its address has.
    pub fn choices(&self, here: &str, rest: &[(&str, &str)]) -> Markup {
        html! {
            div.segmented role="group" aria-label="Span of time" {
                @for length in LENGTHS {
                    @let pairs = rest.iter().copied().chain([("range", length.word)]);
                    a href=(format!("{here}{}", crate::address::query(pairs))) aria-current=[(length == self.length).then_some("true")] { (length.word) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_of_whole_hours_and_holds_the_newest_prediction() {
        let range = Range::ending(1_357_017_420_000_000, LENGTHS[0]);
        assert_eq!(range.to_us % (HOUR_S * US), 0);
        assert!(range.to_us > 1_357_017_420_000_000);
        assert_eq!(range.to_us - range.from_us, 86_400 * US);
    }

    #[test]
    fn a_range_of_more_than_a_day_is_of_whole_days_and_rates_know_that_the_last_one_goes_on() {
        let noon = Range::ending((10 * DAY_S + 11 * HOUR_S + 59) * US, LENGTHS[1]);
        assert_eq!((noon.from_us, noon.to_us), (4 * DAY_S * US, 11 * DAY_S * US));
        assert_eq!(noon.known_us, (10 * DAY_S + 12 * HOUR_S) * US);
        assert_eq!(noon.rate(6 * 24 + 12), "1/h");
        let midnight = Range::ending(11 * DAY_S * US - 1, LENGTHS[1]);
        assert_eq!((midnight.to_us, midnight.known_us), (11 * DAY_S * US, 11 * DAY_S * US));
    }

    #[test]
    fn rates_have_the_unit_a_person_reads() {
        let day = Range::ending(0, LENGTHS[0]);
        for (predictions, told) in
            [(0, "–"), (12, "12/day"), (240, "10/h"), (14_400, "10/min"), (864_000, "10/s")]
        {
            assert_eq!(day.rate(predictions), told);
        }
    }

    #[test]
    fn an_unknown_length_is_the_usual_one() {
        assert_eq!(Choice { range: "9z".to_owned() }.length(2).word, "30d");
        assert_eq!(Choice { range: "1y".to_owned() }.length(2).word, "1y");
    }
}
