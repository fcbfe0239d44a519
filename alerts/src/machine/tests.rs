//! What the states promise over any history: what was seen, at times that only go forward.

use proptest::prelude::*;

use super::*;

fn timing(for_us: i64, keep_firing_for_us: i64, no_data: NoData) -> Timing {
    Timing { for_us, keep_firing_for_us, no_data }
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        4 => Just(Seen::Entered),
        1 => Just(Seen::Remains),
        3 => Just(Seen::Left),
        1 => Just(Seen::Nothing),
    ]
}

fn no_data() -> impl Strategy<Value = NoData> {
    prop_oneof![Just(NoData::Ok), Just(NoData::Alert), Just(NoData::Keep)]
}

/// What was seen, with the time since the look before.
fn history() -> impl Strategy<Value = Vec<(Seen, i64)>> {
    proptest::collection::vec((seen(), 1..20_i64), 1..200)
}

/// Every look: its time, what counts as seen, the state before and after, and why it changed.
fn run(history: &[(Seen, i64)], timing: &Timing) -> Vec<(i64, Seen, Phase, Phase, Option<Why>)> {
    let (mut now, mut phase, mut looks) = (0, Phase::Inactive, Vec::new());
    for (seen, passed) in history {
        now += passed;
        let (next, why) = step(phase, *seen, timing, now);
        let counted = match (seen, timing.no_data) {
            (Seen::Nothing, NoData::Ok) => Seen::Left,
            (Seen::Nothing, NoData::Alert) => Seen::Entered,
            (seen, _) => *seen,
        };
        looks.push((now, counted, phase, next, why));
        phase = next;
    }
    looks
}

#[test]
fn an_alert_goes_through_its_states() {
    let timing = timing(10, 5, NoData::Keep);
    let mut phase = Phase::Inactive;
    let expected = [
        (0, Seen::Left, "inactive", None),
        (1, Seen::Entered, "pending", Some(Why::Entered)),
        (5, Seen::Nothing, "pending", None),
        (10, Seen::Entered, "pending", None),
        (11, Seen::Entered, "firing", Some(Why::Held)),
        (12, Seen::Remains, "firing", None),
        (13, Seen::Left, "recovering", Some(Why::Left)),
        (14, Seen::Remains, "firing", Some(Why::Returned)),
        (15, Seen::Left, "recovering", Some(Why::Left)),
        (19, Seen::Nothing, "recovering", None),
        (20, Seen::Left, "inactive", Some(Why::Over)),
        (21, Seen::Remains, "inactive", None),
    ];
    for (now, seen, word, why) in expected {
        let (next, found) = step(phase, seen, &timing, now);
        assert_eq!((next.as_str(), found), (word, why), "at {now}");
        phase = next;
    }
}

#[test]
fn without_for_it_fires_and_without_keep_it_resolves_at_once() {
    let timing = timing(0, 0, NoData::Ok);
    let (firing, why) = step(Phase::Inactive, Seen::Entered, &timing, 3);
    assert_eq!((firing, why), (Phase::Firing { since_us: 3 }, Some(Why::Entered)));
    assert_eq!(step(firing, Seen::Nothing, &timing, 4), (Phase::Inactive, Some(Why::NoData)));
}

#[test]
fn what_is_kept_is_over_after_a_fortnight_or_two_windows() {
    let (keep, month_us) = (timing(0, 0, NoData::Keep), 30 * 86_400 * 1_000_000);
    for (age_us, window_us, no_data) in [
        (KEEP_MAX_US, 0, NoData::Keep),
        (KEEP_MAX_US + 1, 0, NoData::Ok),
        (KEEP_MAX_US + 1, month_us, NoData::Keep),
        (2 * month_us + 1, month_us, NoData::Ok),
    ] {
        assert_eq!(keep.aged(age_us, window_us), Timing { no_data, ..keep }, "{age_us} of {window_us}");
    }
    let alert = timing(0, 0, NoData::Alert);
    assert_eq!(alert.aged(i64::MAX, 0), alert);
}

proptest! {
    /// It fires only after the condition was entered at least `for` ago and never seen otherwise since.
    #[test]
    fn it_never_fires_without_for(
        history in history(), for_us in 0..60_i64, keep in 0..40_i64, no_data in no_data()
    ) {
        let looks = run(&history, &timing(for_us, keep, no_data));
        for (at, (now, _, before, after, _)) in looks.iter().enumerate() {
            if before.fires() || !after.fires() {
                continue;
            }
            let held = looks[..=at].iter().rev().take_while(|look| matches!(look.1, Seen::Entered | Seen::Nothing));
            let entered = held.filter(|look| look.1 == Seen::Entered).map(|look| look.0).min();
            prop_assert!(entered.is_some_and(|since| now - since >= for_us), "fired at {now}, held since {entered:?}");
        }
    }

    /// Between two starts of firing lie at least `for` and `keep_firing_for`: it cannot flap faster.
    #[test]
    fn it_never_flaps_faster_than_for_and_keep_together(
        history in history(), for_us in 0..60_i64, keep in 0..40_i64, no_data in no_data()
    ) {
        let looks = run(&history, &timing(for_us, keep, no_data));
        let starts: Vec<i64> =
            looks.iter().filter(|look| !look.2.fires() && look.3.fires()).map(|look| look.0).collect();
        for pair in starts.windows(2) {
            prop_assert!(pair[1] - pair[0] >= for_us + keep, "{pair:?}");
        }
    }

    /// What fires is resolved once the condition has been seen to be over for `keep_firing_for`, whatever came before.
    #[test]
    fn no_resolve_is_lost(history in history(), for_us in 0..60_i64, keep in 0..40_i64, no_data in no_data()) {
        let mut history = history;
        history.extend([(Seen::Left, 1), (Seen::Left, keep.max(1))]);
        let looks = run(&history, &timing(for_us, keep, no_data));
        let last = looks.last().expect("there are looks").3;
        prop_assert_eq!(last, Phase::Inactive);
        let count = |test: &dyn Fn(&Phase, &Phase) -> bool| looks.iter().filter(|look| test(&look.2, &look.3)).count();
        let fired = count(&|before, after| !before.fires() && after.fires());
        let resolved = count(&|before, after| before.fires() && !after.fires());
        prop_assert_eq!(fired, resolved);
    }

    /// A change is told where the state has another name, and nowhere else.
    #[test]
    fn every_change_has_a_reason_and_nothing_else_has(
        history in history(), for_us in 0..60_i64, keep in 0..40_i64, no_data in no_data()
    ) {
        for (_, _, before, after, why) in run(&history, &timing(for_us, keep, no_data)) {
            prop_assert_eq!(before.as_str() != after.as_str(), why.is_some());
        }
    }

    /// Where it began firing stays until it is resolved.
    #[test]
    fn since_when_it_fires_does_not_move(history in history(), keep in 0..40_i64) {
        for (now, _, before, after, _) in run(&history, &timing(5, keep, NoData::Keep)) {
            if before.fires() && after.fires() {
                prop_assert_eq!(before.since_us(), after.since_us(), "at {}", now);
            }
        }
    }
}
