//! Leases and the ledger of monitors on a real ClickHouse: what is live, and what wins.

use std::future::pending;
use std::time::Duration;

use windvane_kit::eventually_async;
use windvane_store::Statement;
use windvane_store::job_leases::{self, Claim};
use windvane_store::lease::{Lease, Worked};
use windvane_store::monitor_runs::{self, Asked, MonitorRun, RunState};

use crate::endpoint::Running;

const LONG: Duration = Duration::from_secs(600);

fn claim(token: &str) -> Claim {
    Claim { job: "drift/it's `daily`/0/1".to_owned(), token: token.to_owned(), holder: "here".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_lives_until_it_expires_or_is_given_back() {
    let running = Running::migrated().await;
    let store = &running.store;
    let (a, b) = (claim("a"), claim("b"));
    let live = async || -> Vec<String> {
        let claims = job_leases::live(store, &a.job).await.unwrap();
        claims.into_iter().map(|claim| claim.token).collect()
    };
    assert_eq!(live().await, Vec::<String>::new());
    job_leases::write(store, &b, 0, LONG).await.unwrap();
    job_leases::write(store, &a, 0, LONG).await.unwrap();
    assert_eq!(live().await, ["a", "b"]);
    // A renewal that has run out already ends the claim, and a late one does not bring back what was given back.
    job_leases::write(store, &a, 1, Duration::ZERO).await.unwrap();
    assert_eq!(live().await, ["b"]);
    job_leases::write(store, &b, u64::MAX, Duration::ZERO).await.unwrap();
    job_leases::write(store, &b, 7, LONG).await.unwrap();
    assert_eq!(live().await, Vec::<String>::new());
    assert_eq!(job_leases::live(store, "another").await.unwrap(), []);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_given_back_when_its_work_is_done_or_cut_off_and_not_before() {
    let running = Running::migrated().await;
    let store = &running.store;
    let claimed = async || Lease::claim(store, "a job", "here", LONG).await.unwrap();
    let lease = claimed().await.expect("nobody has it");
    let is_taken = async { claimed().await.is_none() };
    assert_eq!(lease.during(is_taken, pending()).await, Worked::Done(true));
    let lease = claimed().await.expect("it was given back at the end of the work");
    assert_eq!(lease.during(pending::<()>(), async {}).await, Worked::Cut);
    assert_eq!(job_leases::live(store, "a job").await.unwrap(), [], "it was cut off");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_ends_before_a_lease_runs_out_that_cannot_be_renewed() {
    let running = Running::migrated().await;
    let store = &running.store;
    let lease = Lease::claim(store, "a job", "here", Duration::from_secs(6)).await.unwrap().unwrap();
    store.execute(&Statement::new("DROP TABLE windvane.job_leases")).await.unwrap();
    assert_eq!(lease.during(pending::<()>(), pending()).await, Worked::LeaseLost);
    running.end().await;
}

/// As where a replica lagged: the rows of another claim that has won are there as well.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_hold_a_lease_at_once_the_one_with_the_larger_token_ends() {
    let running = Running::migrated().await;
    let store = &running.store;
    // Tokens are hexadecimal: one is before all of them, the other after.
    for (other, goes_on) in [("!", false), ("~", true)] {
        let claim = Claim { job: format!("a job beside {other}"), ..claim(other) };
        let lease = Lease::claim(store, &claim.job, "here", Duration::from_secs(6)).await.unwrap().unwrap();
        job_leases::write(store, &claim, 1, LONG).await.unwrap();
        let renewed_twice = eventually_async(LONG, async || {
            let live = job_leases::live(store, &claim.job).await.unwrap();
            let own = live.iter().find(|live| live.token != other).map(|live| live.renewals);
            if own >= Some(2) { Ok(()) } else { Err(own) }
        });
        let expected = if goes_on { Worked::Done(()) } else { Worked::LeaseLost };
        assert_eq!(lease.during(renewed_twice, pending()).await, expected, "beside `{other}`");
    }
    running.end().await;
}

fn run(attempt: u64, state: RunState, started_us: i64) -> MonitorRun {
    MonitorRun {
        kind: "drift".to_owned(),
        monitor: "daily".to_owned(),
        window_start_us: 1_000_000,
        window_end_us: 2_000_000,
        model: "m".to_owned(),
        state,
        attempt,
        run_id: format!("run {attempt}"),
        holder: "here".to_owned(),
        started_us,
        ended_us: 0,
        rows_reference: 1,
        rows_current: 2,
        findings: 3,
        verdict: "drift".to_owned(),
        error: "é".repeat(800),
        note: "ü".repeat(800),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_keeps_the_last_state_of_the_last_attempt_whatever_clocks_say() {
    let running = Running::migrated().await;
    let store = &running.store;
    let now = monitor_runs::now_us(store).await.unwrap();
    // In this order, and with clocks that go backwards.
    for (attempt, state, started) in [
        (2, RunState::Running, now - 10),
        (1, RunState::Running, now),
        (2, RunState::Done, now - 20),
        (2, RunState::Failed, now),
        (1, RunState::Done, now),
    ] {
        monitor_runs::write(store, &run(attempt, state, started)).await.unwrap();
    }
    let asked =
        Asked { kind: "drift", monitor: "daily", ending_after_us: 1_999_999, starting_before_us: 1_000_001 };
    let rows = monitor_runs::read(store, asked).await.unwrap();
    let kept = (run(2, RunState::Done, now - 20), "é".repeat(500), "ü".repeat(500));
    let expected = MonitorRun { error: kept.1, note: kept.2, ..kept.0 };
    assert_eq!(rows, std::slice::from_ref(&expected));
    assert_eq!(monitor_runs::latest(store, "drift").await.unwrap(), [expected]);
    let later = Asked { ending_after_us: 2_000_000, ..asked };
    assert_eq!(monitor_runs::read(store, later).await.unwrap(), []);
    running.end().await;
}
