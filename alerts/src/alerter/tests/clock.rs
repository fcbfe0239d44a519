//! The clock of the machine was wrong for a while: everything goes on as soon as it is right.

use super::metrics::GivenUp;
use super::*;

/// Alerts that are told at once.
const AT_ONCE: Timing = Timing { for_us: 0, keep_firing_for_us: 0, no_data: NoData::Ok };

#[tokio::test]
async fn a_clock_that_was_far_ahead_keeps_nothing_from_being_looked_at_and_told() {
    for restarts in [false, true] {
        let given_up: GivenUp = Arc::default();
        *given_up.lock().unwrap() = 0..1;
        let mut turned = Turned::watching(&format!("clock-{restarts}"), &given_up, AT_ONCE);
        for now_s in [1_000, 1_001, 40_000_000, 40_000_001] {
            turned.turn(now_s).await;
        }
        let (fires, ends) = ("StoreUnavailable".to_owned(), "StoreUnavailable".to_owned());
        let told = [(fires.clone(), "firing".to_owned()), (fires, "firing".to_owned())];
        assert_eq!(turned.got("team"), told, "it is told again after so long");
        // Right again: it goes on from here, and what the group waits for is as far away as it was.
        if restarts {
            turned.restart();
            turned.alerter.authority = HELD;
        }
        turned.turn(1_060).await;
        assert_eq!(turned.alerter.state.latest_us(), 1_060_000_000);
        *given_up.lock().unwrap() = 0..0;
        for (now_s, looked_s) in [(1_119, 1_060), (1_120, 1_120), (1_121, 1_120), (1_500, 1_500)] {
            turned.turn(now_s).await;
            let looked_us = turned.alerter.state.looked_us.values().copied().max();
            assert_eq!(looked_us, Some(looked_s * 1_000_000), "{now_s}");
        }
        let told = [&told[..], &[(ends, "resolved".to_owned())]].concat();
        assert_eq!(turned.got("team"), told, "{restarts}");
        // One before, one while it was wrong, two since; none before it has looked after a long while.
        assert_eq!(turned.got("heart").len(), 4, "{restarts}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_by_little_is_waited_for() {
    let mut turned = Turned::new("clock-little");
    turned.alerter.authority = HELD;
    for (now_s, latest_s) in [(1_000, 1_000), (941, 1_000), (999, 1_000), (1_001, 1_001)] {
        turned.turn(now_s).await;
        assert_eq!(turned.alerter.state.latest_us(), latest_s * 1_000_000, "{now_s}");
    }
}
