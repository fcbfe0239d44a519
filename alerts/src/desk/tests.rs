//! From alerts to messages: forty features, a silence, an escalation, a fallback.

mod digests;
mod muted;

use std::time::Duration;

use windvane_store::alerts::sources::Observation;

use super::fixture::{observed, plan};
use super::*;
use crate::book::Judge;
use crate::group::us;
use crate::rate::Cap;
use crate::route::Escalation;

const SECOND: i64 = 1_000_000;

/// Judges forty features of a model.
fn forty(state: &mut State, plan: &Plan, value: f64, now_s: i64) {
    judge(state, plan, (0..40).map(|column| observed("delay", column, value)).collect(), now_s);
}

/// Judges a feature of each of so many models.
fn models(state: &mut State, plan: &Plan, values: &[f64], now_s: i64) {
    let models = values.iter().enumerate();
    let observations = models.map(|(model, value)| observed(&format!("m{model}"), 0, *value)).collect();
    judge(state, plan, observations, now_s);
}

fn judge(state: &mut State, plan: &Plan, observations: Vec<Observation>, now_s: i64) {
    let judge = Judge { now_us: now_s * SECOND, holder: "test", external_url: None };
    let judged = state.book.judge(&plan.rules[0], observations, judge);
    state.judged(judged, plan, now_s * SECOND);
}

/// Tells, and takes what is in the outbox: reasons, and how many alerts fire and have ended.
fn told(state: &mut State, plan: &Plan, now_s: i64) -> Vec<(String, String, usize, usize)> {
    state.tell(plan, &BTreeSet::new(), now_s * SECOND);
    let taken = std::mem::take(&mut state.outbox.parcels);
    taken
        .into_iter()
        .map(|parcel| {
            let notification = parcel.notification;
            let ended = notification.alerts.iter().filter(|alert| alert.state == Ended::Resolved).count();
            (notification.receiver, notification.reason, notification.alerts.len() - ended, ended)
        })
        .collect()
}

fn message(receiver: &str, reason: &str, firing: usize, ended: usize) -> Vec<(String, String, usize, usize)> {
    vec![(receiver.to_owned(), reason.to_owned(), firing, ended)]
}

#[test]
fn forty_features_are_one_message_and_one_end() {
    let (mut state, plan) = (State::default(), plan());
    forty(&mut state, &plan, 1.0, 0);
    assert_eq!(state.events.len(), 40);
    assert_eq!(told(&mut state, &plan, 0), vec![]);
    assert_eq!(told(&mut state, &plan, 30), message("team", "first", 40, 0));
    for now in (60..3_600).step_by(60) {
        forty(&mut state, &plan, 1.0, now);
        assert_eq!(told(&mut state, &plan, now), vec![], "{now}");
    }
    forty(&mut state, &plan, 0.0, 3_600);
    assert_eq!(told(&mut state, &plan, 3_900), message("team", "all_resolved", 0, 40));
    assert!(state.groups.is_empty() && state.book.entries.is_empty());
    assert_eq!(state.events.len(), 80);
}

#[test]
fn a_message_has_all_of_many_alerts_and_the_end_of_each() {
    let (mut state, plan) = (State::default(), plan());
    let many = |value: f64| -> Vec<Observation> {
        (0..450).map(|column| observed("delay", column, value)).collect()
    };
    judge(&mut state, &plan, many(1.0), 0);
    state.tell(&plan, &BTreeSet::new(), 30 * SECOND);
    let notification = &state.outbox.parcels[0].notification;
    assert_eq!((notification.alerts.len(), notification.left_out), (450, 0));
    let text = crate::message::Message::of(notification).text;
    assert!(text.contains(" more"), "people read the first ones, and how many more there are: {text}");
    state.outbox.parcels.clear();
    judge(&mut state, &plan, many(0.0), 60);
    assert_eq!(told(&mut state, &plan, 330), message("team", "all_resolved", 0, 450));
}

