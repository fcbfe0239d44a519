//! Going on where another process was: its state counts, and with it what only this process has measured.

use super::State;
use crate::book::{Entry, Judge};
use crate::group::{Group, Member};
use crate::machine::{NoData, Timing};
use crate::notification::{Alert, State as Ended};
use crate::plan::Plan;
use crate::rule::{Rule, Source};

impl State {
    /// The newer state that another process has left, for one that has judged alone meanwhile. What a process measures of
    /// itself the other one has not seen: such alerts come along with their part of groups and messages, so that whoever was
    /// told that ClickHouse is away is told the end.
    #[must_use]
    pub fn gone_on_from(self, mut newer: Self, plan: &Plan) -> Self {
        let own = |name: &str| is_own(plan, name);
        newer.now_us = newer.now_us.max(self.now_us);
        for (fingerprint, entry) in self.book.entries {
            if own(&entry.rule) {
                if let Some(since_us) = self.looked_after.get(&fingerprint) {
                    newer.looked_after.entry(fingerprint.clone()).or_insert(*since_us);
                }
                newer.book.entries.entry(fingerprint).or_insert(entry);
            }
        }
        for (key, group) in self.groups {
            let Some(part) = part_of(group, |member| own(&member.entry.rule)) else { continue };
            match newer.groups.get_mut(&key) {
                Some(group) => join(group, part),
                None => {
                    newer.groups.insert(key, part);
                }
            }
        }
        for mut parcel in self.outbox.parcels {
            let notification = &mut parcel.notification;
            let known = newer.outbox.parcels.iter().any(|other| other.notification.id == notification.id);
            let has_own = notification.alerts.iter().any(|alert| own(alert.name()));
            // What still fires is told beside an end, or the receiver would take all of the group for over.
            let fires = |alert: &Alert| {
                let entry = newer.book.entries.get(&alert.fingerprint());
                entry.is_some_and(|entry| entry.phase.fires()) && alert.state == Ended::Firing
            };
            notification.alerts.retain(|alert| own(alert.name()) || fires(alert));
            if !known && has_own {
                newer.outbox.parcels.push(parcel);
            }
        }
        // Rows are what happened, whoever goes on; ClickHouse takes one that it has already once.
        newer.events.extend(self.events);
        newer.attempts.extend(self.attempts);
        newer
    }

    /// For one that stands by: first what only this process has measured since the state was left for others last, each alert
    /// of it over, because nobody else tells those ends; then the rest. Rows that wait are with the first.
    #[must_use]
    pub fn parted(self, (plan, known_us): (&Plan, i64), judge: Judge<'_>) -> (Self, Self) {
        let alone = |rule: &str, since_us: i64| since_us > known_us && is_own(plan, rule);
        let (mut own, mut rest) = (Self { now_us: self.now_us, ..Self::default() }, self);
        own.events = std::mem::take(&mut rest.events);
        own.attempts = std::mem::take(&mut rest.attempts);
        let of_entry = |entry: &Entry| alone(&entry.rule, entry.phase.since_us().unwrap_or(judge.now_us));
        own.book.entries.clone_from(&rest.book.entries);
        own.book.entries.retain(|_, entry| of_entry(entry));
        rest.book.entries.retain(|_, entry| !of_entry(entry));
        for (key, group) in &mut rest.groups {
            let of_member = |member: &Member| alone(&member.entry.rule, member.since_us);
            let Some(mut part) = part_of(group.clone(), of_member) else { continue };
            group.members.retain(|_, member| !of_member(member));
            if let Some(told) = &mut group.told {
                told.firing.retain(|fingerprint| !part.members.contains_key(fingerprint));
            }
            beside(&mut part, group, judge.now_us);
            part.next_us = judge.now_us;
            own.groups.insert(key.clone(), part);
        }
        for parcel in &mut rest.outbox.parcels {
            let of_alert = |alert: &Alert| alone(alert.name(), alert.starts_at.as_microsecond());
            let mut part = parcel.clone();
            part.notification.alerts.retain(of_alert);
            parcel.notification.alerts.retain(|alert| !of_alert(alert));
            if !part.notification.alerts.is_empty() {
                own.outbox.parcels.push(part);
            }
        }
        rest.outbox.parcels.retain(|parcel| !parcel.notification.alerts.is_empty());
        for rule in plan.rules.iter().filter(|rule| matches!(rule.source, Source::Own { .. })) {
            // It measures them no more.
            let timing = Timing { keep_firing_for_us: 0, no_data: NoData::Ok, ..rule.timing };
            let over = own.book.judge(&Rule { timing, ..rule.clone() }, Vec::new(), judge);
            own.judged(over, plan, judge.now_us);
        }
        (own, rest)
    }

