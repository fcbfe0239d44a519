//! A walk over two samples that are held, each of them sorted: it ends with what pushes of their values end with, at a third of the
//! cost where values seldom repeat.
//!
//! What [`Depth::Ranks`] computes does not need each kernel to see a value before the next one comes. Moments and bins so go over one
//! sample after the other, and ranks alone over both.

use super::{Depth, Sizes, SizesChanged, Step, Walk, Walked};

impl Walk {
    /// Walks two ascending samples without NaN; nothing was pushed before.
    ///
    /// # Errors
    /// [`SizesChanged`] where the samples have not the sizes announced.
    pub fn of_sorted(mut self, a: &[f64], b: &[f64]) -> Result<Walked, SizesChanged> {
        match self.depth {
            Depth::Full => self.push_sorted(a, b),
            Depth::Ranks => {
                for (moments, values) in [(&mut self.moments_a, a), (&mut self.moments_b, b)] {
                    for equal in values.chunk_by(|x, y| x == y) {
                        moments.push(equal[0], equal.len() as u64);
                    }
                }
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

    /// Ranks every value. Of which sample the next one is cannot be foretold, so that it is no branch of the loop; whether it is equal to
    /// the one before mostly can.
    fn rank_sorted(&mut self, a: &[f64], b: &[f64]) {
        let (mut i, mut j) = (0, 0);
        let mut last = f64::NAN;
        while i < a.len() && j < b.len() {
            let from_a = a[i] <= b[j];
            let value = if from_a { a[i] } else { b[j] };
            if value == last {
                i += repeats(&a[i..], value);
                j += repeats(&b[j..], value);
            } else {
                self.rank_up_to(last, Sizes { a: i as u64, b: j as u64 });
                last = value;
                i += usize::from(from_a);
                j += usize::from(!from_a);
            }
        }
        let (rest, of_a) = if i < a.len() { (&a[i..], true) } else { (&b[j..], false) };
        for equal in rest.chunk_by(|x, y| x == y) {
            if equal[0] != last {
                self.rank_up_to(last, Sizes { a: i as u64, b: j as u64 });
                last = equal[0];
            }
            if of_a {
                i += equal.len();
            } else {
                j += equal.len();
            }
        }
        self.rank_up_to(last, Sizes { a: i as u64, b: j as u64 });
    }

    /// Ranks all values that were not ranked before, which are equal, and after which so many have come.
    fn rank_up_to(&mut self, value: f64, came: Sizes) {
        let Sizes { a: below_a, b: below_b } = self.seen;
        let (a, b) = (came.a - below_a, came.b - below_b);
        // There is none before the first one.
        if a + b > 0 {
            let step = Step { value, a, b, below_a, below_b };
            self.distinct += 1;
            self.ks.push(step, self.sizes);
            self.ranks.push(step);
            self.seen = came;
        }
    }
}

/// How many of the first values are this one.
fn repeats(values: &[f64], value: f64) -> usize {
    values.iter().take_while(|other| **other == value).count()
}
