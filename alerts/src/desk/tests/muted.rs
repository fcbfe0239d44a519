//! What an interval mutes is kept, and told when the interval ends.

use super::*;
use crate::interval::{Interval, Written};

/// A plan whose route is muted for an hour of each day, from this one on.
fn muted_at(hour: u8) -> Plan {
    let written = Written { times: vec![format!("{hour:02}:00-{:02}:00", hour + 1)], ..Written::default() };
    let mut plan = plan();
    plan.intervals.0.insert("quiet".to_owned(), Interval::read(&written).unwrap());
    plan.route.mute_in = vec!["quiet".to_owned()];
    plan
}

#[test]
fn what_is_muted_is_kept_and_told_when_the_interval_ends() {
    const DAY: i64 = 86_400;
    let (mut state, plan) = (State::default(), muted_at(0));
    // It fires in the interval: nobody is told, and all that happens is kept.
    forty(&mut state, &plan, 1.0, 0);
    for now in (30..3_600).step_by(300) {
        assert_eq!(told(&mut state, &plan, now), vec![], "{now}");
    }
    assert_eq!((state.events.len(), state.book.entries.len()), (40, 40));
    assert!(state.standing(&plan, 3_000 * SECOND).iter().all(|alert| alert.silenced_by.is_none()));
    let mut again: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert_eq!(told(&mut again, &plan, 3_630), message("team", "first", 40, 0), "also after a restart");
    assert_eq!(told(&mut state, &plan, 3_630), message("team", "first", 40, 0));
    // It ends in the interval: its end is owed, and told afterwards.
    forty(&mut state, &plan, 0.0, DAY + 60);
    assert_eq!(told(&mut state, &plan, DAY + 400), vec![]);
    assert_eq!(told(&mut state, &plan, DAY + 3_900), message("team", "all_resolved", 0, 40));
    assert_eq!((state.events.len(), state.groups.len()), (80, 0));
    // It fires and ends in the interval: nobody was told the one, so nobody is told the other.
    forty(&mut state, &plan, 1.0, 2 * DAY);
    assert_eq!(told(&mut state, &plan, 2 * DAY + 30), vec![]);
    forty(&mut state, &plan, 0.0, 2 * DAY + 60);
    assert_eq!(told(&mut state, &plan, 2 * DAY + 400), vec![]);
    assert_eq!(told(&mut state, &plan, 2 * DAY + 3_900), vec![]);
    assert_eq!((state.events.len(), state.groups.len()), (160, 0));
}

#[test]
fn nobody_is_escalated_to_in_a_muted_interval() {
    let (mut state, mut plan) = (State::default(), muted_at(1));
    plan.route.escalation = Some(Escalation { after: Duration::from_secs(600), to: "lead".to_owned() });
    forty(&mut state, &plan, 1.0, 3_300);
    assert_eq!(told(&mut state, &plan, 3_330), message("team", "first", 40, 0));
    assert_eq!(told(&mut state, &plan, 3_930), vec![]);
    assert_eq!(told(&mut state, &plan, 7_230), message("lead", "escalated", 40, 0));
}

#[test]
fn a_digest_waits_for_the_end_of_a_muted_interval() {
    let (mut state, mut plan) = (State::default(), muted_at(1));
    plan.cap = Cap { messages: 1, per: Duration::from_secs(3_600) };
    models(&mut state, &plan, &[1.0; 3], 0);
    assert_eq!(told(&mut state, &plan, 30), message("team", "first", 1, 0));
    assert_eq!(told(&mut state, &plan, 3_630), vec![]);
    assert!(state.next_us(&plan, &BTreeSet::new()) > Some(3_630 * SECOND), "it does not ask all the time");
    assert_eq!(told(&mut state, &plan, 7_230), message("team", "digest", 2, 0));
}

#[test]
fn a_digest_keeps_ends_of_a_muted_route_until_its_interval_is_over() {
    let (mut state, mut plan) = (State::default(), muted_at(1));
    plan.cap = Cap { messages: 2, per: Duration::from_secs(3_600) };
    let matchers = vec!["model=quiet".parse().unwrap()];
    let quiet = Route { name: "quiet".to_owned(), matchers, ..plan.route.clone() };
    plan.route.mute_in.clear();
    plan.route.routes = vec![quiet];
    let quiet = |second: f64| vec![observed("quiet", 0, 1.0), observed("quiet", 1, second)];
    judge(&mut state, &plan, [quiet(1.0), vec![observed("open", 0, 1.0)]].concat(), 0);
    assert_eq!(told(&mut state, &plan, 30).len(), 2);
    // Its end is held back, and the digest is due within the interval.
    judge(&mut state, &plan, quiet(0.0), 60);
    assert_eq!(told(&mut state, &plan, 330), vec![]);
    assert_eq!(told(&mut state, &plan, 3_630), vec![], "the receiver has an open group, too");
    assert!(state.ledgers["team"].digest.is_none() && state.ledgers["team"].muted.len() == 1);
    // Meanwhile it holds up nothing else.
    judge(&mut state, &plan, vec![observed("other", 0, 1.0)], 3_700);
    assert_eq!(told(&mut state, &plan, 3_730), message("team", "first", 1, 0));
    assert_eq!(told(&mut state, &plan, 7_190), vec![]);
    let mut again: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    for state in [&mut state, &mut again] {
        assert_eq!(told(state, &plan, 7_230), vec![], "a message may be made an hour after the last");
        assert_eq!(told(state, &plan, 7_330), message("team", "digest", 0, 1));
    }
}
