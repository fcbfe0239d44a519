//! Service level objectives over windows of several lengths.

use std::fmt;
use std::str::FromStr;

use windvane_stats::binomial::Share;
use windvane_stats::burn_rate::{self, RULES};
use windvane_store::latency::{self, BurnRow, LatencyAsk};
use windvane_store::populations::{self, LATENCY, Population};
use windvane_store::{ReadError, Reader};
use windvane_types::latency::{Objective as Told, Rule, Window};
use windvane_types::span::{self, Span};

use super::{LatencyError, LatencyRequest};
use crate::drift::{self, Deployment};

/// A share of events that are to be no slower than a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// The share, above 0 and below 1.
    pub objective: f64,
    /// The longest good latency, microseconds.
    pub threshold_us: f64,
}

/// What is no objective.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no objective: give one such as 99.9%:250ms")]
pub struct NoObjective(String);

impl FromStr for Objective {
    type Err = NoObjective;

    /// Reads `99.9%:250ms`: the share, and the longest good latency in `us`, `ms` or `s`.
    fn from_str(text: &str) -> Result<Self, NoObjective> {
        let read = || {
            let (share, threshold) = text.split_once(':')?;
            let percent: f64 = share.strip_suffix('%')?.trim().parse().ok()?;
            // As it is written: 99.9 / 100 is 0.9990000000000001.
            let objective: f64 = format!("{percent}e-2").parse().ok()?;
            let at = threshold.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let us = match &threshold[at..] {
                "us" => 1.0,
                "ms" => 1e3,
                "s" => 1e6,
                _ => return None,
            };
            let threshold: f64 = threshold[..at].parse().ok()?;
            (objective > 0.0 && objective < 1.0 && threshold > 0.0)
                .then_some(Self { objective, threshold_us: threshold * us })
        };
        read().ok_or_else(|| NoObjective(text.to_owned()))
    }
}

impl fmt::Display for Objective {
    /// As it is read: `99.9%:250ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = (self.objective * 1e8).round() / 1e6;
        match self.threshold_us {
            us if us < 1e3 => write!(f, "{share}%:{us}us"),
            us if us < 1e6 => write!(f, "{share}%:{}ms", us / 1e3),
            us => write!(f, "{share}%:{}s", us / 1e6),
        }
    }
}

/// The predictions that objectives look at as of `end_us`: as far back as the longest rule, however short the window in question is.
///
/// # Errors
/// A statement fails.
pub async fn objectives_over(
    reader: &Reader,
    deployment: &Deployment,
    column: &str,
    (end_us, stored_before_us): (i64, i64),
) -> Result<Population, ReadError> {
    let span = reach(end_us);
    if column == LATENCY {
        let filter = drift::filter(deployment, span, stored_before_us);
        return populations::latencies(reader, format!("{} {span}", deployment.model), &filter).await;
    }
    drift::side(reader, deployment, span, stored_before_us).await
}

/// The span of the longest rule that ends at `end_us`.
fn reach(end_us: i64) -> Span {
    let longest_s = RULES.iter().map(|rule| rule.long_s).max().unwrap_or_default();
    let longest_us = i64::try_from(longest_s * 1_000_000).unwrap_or(i64::MAX);
    Span { start_us: end_us.saturating_sub(longest_us), end_us }
}

