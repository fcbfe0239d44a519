//! How fast a service level objective is used up.
//!
//! Question: are bad events so frequent that the budget of thirty days ends early, now and for long enough to be no blip?
//! Input: bad and all events of a long window and of its last twelfth; the objective, such as 0.999.
//! Formula: burn = (bad/all)/(1 - objective); a rule fires where both windows burn faster than its factor and the long one's bad
//! events are not explained by a burn of just that factor: P(B ≥ bad) < 0.05 for B binomial at factor·(1 - objective).
//! Valid when: events are independent; the last condition keeps one bad event of ten from paging anybody.
//! Reference: Beyer et al. 2018, The Site Reliability Workbook, chapter 5 (multi-window, multi-burn-rate; factor = budget·period/window).
//! Oracle: 2 % of 30 days in 1 h is 14.4, 5 % in 6 h is 6, 10 % in 1 d is 3, 10 % in 3 d is 1; SciPy 1.17 `binomtest` for the bound.
//! Cost: constant.

use crate::{binomial::Share, experiment::effect::Alternative};

/// The chance below which bad events count as more than a burn of the factor brings.
const CHANCE_MAX: f64 = 0.05;

/// How urgent a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody is woken.
    Page,
    /// Somebody looks at it in working hours.
    Ticket,
}

impl Urgency {
    /// The word of the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// A rule: two windows and how fast both must burn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The burn that fires it.
    pub factor: f64,
    /// The long window, seconds.
    pub long_s: u64,
    /// How urgent it is.
    pub urgency: Urgency,
}

impl Rule {
    /// The short window, seconds: a twelfth of the long one.
    #[must_use]
    pub fn short_s(&self) -> u64 {
        self.long_s / 12
    }
}

/// The rules of the workbook for a period of thirty days, the most urgent first.
pub const RULES: [Rule; 4] = [
    Rule { factor: 14.4, long_s: 3_600, urgency: Urgency::Page },
    Rule { factor: 6.0, long_s: 21_600, urgency: Urgency::Page },
    Rule { factor: 3.0, long_s: 86_400, urgency: Urgency::Ticket },
    Rule { factor: 1.0, long_s: 259_200, urgency: Urgency::Ticket },
];

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burn {
    /// The burn of the long window; `None` without events.
    pub long: Option<f64>,
    /// The burn of the short window.
    pub short: Option<f64>,
    /// The chance of so many bad events in the long window at a burn of the rule's factor.
    pub p_value: Option<f64>,
    /// Whether it fires.
    pub fires: bool,
}

/// Applies a rule; the objective is above 0 and below 1. A window without events is `None`.
#[must_use]
pub fn burn(rule: &Rule, objective: f64, [long, short]: [Option<Share>; 2]) -> Burn {
    let budget = 1.0 - objective;
    let rate = |share: Option<Share>| share.map(|share| share.estimate() / budget);
    let p_value = long.and_then(|long| long.p_value((rule.factor * budget).min(1.0), Alternative::Greater));
    let (long, short) = (rate(long), rate(short));
    let faster = |rate: Option<f64>| rate.is_some_and(|rate| rate > rule.factor);
    let fires = faster(long) && faster(short) && p_value.is_some_and(|p| p < CHANCE_MAX);
    Burn { long, short, p_value, fires }
}

#[cfg(test)]
mod tests {
    use super::{RULES, burn};
    use crate::binomial::Share;

    #[test]
    fn factors_are_the_share_of_the_budget_by_the_share_of_the_period() {
        let month_s = 30.0 * 86_400.0;
        for (rule, budget) in RULES.iter().zip([0.02, 0.05, 0.1, 0.1]) {
            assert!((rule.factor - budget * month_s / rule.long_s as f64).abs() < 1e-9, "{rule:?}");
        }
        assert_eq!(RULES.map(|rule| rule.short_s()), [300, 1_800, 7_200, 21_600]);
    }

    #[test]
    fn both_windows_must_burn_and_few_events_page_nobody() {
        let share = |bad, all| Share::new(bad, all);
        for (long, short, fires) in [
            (share(200, 10_000), share(20, 900), true),
            (share(200, 10_000), share(1, 900), false),
            (share(100, 10_000), share(20, 900), false),
            // One bad event of ten is a burn of a hundred, and chance explains it.
            (share(1, 10), share(1, 2), false),
            (share(3, 10), share(1, 2), true),
            (None, None, false),
        ] {
            let found = burn(&RULES[0], 0.999, [long, short]);
            assert_eq!(found.fires, fires, "{long:?} {short:?}: {found:?}");
        }
    }
}