#[test]
fn a_restart_neither_tells_again_nor_forgets() {
    let (mut state, plan) = (State::default(), plan());
    forty(&mut state, &plan, 1.0, 0);
    assert_eq!(told(&mut state, &plan, 30).len(), 1);
    let kept = serde_json::to_string(&state).unwrap();
    let mut state: State = serde_json::from_str(&kept).unwrap();
    forty(&mut state, &plan, 1.0, 360);
    assert_eq!(told(&mut state, &plan, 360), vec![]);
    forty(&mut state, &plan, 0.0, 720);
    assert_eq!(told(&mut state, &plan, 720), message("team", "all_resolved", 0, 40));
}

#[test]
fn a_message_has_the_same_id_whoever_makes_it() {
    let plan = plan();
    let id = || {
        let mut state = State::default();
        forty(&mut state, &plan, 1.0, 0);
        state.tell(&plan, &BTreeSet::new(), 30 * SECOND);
        state.outbox.parcels[0].notification.id.clone()
    };
    assert_eq!(id(), id());
}

#[test]
fn what_is_silenced_is_not_told_until_the_silence_ends() {
    let (mut state, plan) = (State::default(), plan());
    state.silences.push(Silence {
        id: "s".to_owned(),
        matchers: vec!["model=delay".parse().unwrap()],
        starts_at_us: 0,
        ends_at_us: 1_000 * SECOND,
        created_by: String::new(),
        comment: String::new(),
    });
    forty(&mut state, &plan, 1.0, 0);
    assert_eq!(told(&mut state, &plan, 30), vec![]);
    assert!(state.standing(&plan, 30 * SECOND).iter().all(|alert| alert.silenced_by.as_deref() == Some("s")));
    assert_eq!(told(&mut state, &plan, 1_230), message("team", "first", 40, 0));
}

#[test]
fn where_nobody_acknowledges_somebody_else_is_told_once() {
    let (mut state, mut plan) = (State::default(), plan());
    plan.route.escalation = Some(Escalation { after: Duration::from_secs(600), to: "lead".to_owned() });
    forty(&mut state, &plan, 1.0, 0);
    assert_eq!(told(&mut state, &plan, 30).len(), 1);
    assert_eq!(state.next_us(&plan, &BTreeSet::new()), Some(330 * SECOND));
    assert_eq!(told(&mut state, &plan, 629), vec![]);
    assert_eq!(told(&mut state, &plan, 630), message("lead", "escalated", 40, 0));
    assert_eq!(told(&mut state, &plan, 1_260), vec![]);

    let mut state = State::default();
    forty(&mut state, &plan, 1.0, 0);
    assert_eq!(told(&mut state, &plan, 30).len(), 1);
    let names: Vec<String> = state.book.entries.keys().cloned().collect();
    let acknowledgements = names
        .into_iter()
        .map(|fingerprint| Acknowledgement {
            fingerprint,
            at_us: 60 * SECOND,
            acknowledged_by: "ada".to_owned(),
            comment: String::new(),
        })
        .collect();
    state.heard(Vec::new(), acknowledgements);
    assert_eq!(told(&mut state, &plan, 630), vec![]);
    assert_eq!(told(&mut state, &plan, 30_000), vec![], "an acknowledged group is not repeated");
    state.now_us = 30_000 * SECOND;
    assert!(state.next_us(&plan, &BTreeSet::new()) > Some(state.now_us), "it does not ask all the time");
}

#[test]
fn notes_tell_lengths_in_words() {
    let (mut state, mut plan) = (State::default(), plan());
    plan.cap = Cap { messages: 1, per: Duration::from_secs(3_600) };
    plan.route.escalation = Some(Escalation { after: Duration::from_secs(5_400), to: "lead".to_owned() });
    models(&mut state, &plan, &[1.0; 2], 0);
    let mut notes = Vec::new();
    for now_s in [30, 3_630, 5_430] {
        state.tell(&plan, &BTreeSet::new(), now_s * SECOND);
        let parcels = std::mem::take(&mut state.outbox.parcels).into_iter();
        notes.extend(parcels.filter_map(|parcel| parcel.notification.note));
    }
    let held =
        "1 message was held back, because this receiver gets at most 1 in 1 h; this one stands for them";
    assert_eq!(notes[0], held);
    let escalated = "`team` was told and nobody has acknowledged this for 90 min; `windvane alerts ack` does";
    assert!(notes[1..].iter().any(|note| note == escalated), "{notes:?}");
}

