//! Groups after a change of routes: what leads nowhere near them any more is over for whoever was told there.

use super::{State, key};
use crate::group::{Group, Member};
use crate::plan::Plan;

/// What is said of an alert that takes other routes now, before the description that it fired with.
const ELSEWHERE: &str =
    "Over for this receiver, because the configuration sends it elsewhere now; it may still fire.";

impl State {
    /// Ends alerts in groups to which no route leads them any more: nothing that happens to them would be noticed there, so that
    /// they would fire for that receiver for ever. A route that has another name and nothing else keeps its groups, and a
    /// receiver that is gone is told nothing.
    pub(super) fn reroute(&mut self, plan: &Plan, now_us: i64) {
        let is_gone = |group: &Group| plan.route.named(&group.route).is_none();
        let gone = self.groups.iter().filter(|(_, group)| is_gone(group));
        let gone: Vec<String> = gone.map(|(key, _)| key.clone()).collect();
        for old in gone {
            let Some(mut group) = self.groups.remove(&old) else { continue };
            let renamed = plan.route.all().into_iter().find(|route| {
                route.receivers.contains(&group.receiver)
                    && plan.route.key_of(&route.name).as_ref() == Some(&group.route_key)
            });
            if let Some(route) = renamed {
                group.route.clone_from(&route.name);
            }
            let key = key(&group.receiver, &group.route, &group.labels);
            self.groups.insert(key, group);
        }
        let is_there = |name: &str| plan.receivers.iter().any(|receiver| receiver.name() == name);
        self.groups.retain(|_, group| {
            let is_led = end_what_is_elsewhere(plan, group, now_us);
            is_led || group.members.is_empty() || is_there(&group.receiver)
        });
    }
}

/// Ends what no route leads to the group, and says whether one leads anything to it.
fn end_what_is_elsewhere(plan: &Plan, group: &mut Group, now_us: i64) -> bool {
    let Group { route, receiver, labels, members, .. } = group;
    let is_led = |member: &Member| {
        let taken = plan.route.taken(&member.entry.labels);
        taken.into_iter().any(|taken| {
            taken.name == *route
                && taken.receivers.contains(receiver)
                && taken.group_by.of(&member.entry.labels) == *labels
        })
    };
    let mut leads = false;
    for member in members.values_mut() {
        if is_led(member) {
            leads = true;
        } else if member.ended_us.is_none() {
            member.ended_us = Some(now_us);
            let annotations = &mut member.entry.annotations;
            let fired_with = annotations.remove("description");
            let fired_with = fired_with.map_or_else(String::new, |text| format!(" It fired with: {text}"));
            annotations.remove("next");
            annotations.insert("description".to_owned(), format!("{ELSEWHERE}{fired_with}"));
        }
    }
    leads
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;
    use crate::book::Judge;
    use crate::desk::fixture;
    use crate::notification::Notification;
    use crate::receiver::{Receiver, Settings};
    use crate::route::Route;

    const SECOND: i64 = 1_000_000;

    /// A plan with these receivers and a route below the root, of this name and with this matcher, that tells them all.
    fn plan(name: &str, matcher: &str, receivers: &[&str]) -> Plan {
        let mut plan = fixture::plan();
        let path = || PathBuf::from("unused");
        let made =
            receivers.iter().map(|name| Receiver::new(name, &Settings::File { path: path() }).unwrap());
        plan.receivers = made.collect();
        let below = Route {
            name: name.to_owned(),
            matchers: vec![matcher.parse().unwrap()],
            receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
            ..plan.route.clone()
        };
        plan.route.routes = vec![below];
        plan
    }

    /// A state in which `delay` drifts and everybody has been told.
    fn told_first(plan: &Plan) -> State {
        let mut state = State::default();
        judged(&mut state, plan, 1.0, 0);
        assert!(told(&mut state, plan, 30).iter().all(|message| message.reason == "first"));
        state
    }

    fn judged(state: &mut State, plan: &Plan, value: f64, now_s: i64) {
        let judge = Judge { now_us: now_s * SECOND, holder: "test", external_url: None };
        let judged = state.book.judge(&plan.rules[0], vec![fixture::observed("delay", 0, value)], judge);
        state.judged(judged, plan, now_s * SECOND);
    }

    fn told(state: &mut State, plan: &Plan, now_s: i64) -> Vec<Notification> {
        state.tell(plan, &BTreeSet::new(), now_s * SECOND);
        std::mem::take(&mut state.outbox.parcels).into_iter().map(|parcel| parcel.notification).collect()
    }

    fn words(messages: &[Notification]) -> Vec<(&str, &str)> {
        messages.iter().map(|message| (message.receiver.as_str(), message.reason.as_str())).collect()
    }

    #[test]
    fn a_receiver_that_is_told_no_more_is_told_the_end_once() {
        for mut after in [
            plan("drift", "model=delay", &["team", "lead"]),
            plan("drift", "model=other", &["team"]),
            plan("other", "model=other", &["team"]),
        ] {
            let mut state = told_first(&plan("drift", "model=delay", &["pager", "team"]));
            // The alert goes to somebody else now, and the pager is still there.
            after.route.receivers = vec!["lead".to_owned()];
            after.receivers = plan("", "a=b", &["pager", "team", "lead"]).receivers;
            let mut messages = told(&mut state, &after, 60);
            messages.extend(told(&mut state, &after, 330));
            let pager: Vec<&Notification> = messages.iter().filter(|it| it.receiver == "pager").collect();
            assert_eq!(pager.len(), 1, "{:?}", words(&messages));
            assert_eq!(pager[0].reason, "all_resolved");
            assert_eq!(pager[0].route, "{}/{model=\"delay\"}", "whoever knows the incident by it closes it");
            let description = &pager[0].alerts[0].annotations["description"];
            assert!(description.starts_with(ELSEWHERE), "{description}");
            assert!(words(&messages).contains(&("lead", "first")), "{:?}", words(&messages));
            judged(&mut state, &after, 0.0, 400);
            messages = told(&mut state, &after, 100_000);
            assert!(messages.iter().all(|message| message.receiver != "pager"), "{:?}", words(&messages));
            assert!(state.groups.is_empty(), "{:?}", state.groups);
        }
    }

    #[test]
    fn a_receiver_that_is_gone_is_told_nothing() {
        let mut state = told_first(&plan("drift", "model=delay", &["pager"]));
        let after = plan("drift", "model=delay", &["team"]);
        assert_eq!(words(&told(&mut state, &after, 60)), [("team", "first")]);
        assert_eq!(words(&told(&mut state, &after, 100_000)), [("team", "repeat")]);
    }

    #[test]
    fn a_route_that_keeps_its_alerts_keeps_its_incidents() {
        for after in
            [plan("renamed", "model=delay", &["pager"]), plan("drift", "model=~\"delay|fraud\"", &["pager"])]
        {
            let mut state = told_first(&plan("drift", "model=delay", &["pager"]));
            assert!(told(&mut state, &after, 330).is_empty());
            judged(&mut state, &after, 0.0, 400);
            let messages = told(&mut state, &after, 700);
            assert_eq!(words(&messages), [("pager", "all_resolved")]);
            assert_eq!(
                messages[0].route, "{}/{model=\"delay\"}",
                "whoever knows the incident by it closes it"
            );
        }
    }
}
