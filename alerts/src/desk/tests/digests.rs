//! Beyond the cap of a receiver there is a digest, but for ends, for what is critical, and for who keeps incidents.

use windvane_store::Secret;

use super::*;
use crate::receiver::{HttpSettings, Receiver, Settings, Targets};

/// A plan in which a receiver gets so many messages an hour.
fn capped(messages: usize) -> Plan {
    Plan { cap: Cap { messages, per: Duration::from_secs(3_600) }, ..plan() }
}

#[test]
fn beyond_the_cap_there_is_one_digest_and_ends_go_through() {
    let (mut state, plan) = (State::default(), capped(2));
    models(&mut state, &plan, &[1.0; 6], 0);
    assert_eq!(told(&mut state, &plan, 30).len(), 2);
    assert_eq!(told(&mut state, &plan, 3_000), vec![]);
    assert_eq!(told(&mut state, &plan, 3_630), message("team", "digest", 4, 0));
    models(&mut state, &plan, &[0.0; 6], 3_700);
    let ends = told(&mut state, &plan, 4_000);
    assert!(ends.len() == 6 && ends.iter().all(|end| end.1 == "all_resolved"), "{ends:?}");
}

/// A receiver that opens an incident for each group, and closes it.
fn keeps_incidents(name: &str) -> Receiver {
    let url = Secret::new("https://events.pagerduty.com/v2/enqueue");
    let http = HttpSettings { url, targets: Targets::PublicOrLoopback };
    Receiver::new(name, &Settings::PagerDuty { http, routing_key: Secret::default() }).unwrap()
}

#[test]
fn a_receiver_that_keeps_incidents_gets_one_for_each_group_and_closes_each() {
    let (mut state, mut plan) = (State::default(), capped(1));
    plan.receivers = vec![keeps_incidents("team")];
    let keys = |state: &mut State, now_s: i64| -> BTreeSet<String> {
        state.tell(&plan, &BTreeSet::new(), now_s * SECOND);
        let parcels = std::mem::take(&mut state.outbox.parcels).into_iter();
        parcels.map(|parcel| parcel.notification.group_key()).collect()
    };
    models(&mut state, &plan, &[1.0; 3], 0);
    let opened = keys(&mut state, 30);
    assert_eq!(opened.len(), 3, "{opened:?}");
    models(&mut state, &plan, &[0.0; 3], 60);
    assert_eq!(keys(&mut state, 330), opened);
    assert!(keys(&mut state, 100_000).is_empty());
}

#[test]
fn a_digest_that_falls_back_to_incidents_opens_one_for_each_group_that_still_fires_and_closes_each() {
    let (mut state, mut plan) = (State::default(), capped(1));
    (plan.receivers, plan.fallback) = (vec![keeps_incidents("pager")], Some("pager".to_owned()));
    models(&mut state, &plan, &[1.0; 4], 0);
    assert_eq!(told(&mut state, &plan, 30), message("team", "first", 1, 0));
    state.tell(&plan, &BTreeSet::new(), 3_630 * SECOND);
    let digest = state.outbox.parcels.remove(0);
    assert_eq!((digest.notification.reason.as_str(), digest.notification.alerts.len()), ("digest", 3));
    models(&mut state, &plan, &[1.0, 1.0, 1.0, 0.0], 3_635);

    let opened = state.to_fallback(&plan, &digest, 3_640 * SECOND);
    let keys = |parcels: &[Parcel]| -> BTreeSet<String> {
        parcels.iter().map(|parcel| parcel.notification.group_key()).collect()
    };
    assert!(opened.iter().all(|parcel| parcel.notification.receiver == "pager"), "{opened:?}");
    assert!(opened.iter().all(|parcel| parcel.notification.reason == "fallback"), "{opened:?}");
    let models_of: Vec<&str> =
        opened.iter().map(|parcel| parcel.notification.group["model"].as_str()).collect();
    assert_eq!(
        models_of,
        ["m1", "m2"],
        "the one that was told first is in no digest, and the last has ended"
    );
    assert_ne!(opened[0].notification.id, opened[1].notification.id);

    models(&mut state, &plan, &[0.0; 4], 3_700);
    state.tell(&plan, &BTreeSet::new(), 100_000 * SECOND);
    let mut ends = std::mem::take(&mut state.outbox.parcels);
    ends.retain(|parcel| parcel.notification.receiver == "pager");
    assert_eq!((keys(&ends), ends.len()), (keys(&opened), 2));
    assert!(ends.iter().all(|parcel| parcel.notification.reason == "all_resolved"), "{ends:?}");
}

