//! What changed lately, in sentences with the number behind each. Pure: what is compared with what is stated in words.

mod found;

use windvane_types::span;

use super::drift::{DriftRow, windows};
use super::read::{Deployment, Model};
use crate::chart::heatmap::times;
use crate::listed::names;
use crate::numbers::{latency, percent, short, thousands};

/// Columns, and likewise versions, that have a sentence of their own; of columns that are calm again, those that are named.
const COLUMNS_MAX: usize = 5;
/// Buckets before the newest full one that a change is judged by.
const BEFORE_MIN: usize = 4;
/// Times the median from which on traffic or latency counts as changed.
const TIMES: f64 = 1.5;
/// Share of failures, and times the share before, from which on they are told.
const FAILED_MIN: f64 = 0.005;
const FAILED_TIMES: f64 = 2.0;

/// How much a sentence matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Somebody should look.
    Alarm,
    /// Worth knowing.
    Notice,
    /// Something is right again.
    Good,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// How much it matters.
    pub tone: Tone,
    /// For a person.
    pub text: String,
}

impl Tone {
    /// The class of the style.
    pub fn class(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Notice => "notice",
            Self::Good => "good",
        }
    }
}

/// The changes of a model, those that matter most first.
pub fn lately(model: &Model) -> Vec<Sentence> {
    let mut said = drift(&model.drift);
    said.extend(found::found(model));
    said.extend(versions(model));
    said.extend(traffic(&model.buckets()));
    said.extend(failures(&model.buckets()));
    said.extend(slower(model));
    said.extend(model.notes.iter().map(|note| sentence(Tone::Notice, format!("Monitor {note}."))));
    said.sort_by_key(|sentence| sentence.tone);
    said
}

fn sentence(tone: Tone, text: String) -> Sentence {
    Sentence { tone, text }
}

fn drift(rows: &[DriftRow]) -> Vec<Sentence> {
    let windows = windows(rows);
    let of = |window: Option<&(i64, i64)>| -> Vec<&DriftRow> {
        rows.iter().filter(|row| window == Some(&(row.start_us, row.end_us))).collect()
    };
    let newest = of(windows.last());
    let before = of(windows.len().checked_sub(2).and_then(|i| windows.get(i)));
    let drifted_before = |column: &str| before.iter().any(|row| row.column == column && row.drifted());
    let mut drifted: Vec<&&DriftRow> = newest.iter().filter(|row| row.drifted()).collect();
    // What is new comes first.
    drifted.sort_by(|a, b| {
        drifted_before(&a.column).cmp(&drifted_before(&b.column)).then(b.strength.total_cmp(&a.strength))
    });
    let until = windows.last().map(|window| short(&span::shown(window.1))).unwrap_or_default();
    let mut said: Vec<Sentence> = drifted
        .iter()
        .take(COLUMNS_MAX)
        .map(|row| {
            let change = match row.change() {
                change if change.is_empty() => String::new(),
                change => format!(": {change}"),
            };
            let since = match (before.is_empty(), drifted_before(&row.column)) {
                (true, _) => "",
                (_, true) => "; it did in the window before, too",
                (_, false) => "; it did not in the window before",
            };
            let method = format!("{} {}", row.method, times(row.strength));
            sentence(
                Tone::Alarm,
                format!(
                    "{}{} drifts in the window until {until} UTC{change} ({method}){since}.",
                    row.column,
                    row.arrow()
                ),
            )
        })
        .collect();
    if drifted.len() > COLUMNS_MAX {
        let rest = drifted.len() - COLUMNS_MAX;
        let more = match rest {
            1 => "One more column drifts".to_owned(),
            rest => format!("{rest} more columns drift"),
        };
        said.push(sentence(Tone::Alarm, format!("{more} in that window; the map shows all.")));
    }
    let calm: Vec<String> = before
        .iter()
        .filter(|row| {
            row.drifted() && newest.iter().any(|now| now.column == row.column && now.verdict == "no_drift")
        })
        .map(|row| row.column.clone())
        .collect();
    if !calm.is_empty() {
        let verb = if calm.len() == 1 { "drifts" } else { "drift" };
        let named = names(calm, COLUMNS_MAX);
        said.push(sentence(Tone::Good, format!("{named} no longer {verb}, as of {until} UTC.")));
    }
    if let Some(row) = newest.iter().find(|row| row.verdict == "insufficient_data") {
        let few = newest.iter().filter(|row| row.verdict == "insufficient_data").count();
        let which = if few == 1 { row.column.clone() } else { format!("{few} columns") };
        said.push(sentence(Tone::Notice, format!("The newest window has too few rows to judge {which}.")));
    }
    said
}

