//! Rules that cannot be evaluated: since when, how often in a row, and with which error. `RuleFailing` looks at them.

use serde::{Deserialize, Serialize};

use super::State;
use crate::notification::Labels;
use crate::truncate::truncated;
use crate::watch::Measured;

/// Characters of an error that are kept: ClickHouse repeats the statement in its own.
const ERROR_SHOWN: usize = 500;

/// How a rule fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Since when, microseconds since 1970 UTC.
    pub since_us: i64,
    /// How often in a row.
    pub times: u64,
    /// What went wrong last, in one line.
    pub error: String,
}

impl State {
    /// Notes how the evaluation of a rule ended; one that succeeds ends the row of those that failed.
    pub fn evaluated(&mut self, rule: &str, outcome: Result<(), &str>, now_us: i64) {
        let Err(error) = outcome else {
            self.failing.remove(rule);
            return;
        };
        let new = Failing { since_us: now_us, times: 0, error: String::new() };
        let failing = self.failing.entry(rule.to_owned()).or_insert(new);
        failing.times += 1;
        let line: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        failing.error = truncated(line.trim(), ERROR_SHOWN);
    }

    /// How often each rule has failed in a row, and what templates may say of it.
    #[must_use]
    pub fn failed_evaluations(&self) -> Vec<Measured> {
        let measured = self.looked_us.keys().map(|rule| {
            let labels = Labels::from([("rule".to_owned(), rule.clone())]);
            let Some(failing) = self.failing.get(rule) else {
                return Measured::new("failed_evaluations", labels, 0.0);
            };
            let mut measured = Measured::new("failed_evaluations", labels, failing.times as f64);
            measured.fields.insert("since_us".to_owned(), failing.since_us.into());
            measured.fields.insert("error".to_owned(), failing.error.as_str().into());
            measured
        });
        measured.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Judge;
    use crate::defaults;
    use crate::desk::fixture;
    use crate::machine::{NoData, Timing};
    use crate::plan::Plan;
    use crate::rule::{Condition, Rule, Source};

    const MINUTE: i64 = 60_000_000;

    /// `RuleFailing` as it is without a configuration.
    fn usual() -> Rule {
        let usual = defaults::rules().find(|usual| usual.name == "RuleFailing").unwrap();
        let (side, enter, leave) = usual.condition;
        let annotations = usual.annotations();
        Rule {
            name: usual.name.to_owned(),
            source: Source::Own { measure: usual.measure },
            condition: Condition { side, enter, leave },
            timing: Timing { for_us: 0, keep_firing_for_us: 0, no_data: NoData::Ok },
            annotations: annotations.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
            ..fixture::rule()
        }
    }

    /// Notes an outcome, looks at the rule, and says which states its alert took; of its end the description.
    fn look(state: &mut State, plan: &Plan, outcome: Result<(), &str>, minute: i64) -> Vec<String> {
        let now_us = minute * MINUTE;
        state.looked_us.insert("SlowAnswers".to_owned(), now_us);
        state.evaluated("SlowAnswers", outcome, now_us);
        let measured = state.failed_evaluations();
        let observed = crate::watch::of_own(&measured, "failed_evaluations", now_us);
        let judge = Judge { now_us, holder: "test", external_url: None };
        let judged = state.book.judge(&plan.rules[0], observed, judge);
        let states = judged.events.iter().map(|event| event.to_state.clone());
        let ends = judged.resolved.iter().map(|entry| entry.annotations["description"].clone());
        let taken = states.chain(ends).collect();
        state.judged(judged, plan, now_us);
        taken
    }

    #[test]
    fn a_rule_that_fails_three_times_in_a_row_is_told_until_it_is_evaluated_again() {
        let (mut state, mut plan) = (State::default(), fixture::plan());
        plan.rules = vec![usual()];
        let refused = Err("Code: 47. DB::Exception:\nUnknown expression identifier `latency`");
        assert!(look(&mut state, &plan, refused, 0).is_empty());
        assert!(look(&mut state, &plan, refused, 1).is_empty());
        assert!(look(&mut state, &plan, Ok(()), 2).is_empty(), "one that succeeds ends the row");
        for minute in [3, 4] {
            assert!(look(&mut state, &plan, refused, minute).is_empty());
        }
        assert_eq!(look(&mut state, &plan, refused, 5), ["firing"]);
        assert!(look(&mut state, &plan, refused, 6).is_empty(), "it is told once");
        let said = state.book.entries.values().next().unwrap().annotations.clone();
        assert_eq!(said["summary"], "the rule SlowAnswers cannot be evaluated");
        assert_eq!(
            said["description"],
            "4 evaluations in a row have failed since 1970-01-01 00:03 UTC, the last one with: Code: 47. \
             DB::Exception: Unknown expression identifier `latency`. Its alerts stay as they are, and new ones are \
             not found."
        );
        assert!(said["next"].starts_with("windvane alerts lint --online"), "{said:?}");
        let end = look(&mut state, &plan, Ok(()), 7);
        assert_eq!(end[0], "resolved");
        assert!(end[1].starts_with("Over: failed_evaluations is 0 as of 1970-01-01 00:07 UTC."), "{end:?}");
    }

    #[test]
    fn the_row_survives_a_restart() {
        let mut state = State::default();
        state.evaluated("SlowAnswers", Err("no"), MINUTE);
        let mut again: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        again.evaluated("SlowAnswers", Err("no"), 2 * MINUTE);
        let row = Failing { since_us: MINUTE, times: 2, error: "no".to_owned() };
        assert_eq!(again.failing["SlowAnswers"], row);
    }
}