#[test]
fn a_digest_for_who_keeps_incidents_by_now_is_a_message_for_each_group() {
    let (mut state, mut plan) = (State::default(), capped(1));
    models(&mut state, &plan, &[1.0; 3], 0);
    assert_eq!(told(&mut state, &plan, 30), message("team", "first", 1, 0));
    plan.receivers = vec![keeps_incidents("team")];
    assert_eq!(told(&mut state, &plan, 3_630), []);
    let single = message("team", "first", 1, 0);
    assert_eq!(told(&mut state, &plan, 3_930), [single.clone(), single].concat());
}

#[test]
fn what_ended_before_its_digest_is_told_neither_to_fire_nor_to_have_ended() {
    let (mut state, plan) = (State::default(), capped(1));
    models(&mut state, &plan, &[1.0; 3], 0);
    assert_eq!(told(&mut state, &plan, 30), message("team", "first", 1, 0));
    models(&mut state, &plan, &[0.0; 3], 60);
    assert_eq!(told(&mut state, &plan, 330), message("team", "all_resolved", 0, 1));
    assert_eq!(told(&mut state, &plan, 3_630), vec![]);
    assert!(state.groups.is_empty());
    assert_eq!(state.ledgers["team"].digest, None);
}

#[test]
fn a_digest_has_what_fires_and_is_not_suppressed() {
    let (mut state, plan) = (State::default(), capped(1));
    models(&mut state, &plan, &[1.0; 4], 0);
    assert_eq!(told(&mut state, &plan, 30), message("team", "first", 1, 0));
    state.silences.push(Silence {
        id: "s".to_owned(),
        matchers: vec!["model=m2".parse().unwrap()],
        starts_at_us: 0,
        ends_at_us: 5_000 * SECOND,
        created_by: String::new(),
        comment: String::new(),
    });
    assert_eq!(told(&mut state, &plan, 330), vec![]);
    // The second has ended, and its group was not looked at since.
    models(&mut state, &plan, &[1.0, 0.0, 1.0, 1.0], 3_629);
    for group in state.groups.values_mut() {
        group.next_us = 3_640 * SECOND;
    }
    assert_eq!(told(&mut state, &plan, 3_630), message("team", "digest", 1, 0));
    // The third is new once it may be told; the digest was a message, so it waits for the next.
    assert_eq!(told(&mut state, &plan, 5_430), vec![]);
    assert_eq!(told(&mut state, &plan, 7_230), message("team", "digest", 1, 0));
    models(&mut state, &plan, &[0.0; 4], 7_240);
    let ends = told(&mut state, &plan, 7_600);
    assert!(ends.len() == 3 && ends.iter().all(|end| end.1 == "all_resolved"), "{ends:?}");
}

#[test]
fn what_is_critical_waits_for_no_digest() {
    let (mut state, mut plan) = (State::default(), capped(1));
    models(&mut state, &plan, &[1.0; 2], 0);
    assert_eq!(told(&mut state, &plan, 30), message("team", "first", 1, 0));
    plan.rules[0].severity = Severity::Critical;
    models(&mut state, &plan, &[1.0; 3], 60);
    let urgent = told(&mut state, &plan, 330);
    assert_eq!(urgent.len(), 3, "{urgent:?}");
    assert!(urgent.iter().all(|told| told.1 != "digest"));
    // What was told so is not told again by the digest.
    assert_eq!(told(&mut state, &plan, 3_630), vec![]);
}

#[test]
fn an_end_that_was_held_back_is_in_the_digest() {
    let (mut state, plan) = (State::default(), capped(1));
    judge(&mut state, &plan, vec![observed("delay", 0, 1.0), observed("delay", 1, 1.0)], 0);
    assert_eq!(told(&mut state, &plan, 30), message("team", "first", 2, 0));
    judge(&mut state, &plan, vec![observed("delay", 0, 1.0), observed("delay", 1, 0.0)], 60);
    assert_eq!(told(&mut state, &plan, 330), vec![]);
    assert_eq!(told(&mut state, &plan, 3_630), message("team", "digest", 1, 1));
}
