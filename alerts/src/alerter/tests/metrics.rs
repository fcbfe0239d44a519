//! What `/metrics` says of alerts, each number caused by what it counts.

use std::sync::Mutex;

use super::*;
use crate::book::ALERTS_MAX;
use crate::desk::ROWS_WAITING_MAX;

/// Receivers for whom notifications were given up: each is an alert of its own.
pub(super) type GivenUp = Arc<Mutex<std::ops::Range<usize>>>;

/// Alerts that nobody is told of yet.
const PENDING: Timing = Timing { for_us: 86_400_000_000, keep_firing_for_us: 0, no_data: NoData::Ok };

impl Turned {
    /// It looks at notifications that were given up.
    pub(super) fn watching(name: &str, given_up: &GivenUp, timing: Timing) -> Self {
        let measured = Arc::clone(given_up);
        let own: Own = Arc::new(move || {
            let receivers = measured.lock().unwrap().clone();
            let labels = |receiver: usize| [("receiver".to_owned(), receiver.to_string())].into();
            receivers.map(|receiver| Measured::new("undelivered", labels(receiver), 1.0)).collect::<Vec<_>>()
        });
        let looks = |plan: &mut Plan| {
            let rule = &mut plan.rules[0];
            (rule.source, rule.timing) = (Source::Own { measure: "undelivered" }, timing);
            rule.annotations.clear();
        };
        let mut turned = Self::changed(name, looks, own);
        turned.alerter.authority = HELD;
        turned
    }

    /// The value of a series of `/metrics`, which has no other labels.
    fn metric(&self, series: &str) -> i64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let name = format!("windvane_alerts_{series} ");
        let value = text.lines().find_map(|line| line.strip_prefix(name.as_str()));
        value.unwrap_or_else(|| panic!("no {name}in\n{text}")).parse().unwrap()
    }

    /// Values of several series.
    fn metrics<const N: usize>(&self, series: [&str; N]) -> [i64; N] {
        series.map(|series| self.metric(series))
    }

    /// Keeps a receiver of files from taking anything, as long as there is a folder in the place of its file.
    fn shut(&self, receiver: &str, shut: bool) {
        let path = self.folder.join(format!("{receiver}.ndjson"));
        match shut {
            true => std::fs::create_dir(path).unwrap(),
            false => std::fs::remove_dir(path).unwrap(),
        }
    }
}

const HEARTBEATS: [&str; 2] = ["heartbeats_total{outcome=\"failed\"}", "heartbeats_total{outcome=\"taken\"}"];
const ALERTS: [&str; 3] =
    ["alerts{state=\"pending\"}", "alerts{state=\"firing\"}", "alerts{state=\"recovering\"}"];

#[tokio::test]
async fn heartbeats_are_counted_by_whether_they_were_taken() {
    let mut turned = Turned::new("metric-heartbeats");
    turned.alerter.authority = HELD;
    assert_eq!(turned.metrics(HEARTBEATS), [0, 0]);
    turned.shut("heart", true);
    for (now_s, counts) in [(1_000, [1, 0]), (1_059, [1, 0]), (1_060, [2, 0])] {
        turned.turn(now_s).await;
        assert_eq!(turned.metrics(HEARTBEATS), counts, "{now_s}");
    }
    turned.shut("heart", false);
    turned.turn(1_120).await;
    assert_eq!(turned.metrics(HEARTBEATS), [2, 1]);
}

#[tokio::test]
async fn the_last_look_is_that_at_any_rule_and_each_rule_has_its_own_count() {
    let stored =
        |plan: &mut Plan| plan.rules.push(Rule { every: Duration::from_secs(60), ..fixture::rule() });
    let mut turned = Turned::changed("metric-looks", stored, Arc::new(Vec::<Measured>::new));
    let looks = [
        "last_evaluation_timestamp_seconds",
        "evaluations_total{outcome=\"ok\",rule=\"StoreUnavailable\"}",
        "evaluations_total{outcome=\"failed\",rule=\"FeatureDrift\"}",
    ];
    turned.turn(900).await;
    assert_eq!(turned.metric(looks[0]), 0, "another process looks");
    turned.alerter.authority = HELD;
    for (now_s, seen) in [(1_000, [1_000, 1, 1]), (1_030, [1_000, 1, 1]), (1_060, [1_060, 2, 2])] {
        turned.turn(now_s).await;
        assert_eq!(turned.metrics(looks), seen, "{now_s}");
    }
}

