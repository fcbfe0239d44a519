//! Every interleaving of two and three analyzers that claim one job, step by step, on a table that inserts and reads.

use std::collections::BTreeSet;

use super::{Decision, decide, gives_way};
use crate::job_leases::Live;

/// Looks of a claim that waits; fewer than in the program, so that every interleaving can be walked.
const LOOKS: u8 = 3;

/// Where an analyzer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    /// It has not looked yet.
    Start,
    /// It saw nobody and is about to insert its claim.
    Free,
    /// Its claim is there; it looks for the n-th time.
    Claimed(u8),
    /// It runs the job.
    Running,
    /// It is about to take its claim back.
    Leaving,
    /// It has left, having run the job or not.
    Gone { ran: bool },
    /// It was killed with its claim in the table.
    Killed,
}

/// The table and the analyzers; an analyzer's number is its token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    claims: BTreeSet<usize>,
    at: Vec<At>,
}

fn token(i: usize) -> String {
    i.to_string()
}

/// One step of analyzer `i`; what it may do is decided by where it is alone.
fn step(world: &World, i: usize) -> Option<World> {
    let mut next = world.clone();
    next.at[i] = match world.at[i] {
        At::Start if world.claims.is_empty() => At::Free,
        At::Start => At::Gone { ran: false },
        At::Free => {
            next.claims.insert(i);
            At::Claimed(0)
        }
        At::Claimed(LOOKS) => At::Leaving,
        At::Claimed(look) => {
            let live: Vec<String> = world.claims.iter().map(|claim| token(*claim)).collect();
            match decide(&token(i), live.iter().map(String::as_str)) {
                Decision::Won => At::Running,
                Decision::Wait => At::Claimed(look + 1),
                Decision::Withdraw => At::Leaving,
            }
        }
        At::Running => {
            next.claims.remove(&i);
            At::Gone { ran: true }
        }
        At::Leaving => {
            next.claims.remove(&i);
            At::Gone { ran: false }
        }
        At::Gone { .. } | At::Killed => return None,
    };
    Some(next)
}

fn killed(world: &World, i: usize) -> Option<World> {
    let alive = !matches!(world.at[i], At::Gone { .. } | At::Killed);
    alive.then(|| {
        let mut next = world.clone();
        next.at[i] = At::Killed;
        next
    })
}

/// All worlds that can be reached.
fn reachable(analyzers: usize, kills: bool) -> BTreeSet<World> {
    let start = World { claims: BTreeSet::new(), at: vec![At::Start; analyzers] };
    let mut seen = BTreeSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        for i in 0..analyzers {
            let nexts = step(&world, i).into_iter().chain(killed(&world, i).filter(|_| kills));
            for next in nexts {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
    }
    seen
}

// Never do two analyzers run one window at once, whatever the interleaving and whoever is killed.
#[test]
fn no_interleaving_lets_two_run_at_once() {
    for analyzers in [2, 3] {
        let worlds = reachable(analyzers, true);
        assert!(worlds.len() > 50, "{} worlds", worlds.len());
        for world in &worlds {
            let running = world.at.iter().filter(|at| **at == At::Running).count();
            assert!(running <= 1, "{world:?}");
        }
    }
}

// Where nobody is killed and nobody is cut short in waiting, somebody runs the window in the first round.
#[test]
fn somebody_wins_where_the_others_withdraw_in_time() {
    let worlds = reachable(2, false);
    let ended = worlds.iter().filter(|world| world.at.iter().all(|at| matches!(at, At::Gone { .. })));
    let (mut ran, mut gave_up) = (0, 0);
    for world in ended {
        match world.at.contains(&At::Gone { ran: true }) {
            true => ran += 1,
            false => gave_up += 1,
        }
        assert!(world.claims.is_empty(), "{world:?}");
    }
    // Nobody runs it only where the waiting one looked in vain until it gave up; the next pass tries again.
    assert!(ran > 0 && gave_up <= 1, "{ran} {gave_up}");
}

#[test]
fn the_smaller_token_waits_and_the_larger_one_withdraws() {
    assert_eq!(decide("a", ["a"]), Decision::Won);
    assert_eq!(decide("a", ["a", "b"]), Decision::Wait);
    assert_eq!(decide("b", ["a", "b"]), Decision::Withdraw);
    assert_eq!(decide("b", ["a", "b", "c"]), Decision::Withdraw);
}

#[test]
fn of_two_that_have_won_the_larger_token_gives_way_and_a_claim_that_waits_moves_nobody() {
    let live = |claims: &[(&str, u64)]| -> Vec<Live> {
        claims
            .iter()
            .map(|(token, renewals)| Live { token: (*token).to_owned(), seen_us: 0, renewals: *renewals })
            .collect()
    };
    for (claims, [a, b]) in [
        ([("a", 1), ("b", 7)].as_slice(), [false, true]),
        (&[("a", 0), ("b", 7)], [false, false]),
        (&[("b", 7)], [false, false]),
        (&[], [false, false]),
    ] {
        assert_eq!([gives_way("a", &live(claims)), gives_way("b", &live(claims))], [a, b], "{claims:?}");
    }
}
