//! A month of windows with and without a change.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::desk::fixture::{observed, plan};
use crate::machine::NoData;
use crate::rule::Source;
use crate::suppress::Maintenance;

const DAY_US: i64 = 86_400_000_000;
/// 2026-01-01.
const START_US: i64 = 1_767_225_600_000_000;

/// Thirty days of ten features; from the first day of `moved` to the last one they drift.
fn month(moved: std::ops::Range<i64>) -> Vec<Observation> {
    let windows = (0..30).flat_map(|day| (0..10).map(move |column| (day, column)));
    windows
        .map(|(day, column)| {
            let mut observation = observed("delay", column, if moved.contains(&day) { 1.0 } else { 0.0 });
            observation.window_start_us = START_US + day * DAY_US;
            observation.window_end_us = START_US + (day + 1) * DAY_US;
            observation
        })
        .collect()
}

fn replayed(moved: std::ops::Range<i64>) -> Replay {
    let plan = plan();
    let histories = vec![History { rule: &plan.rules[0], observations: month(moved), asked_every_us: None }];
    replay(&plan, histories, Span { start_us: START_US, end_us: START_US + 35 * DAY_US }).unwrap()
}

#[test]
fn a_month_without_a_change_tells_nobody() {
    let replay = replayed(0..0);
    assert!(replay.events.is_empty() && replay.messages.is_empty());
}

#[test]
fn a_change_is_told_once_is_repeated_and_its_end_is_told() {
    let replay = replayed(10..12);
    let told: Vec<(&str, i64, usize, usize)> = replay
        .messages
        .iter()
        .map(|message| {
            (
                message.reason.as_str(),
                (message.at_us - START_US) / 1_000_000,
                message.firing,
                message.resolved,
            )
        })
        .collect();
    let day_s = 86_400;
    assert_eq!(told.first(), Some(&("first", 11 * day_s + 30, 10, 0)));
    assert_eq!(told.last(), Some(&("all_resolved", 13 * day_s + 30, 0, 10)));
    let repeats = told.iter().filter(|message| message.0 == "repeat").count();
    // Two days with a repeat every four hours.
    assert!((10..=12).contains(&repeats) && told.len() == repeats + 2, "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// A replay that leaves out looks at groups tells the same, at the same times, as one that looks at all of them: such is
    /// one with a maintenance, here of another year.
    #[test]
    fn looks_are_left_out_only_where_they_find_nothing(
        wrong in prop::collection::vec(prop::collection::vec(any::<bool>(), 3), 1..6),
        (interval_s, repeat_s) in (prop::sample::select(vec![3_000_u64, 7_000]), 600_u64..100_000),
        messages in prop::sample::select(vec![1_usize, 2, 30]),
    ) {
        let mut observations = Vec::new();
        for (day, columns) in (0_i64..).zip(&wrong) {
            for (column, wrong) in columns.iter().enumerate() {
                let model = if column == 2 { "fraud" } else { "delay" };
                let mut observation = observed(model, column, if *wrong { 1.0 } else { 0.0 });
                // Windows of the models end at different times.
                let later_us = i64::from(column == 2) * 5_000_000_000;
                observation.window_start_us = START_US + day * DAY_US + later_us;
                observation.window_end_us = observation.window_start_us + DAY_US;
                observations.push(observation);
            }
        }
        let mut plan = plan();
        plan.route.pace.group_interval = Duration::from_secs(interval_s);
        plan.route.pace.repeat_interval = Some(Duration::from_secs(repeat_s));
        plan.cap.messages = messages;
        let span = Span { start_us: START_US, end_us: START_US + 9 * DAY_US };
        let replayed = |plan: &Plan| {
            let history = History {
                rule: &plan.rules[0],
                observations: observations.clone(),
                asked_every_us: None,
            };
            replay(plan, vec![history], span).unwrap()
        };
        let resting = replayed(&plan);
        plan.maintenance.push(Maintenance {
            name: "of 1970".to_owned(),
            matchers: Vec::new(),
            from_us: 0,
            to_us: 1,
            intervals: Vec::new(),
        });
        let looking = replayed(&plan);
        prop_assert_eq!(&resting.messages, &looking.messages);
        prop_assert_eq!(&resting.events, &looking.events);
        prop_assert!(resting.looks <= looking.looks);
    }
}

#[test]
fn a_group_that_fires_for_long_is_looked_at_when_it_is_repeated_and_once_after_it() {
    let replay = replayed(10..30);
    let repeats = replay.messages.iter().filter(|message| message.reason == "repeat").count();
    assert!(repeats > 100 && replay.looks < 2 * repeats + 100, "{repeats} repeats, {} looks", replay.looks);
}

#[test]
fn an_answer_of_a_query_counts_until_the_next_one() {
    const HOUR_US: i64 = 3_600_000_000;
    let mut plan = plan();
    plan.rules[0].source = Source::Query("SELECT 1 AS value".to_owned());
    plan.rules[0].timing.no_data = NoData::Ok;
    // Asked each hour: two models have a row at two, one of them has one at three, too.
    let row = |model: &str, hour: i64| {
        let mut row = observed(model, 0, 1.0);
        (row.window_start_us, row.window_end_us) = (0, START_US + hour * HOUR_US);
        row
    };
    let history = History {
        rule: &plan.rules[0],
        observations: vec![row("delay", 2), row("fraud", 2), row("fraud", 3)],
        asked_every_us: Some(HOUR_US),
    };
    let span = Span { start_us: START_US, end_us: START_US + DAY_US };
    let replay = replay(&plan, vec![history], span).unwrap();
    let changes: Vec<(&str, &str, i64)> = replay
        .events
        .iter()
        .map(|event| {
            let hour = (event.at_us - START_US) / HOUR_US;
            (event.labels["model"].as_str(), event.to_state.as_str(), hour)
        })
        .collect();
    let expected =
        [("delay", "firing", 2), ("fraud", "firing", 2), ("delay", "resolved", 3), ("fraud", "resolved", 4)];
    assert_eq!(changes.len(), expected.len(), "{changes:?}");
    assert!(expected.iter().all(|change| changes.contains(change)), "{changes:?}");
}

#[test]
fn alerts_are_set_against_incidents() {
    let replay = replayed(10..12);
    let incident = |first: i64, last: i64, model: &str| Incident {
        span: Span { start_us: START_US + first * DAY_US, end_us: START_US + last * DAY_US },
        model: model.to_owned(),
    };
    let judged = Judgement::of(
        &replay.events,
        &[incident(10, 12, "delay"), incident(20, 21, ""), incident(10, 12, "other")],
    );
    assert_eq!(judged, Judgement { fired: 10, false_alarms: 0, incidents: 3, found: 1 });
    let judged = Judgement::of(&replay.events, &[incident(20, 21, "")]);
    assert_eq!(judged.false_alarms, 10);
}