#[tokio::test]
async fn alerts_are_counted_by_state() {
    let given_up: GivenUp = Arc::default();
    let timing = Timing { for_us: 60_000_000, keep_firing_for_us: 60_000_000, no_data: NoData::Ok };
    let mut turned = Turned::watching("metric-alerts", &given_up, timing);
    for (now_s, alerts, states) in [
        (1_000, 0..2, [2, 0, 0]),
        (1_060, 0..2, [0, 2, 0]),
        (1_120, 0..1, [0, 1, 1]),
        (1_180, 0..3, [1, 2, 0]),
        (1_240, 0..0, [0, 0, 2]),
        (1_300, 0..0, [0, 0, 0]),
    ] {
        *given_up.lock().unwrap() = alerts;
        for now_s in [now_s, now_s + 1] {
            turned.turn(now_s).await;
        }
        assert_eq!(turned.metrics(ALERTS), states, "{now_s}");
    }
}

#[tokio::test]
async fn alerts_that_find_no_room_are_counted_with_each_look() {
    let given_up: GivenUp = Arc::default();
    let mut turned = Turned::watching("metric-left-out", &given_up, PENDING);
    for (now_s, alerts, left_out) in
        [(1_000, ALERTS_MAX, 0), (1_060, ALERTS_MAX + 3, 3), (1_120, ALERTS_MAX + 4, 7)]
    {
        *given_up.lock().unwrap() = 0..alerts;
        turned.turn(now_s).await;
        assert_eq!(turned.metric("left_out_total"), left_out, "{now_s}");
    }
    turned.alerter.show();
    assert_eq!(turned.metrics(ALERTS), [i64::try_from(ALERTS_MAX).unwrap(), 0, 0]);
}

#[tokio::test]
async fn rows_wait_for_clickhouse_and_beyond_the_bound_the_oldest_are_dropped() {
    let given_up: GivenUp = Arc::default();
    let mut turned = Turned::watching("metric-rows", &given_up, PENDING);
    let rows = ["waiting_rows", "dropped_rows"];
    let (room, most) = (i64::try_from(ALERTS_MAX).unwrap(), i64::try_from(ROWS_WAITING_MAX).unwrap());
    // Each alert that begins or ends is a row.
    for (now_s, alerts, waiting, dropped) in
        [(1_000, 0..ALERTS_MAX, room, 0), (1_060, 0..5, 2 * room - 5, 0), (1_120, 0..18, most, 8)]
    {
        *given_up.lock().unwrap() = alerts;
        turned.turn(now_s).await;
        turned.alerter.show();
        assert_eq!(turned.metrics(rows), [waiting, dropped], "{now_s}");
    }
    // The number comes along with the state.
    turned.alerter.keep().await;
    turned.restart();
    turned.alerter.authority = HELD;
    turned.alerter.show();
    assert_eq!(turned.metrics(rows), [most, 8]);
    // ClickHouse is back and takes all that waits.
    let state = &turned.alerter.state;
    let (events, attempts) = (state.events.iter().cloned().collect(), Vec::new());
    let wrote = Wrote { events, attempts, stored: None, result: Ok(()) };
    turned.alerter.done(Done::Wrote(Box::new(wrote)));
    turned.alerter.show();
    assert_eq!(turned.metrics(rows), [0, 8]);
}

#[tokio::test]
async fn that_the_state_is_not_on_disk_is_told_until_it_is_though_nothing_changes() {
    for leaves in [false, true] {
        let mut turned = Turned::new(&format!("metric-state-{leaves}"));
        turned.alerter.has_become(Authority::Unsure);
        for now_s in [1_000, 1_001, 1_002] {
            turned.turn(now_s).await;
        }
        assert_eq!(turned.metric("state_failed"), 0);
        if leaves {
            turned.alerter.has_become(Authority::Standby);
        }
        // A folder in the place of the draft of the file.
        let draft = turned.folder.join("state/state.new");
        std::fs::create_dir(&draft).unwrap();
        for now_s in [1_060, 1_061, 1_062] {
            turned.turn(now_s).await;
        }
        assert_eq!(turned.metric("state_failed"), 1, "{leaves}");
        std::fs::remove_dir(&draft).unwrap();
        turned.turn(1_063).await;
        assert_eq!(turned.metric("state_failed"), 0, "{leaves}");
        let kept = turned.alerter.file.read().unwrap();
        let state = State { now_us: 0, ..turned.alerter.state.clone() };
        assert_eq!(kept.leaving.unwrap_or(kept.state), state, "{leaves}");
    }
}

