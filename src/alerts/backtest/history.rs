//! What rules observed in a span of the past: windows that are stored, and what queries answer about one time after another, with
//! a bar on a terminal, because a thousand answers take a while.

use std::io::IsTerminal;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use windvane_alerts::backtest::History;
use windvane_alerts::group::us;
use windvane_alerts::rule::{Rule, Source};
use windvane_store::Store;
use windvane_store::alerts::{
    self,
    sources::{Asked, OBSERVATIONS_MAX, Observation, Past},
};
use windvane_types::span::Span;

use crate::connection;
use crate::drift::arguments::usage;
use crate::exit::Failure;

/// The most observations of one rule: they are held while they are replayed.
const HISTORY_MAX: usize = 500_000;
/// The most times that a query is asked: a minute, where an answer takes a tenth of a second.
const QUERY_TIMES_MAX: u64 = 1_000;
/// How many of them at the same time.
const QUERIES_AT_ONCE: usize = 2;

/// A query that was asked again and again.
#[derive(Debug)]
pub struct Asking {
    /// By which rule.
    pub rule: String,
    /// How far apart the times are.
    pub every: Duration,
}

/// What each rule observed, and which queries were asked how often.
pub async fn gather<'a>(
    store: &Store,
    rules: &[&'a Rule],
    span: Span,
) -> Result<(Vec<History<'a>>, Vec<Asking>), Failure> {
    let bar = bar(rules.iter().map(|rule| steps(rule, span)).sum());
    let (mut histories, mut asked) = (Vec::new(), Vec::new());
    for &rule in rules {
        bar.set_message(rule.name.clone());
        let every = pause(rule, span);
        if let Some(every) = every {
            asked.push(Asking { rule: rule.name.clone(), every });
        }
        let observations = match (&rule.source, every) {
            (Source::Query(sql), Some(every)) => answers(store, (rule, sql), (span, every), &bar).await?,
            (Source::Stored { .. }, _) => {
                let observations = windows(store, rule, span).await?;
                bar.inc(1);
                observations
            }
            _ => Vec::new(),
        };
        histories.push(History { rule, observations, asked_every_us: every.map(us) });
    }
    bar.finish_and_clear();
    Ok((histories, asked))
}

/// A bar on standard error; none where that is no terminal.
fn bar(steps: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {human_pos:>6} / {human_len} {eta:>5}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style)
}

/// Statements that a rule takes: one for its windows, or one a time.
fn steps(rule: &Rule, span: Span) -> u64 {
    match (&rule.source, pause(rule, span)) {
        (Source::Query(_), Some(every)) => times(span, every).count() as u64,
        (Source::Stored { .. }, _) => 1,
        _ => 0,
    }
}

/// The times about which a query is asked.
fn times(span: Span, every: Duration) -> impl Iterator<Item = i64> {
    (span.start_us..=span.end_us).step_by(usize::try_from(us(every)).unwrap_or(usize::MAX).max(1))
}

/// After how long a query is asked again: as often as the rule is looked at, or less often where the span is too long for that.
fn pause(rule: &Rule, span: Span) -> Option<Duration> {
    if !matches!(rule.source, Source::Query(_)) {
        return None;
    }
    let length_s = (span.end_us - span.start_us).unsigned_abs().div_ceil(1_000_000);
    let least = Duration::from_secs(length_s.div_ceil(QUERY_TIMES_MAX).max(1));
    Some(rule.every.max(least))
}

/// What a query answers about the times of a span, one statement a time, as whoever looks at the rule asks it.
async fn answers(
    store: &Store,
    (rule, sql): (&Rule, &str),
    (span, every): (Span, Duration),
    bar: &ProgressBar,
) -> Result<Vec<Observation>, Failure> {
    let mut answers = stream::iter(times(span, every))
        .map(|at_us| alerts::sources::ask(store, sql, at_us))
        .buffered(QUERIES_AT_ONCE);
    let mut observations = Vec::new();
    while let Some(answer) = answers.next().await {
        let answer = answer.map_err(|error| {
            let Failure { reason, error } = connection::failure(error);
            Failure { reason, error: error.context(format!("cannot ask what rule `{}` observes", rule.name)) }
        })?;
        observations.extend(answer.into_iter().filter(|observation| rule.selects(&observation.labels)));
        bounded(rule, &observations)?;
        bar.inc(1);
    }
    Ok(observations)
}

/// Windows of a span, half by half where it is more than one answer holds.
async fn windows(store: &Store, rule: &Rule, span: Span) -> Result<Vec<Observation>, Failure> {
    let Source::Stored { kind, measure } = &rule.source else { return Ok(Vec::new()) };
    let mut left = vec![span];
    let mut observations = Vec::new();
    while let Some(part) = left.pop() {
        let asked = Asked {
            measure,
            from_us: part.start_us,
            to_us: part.end_us,
            latest: OBSERVATIONS_MAX,
            past: Past::Any,
        };
        let found = alerts::sources::read(store, kind, asked).await.map_err(connection::failure)?;
        let middle_us = part.start_us + (part.end_us - part.start_us) / 2;
        if found.len() as u64 >= OBSERVATIONS_MAX && middle_us > part.start_us {
            left.push(Span { start_us: middle_us, end_us: part.end_us });
            left.push(Span { start_us: part.start_us, end_us: middle_us });
            continue;
        }
        observations.extend(found.into_iter().filter(|observation| rule.selects(&observation.labels)));
        bounded(rule, &observations)?;
    }
    Ok(observations)
}

fn bounded(rule: &Rule, observations: &[Observation]) -> Result<(), Failure> {
    if observations.len() > HISTORY_MAX {
        let problem =
            format!("rule `{}` has more than {HISTORY_MAX} observations; give a shorter span", rule.name);
        return Err(usage(problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_counts_every_statement_and_a_query_is_asked_a_bounded_number_of_times() {
        let config = crate::config::load(None).unwrap();
        let stored = config.alerts.rules.iter().find(|rule| rule.name == "FeatureDrift").unwrap();
        let own = config.alerts.rules.iter().find(|rule| rule.name == "StoreUnavailable").unwrap();
        let asks = Rule {
            source: Source::Query("SELECT 1 AS value".to_owned()),
            every: Duration::from_secs(60),
            ..stored.clone()
        };
        let hour = Span { start_us: 0, end_us: 3_600_000_000 };
        // The end of the span is asked about too.
        assert_eq!([steps(stored, hour), steps(own, hour), steps(&asks, hour)], [1, 0, 61]);
        let year = Span { end_us: 366 * 24 * hour.end_us, ..hour };
        assert!((QUERY_TIMES_MAX / 2..=QUERY_TIMES_MAX + 1).contains(&steps(&asks, year)));
    }
}