    /// Leaves groups of which no alert of this process is left to tell.
    pub fn leave_others(&mut self, plan: &Plan) {
        self.groups.retain(|_, group| group.members.values().any(|member| is_own(plan, &member.entry.rule)));
    }
}

/// Whether a rule is about what a process measures of itself.
fn is_own(plan: &Plan, name: &str) -> bool {
    let rule = plan.rules.iter().find(|rule| rule.name == name);
    rule.is_some_and(|rule| matches!(rule.source, Source::Own { .. }))
}

/// The part of a group with such alerts of this process only. What waited for a digest nobody was told, and that digest stays
/// behind: such an alert is new.
fn part_of(mut group: Group, own: impl Fn(&Member) -> bool) -> Option<Group> {
    group.members.retain(|_, member| own(member));
    let held = std::mem::take(&mut group.held);
    if let Some(told) = &mut group.told {
        let members = &group.members;
        told.firing.retain(|fingerprint| members.contains_key(fingerprint) && !held.contains(fingerprint));
        told.resolved.retain(|fingerprint| members.contains_key(fingerprint));
    }
    (!group.members.is_empty()).then_some(group)
}

/// Puts what the receiver was told to fire of the rest of a group beside the ends of a part, or it would take all of the group
/// for over. The message is another one than that of the process that has the rest.
fn beside(part: &mut Group, rest: &Group, now_us: i64) {
    let (Some(told), Some(known)) = (&mut part.told, &rest.told) else { return };
    if told.firing.is_empty() {
        return;
    }
    for (fingerprint, member) in &rest.members {
        if member.ended_us.is_none() && known.firing.contains(fingerprint) {
            part.members.insert(fingerprint.clone(), member.clone());
            told.firing.insert(fingerprint.clone());
            part.made_us = now_us;
        }
    }
}

