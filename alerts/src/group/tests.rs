//! When a group is told, case by case and over any history.

use proptest::prelude::*;
use windvane_store::alerts::sources::{Observation, QUERY_SAMPLE};

use super::*;
use crate::machine::Phase;

const MANNER: Manner = Manner {
    pace: Pace {
        group_wait: Duration::from_micros(30),
        group_interval: Duration::from_micros(300),
        repeat_interval: Some(Duration::from_micros(1_000)),
    },
    send_resolved: true,
};

fn member(since_us: i64, ended_us: Option<i64>) -> Member {
    let observation: Observation = serde_json::from_str(QUERY_SAMPLE).unwrap();
    let entry = Entry {
        rule: "R".to_owned(),
        labels: Labels::new(),
        phase: Phase::Firing { since_us },
        annotations: Labels::new(),
        link: None,
        observation,
    };
    Member { entry, since_us, ended_us }
}

fn group(now_us: i64) -> Group {
    Group::new(("root", "ops", Labels::new()), now_us, MANNER.pace, now_us)
}

fn view(group: &Group) -> View {
    let names = |ended: bool| {
        let members = group.members.iter().filter(|(_, member)| member.ended_us.is_some() == ended);
        members.map(|(name, _)| name.clone()).collect()
    };
    View { firing: names(false), resolved: names(true), muted: false, acknowledged: false }
}

/// Looks at the group and notes the answer.
fn look(group: &mut Group, now_us: i64, change: impl Fn(&mut View)) -> Decision {
    let mut view = view(group);
    change(&mut view);
    let decision = decide(group, &view, MANNER, now_us);
    group.looked((decision, MANNER), &view, now_us);
    decision
}

#[test]
fn a_group_is_told_after_its_wait_and_then_at_its_interval() {
    let mut group = group(0);
    group.update("a", member(0, None));
    let plain = |_: &mut View| {};
    assert_eq!(look(&mut group, 29, plain), Decision::Hold(Held::NotYet));
    assert_eq!(look(&mut group, 30, plain), Decision::Tell(Why::First));
    group.update("b", member(40, None));
    assert_eq!(look(&mut group, 329, plain), Decision::Hold(Held::NotYet));
    assert_eq!(look(&mut group, 330, plain), Decision::Tell(Why::NewAlerts));
    group.update("a", member(0, Some(400)));
    assert_eq!(look(&mut group, 630, plain), Decision::Tell(Why::SomeResolved));
    assert!(!group.members.contains_key("a"));
    assert_eq!(look(&mut group, 930, plain), Decision::Hold(Held::Unchanged));
    assert_eq!(look(&mut group, 1_230, plain), Decision::Hold(Held::Unchanged));
    assert_eq!(look(&mut group, 1_530, plain), Decision::Hold(Held::Unchanged));
    // Repeats come at a multiple of the interval, after repeat_interval.
    assert_eq!(look(&mut group, 1_830, plain), Decision::Tell(Why::Repeat));
    group.update("b", member(40, Some(1_900)));
    assert_eq!(look(&mut group, 2_130, plain), Decision::Tell(Why::AllResolved));
    assert!(group.is_over());
}

#[test]
fn what_ended_before_the_wait_is_never_told() {
    let mut group = group(0);
    group.update("a", member(0, Some(10)));
    assert_eq!(look(&mut group, 30, |_| {}), Decision::Hold(Held::NothingFires));
    assert!(group.is_over());
}

#[test]
fn what_fires_longer_than_the_wait_is_told_at_once() {
    let late = Group::new(("root", "ops", Labels::new()), 0, MANNER.pace, 1_000);
    assert_eq!(late.next_us, 1_000);
}

#[test]
fn an_end_under_a_silence_is_told_afterwards() {
    let mut group = group(0);
    group.update("a", member(0, None));
    assert_eq!(look(&mut group, 30, |_| {}), Decision::Tell(Why::First));
    group.update("a", member(0, Some(100)));
    let silenced = |view: &mut View| *view = View::default();
    assert_eq!(look(&mut group, 330, silenced), Decision::Hold(Held::Suppressed));
    assert_eq!(look(&mut group, 630, |view| view.muted = true), Decision::Hold(Held::Muted));
    assert_eq!(look(&mut group, 930, |_| {}), Decision::Tell(Why::AllResolved));
}