/// Looks at every objective, where there are latencies or not.
pub(super) async fn look(
    reader: &Reader,
    request: &LatencyRequest,
    (ask, any): (LatencyAsk<'_>, bool),
) -> Result<Vec<Told>, LatencyError> {
    let mut told = Vec::new();
    for objective in &request.objectives {
        let windows: Vec<u64> = RULES.iter().flat_map(|rule| [rule.long_s, rule.short_s()]).collect();
        let timestamp = request.timestamp.as_str();
        let threshold = objective.threshold_us / request.unit_us;
        let row = match ask.population.without_columns {
            true => None,
            false => {
                let statement = latency::burns(ask, (timestamp, request.end_us), (threshold, &windows));
                let statement = statement.ok_or_else(|| without_times(ask.population, timestamp))?;
                reader.rows(&statement).await?.pop()
            }
        };
        // Windows that end with the latest event have it, unless none has a time: then nothing was looked at.
        let is_empty = |row: &BurnRow| row.events.iter().all(|events| *events == 0);
        if any && request.end_us.is_none() && row.as_ref().is_some_and(is_empty) {
            return Err(LatencyError::NoTimes { column: request.timestamp.clone() });
        }
        told.push(tell(objective, row.as_ref(), request.end_us));
    }
    Ok(told)
}

/// Why a column does not say when.
fn without_times(population: &Population, timestamp: &str) -> LatencyError {
    let column = timestamp.to_owned();
    match population.role(timestamp) {
        Some(_) => LatencyError::NoTimes { column },
        None => {
            let known = population.columns.iter().map(|column| column.name.clone()).collect();
            LatencyError::NoTimestamp { column, known }
        }
    }
}

fn tell(objective: &Objective, row: Option<&BurnRow>, end_us: Option<i64>) -> Told {
    let window = |i: usize, window_s: u64| {
        let count = |counts: Option<&Vec<u64>>| counts.and_then(|counts| counts.get(i)).copied().unwrap_or(0);
        let (events, bad) = (count(row.map(|row| &row.events)), count(row.map(|row| &row.bad)));
        (Share::new(bad, events), Window { window_s, events, bad, burn: None })
    };
    let rules: Vec<Rule> = RULES
        .iter()
        .enumerate()
        .map(|(i, rule)| {
            let (long, long_window) = window(2 * i, rule.long_s);
            let (short, short_window) = window(2 * i + 1, rule.short_s());
            let burn = burn_rate::burn(rule, objective.objective, [long, short]);
            Rule {
                urgency: rule.urgency.as_str().to_owned(),
                factor: rule.factor,
                long: Window { burn: burn.long, ..long_window },
                short: Window { burn: burn.short, ..short_window },
                p_value: burn.p_value,
                fires: burn.fires,
            }
        })
        .collect();
    let worst = rules.iter().find(|rule| rule.fires).map_or("ok", |rule| rule.urgency.as_str()).to_owned();
    let as_of = end_us.or_else(|| row.map(|row| row.latest_us)).unwrap_or(0);
    Told {
        objective: objective.objective,
        threshold_us: objective.threshold_us,
        as_of: span::shown(as_of),
        verdict: worst,
        rules,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_have_a_share_and_a_latency_and_are_written_as_they_are_read() {
        let read: Objective = "99.9%:250ms".parse().unwrap();
        assert_eq!((read.objective, read.threshold_us), (0.999, 250_000.0));
        for text in ["99.9%:250ms", "99%:800us", "99.95%:1.5s"] {
            assert_eq!(text.parse::<Objective>().unwrap().to_string(), text);
        }
        for text in ["99.9:250ms", "99.9%", "100%:1s", "nan%:1s", "inf%:1s", "99%:250", "99%:-1ms", "99%:1h"]
        {
            let told = text.parse::<Objective>().unwrap_err().to_string();
            assert!(told.contains(text) && told.contains("such as 99.9%:250ms"), "{told}");
        }
    }

    #[test]
    fn objectives_reach_as_far_back_as_the_longest_rule() {
        let day_us = 86_400_000_000;
        assert_eq!(reach(10 * day_us), Span { start_us: 7 * day_us, end_us: 10 * day_us });
    }

    #[test]
    fn the_most_urgent_rule_that_fires_is_the_verdict() {
        let objective = Objective { objective: 0.99, threshold_us: 100.0 };
        let row = |bad: Vec<u64>| BurnRow { latest_us: 0, events: vec![1_000; 8], bad };
        let verdict = |bad| tell(&objective, Some(&row(bad)), None).verdict;
        assert_eq!(verdict(vec![500; 8]), "page");
        assert_eq!(verdict(vec![50; 8]), "ticket");
        assert_eq!(verdict(vec![9; 8]), "ok");
        assert_eq!(tell(&objective, None, None).verdict, "ok");
    }
}
