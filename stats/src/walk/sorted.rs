//! A walk over two samples that are held, each of them sorted: it ends with what pushes of their values end with, at a third of the
//! cost where values seldom repeat.
//!
//! What [`Depth::Ranks`] computes does not need each kernel to see a value before the next one comes. Moments and bins so go over each
//! sample, and ranks alone over both. What takes a while of a value is waiting for the one before: both samples' moments are taken at
//! once, and the lower half of all values is ranked beside the upper one.

use super::{Depth, Sizes, SizesChanged, Step, Walk, Walked};
use crate::{ks::KsState, mann_whitney::RankState};

impl Walk {
    /// Walks two ascending samples without NaN; nothing was pushed before.
    ///
    /// # Errors
    /// [`SizesChanged`] where the samples have not the sizes announced.
    pub fn of_sorted(mut self, a: &[f64], b: &[f64]) -> Result<Walked, SizesChanged> {
        match self.depth {
            Depth::Full => self.push_sorted(a, b),
            Depth::Ranks => {
                self.add_moments(a, b);
                self.binned.iter_mut().for_each(|binned| binned.push_sorted(a, b));
                self.rank_sorted(a, b);
            }
        }
        self.finish()
    }

    /// Pushes every value with how often it occurs.
    fn push_sorted(&mut self, a: &[f64], b: &[f64]) {
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            let value = match (a.get(i), b.get(j)) {
                (Some(x), Some(y)) => x.min(*y),
                (Some(x), None) | (None, Some(x)) => *x,
                (None, None) => break,
            };
            let (in_a, in_b) = (repeats(&a[i..], value), repeats(&b[j..], value));
            self.push(value, in_a as u64, in_b as u64);
            i += in_a;
            j += in_b;
        }
    }

    /// Adds every value to the moments of its sample.
    fn add_moments(&mut self, a: &[f64], b: &[f64]) {
        let [mut groups_a, mut groups_b] = [a, b].map(|values| values.chunk_by(|x, y| x == y));
        loop {
            let (in_a, in_b) = (groups_a.next(), groups_b.next());
            if let Some(equal) = in_a {
                self.moments_a.push(equal[0], equal.len() as u64);
            }
            if let Some(equal) = in_b {
                self.moments_b.push(equal[0], equal.len() as u64);
            }
            if in_a.is_none() && in_b.is_none() {
                break;
            }
        }
    }

    /// Ranks every value.
    fn rank_sorted(&mut self, a: &[f64], b: &[f64]) {
        let below = |values: &[f64], middle: &f64| values.partition_point(|value| value < middle);
        let (half_a, half_b) =
            a.get(a.len() / 2).map_or((0, 0), |middle| (below(a, middle), below(b, middle)));
        let (low_a, low_b) = (&a[..half_a], &b[..half_b]);
        let mut low = Ranking::after(0, 0, self.sizes);
        let mut high = Ranking::after(half_a, half_b, self.sizes);
        while low.is_within(low_a, low_b) && high.is_within(a, b) {
            low.step(low_a, low_b);
            high.step(a, b);
        }
        low.finish(low_a, low_b);
        high.finish(a, b);
        for ranked in [&low, &high] {
            self.distinct += ranked.distinct;
            self.ks.merge(&ranked.ks);
            self.ranks.merge(&ranked.ranks);
        }
        self.seen = high.ranked;
    }
}

/// Values that are ranked one after the other, from some place in both samples on.
struct Ranking {
    /// The next value of each sample.
    i: usize,
    j: usize,
    /// The value that came last.
    last: f64,
    /// Values up to there that were ranked, and those before the first one.
    ranked: Sizes,
    sizes: Sizes,
    distinct: u64,
    ks: KsState,
    ranks: RankState,
}

impl Ranking {
    /// Begins after so many values of samples of these sizes, none of which is equal to a later one.
    fn after(i: usize, j: usize, sizes: Sizes) -> Self {
        let ranked = Sizes { a: i as u64, b: j as u64 };
        let (ks, ranks) = (KsState::default(), RankState::default());
        Self { i, j, last: f64::NAN, ranked, sizes, distinct: 0, ks, ranks }
    }

    /// Whether both samples have values left.
    fn is_within(&self, a: &[f64], b: &[f64]) -> bool {
        self.i < a.len() && self.j < b.len()
    }

    /// Goes on by a value, of both samples where they have it. Of which sample the next one is cannot be foretold, so that it is no branch;
    /// whether it is equal to the one before mostly can.
    // A call would put both halves' states into memory, and each value would wait for that.
    #[inline(always)]
    fn step(&mut self, a: &[f64], b: &[f64]) {
        let from_a = a[self.i] <= b[self.j];
        let value = if from_a { a[self.i] } else { b[self.j] };
        if value == self.last {
            self.i += repeats(&a[self.i..], value);
            self.j += repeats(&b[self.j..], value);
        } else {
            self.rank();
            self.last = value;
            self.i += usize::from(from_a);
            self.j += usize::from(!from_a);
        }
    }

    /// Goes on to the end of both samples.
    fn finish(&mut self, a: &[f64], b: &[f64]) {
        while self.is_within(a, b) {
            self.step(a, b);
        }
        let (rest, of_a) = if self.i < a.len() { (&a[self.i..], true) } else { (&b[self.j..], false) };
        for equal in rest.chunk_by(|x, y| x == y) {
            if equal[0] != self.last {
                self.rank();
                self.last = equal[0];
            }
            if of_a {
                self.i += equal.len();
            } else {
                self.j += equal.len();
            }
        }
        self.rank();
    }

    /// Ranks the values that were not ranked before, which are equal.
    #[inline(always)]
    fn rank(&mut self) {
        let Sizes { a: below_a, b: below_b } = self.ranked;
        let came = Sizes { a: self.i as u64, b: self.j as u64 };
        let (a, b) = (came.a - below_a, came.b - below_b);
        // There is none before the first one.
        if a + b > 0 {
            let step = Step { value: self.last, a, b, below_a, below_b };
            self.distinct += 1;
            self.ks.push(step, self.sizes);
            self.ranks.push(step);
            self.ranked = came;
        }
    }
}

/// How many of the first values are this one.
fn repeats(values: &[f64], value: f64) -> usize {
    values.iter().take_while(|other| **other == value).count()
}
