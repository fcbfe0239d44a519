//! Properties of the plan: what is due is run in the end, catching up is bounded, and no clock makes it run twice.

use proptest::prelude::*;

use super::*;

const HOUR_US: i64 = 3_600_000_000;
const MINUTE_US: i64 = 60_000_000;

fn hourly(catch_up: u32) -> Schedule {
    Schedule {
        window: Period::Fixed(HOUR_US),
        every: Period::Fixed(HOUR_US),
        delay_us: 10 * MINUTE_US,
        jitter_us: 0,
        catch_up,
    }
}

/// Nothing is to be run once more.
const NOTHING_AGAIN: RunAgain = BTreeMap::new();

fn ends(due: &[Due]) -> Vec<i64> {
    due.iter().map(|due| due.window.end_us / HOUR_US).collect()
}

#[test]
fn a_window_waits_for_late_events_and_the_newest_comes_first() {
    let schedule = hourly(3);
    let nothing = BTreeMap::new();
    assert_eq!(ends(&due(&schedule, 100 * HOUR_US + 9 * MINUTE_US, &nothing, &NOTHING_AGAIN)), [99, 98, 97]);
    assert_eq!(
        ends(&due(&schedule, 100 * HOUR_US + 10 * MINUTE_US, &nothing, &NOTHING_AGAIN)),
        [100, 99, 98]
    );
    assert_eq!(schedule.next_due(100 * HOUR_US + 9 * MINUTE_US), 100 * HOUR_US + 10 * MINUTE_US);
    assert_eq!(schedule.next_due(100 * HOUR_US + 10 * MINUTE_US), 101 * HOUR_US + 10 * MINUTE_US);
}

#[test]
fn catching_up_ends_where_there_are_no_events() {
    let years = Period::Months(120);
    let schedule = Schedule { window: years, every: years, ..hourly(24) };
    let now = windvane_types::span::instant("2026-11-30").unwrap();
    let found: Vec<String> = schedule.recent(now).map(|window| window.to_string()).collect();
    assert_eq!((found.len(), found[4].as_str()), (5, "1970-01-01T00:00:00Z/1980-01-01T00:00:00Z"));
}

#[test]
fn windows_may_overlap() {
    let schedule = Schedule { window: Period::Fixed(24 * HOUR_US), ..hourly(2) };
    let due = due(&schedule, 101 * HOUR_US, &BTreeMap::new(), &NOTHING_AGAIN);
    let windows: Vec<(i64, i64)> =
        due.iter().map(|due| (due.window.start_us / HOUR_US, due.window.end_us / HOUR_US)).collect();
    assert_eq!(windows, [(76, 100), (75, 99)]);
}

#[test]
fn a_failed_window_waits_longer_each_time_and_is_given_up() {
    let schedule = hourly(1);
    let now = 100 * HOUR_US + 30 * MINUTE_US;
    let after = |attempt, waited| {
        let past = Past::Failed { attempt, ended_us: now - waited };
        let past = BTreeMap::from([((99 * HOUR_US, 100 * HOUR_US), past)]);
        let next = due(&schedule, now, &past, &NOTHING_AGAIN).first().map(|due| due.attempt);
        // In a pause it still waits, and has been due for as long; one that is given up does not.
        let waits = waiting(&schedule, now, &past, &NOTHING_AGAIN);
        assert_eq!(ends(&waits), if attempt < ATTEMPTS_MAX { vec![100] } else { vec![] });
        assert!(waits.iter().all(|due| due.since_us == 100 * HOUR_US + 10 * MINUTE_US));
        next
    };
    assert_eq!(after(1, 29_000_000), None);
    assert_eq!(after(1, 30_000_000), Some(2));
    assert_eq!(after(3, 119_000_000), None);
    assert_eq!(after(3, 120_000_000), Some(4));
    assert_eq!(after(ATTEMPTS_MAX, HOUR_US), None);
    // The clock was set back since: the failure lies in the future, and the window is not stuck there.
    assert_eq!(after(1, -2 * HOUR_US), Some(2));
}

#[test]
fn what_was_run_by_hand_before_its_events_had_time_to_arrive_is_run_once_more() {
    let schedule = hourly(2);
    let hour = |end: i64| ((end - 1) * HOUR_US, end * HOUR_US);
    let past = BTreeMap::from([(hour(100), Past::Early), (hour(99), Past::Done)]);
    let found = |now| ends(&due(&schedule, now, &past, &NOTHING_AGAIN));
    assert_eq!(found(100 * HOUR_US + 9 * MINUTE_US), [98]);
    assert_eq!(found(100 * HOUR_US + 10 * MINUTE_US), [100]);
    let window = Span { start_us: 99 * HOUR_US, end_us: 100 * HOUR_US };
    assert_eq!(schedule.settled_at(window), 100 * HOUR_US + 10 * MINUTE_US);
}

#[test]
fn what_is_run_again_is_due_however_old_it_is() {
    let schedule = hourly(2);
    let now = 100 * HOUR_US + 30 * MINUTE_US;
    let hour = |end: i64| ((end - 1) * HOUR_US, end * HOUR_US);
    let given_up = Past::Failed { attempt: ATTEMPTS_MAX, ended_us: 0 };
    let past = BTreeMap::from([(hour(100), Past::Done), (hour(40), given_up)]);
    let since_us = now - MINUTE_US;
    // The last one is no window of this schedule: the monitor had another one then.
    let other = (10 * HOUR_US, 20 * HOUR_US);
    let again = [hour(99), hour(60), hour(70), hour(40), other].map(|window| (window, since_us));
    let found = due(&schedule, now, &past, &BTreeMap::from(again));
    assert_eq!(ends(&found), [99, 70, 60]);
    assert!(found.iter().all(|due| due.attempt == 1 && due.since_us == since_us), "{found:?}");
    let before = due(&schedule, now, &past, &NOTHING_AGAIN);
    assert_eq!(ends(&before), [99]);
}