fn versions(model: &Model) -> Vec<Sentence> {
    let from = span::shown(model.range.from_us);
    let later = |first: &str| model.deployments.iter().any(|other| other.first_ts.as_str() < first);
    let mut new: Vec<&Deployment> = model
        .deployments
        .iter()
        .filter(|found| found.first_ts >= from && later(&found.first_ts) && !found.version.is_empty())
        .collect();
    let more = new.len().saturating_sub(COLUMNS_MAX);
    if more > 0 {
        new.sort_by(|a, b| b.first_ts.cmp(&a.first_ts));
    }
    let told = new.iter().take(COLUMNS_MAX).map(|found| {
        let place = match found.environment.as_str() {
            "" => String::new(),
            environment => format!(" in {environment}"),
        };
        let since = short(&found.first_ts);
        sentence(Tone::Notice, format!("Version {}{place} answers since {since} UTC.", found.version))
    });
    let rest = match more {
        0 => None,
        1 => Some("One more version began to answer in this span.".to_owned()),
        more => Some(format!("{more} more versions began to answer in this span.")),
    };
    told.chain(rest.map(|text| sentence(Tone::Notice, text))).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The newest full bucket and the median of those before; the last bucket still fills.
fn newest_and_before<T>(buckets: &[T], of: impl Fn(&T) -> f64) -> Option<(&T, f64)> {
    let (_, full) = buckets.split_last()?;
    let (newest, before) = full.split_last()?;
    (before.len() >= BEFORE_MIN)
        .then(|| median(before.iter().map(of).collect()))?
        .map(|median| (newest, median))
}

fn traffic(buckets: &[(i64, u64, u64)]) -> Option<Sentence> {
    let ((at_us, now, _), usual) = newest_and_before(buckets, |(_, predictions, _)| *predictions as f64)?;
    let ratio = *now as f64 / usual.max(1.0);
    let word = match ratio {
        ratio if ratio >= TIMES => "rose",
        ratio if ratio <= 1.0 / TIMES => "fell",
        _ => return None,
    };
    let text = format!(
        "Traffic {word} to {} predictions from {} UTC on, against a median of {} in the spans before.",
        thousands(*now),
        short(&span::shown(*at_us)),
        crate::numbers::number(usual),
    );
    Some(sentence(if *now == 0 { Tone::Alarm } else { Tone::Notice }, text))
}

fn failures(buckets: &[(i64, u64, u64)]) -> Option<Sentence> {
    let share =
        |(_, predictions, failures): &(i64, u64, u64)| *failures as f64 / (*predictions).max(1) as f64;
    let (newest, usual) = newest_and_before(buckets, share)?;
    let now = share(newest);
    (now >= FAILED_MIN && now >= FAILED_TIMES * usual).then(|| {
        let at = short(&span::shown(newest.0));
        sentence(
            Tone::Alarm,
            format!(
                "{} of the predictions failed from {at} UTC on, against {} usually.",
                percent(now),
                percent(usual)
            ),
        )
    })
}

fn slower(model: &Model) -> Option<Sentence> {
    let (newest, usual) = newest_and_before(&model.latency, |found| found.p99_us)?;
    let at = short(&span::shown(newest.at_us));
    let told = |word: &str| {
        format!(
            "Latency {word}: p99 {} from {at} UTC on, against a median of {}.",
            latency(Some(newest.p99_us)),
            latency(Some(usual))
        )
    };
    match newest.p99_us / usual.max(1.0) {
        ratio if ratio >= TIMES => Some(sentence(Tone::Alarm, told("rose"))),
        ratio if ratio <= 1.0 / TIMES => Some(sentence(Tone::Good, told("fell"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(window: i64, column: &str, verdict: &str) -> DriftRow {
        DriftRow {
            start_us: window * 86_400_000_000,
            end_us: (window + 1) * 86_400_000_000,
            column: column.to_owned(),
            verdict: verdict.to_owned(),
            direction: "up".to_owned(),
            method: "ks".to_owned(),
            strength: 3.0,
            mean_reference: Some(40.0),
            mean_current: Some(80.0),
            n_reference: 100,
            n_current: 100,
            ..DriftRow::default()
        }
    }

    #[test]
    fn what_drifts_newly_comes_first_with_its_number() {
        let rows = [
            row(0, "old", "drift"),
            row(0, "new", "no_drift"),
            row(0, "calm", "drift"),
            row(1, "old", "drift"),
            row(1, "new", "drift"),
            row(1, "calm", "no_drift"),
        ];
        let said: Vec<String> = drift(&rows).into_iter().map(|sentence| sentence.text).collect();
        assert_eq!(
            said,
            [
                "new ↑ drifts in the window until 1970-01-03 00:00 UTC: mean 40 → 80 (ks 3 times its floor); it did not in the window before.",
                "old ↑ drifts in the window until 1970-01-03 00:00 UTC: mean 40 → 80 (ks 3 times its floor); it did in the window before, too.",
                "calm no longer drifts, as of 1970-01-03 00:00 UTC.",
            ]
        );
        assert!(drift(&[]).is_empty());
    }

    #[test]
    fn of_many_columns_that_are_calm_again_some_are_named() {
        let windows = ["drift", "no_drift"].into_iter().enumerate();
        let rows: Vec<DriftRow> = windows
            .flat_map(|(window, verdict)| (0..8).map(move |i| row(window as i64, &format!("c{i}"), verdict)))
            .collect();
        let said = drift(&rows);
        assert_eq!(
            said[0].text,
            "c0, c1, c2, c3, c4 and 3 more no longer drift, as of 1970-01-03 00:00 UTC."
        );
    }

    #[test]
    fn traffic_is_judged_by_the_newest_full_bucket() {
        let buckets = |newest: u64, filling: u64| -> Vec<(i64, u64, u64)> {
            [100, 110, 90, 100, newest, filling]
                .into_iter()
                .enumerate()
                .map(|(i, n)| (i as i64, n, 0))
                .collect()
        };
        assert!(traffic(&buckets(105, 0)).is_none());
        assert!(traffic(&buckets(200, 0)).unwrap().text.starts_with("Traffic rose to 200"));
        assert_eq!(traffic(&buckets(0, 100)).unwrap().tone, Tone::Alarm);
        assert!(traffic(&buckets(200, 0)[3..]).is_none());
    }

    #[test]
    fn failures_are_told_where_they_are_many_and_more_than_usual() {
        let buckets = |failed: u64| -> Vec<(i64, u64, u64)> {
            [1, 1, 1, 1, failed, 0].into_iter().enumerate().map(|(i, n)| (i as i64, 1_000, n)).collect()
        };
        assert!(failures(&buckets(4)).is_none());
        assert!(failures(&buckets(30)).unwrap().text.starts_with("3 % of the predictions failed"));
    }
}