/// Takes the part into the same group of the other process: its receiver was told of both.
fn join(group: &mut Group, part: Group) {
    for (fingerprint, member) in part.members {
        group.members.entry(fingerprint).or_insert(member);
    }
    let Some(told) = part.told.filter(|told| !told.firing.is_empty()) else { return };
    group.others.extend(part.others);
    match &mut group.told {
        Some(before) if !before.firing.is_empty() => before.firing.extend(told.firing),
        before => *before = Some(told),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::desk::fixture;
    use crate::notification::Labels;
    use crate::route::GroupBy;
    use crate::watch::{Measured, of_own};

    const SECOND: i64 = 1_000_000;

    /// Beside the rule of drift one that ClickHouse is away.
    fn plan() -> Plan {
        let away = Rule {
            name: "StoreUnavailable".to_owned(),
            source: Source::Own { measure: "store_unavailable" },
            timing: Timing { for_us: 0, keep_firing_for_us: 0, no_data: NoData::Ok },
            ..fixture::rule()
        };
        let mut plan = fixture::plan();
        plan.rules.push(away);
        plan
    }

    fn drifts(state: &mut State, plan: &Plan, model: &str, now_s: i64) {
        let observed = vec![fixture::observed(model, 0, 1.0)];
        let judged = state.book.judge(&plan.rules[0], observed, judge(now_s));
        state.judged(judged, plan, now_s * SECOND);
    }

    fn measures(state: &mut State, plan: &Plan, value: f64, now_s: i64) {
        let measured = Measured::new("store_unavailable", Labels::new(), value);
        let observed = of_own(&[measured], "store_unavailable", now_s * SECOND);
        let judged = state.book.judge(&plan.rules[1], observed, judge(now_s));
        state.judged(judged, plan, now_s * SECOND);
    }

    fn judge(now_s: i64) -> Judge<'static> {
        Judge { now_us: now_s * SECOND, holder: "test", external_url: None }
    }

    /// Tells, and takes what is in the outbox: reasons and numbers of alerts.
    fn told(state: &mut State, plan: &Plan, now_s: i64) -> Vec<(String, usize)> {
        state.tell(plan, &BTreeSet::new(), now_s * SECOND);
        let parcels = std::mem::take(&mut state.outbox.parcels).into_iter();
        parcels.map(|parcel| (parcel.notification.reason, parcel.notification.alerts.len())).collect()
    }

    #[test]
    fn what_only_this_process_measured_comes_along_and_the_rest_is_the_others() {
        let plan = plan();
        // Alone, it tells of a drift and that ClickHouse is away.
        let mut alone = State::default();
        drifts(&mut alone, &plan, "delay", 0);
        measures(&mut alone, &plan, 1.0, 0);
        assert_eq!(told(&mut alone, &plan, 30).len(), 2);
        // The other one has seen the drift end, and another one begin.
        let mut newer = State { revision: 9, ..State::default() };
        drifts(&mut newer, &plan, "fraud", 40);
        let mut state = alone.gone_on_from(newer, &plan);
        let entries: Vec<_> = state.book.entries.values().collect();
        assert_eq!(entries.len(), 2, "{entries:?}");
        assert!(entries.iter().all(|entry| entry.labels.get("model").is_none_or(|model| model == "fraud")));
        assert_eq!((state.revision, state.groups.len()), (9, 1));
        // The end of what was told alone is told.
        measures(&mut state, &plan, 0.0, 60);
        let told = told(&mut state, &plan, 330);
        assert!(told.contains(&("all_resolved".to_owned(), 1)), "{told:?}");
    }

    #[test]
    fn what_only_this_process_measured_leaves_a_group_that_it_shares_with_drift() {
        let mut plan = plan();
        plan.route.group_by = GroupBy::Labels(vec!["severity".to_owned()]);
        let mut alone = State::default();
        drifts(&mut alone, &plan, "delay", 0);
        measures(&mut alone, &plan, 1.0, 0);
        let mut waiting = alone.clone();
        assert_eq!(told(&mut alone, &plan, 30), [("first".to_owned(), 2)]);
        // The other one has no such group.
        let mut state = alone.clone().gone_on_from(State::default(), &plan);
        measures(&mut state, &plan, 0.0, 60);
        assert_eq!(told(&mut state, &plan, 330), [("all_resolved".to_owned(), 1)]);
        assert!(state.groups.is_empty(), "{:?}", state.groups);
        // The other one has told of another drift in this group.
        let mut newer = State::default();
        drifts(&mut newer, &plan, "fraud", 40);
        assert_eq!(told(&mut newer, &plan, 70), [("first".to_owned(), 1)]);
        let mut state = alone.gone_on_from(newer.clone(), &plan);
        assert_eq!(told(&mut state, &plan, 370), vec![], "both are told already");
        measures(&mut state, &plan, 0.0, 380);
        assert_eq!(told(&mut state, &plan, 670), [("some_resolved".to_owned(), 2)]);
        // A message that waits is sent without what the other one knows.
        waiting.tell(&plan, &BTreeSet::new(), 30 * SECOND);
        let state = waiting.gone_on_from(newer, &plan);
        let rules: Vec<&str> = state.outbox.parcels[0].notification.alerts.iter().map(Alert::name).collect();
        assert_eq!(rules, ["StoreUnavailable"]);
    }

    #[test]
    fn one_that_stands_by_tells_the_ends_of_what_nobody_else_knows() {
        let mut plan = plan();
        plan.route.group_by = GroupBy::Labels(vec!["severity".to_owned()]);
        let mut alone = State::default();
        drifts(&mut alone, &plan, "delay", 10);
        measures(&mut alone, &plan, 1.0, 20);
        assert_eq!(told(&mut alone, &plan, 50), [("first".to_owned(), 2)]);
        // The state that was left at 15 does not have it.
        let (mut own, rest) = alone.clone().parted((&plan, 15 * SECOND), judge(60));
        assert_eq!(told(&mut own, &plan, 60), [("some_resolved".to_owned(), 2)], "the drift still fires");
        own.leave_others(&plan);
        assert!(own.groups.is_empty() && own.book.entries.is_empty(), "{own:?}");
        assert_eq!((own.events.len(), rest.events.len()), (3, 0));
        let mut back = own.gone_on_from(rest, &plan);
        assert_eq!((back.book.entries.len(), back.events.len()), (1, 3));
        assert_eq!(told(&mut back, &plan, 350), vec![], "the drift is told already");
        // One that was left later has it: whoever goes on from it tells the end.
        let (mut own, rest) = alone.parted((&plan, 30 * SECOND), judge(60));
        assert_eq!(told(&mut own, &plan, 60), vec![]);
        assert_eq!(rest.book.entries.len(), 2);
    }
}
