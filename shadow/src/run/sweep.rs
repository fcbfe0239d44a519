//! How many requests a second each model answers in calls of each size: what batching would bring.

use std::time::{Duration, Instant};

use windvane_types::gate::BatchRates;

use crate::replay::Player;
use crate::traffic::Chunk;

/// Requests of the largest call.
const SIZE_MAX: usize = 64;
/// How long each size is asked, unless one call takes longer.
const EACH: Duration = Duration::from_millis(20);
/// A call that takes longer than this ends the sweep: larger ones would hold up the gate.
const CALL_MAX: Duration = Duration::from_millis(200);

/// The sizes 1, 2, 4 … as far as the chunk has requests and the model takes them together: requests in a call, and requests a second.
pub(super) fn sweep(player: &mut Player, chunk: &Chunk) -> Vec<(u64, f64)> {
    // A model that could not be warmed up answers no larger calls either.
    let is_warm = player.timings().start().cold.is_some();
    let Some(batch) = chunk.batches.first().filter(|_| is_warm) else { return Vec::new() };
    let most = if player.batchable() { SIZE_MAX.min(batch.rows()) } else { 1 };
    let sizes = std::iter::successors(Some(1), |size| Some(size * 2)).take_while(|size| *size <= most);
    let mut rates = Vec::new();
    for size in sizes {
        let (began, mut calls) = (Instant::now(), 0_u64);
        while calls == 0 || began.elapsed() < EACH {
            if player.session_mut().run(batch, 0..size).is_err() {
                return rates;
            }
            calls += 1;
        }
        let took = began.elapsed();
        rates.push((size as u64, (calls * size as u64) as f64 / took.as_secs_f64()));
        if took > CALL_MAX {
            break;
        }
    }
    rates
}

/// Both models side by side, in order of size.
pub(super) fn joined(champion: &[(u64, f64)], candidate: &[(u64, f64)]) -> Vec<BatchRates> {
    let of = |rates: &[(u64, f64)], batch: u64| {
        rates.iter().find(|(size, _)| *size == batch).map(|(_, rate)| *rate)
    };
    let longer = if champion.len() > candidate.len() { champion } else { candidate };
    let sizes = longer.iter().map(|(size, _)| *size);
    sizes
        .map(|batch| BatchRates {
            batch,
            champion_per_s: of(champion, batch),
            candidate_per_s: of(candidate, batch),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_one_model_does_not_take_are_told_of_the_other() {
        let found = joined(&[(1, 10.0)], &[(1, 9.0), (2, 15.0)]);
        let told: Vec<_> =
            found.iter().map(|rates| (rates.batch, rates.champion_per_s, rates.candidate_per_s)).collect();
        assert_eq!(told, [(1, Some(10.0), Some(9.0)), (2, None, Some(15.0))]);
        assert!(joined(&[], &[]).is_empty());
    }
}
