//! Whether the effect of the first days is that of the later ones. Pure.

use windvane_stats::experiment::health::{
    ALPHA,
    trend::{self, Course, DAYS_MIN, Day, Trend},
};
use windvane_types::experiment::{Check, CheckVerdict};

use super::check;
use crate::experiment::{
    compare,
    facts::{Facts, MetricFacts},
};

/// Units that a day needs in both arms for its difference to be about normal.
const UNITS_A_DAY_MIN: u64 = 30;
/// The share of the days that count as first ones.
const FIRST_SHARE: f64 = 0.25;

/// One check a metric and arm, where days are known.
pub(super) fn checks(facts: &Facts, control: usize) -> Vec<Check> {
    let days = &facts.parts.days;
    let Some(((start, _), (end, _))) = days.first().zip(days.last()) else { return Vec::new() };
    // Over the store a day counts once it has been followed to its end.
    let followed = if facts.rows.is_none() { " whose window is over" } else { "" };
    let first_days = (f64::from(end - start + 1) * FIRST_SHARE).ceil();
    let mut checks = Vec::new();
    for (place, metric) in facts.metrics.iter().enumerate() {
        for arm in facts.tested(control) {
            let series: Vec<Day> = days
                .iter()
                .filter_map(|(day, metrics)| {
                    of_day(metrics.get(place)?, (control, arm), f64::from(day - start))
                })
                .collect();
            let subject = format!("{} of {}", metric.metric.label(), facts.arms[arm].name);
            checks.push(match metric.metric.quantile() {
                Some(_) => of_quantile(subject),
                None => {
                    let found = trend::trend(&series, first_days, ALPHA);
                    told(&found, (first_days, series.len(), followed), subject)
                }
            });
        }
    }
    checks
}

fn of_day(metric: &MetricFacts, (control, arm): (usize, usize), day: f64) -> Option<Day> {
    let (control, arm) = (metric.arms.get(control)?, metric.arms.get(arm)?);
    if control.n.min(arm.n) < UNITS_A_DAY_MIN {
        return None;
    }
    let difference = compare::compare(control, arm).contrast.absolute?;
    // As precise as its units make it, whatever they happened to do.
    let (n, other) = (control.n as f64, arm.n as f64);
    Some(Day { day, estimate: difference.value, se: difference.se?, weight: n * other / (n + other) })
}

/// Days have no quantiles, whatever units they have.
fn of_quantile(subject: String) -> Check {
    let meaning = "Whether the effect on a quantile lasts is not told: units of a single day have too few rows for one.";
    check("novelty", CheckVerdict::Unknown, (Some(subject), None, Some(ALPHA)), (meaning, ""))
}

fn told(found: &Trend, (first_days, days, followed): (f64, usize, &str), subject: String) -> Check {
    let p_values = [found.slope, found.contrast].map(|effect| effect.and_then(|effect| effect.p_value));
    // A trend is told where either is below half the level.
    let p_value = p_values.iter().flatten().copied().reduce(f64::min).map(|p| (2.0 * p).min(1.0));
    let level = |effect: Option<windvane_stats::experiment::effect::Effect>| {
        effect.map_or("nothing".to_owned(), |effect| format!("{:+.4}", effect.estimate))
    };
    let course = |word: &str| {
        format!(
            "The effect {word}: {} among units of the first {first_days} days, {} among those of later ones.",
            level(found.first),
            level(found.later)
        )
    };
    let wait = "Let the experiment run until units of several days in a row agree, and read those; the mean over all days is no forecast.";
    let (verdict, meaning, advice) = match found.course {
        Course::Stable => {
            (CheckVerdict::Ok, "The effect is the same among units of all days.".to_owned(), "")
        }
        Course::Fading => (CheckVerdict::Warning, course("fades, as of something new"), wait),
        Course::Growing => (CheckVerdict::Warning, course("grows"), wait),
        Course::Turning => (CheckVerdict::Warning, course("changes its sign"), wait),
        Course::Undecided => (
            CheckVerdict::Unknown,
            format!(
                "Whether the effect lasts cannot be told: {days} days have {UNITS_A_DAY_MIN} units in both arms{followed}, and it takes {DAYS_MIN} of them, early and late."
            ),
            "",
        ),
    };
    check("novelty", verdict, (Some(subject), p_value, Some(ALPHA)), (&meaning, advice))
}
