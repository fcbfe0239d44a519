//! Who looks after which alert. ClickHouse says when an acknowledgement was made, by its own clock, and alerts fire by the clock of
//! this process: the two are not compared. One that was not there before is for the alert as it stands when it is read.

use std::collections::BTreeMap;

use windvane_store::alerts::acknowledgements::Acknowledgement;
use windvane_types::alert::Silence;

use super::State;

impl State {
    /// Takes in what was read of what people said, before what was observed at the same time is judged: whoever acknowledges has
    /// seen how an alert stood before.
    pub fn heard(&mut self, silences: Vec<Silence>, acknowledgements: Vec<Acknowledgement>) {
        let entries = &self.book.entries;
        let since_us = |fingerprint: &str| entries.get(fingerprint).and_then(|entry| entry.phase.since_us());
        let known = made_us(&self.acknowledgements);
        self.looked_after.retain(|fingerprint, since| since_us(fingerprint) == Some(*since));
        for new in acknowledgements.iter().filter(|it| known.get(it.fingerprint.as_str()) != Some(&it.at_us))
        {
            if let Some(since_us) = since_us(&new.fingerprint) {
                self.looked_after.insert(new.fingerprint.clone(), since_us);
            }
        }
        (self.silences, self.acknowledgements) = (silences, acknowledgements);
    }

    /// Who looks after an alert that stands as it does since then.
    pub(super) fn acknowledged(&self, fingerprint: &str, since_us: i64) -> Option<&Acknowledgement> {
        self.looked_after.get(fingerprint).filter(|of_us| **of_us == since_us)?;
        self.acknowledgements.iter().find(|it| it.fingerprint == fingerprint)
    }
}

/// When each alert was acknowledged last, by the clock of ClickHouse.
pub(super) fn made_us(acknowledgements: &[Acknowledgement]) -> BTreeMap<&str, i64> {
    acknowledgements.iter().map(|it| (it.fingerprint.as_str(), it.at_us)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Judge;
    use crate::desk::fixture::{observed, plan};

    const HOUR_US: i64 = 3_600_000_000;

    /// Judges the one feature of a model.
    fn judge(state: &mut State, value: f64, now_us: i64) {
        let (plan, judge) = (plan(), Judge { now_us, holder: "test", external_url: None });
        let judged = state.book.judge(&plan.rules[0], vec![observed("delay", 0, value)], judge);
        state.judged(judged, &plan, now_us);
    }

    /// Hears an acknowledgement of that feature that ClickHouse says was made at a time.
    fn hear(state: &mut State, fingerprint: &str, at_us: i64) {
        let said = Acknowledgement {
            fingerprint: fingerprint.to_owned(),
            at_us,
            acknowledged_by: "ada".to_owned(),
            comment: String::new(),
        };
        state.heard(Vec::new(), vec![said]);
    }

    fn by(state: &State, now_us: i64) -> Option<String> {
        state.standing(&plan(), now_us).first().and_then(|alert| alert.acknowledged_by.clone())
    }

    #[test]
    fn an_acknowledgement_counts_for_the_alert_as_it_stands_whatever_the_clock_of_clickhouse_says() {
        let ada = Some("ada".to_owned());
        for ahead_us in [-48 * HOUR_US, 0, 48 * HOUR_US] {
            let (mut state, mut now_us) = (State::default(), 100 * HOUR_US);
            judge(&mut state, 1.0, now_us);
            let fingerprint = state.book.entries.keys().next().unwrap().clone();
            assert_eq!(by(&state, now_us), None, "{ahead_us}");
            hear(&mut state, &fingerprint, now_us + 60 + ahead_us);
            assert_eq!(by(&state, now_us), ada, "{ahead_us}");
            // It is read again, also after a restart.
            let mut state: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            hear(&mut state, &fingerprint, now_us + 60 + ahead_us);
            assert_eq!(by(&state, now_us), ada, "{ahead_us}");
            // It ends and fires anew: that is nobody's yet.
            judge(&mut state, 0.0, now_us + HOUR_US);
            judge(&mut state, 1.0, now_us + 2 * HOUR_US);
            hear(&mut state, &fingerprint, now_us + 60 + ahead_us);
            assert_eq!(by(&state, now_us), None, "{ahead_us}");
            now_us += 3 * HOUR_US;
            hear(&mut state, &fingerprint, now_us + ahead_us);
            assert_eq!(by(&state, now_us), ada, "{ahead_us}");
            // What was noted by a clock that was wrong stays with the alert.
            state.now_us = now_us;
            state.set_back(HOUR_US);
            hear(&mut state, &fingerprint, now_us + ahead_us);
            assert_eq!(by(&state, HOUR_US), ada, "{ahead_us}");
        }
    }

    #[test]
    fn what_stands_says_which_acknowledgement_is_known_whether_it_counts_or_not() {
        let mut state = State::default();
        judge(&mut state, 1.0, HOUR_US);
        let fingerprint = state.book.entries.keys().next().unwrap().clone();
        let known = |state: &State| state.standing(&plan(), 3 * HOUR_US)[0].heard_until_us;
        assert_eq!(known(&state), Some(0));
        hear(&mut state, &fingerprint, 5);
        assert_eq!(known(&state), Some(5));
        judge(&mut state, 0.0, 2 * HOUR_US);
        judge(&mut state, 1.0, 3 * HOUR_US);
        hear(&mut state, &fingerprint, 5);
        assert_eq!((known(&state), by(&state, 3 * HOUR_US)), (Some(5), None));
    }

    #[test]
    fn an_acknowledgement_of_what_has_ended_meanwhile_is_none_of_what_fires_next() {
        let mut state = State::default();
        judge(&mut state, 1.0, HOUR_US);
        let fingerprint = state.book.entries.keys().next().unwrap().clone();
        judge(&mut state, 0.0, 2 * HOUR_US);
        hear(&mut state, &fingerprint, 2 * HOUR_US);
        judge(&mut state, 1.0, 3 * HOUR_US);
        hear(&mut state, &fingerprint, 2 * HOUR_US);
        assert_eq!((by(&state, 3 * HOUR_US), state.looked_after.len()), (None, 0));
    }
}