#[test]
fn a_dead_message_goes_to_the_fallback_once() {
    let (mut state, mut plan) = (State::default(), plan());
    plan.fallback = Some("file".to_owned());
    forty(&mut state, &plan, 1.0, 0);
    state.tell(&plan, &BTreeSet::new(), 30 * SECOND);
    let mut dead = state.outbox.parcels.remove(0);
    dead.last = "550 no such user".to_owned();
    let fallback = state.to_fallback(&plan, &dead, 40 * SECOND).remove(0);
    assert_eq!(fallback.notification.receiver, "file");
    assert!(fallback.notification.note.as_ref().unwrap().contains("`team` did not take this: 550"));
    assert_ne!(fallback.notification.id, dead.notification.id);
    assert_eq!(state.to_fallback(&plan, &fallback, 50 * SECOND), []);
}

#[test]
fn who_was_told_beside_the_receiver_is_told_the_end() {
    let ends = |other: &str| {
        [message("team", "all_resolved", 0, 40), message(other, "all_resolved", 0, 40)].concat()
    };
    let sorted = |mut told: Vec<(String, String, usize, usize)>| {
        told.sort_by(|a, b| b.0.cmp(&a.0));
        told
    };
    let (mut state, mut plan) = (State::default(), plan());
    plan.route.escalation = Some(Escalation { after: Duration::from_secs(600), to: "lead".to_owned() });
    forty(&mut state, &plan, 1.0, 0);
    assert_eq!(told(&mut state, &plan, 30).len(), 1);
    assert_eq!(told(&mut state, &plan, 630), message("lead", "escalated", 40, 0));
    forty(&mut state, &plan, 0.0, 700);
    assert_eq!(sorted(told(&mut state, &plan, 930)), ends("lead"));
    assert!(state.groups.is_empty());

    plan.route.escalation = None;
    plan.fallback = Some("file".to_owned());
    forty(&mut state, &plan, 1.0, 1_000);
    state.tell(&plan, &BTreeSet::new(), 1_030 * SECOND);
    let dead = state.outbox.parcels.remove(0);
    assert_eq!(state.to_fallback(&plan, &dead, 1_040 * SECOND).len(), 1);
    forty(&mut state, &plan, 0.0, 1_050);
    let mut again = state.clone();
    assert_eq!(sorted(told(&mut state, &plan, 1_330)), ends("file"));
    // The fallback has the end, so it gets no copy where the receiver does not take it, either.
    again.tell(&plan, &BTreeSet::new(), 1_330 * SECOND);
    let of_team = again.outbox.parcels.iter().position(|parcel| parcel.notification.receiver == "team");
    let dead = again.outbox.parcels.remove(of_team.unwrap());
    assert_eq!(again.to_fallback(&plan, &dead, 1_340 * SECOND), []);
}

#[test]
fn a_state_that_an_earlier_version_kept_is_read() {
    let (mut state, plan) = (State::default(), plan());
    forty(&mut state, &plan, 1.0, 0);
    state.tell(&plan, &BTreeSet::new(), 30 * SECOND);
    let mut kept = serde_json::to_value(&state).unwrap();
    for group in kept["groups"].as_object_mut().unwrap().values_mut() {
        group.as_object_mut().unwrap().retain(|name, _| name != "held" && name != "others");
    }
    for parcel in kept["outbox"]["parcels"].as_array_mut().unwrap() {
        parcel.as_object_mut().unwrap().remove("also");
    }
    let read: State = serde_json::from_str(&kept.to_string()).unwrap();
    assert_eq!((read.groups, read.outbox), (state.groups, state.outbox));
}

#[test]
fn an_alert_whose_route_has_another_name_is_not_lost() {
    let (mut state, plan) = (State::default(), plan());
    forty(&mut state, &plan, 1.0, 0);
    told(&mut state, &plan, 30);
    let mut other = plan;
    other.route.name = "other".to_owned();
    // The group goes with its route: nobody is told again, and whoever was is told the end.
    assert_eq!(told(&mut state, &other, 600), []);
    assert_eq!(state.groups.len(), 1);
    forty(&mut state, &other, 0.0, 700);
    assert_eq!(told(&mut state, &other, 930), message("team", "all_resolved", 0, 40));
    assert_eq!(us(Duration::from_secs(1)), SECOND);
}