#[test]
fn without_a_repeat_interval_what_belongs_to_longer_windows_is_repeated_after_a_window_and_a_quarter() {
    const HOUR: i64 = 3_600_000_000;
    let pace = Pace { repeat_interval: None, ..MANNER.pace };
    let of = |severity: &str, window_us: i64, ended_us: Option<i64>| {
        let mut member = member(0, ended_us);
        member.entry.labels.insert("severity".to_owned(), severity.to_owned());
        let observation = &mut member.entry.observation;
        observation.window_start_us = if window_us == 0 { 0 } else { observation.window_end_us - window_us };
        member
    };
    for (members, expected) in [
        (vec![], 4 * HOUR),
        (vec![of("warning", 0, None)], 4 * HOUR),
        (vec![of("warning", HOUR, None)], 4 * HOUR),
        (vec![of("warning", HOUR, None), of("error", 24 * HOUR, None)], 30 * HOUR),
        (vec![of("warning", HOUR, None), of("error", 24 * HOUR, Some(1))], 4 * HOUR),
        (vec![of("warning", 24 * HOUR, None), of("critical", HOUR, None)], 4 * HOUR),
    ] {
        let mut group = group(0);
        for (at, member) in members.into_iter().enumerate() {
            group.update(&at.to_string(), member);
        }
        assert_eq!(group.repeat_us(pace), expected);
        assert_eq!(group.repeat_us(MANNER.pace), 1_000, "what a route says holds");
    }
}

#[test]
fn an_acknowledged_group_is_not_repeated_and_not_escalated() {
    let mut group = group(0);
    group.update("a", member(0, None));
    look(&mut group, 30, |_| {});
    let escalation = Escalation { after: Duration::from_micros(500), to: "boss".to_owned() };
    assert_eq!(group.escalates_at_us(&escalation), Some(530));
    let acknowledged = |view: &mut View| view.acknowledged = true;
    assert_eq!(look(&mut group, 2_000, acknowledged), Decision::Hold(Held::Acknowledged));
    group.update("b", member(0, None));
    assert_eq!(look(&mut group, 3_000, acknowledged), Decision::Tell(Why::NewAlerts));
    group.escalated = true;
    assert_eq!(group.escalates_at_us(&escalation), None);
}

#[test]
fn where_ends_are_not_sent_nothing_is_owed() {
    let quiet = Manner { send_resolved: false, ..MANNER };
    let mut group = group(0);
    group.update("a", member(0, None));
    look(&mut group, 30, |_| {});
    group.update("a", member(0, Some(100)));
    let view = view(&group);
    let decision = decide(&group, &view, quiet, 330);
    assert_eq!(decision, Decision::Hold(Held::NothingFires));
    group.looked((decision, quiet), &view, 330);
    assert!(group.is_over());
}

/// What happens to one of five alerts, with the time that passes before.
fn history() -> impl Strategy<Value = Vec<(u8, bool, i64)>> {
    proptest::collection::vec((0..5_u8, any::<bool>(), 1..200_i64), 1..120)
}

proptest! {
    /// Whatever fires and ends: a message comes only at a look, says something new or comes after repeat_interval; and who was
    /// told that something fires is told in the end that nothing does.
    #[test]
    fn messages_are_new_or_due_and_no_end_is_lost(history in history()) {
        let mut group = group(0);
        let (mut now, mut told_at, mut told): (i64, Option<i64>, BTreeSet<String>) = (0, None, BTreeSet::new());
        let end: Vec<(u8, bool, i64)> = (0..5).map(|alert| (alert, false, 1)).chain([(0, false, 400), (0, false, 400)]).collect();
        for (alert, fires, passed) in history.into_iter().chain(end) {
            now += passed;
            let name = alert.to_string();
            let ended = if fires { None } else { Some(now) };
            if fires || group.members.contains_key(&name) {
                group.update(&name, member(now, ended));
            }
            let before = view(&group);
            if let Decision::Tell(why) = look(&mut group, now, |_| {}) {
                match why {
                    Why::Repeat => prop_assert!(now - told_at.unwrap() >= 1_000),
                    Why::First => prop_assert!(told.is_empty() && !before.firing.is_empty()),
                    Why::NewAlerts => prop_assert!(!before.firing.is_subset(&told)),
                    _ => prop_assert!(told.iter().any(|name| !before.firing.contains(name))),
                }
                if let Some(last) = told_at {
                    prop_assert!(now - last >= 1, "two messages at {now}");
                }
                told_at = Some(now);
                told = before.firing;
            }
        }
        prop_assert!(told.is_empty(), "{told:?} was never told to have ended");
        prop_assert!(group.is_over());
    }
}
