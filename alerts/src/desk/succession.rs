//! Going on where another process was: its state counts, and with it what only this process has measured.

use super::State;
use crate::plan::Plan;
use crate::rule::Source;

impl State {
    /// The newer state that another process has left, for one that has judged alone meanwhile. What a process measures of
    /// itself the other one has not seen: such alerts come along with their groups and messages, so that whoever was told that
    /// ClickHouse is away is told the end.
    #[must_use]
    pub fn gone_on_from(self, mut newer: Self, plan: &Plan) -> Self {
        let own = |name: &str| {
            let rule = plan.rules.iter().find(|rule| rule.name == name);
            rule.is_some_and(|rule| matches!(rule.source, Source::Own { .. }))
        };
        newer.now_us = newer.now_us.max(self.now_us);
        for (fingerprint, entry) in self.book.entries {
            if own(&entry.rule) {
                newer.book.entries.entry(fingerprint).or_insert(entry);
            }
        }
        for (key, group) in self.groups {
            let mut members = group.members.values();
            if !group.members.is_empty() && members.all(|member| own(&member.entry.rule)) {
                newer.groups.entry(key).or_insert(group);
            }
        }
        for parcel in self.outbox.parcels {
            let notification = &parcel.notification;
            let known = newer.outbox.parcels.iter().any(|other| other.notification.id == notification.id);
            if !known && notification.alerts.iter().all(|alert| own(alert.name())) {
                newer.outbox.parcels.push(parcel);
            }
        }
        // Rows are what happened, whoever goes on; ClickHouse takes one that it has already once.
        newer.events.extend(self.events);
        newer.attempts.extend(self.attempts);
        newer
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::book::Judge;
    use crate::desk::fixture;
    use crate::machine::{NoData, Timing};
    use crate::notification::Labels;
    use crate::rule::Rule;
    use crate::watch::{Measured, of_own};

    const SECOND: i64 = 1_000_000;

    #[test]
    fn what_only_this_process_measured_comes_along_and_the_rest_is_the_others() {
        let away = Rule {
            name: "StoreUnavailable".to_owned(),
            source: Source::Own { measure: "store_unavailable" },
            timing: Timing { for_us: 0, keep_firing_for_us: 0, no_data: NoData::Ok },
            ..fixture::rule()
        };
        let mut plan = fixture::plan();
        plan.rules.push(away);
        let judge = |now_s: i64| Judge { now_us: now_s * SECOND, holder: "test", external_url: None };
        let unavailable = |value: f64, now_s: i64| {
            let measured = Measured::new("store_unavailable", Labels::new(), value);
            of_own(&[measured], "store_unavailable", now_s * SECOND)
        };
        let tell = |state: &mut State, now_s: i64| -> Vec<(String, usize)> {
            state.tell(&plan, &BTreeSet::new(), now_s * SECOND);
            let parcels = std::mem::take(&mut state.outbox.parcels).into_iter();
            parcels.map(|parcel| (parcel.notification.reason, parcel.notification.alerts.len())).collect()
        };

        // Alone, it tells of a drift and that ClickHouse is away.
        let mut alone = State::default();
        alone.book.judge(&plan.rules[0], vec![fixture::observed("delay", 0, 1.0)], judge(0));
        alone.book.judge(&plan.rules[1], unavailable(1.0, 0), judge(0));
        assert_eq!(tell(&mut alone, 30).len(), 2);
        // The other one has seen the drift end, and another one begin.
        let mut newer = State { revision: 9, ..State::default() };
        newer.book.judge(&plan.rules[0], vec![fixture::observed("fraud", 0, 1.0)], judge(40));
        let mut state = alone.gone_on_from(newer, &plan);
        let rules: Vec<&str> = state.book.entries.values().map(|entry| entry.rule.as_str()).collect();
        assert_eq!(rules.len(), 2, "{rules:?}");
        assert!(
            state
                .book
                .entries
                .values()
                .all(|entry| entry.labels.get("model").is_none_or(|model| model == "fraud"))
        );
        assert_eq!((state.revision, state.groups.len()), (9, 1));
        // The end of what was told alone is told.
        let judged = state.book.judge(&plan.rules[1], unavailable(0.0, 60), judge(60));
        state.judged(judged, &plan, 60 * SECOND);
        let told = tell(&mut state, 330);
        assert!(told.contains(&("all_resolved".to_owned(), 1)), "{told:?}");
    }
}
