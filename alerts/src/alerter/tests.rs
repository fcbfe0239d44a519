//! The loop, turned by hand: when a heartbeat is sent, and who is told while ClickHouse has not answered yet.

mod clock;
mod metrics;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use windvane_store::{DATABASE, Secret, StoreOptions};

use super::*;
use crate::desk::fixture;
use crate::machine::{NoData, Timing};
use crate::plan::Heartbeat;
use crate::receiver::{Receiver, Settings};
use crate::rule::{Rule, Source};

/// As of a ClickHouse whose clock has not begun: revisions count from where they were.
const HELD: Authority = Authority::Held { since_us: 0 };

/// A clock whose hands are moved, in seconds.
#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// An alerter without a ClickHouse, and the files that it writes to.
struct Turned {
    alerter: Alerter,
    registry: Registry,
    hands: Arc<Hands>,
    folder: PathBuf,
}

impl Turned {
    /// It looks at one rule, that ClickHouse is away, and tells `team.ndjson`; heartbeats go to `heart.ndjson`.
    fn new(name: &str) -> Self {
        Self::changed(name, |_| {}, Arc::new(Vec::<Measured>::new))
    }

    /// The same with another plan, and with measurements of the process besides.
    fn changed(name: &str, change: impl FnOnce(&mut Plan), own: Own) -> Self {
        let folder = std::env::temp_dir().join(format!("windvane-alerter-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let receiver = |name: &str| {
            let path = folder.join(format!("{name}.ndjson"));
            Receiver::new(name, &Settings::File { path }).unwrap()
        };
        let mut plan = fixture::plan();
        plan.rules = vec![Rule {
            name: "StoreUnavailable".to_owned(),
            source: Source::Own { measure: "store_unavailable" },
            timing: Timing { for_us: 0, keep_firing_for_us: 0, no_data: NoData::Ok },
            every: Duration::from_secs(60),
            ..fixture::rule()
        }];
        plan.route.pace.group_wait = Duration::ZERO;
        plan.receivers = vec![receiver("team")];
        plan.heartbeat = Some(Heartbeat { receiver: receiver("heart"), every: Duration::from_secs(60) });
        plan.state_dir = folder.join("state");
        change(&mut plan);
        let hands = Arc::new(Hands::default());
        let store = Store::connect(&StoreOptions {
            // Nothing listens there.
            url: "http://127.0.0.1:1".to_owned(),
            user: String::new(),
            password: Secret::default(),
            database: DATABASE.to_owned(),
        });
        let parts =
            Parts { plan: Arc::new(plan), store, clock: hands.clone(), own, holder: "test".to_owned() };
        let registry = Registry::new();
        let alerter = Alerter::open(parts, &registry).unwrap();
        Self { alerter, registry, hands, folder }
    }

    /// Turns once at a time and waits for what that began.
    async fn turn(&mut self, now_s: i64) {
        self.hands.0.store(now_s, Ordering::Relaxed);
        self.alerter.turn().await;
        while let Some(done) = self.alerter.works.next().await {
            self.alerter.done(done);
        }
    }

    /// The process is killed, and started again on what is on disk.
    fn restart(&mut self) {
        let before = &self.alerter;
        let parts = Parts {
            plan: before.plan.clone(),
            store: before.store.clone(),
            clock: before.clock.clone(),
            own: before.own.clone(),
            holder: before.holder.clone(),
        };
        self.registry = Registry::new();
        self.alerter = Alerter::open(parts, &self.registry).unwrap();
    }

    /// Names of alerts and states of what a receiver got.
    fn got(&self, name: &str) -> Vec<(String, String)> {
        let lines = std::fs::read_to_string(self.folder.join(format!("{name}.ndjson"))).unwrap_or_default();
        let read = |line: &str| {
            let body: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            (word(&body["alerts"][0]["labels"]["alertname"]), word(&body["status"]))
        };
        lines.lines().map(read).collect()
    }
}

impl Drop for Turned {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_heartbeat_is_sent_while_rules_are_looked_at_and_not_otherwise() {
    let mut turned = Turned::new("heartbeat");
    turned.turn(1_000).await;
    assert!(turned.got("heart").is_empty(), "another process judges");
    turned.alerter.authority = HELD;
    for (now_s, beats) in [(1_000, 1), (1_030, 1), (1_060, 2), (1_119, 2), (1_120, 3)] {
        turned.turn(now_s).await;
        assert_eq!(turned.got("heart").len(), beats, "{now_s}");
    }
    // A look that never comes back: after three of them that are missing nothing is well.
    turned.alerter.looking = true;
    for (now_s, beats) in [(1_300, 4), (1_301, 4), (1_361, 4), (9_000, 4)] {
        turned.turn(now_s).await;
        assert_eq!(turned.got("heart").len(), beats, "{now_s}");
    }
    // It looks again, and is well with the next turn.
    turned.alerter.looking = false;
    turned.turn(9_060).await;
    turned.turn(9_061).await;
    assert_eq!(turned.got("heart").len(), 5);
    assert!(turned.got("heart").iter().all(|beat| beat.0 == "Heartbeat"));
    // Where ClickHouse does not answer this process any more, whoever waits for the heartbeat is to know.
    turned.alerter.authority = Authority::Unsure;
    turned.turn(9_121).await;
    assert_eq!(turned.got("heart").len(), 5);
}

#[tokio::test]
async fn a_process_that_is_started_while_clickhouse_is_away_tells_so() {
    let mut turned = Turned::new("start");
    for now_s in [1_000, 1_060] {
        turned.turn(now_s).await;
    }
    assert!(turned.got("team").is_empty(), "it is not known yet who judges");
    turned.alerter.has_become(Authority::Unsure);
    for now_s in [1_120, 1_121, 1_180] {
        turned.turn(now_s).await;
    }
    assert_eq!(turned.got("team"), [("StoreUnavailable".to_owned(), "firing".to_owned())]);
}

#[tokio::test]
async fn a_process_that_told_alone_tells_the_end_before_it_stands_by() {
    let mut turned = Turned::new("leave");
    turned.alerter.has_become(Authority::Unsure);
    for now_s in [1_000, 1_001] {
        turned.turn(now_s).await;
    }
    let fires = ("StoreUnavailable".to_owned(), "firing".to_owned());
    assert_eq!(turned.got("team"), std::slice::from_ref(&fires));
    // Another one has the lease.
    turned.alerter.has_become(Authority::Standby);
    for now_s in [1_010, 1_011, 9_000] {
        turned.turn(now_s).await;
    }
    assert_eq!(turned.got("team"), [fires, ("StoreUnavailable".to_owned(), "resolved".to_owned())]);
    assert!(turned.alerter.state.groups.is_empty());
    // What else it knew it has again when it judges.
    turned.alerter.has_become(Authority::Unsure);
    assert!(turned.alerter.aside.is_none() && turned.alerter.state.revision > 0);
}

#[tokio::test]
async fn a_process_that_is_killed_on_its_leave_tells_the_end_once_after_it() {
    for point in ["before it knows", "before a look", "before the answer", "after the answer is noted"] {
        let mut turned = Turned::new(&point.replace(' ', "-"));
        turned.alerter.has_become(Authority::Unsure);
        for now_s in [1_000, 1_001] {
            turned.turn(now_s).await;
        }
        let revision = turned.alerter.state.revision;
        if point != "before it knows" {
            turned.alerter.has_become(Authority::Standby);
        }
        turned.hands.0.store(1_010, Ordering::Relaxed);
        match point {
            "before the answer" => {
                turned.alerter.turn().await;
                assert_eq!((turned.alerter.busy.len(), turned.got("team").len()), (1, 1), "{point}");
            }
            "after the answer is noted" => {
                for now_s in [1_010, 1_011] {
                    turned.turn(now_s).await;
                }
                assert_eq!(turned.got("team").len(), 2, "{point}");
            }
            _ => {}
        }
        turned.restart();
        turned.turn(1_020).await;
        // Another one still has the lease.
        turned.alerter.has_become(Authority::Standby);
        for now_s in [1_030, 1_031, 9_000] {
            turned.turn(now_s).await;
        }
        let name = "StoreUnavailable".to_owned();
        let told = [(name.clone(), "firing".to_owned()), (name, "resolved".to_owned())];
        assert_eq!(turned.got("team"), told, "{point}");
        // What it left for itself is there again, under the revision that it had.
        turned.restart();
        turned.alerter.has_become(Authority::Unsure);
        let state = &turned.alerter.state;
        let over = state.groups.values().all(crate::group::Group::is_over);
        assert!(state.book.entries.is_empty() && over, "{point}: {state:?}");
        assert_eq!(state.revision, revision, "{point}");
    }
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_judges_alone_still_has_judged_alone_when_it_gets_the_lease() {
    let mut turned = Turned::new("alone");
    turned.alerter.has_become(Authority::Unsure);
    for now_s in [1_000, 1_001] {
        turned.turn(now_s).await;
    }
    turned.restart();
    turned.alerter.has_become(HELD);
    let theirs = State { revision: 99, ..State::default() };
    let alone = turned.alerter.alone_since_us.is_some();
    let stored = Stored {
        revision: 99,
        at_us: 0,
        holder: "other".to_owned(),
        standing: String::new(),
        document: serde_json::to_string(&theirs).unwrap(),
    };
    turned.alerter.take_over(Succession { alone, failed: 0, term: 1 }, Ok(Some(stored)));
    let state = &turned.alerter.state;
    let rules: Vec<&str> = state.book.entries.values().map(|entry| entry.rule.as_str()).collect();
    assert_eq!((rules, state.groups.len(), state.revision), (vec!["StoreUnavailable"], 1, 99));
    // From here on others know it.
    turned.alerter.keep().await;
    turned.restart();
    assert_eq!(turned.alerter.alone_since_us, None);
}

#[tokio::test]
async fn the_end_of_what_was_left_for_others_before_a_restart_is_theirs_to_tell() {
    let mut turned = Turned::new("known");
    turned.alerter.authority = HELD;
    for now_s in [1_000, 1_001] {
        turned.turn(now_s).await;
    }
    let fires = [("StoreUnavailable".to_owned(), "firing".to_owned())];
    assert_eq!(turned.got("team"), fires);
    // ClickHouse has the state with this alert, and whoever goes on from there tells its end.
    let stored = Some((turned.alerter.state.revision, 1_005_000_000));
    let wrote = Wrote { events: Vec::new(), attempts: Vec::new(), stored, result: Ok(()) };
    turned.alerter.done(Done::Wrote(Box::new(wrote)));
    turned.alerter.keep().await;
    turned.restart();
    for authority in [Authority::Unsure, Authority::Standby] {
        turned.alerter.has_become(authority);
    }
    for now_s in [1_010, 1_011, 9_000] {
        turned.turn(now_s).await;
    }
    assert_eq!(turned.got("team"), fires);
}

#[tokio::test]
async fn a_state_that_a_former_holder_writes_late_never_counts_more() {
    let mut turned = Turned::new("fence");
    let revision = |turned: &Turned| turned.alerter.state.revision;
    turned.alerter.has_become(Authority::Held { since_us: 5_000 });
    turned.alerter.take_over(Succession { alone: false, failed: 0, term: 1 }, Ok(None));
    let former = revision(&turned);
    // The lease was elsewhere for a moment, and the loop sees only that it is here again: that is a new term.
    turned.alerter.has_become(Authority::Held { since_us: 6_000 });
    assert!(turned.alerter.taking_over);
    turned.alerter.take_over(Succession { alone: false, failed: 0, term: 2 }, Ok(None));
    assert!(former > 0 && revision(&turned) > former + 1_000, "{former}");
    // A clock that was set back: the state that was read counts.
    turned.alerter.has_become(Authority::Held { since_us: 1_000 });
    let stored = Stored {
        revision: revision(&turned) + 7,
        at_us: 0,
        holder: "other".to_owned(),
        standing: String::new(),
        document: serde_json::to_string(&State { revision: revision(&turned) + 7, ..State::default() })
            .unwrap(),
    };
    let theirs = stored.revision;
    turned.alerter.take_over(Succession { alone: false, failed: 0, term: 3 }, Ok(Some(stored)));
    assert_eq!(revision(&turned), theirs);
}

#[tokio::test]
async fn a_state_is_left_for_others_by_the_process_that_has_the_lease_only() {
    let mut turned = Turned::new("left");
    turned.alerter.state.revision = 7;
    for (authority, writes) in [(Authority::Unsure, 0), (HELD, 1)] {
        turned.alerter.authority = authority;
        turned.alerter.begin_write(1_000_000_000);
        assert_eq!(turned.alerter.works.len(), writes, "{authority:?}");
    }
}

#[tokio::test]
async fn one_that_ends_before_it_knows_what_others_left_leaves_nothing_in_its_place() {
    let mut turned = Turned::new("early");
    turned.alerter.has_become(HELD);
    turned.alerter.leave_state().await;
    // Nobody answers: a write that was tried has failed, and waits.
    assert!(turned.alerter.taking_over && turned.alerter.write_again_us == 0);
    turned.alerter.taking_over = false;
    turned.alerter.leave_state().await;
    assert!(turned.alerter.write_again_us > 0);
}

#[tokio::test]
async fn an_answer_to_an_earlier_ask_is_not_taken() {
    let mut turned = Turned::new("late");
    for authority in [HELD, Authority::Unsure, HELD] {
        turned.alerter.has_become(authority);
    }
    let theirs = State { revision: 9, ..State::default() };
    let stored = Stored {
        revision: 9,
        at_us: 0,
        holder: "other".to_owned(),
        standing: String::new(),
        document: serde_json::to_string(&theirs).unwrap(),
    };
    let first = Succession { alone: false, failed: 0, term: 1 };
    turned.alerter.take_over(first, Ok(Some(stored.clone())));
    assert_eq!((turned.alerter.taking_over, turned.alerter.state.revision), (true, 0));
    let second = Succession { alone: true, term: 2, ..first };
    turned.alerter.take_over(second, Ok(Some(stored)));
    assert_eq!((turned.alerter.taking_over, turned.alerter.state.revision), (false, 9));
}
