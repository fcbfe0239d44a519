//! The champion against itself: its first requests once more, in calls of another size, and in calls of the same. What differs then is noise,
//! and a tolerance tighter than that means nothing.

use windvane_types::gate::{NoiseFloor, Repeated};

use crate::answer::Answer;
use crate::compare::Noise;
use crate::policy::Policy;
use crate::port::Port;
use crate::replay::{Outcome, Player};
use crate::traffic::Chunk;

/// Requests that the champion is asked again.
const REQUESTS: u64 = 2_000;
/// Requests of a call of another size, where one is a call the first time.
const OTHER: usize = 8;

/// How far the champion agrees with itself so far.
#[derive(Debug)]
pub(super) struct Twice {
    other: Noise,
    same: Noise,
}

impl Twice {
    /// Nothing asked again yet.
    pub(super) fn new(champion: &[Port], policy: &Policy) -> Self {
        Self { other: Noise::new(champion, policy), same: Noise::new(champion, policy) }
    }

    /// Asks the requests of a chunk again, as long as there were too few. `first` is what came the first time in calls of so many requests,
    /// `rows_max`, and whether the candidate agreed.
    pub(super) fn push(
        &mut self,
        (champion, rows_max): (&mut Player, usize),
        chunk: &Chunk,
        first: (&[Outcome], &[bool]),
    ) {
        // A model that takes one at a time has no other size.
        let sizes = match (champion.batchable(), rows_max) {
            (true, 1) => (OTHER, Some(1)),
            (true, _) => (1, Some(rows_max)),
            (false, _) => (1, None),
        };
        again(&mut self.other, (&mut *champion, sizes.0), chunk, first);
        if let Some(same) = sizes.1 {
            again(&mut self.same, (champion, same), chunk, first);
        }
    }

    /// What was found; `None` where nothing was asked twice.
    pub(super) fn finish(&self) -> Option<NoiseFloor> {
        let same = self.same.finish();
        let again = same.map(|same| Repeated { n: same.n, agree: same.agree, max_abs: same.max_abs });
        self.other.finish().map(|other| NoiseFloor { again, ..other })
    }
}

fn again(
    noise: &mut Noise,
    (champion, rows_max): (&mut Player, usize),
    chunk: &Chunk,
    (answers, agreed): (&[Outcome], &[bool]),
) {
    let mut at = 0;
    for batch in &chunk.batches {
        let mut next = 0;
        while next < batch.rows() && noise.n() < REQUESTS {
            let end = (next + rows_max).min(batch.rows());
            let second = champion.session_mut().run(batch, next..end).ok();
            let second = second.and_then(|outputs| Answer::split(outputs, end - next));
            for (i, second) in second.into_iter().flatten().enumerate() {
                if let Ok(first) = &answers[at + next + i] {
                    noise.push((first, &second), end - next, agreed[at + next + i]);
                }
            }
            next = end;
        }
        at += batch.rows();
    }
}