#[test]
fn a_backfill_covers_the_whole_windows_of_its_span() {
    let schedule = Schedule { window: Period::Months(1), every: Period::Months(1), ..hourly(1) };
    let us = |text: &str| windvane_types::span::instant(text).unwrap();
    let span = Span { start_us: us("2013-01-15"), end_us: us("2013-05-01") };
    let found: Vec<String> = schedule.within(span).map(|window| window.to_string()).collect();
    assert_eq!(
        found,
        [
            "2013-02-01T00:00:00Z/2013-03-01T00:00:00Z",
            "2013-03-01T00:00:00Z/2013-04-01T00:00:00Z",
            "2013-04-01T00:00:00Z/2013-05-01T00:00:00Z"
        ]
    );
}

#[test]
fn every_monitors_present_comes_before_anyones_past() {
    let at =
        |hour: i64| Due { window: Span { start_us: hour, end_us: hour + 1 }, attempt: 1, since_us: hour };
    let order = interleaved(vec![("a", vec![at(9), at(8), at(7)]), ("b", vec![at(8)]), ("c", vec![])]);
    let names: Vec<(&str, i64)> = order.iter().map(|(name, due)| (*name, due.since_us)).collect();
    assert_eq!(names, [("b", 8), ("a", 9), ("a", 8), ("a", 7)]);
}

#[test]
fn monitors_are_moved_apart_by_little_and_always_alike() {
    let every = Period::Fixed(HOUR_US);
    let names = ["a", "b", "hourly", "flights by carrier"];
    let moved: Vec<i64> = names.iter().map(|name| jitter_us(name, every)).collect();
    assert_eq!(moved, names.map(|name| jitter_us(name, every)));
    assert!(moved.iter().all(|us| (0..JITTER_US_MAX).contains(us)), "{moved:?}");
    assert!(moved.windows(2).all(|pair| pair[0] != pair[1]), "{moved:?}");
    assert!(jitter_us("a", Period::Fixed(1_000_000)) < 100_000);
}

/// A step of the life of an analyzer.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The clock moves, also backwards.
    Clock(i64),
    /// The first window in order runs to its end.
    Run,
    /// It fails.
    Fail,
    /// The analyzer is killed in its middle.
    Die,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (-3 * 60_i64..24 * 60).prop_map(|minutes| Step::Clock(minutes * MINUTE_US)),
        4 => Just(Step::Run),
        1 => Just(Step::Fail),
        1 => Just(Step::Die),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    // Whatever the clock does: no window is run again once it is done, nothing is run before its events had time to
    // arrive, never are more windows due than are caught up with; and when the clock stands still all of them are run.
    #[test]
    fn every_due_window_is_run_once_and_catching_up_is_bounded(steps in steps(), catch_up in 1_u32..6) {
        let schedule = hourly(catch_up);
        let mut now = 1_000 * HOUR_US;
        let mut past = BTreeMap::new();
        let mut done = std::collections::BTreeSet::new();
        for step in steps {
            let waiting = due(&schedule, now, &past, &NOTHING_AGAIN);
            prop_assert!(waiting.len() <= catch_up as usize);
            for due in &waiting {
                prop_assert!(due.since_us <= now, "{due:?} at {now}");
                prop_assert!(due.window.end_us <= now - schedule.delay_us);
                prop_assert!(!done.contains(&due.window.end_us), "{due:?} again");
            }
            let Some(first) = waiting.first() else {
                if let Step::Clock(by) = step { now += by }
                continue;
            };
            let key = (first.window.start_us, first.window.end_us);
            match step {
                Step::Clock(by) => now += by,
                Step::Run => {
                    past.insert(key, Past::Done);
                    done.insert(first.window.end_us);
                }
                Step::Fail => {
                    past.insert(key, Past::Failed { attempt: first.attempt, ended_us: now });
                }
                Step::Die => {
                    past.insert(key, Past::Begun { attempt: first.attempt });
                }
            }
        }
        // From here on nothing fails: what is not given up is run, save what failed within the longest wait of this very
        // instant, as a clock that was set back can have it.
        let later = now + RETRY_US_MAX * 2;
        for _ in 0..catch_up {
            if let Some(first) = due(&schedule, later, &past, &NOTHING_AGAIN).first() {
                past.insert((first.window.start_us, first.window.end_us), Past::Done);
            }
        }
        for window in schedule.recent(later) {
            let settled = match past.get(&(window.start_us, window.end_us)) {
                None | Some(Past::Early) => false,
                Some(Past::Done) => true,
                Some(Past::Begun { attempt }) => *attempt >= ATTEMPTS_MAX,
                Some(Past::Failed { attempt, ended_us }) => {
                    *attempt >= ATTEMPTS_MAX || (later - ended_us).abs() < RETRY_US_MAX
                }
            };
            prop_assert!(settled, "{window} was never run: {past:?} at {later}");
        }
    }
}