#[tokio::test]
async fn a_message_waits_until_it_is_taken_and_each_attempt_is_counted() {
    let mut turned = Turned::new("metric-attempts");
    let sent = [
        "waiting_notifications",
        "attempts_total{outcome=\"later\",receiver=\"team\"}",
        "attempts_total{outcome=\"taken\",receiver=\"team\"}",
        "attempts_total{outcome=\"refused\",receiver=\"team\"}",
        "undelivered_total{receiver=\"team\"}",
    ];
    turned.alerter.authority = HELD;
    turned.shut("team", true);
    turned.turn(1_000).await;
    assert_eq!(turned.metrics(sent), [0, 0, 0, 0, 0], "the group is told with the next turn");
    turned.turn(1_001).await;
    assert_eq!(turned.metrics(sent), [1, 1, 0, 0, 0]);
    turned.shut("team", false);
    for now_s in [1_010, 1_011] {
        turned.turn(now_s).await;
    }
    assert_eq!(turned.metrics(sent), [0, 1, 1, 0, 0]);
}

#[tokio::test]
async fn a_message_that_is_refused_is_counted_as_given_up() {
    let nobody = |plan: &mut Plan| plan.receivers.clear();
    let mut turned = Turned::changed("metric-refused", nobody, Arc::new(Vec::<Measured>::new));
    turned.alerter.authority = HELD;
    for now_s in [1_000, 1_001, 1_002] {
        turned.turn(now_s).await;
    }
    let given_up = [
        "waiting_notifications",
        "attempts_total{outcome=\"refused\",receiver=\"team\"}",
        "undelivered_total{receiver=\"team\"}",
    ];
    assert_eq!(turned.metrics(given_up), [0, 1, 1]);
}

#[tokio::test]
async fn what_a_broken_receiver_is_told_of_itself_is_no_reason_to_tell_it_again() {
    let broken = |plan: &mut Plan| {
        plan.receivers.clear();
        plan.rules.push(Rule {
            name: "NotificationsUndelivered".to_owned(),
            source: Source::Own { measure: "undelivered" },
            ..plan.rules[0].clone()
        });
    };
    let mut turned = Turned::changed("metric-itself", broken, Arc::new(Vec::<Measured>::new));
    turned.alerter.authority = HELD;
    for now_s in (1_000..12_000).step_by(300) {
        turned.turn(now_s).await;
    }
    let changes = turned.alerter.state.events.iter().filter(|event| event.rule == "NotificationsUndelivered");
    let changes: Vec<&str> = changes.map(|event| event.to_state.as_str()).collect();
    assert_eq!(changes, ["firing", "resolved"], "the message of another alert was given up, once");
    // That it is over was not taken either, and is counted.
    assert_eq!(turned.metric("undelivered_total{receiver=\"team\"}"), 3);
}

#[tokio::test]
async fn one_that_judges_shows_what_it_knows_and_one_that_stands_by_nothing() {
    let mut turned = Turned::new("metric-standby");
    let known = ["held", ALERTS[0], ALERTS[1], "waiting_notifications", "waiting_rows"];
    assert_eq!(turned.metrics(known), [0, 0, 0, 0, 0]);
    turned.alerter.has_become(HELD);
    // Nobody has left anything.
    turned.alerter.works.clear();
    turned.alerter.take_over(Succession { alone: false, failed: 0, term: 1 }, Ok(None));
    turned.shut("team", true);
    for now_s in [1_000, 1_001, 1_002] {
        turned.turn(now_s).await;
    }
    // That the alert fires is a row, and so is the attempt.
    assert_eq!(turned.metrics(known), [1, 0, 1, 1, 2]);
    turned.alerter.has_become(Authority::Standby);
    turned.turn(1_003).await;
    assert_eq!(turned.metrics(known), [0, 0, 0, 0, 0]);
    // ClickHouse is away, and this one judges and sends again.
    turned.alerter.has_become(Authority::Unsure);
    assert_eq!(turned.metric("held"), 1);
}
