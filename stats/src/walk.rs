//! The sorted merge of two numeric samples, walked once in constant memory: every rank and distance method comes from it.
//!
//! Values are pushed in ascending order with how often each occurs on either side; equal values may come in several
//! pushes. Nothing is kept of a value once the next one has come, except a grid of at most [`GRID_CELLS`] pooled cells
//! for simulated null distributions.

mod grid;
mod sorted;

use crate::{
    anderson_darling::{self, WeightedState},
    comparison::Comparison,
    cramer_von_mises::{self, SquaresState},
    edges::Binned,
    energy::{self, EnergyState},
    ks::{self, KsState},
    mann_whitney::{self, RankState},
    moments::Moments,
    t_test,
    wasserstein::{self, WassersteinState},
};

pub use grid::{GRID_CELLS, Grid, GridCell};

/// All occurrences of one value, and what lies below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The value; may be ±inf, never NaN.
    pub value: f64,
    /// Its occurrences in the reference.
    pub a: u64,
    /// Its occurrences in the current sample.
    pub b: u64,
    /// Smaller values in the reference.
    pub below_a: u64,
    /// Smaller values in the current sample.
    pub below_b: u64,
}

/// The sizes of both samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Of the reference.
    pub a: u64,
    /// Of the current sample.
    pub b: u64,
}

impl Sizes {
    /// Of both together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.a + self.b
    }

    /// 1/n + 1/m, the variance of a difference of means in units of the variance.
    #[must_use]
    pub fn harmonic(self) -> f64 {
        1.0 / self.a as f64 + 1.0 / self.b as f64
    }
}

/// Pushed values did not add up to the sizes that were announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} reference and {} current values were announced and {} and {} came", .announced.a, .announced.b, .came.a, .came.b)]
pub struct SizesChanged {
    /// What [`Walk::new`] was told.
    pub announced: Sizes,
    /// What was pushed.
    pub came: Sizes,
}

/// How much a walk computes of each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Ranks, moments, bins and the Kolmogorov-Smirnov difference.
    Ranks,
    /// Everything: distances, quartiles and the grid of pooled cells too, at about three times the cost.
    #[default]
    Full,
}

/// The walk in progress.
#[derive(Debug, Clone)]
pub struct Walk {
    depth: Depth,
    sizes: Sizes,
    seen: Sizes,
    group: Option<(f64, u64, u64)>,
    distinct: u64,
    moments_a: Moments,
    moments_b: Moments,
    ks: KsState,
    ranks: RankState,
    squares: SquaresState,
    weighted: WeightedState,
    energy: EnergyState,
    wasserstein: WassersteinState,
    quartiles: [OrderStatistics; 2],
    binned: Vec<Binned>,
    grid: Grid,
}

/// What a finished walk knows.
#[derive(Debug, Clone)]
pub struct Walked {
    /// What was computed: after [`Depth::Ranks`] other kernels are undefined.
    pub depth: Depth,
    /// How many values were walked.
    pub sizes: Sizes,
    /// How many of them are different.
    pub distinct: u64,
    /// Moments of the reference.
    pub moments_a: Moments,
    /// Moments of the current sample.
    pub moments_b: Moments,
    /// The two-sample Kolmogorov-Smirnov statistic.
    pub ks: KsState,
    /// Sums of ranks.
    pub ranks: RankState,
    /// Sums of squared rank differences.
    pub squares: SquaresState,
    /// The same with weight on the tails.
    pub weighted: WeightedState,
    /// Squared areas between the distribution functions.
    pub energy: EnergyState,
    /// Areas between the distribution functions.
    pub wasserstein: WassersteinState,
    /// Counts on the edges handed to [`Walk::new`].
    pub binned: Vec<Binned>,
    /// Half the distance between the quartiles of both samples together (type 7).
    pub half_iqr: Option<f64>,
    /// Pooled cells for simulated null distributions.
    pub grid: Vec<GridCell>,
}

impl Walk {
    /// A walk over samples of these sizes that also counts into the bins given.
    #[must_use]
    pub fn new(sizes: Sizes, binned: Vec<Binned>) -> Self {
        Self::to_depth(Depth::Full, sizes, binned)
    }

    /// The same for some kernels only.
    #[must_use]
    pub fn to_depth(depth: Depth, sizes: Sizes, binned: Vec<Binned>) -> Self {
        Self {
            depth,
            sizes,
            seen: Sizes { a: 0, b: 0 },
            group: None,
            distinct: 0,
            moments_a: Moments::default(),
            moments_b: Moments::default(),
            ks: KsState::default(),
            ranks: RankState::default(),
            squares: SquaresState::default(),
            weighted: WeightedState::default(),
            energy: EnergyState::default(),
            wasserstein: WassersteinState::default(),
            quartiles: [OrderStatistics::new(0.25, sizes), OrderStatistics::new(0.75, sizes)],
            binned,
            grid: Grid::new(sizes.total()),
        }
    }

    /// Adds `a` and `b` occurrences of `value`, which must not be below an earlier one nor NaN.
    pub fn push(&mut self, value: f64, a: u64, b: u64) {
        match &mut self.group {
            Some((last, group_a, group_b)) if *last == value => {
                *group_a += a;
                *group_b += b;
            }
            _ => {
                self.close_group();
                self.group = Some((value, a, b));
            }
        }
    }

    /// Ends the walk.
    ///
    /// # Errors
    /// [`SizesChanged`] where the pushes do not add up to the sizes announced: the samples changed while they were read.
    pub fn finish(mut self) -> Result<Walked, SizesChanged> {
        self.close_group();
        if self.seen != self.sizes {
            return Err(SizesChanged { announced: self.sizes, came: self.seen });
        }
        Ok(Walked {
            depth: self.depth,
            sizes: self.sizes,
            distinct: self.distinct,
            moments_a: self.moments_a,
            moments_b: self.moments_b,
            ks: self.ks,
            ranks: self.ranks,
            squares: self.squares,
            weighted: self.weighted,
            energy: self.energy,
            half_iqr: half_iqr(&self.quartiles),
            wasserstein: self.wasserstein,
            binned: self.binned,
            grid: self.grid.finish(),
        })
    }

    fn close_group(&mut self) {
        let Some((value, a, b)) = self.group.take() else { return };
        let step = Step { value, a, b, below_a: self.seen.a, below_b: self.seen.b };
        self.distinct += 1;
        self.moments_a.push(value, a);
        self.moments_b.push(value, b);
        self.ks.push(step, self.sizes);
        self.ranks.push(step);
        self.binned.iter_mut().for_each(|binned| binned.push(step));
        if self.depth == Depth::Full {
            self.squares.push(step, self.sizes);
            self.weighted.push(step, self.sizes);
            self.energy.push(step, self.sizes);
            self.quartiles.iter_mut().for_each(|quartile| quartile.push(step));
            self.wasserstein.push(step, self.sizes);
            self.grid.push(step);
        }
        self.seen = Sizes { a: self.seen.a + a, b: self.seen.b + b };
    }
}

impl Walked {
    /// Both samples hold one same value: nothing can differ.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.distinct == 1 && self.sizes.a > 0 && self.sizes.b > 0
    }

    /// Whether any value came more than once.
    #[must_use]
    pub fn has_ties(&self) -> bool {
        self.distinct < self.sizes.total()
    }

    /// The two-sample Kolmogorov-Smirnov test.
    #[must_use]
    pub fn ks(&self) -> Comparison {
        ks::test(&self.ks, self.sizes)
    }

    /// The Mann-Whitney test.
    #[must_use]
    pub fn mann_whitney(&self) -> Comparison {
        if self.is_same() {
            return Comparison::SAME;
        }
        mann_whitney::test(&self.ranks, self.sizes)
    }

    /// The one-sided Mann-Whitney test that the reference tends to be smaller.
    #[must_use]
    pub fn mann_whitney_less(&self) -> Comparison {
        mann_whitney::test_less(&self.ranks, self.sizes)
    }

    /// The Cramér-von Mises test.
    #[must_use]
    pub fn cramer_von_mises(&self) -> Comparison {
        if self.depth == Depth::Ranks {
            return Comparison::UNDEFINED;
        }
        if self.is_same() {
            return Comparison::SAME;
        }
        cramer_von_mises::test(&self.squares, self.sizes)
    }

    /// The two-sample Anderson-Darling test.
    #[must_use]
    pub fn anderson_darling(&self) -> Comparison {
        if self.depth == Depth::Ranks {
            return Comparison::UNDEFINED;
        }
        if self.is_same() {
            return Comparison::SAME;
        }
        anderson_darling::test(&self.weighted, self.sizes)
    }

    /// The energy distance, without a p-value.
    #[must_use]
    pub fn energy(&self) -> Comparison {
        match self.depth {
            Depth::Ranks => Comparison::UNDEFINED,
            Depth::Full => energy::distance(self),
        }
    }

    /// Student's t-test.
    #[must_use]
    pub fn t_test(&self) -> Comparison {
        t_test::t_test(&self.moments_a, &self.moments_b)
    }

    /// Welch's t-test.
    #[must_use]
    pub fn welch(&self) -> Comparison {
        t_test::welch(&self.moments_a, &self.moments_b)
    }

    /// The first Wasserstein distance, without a p-value.
    #[must_use]
    pub fn wasserstein(&self) -> Comparison {
        match self.depth {
            Depth::Ranks => Comparison::UNDEFINED,
            Depth::Full => wasserstein::distance(self),
        }
    }

    /// The first Wasserstein distance in standard deviations of the reference, without a p-value.
    #[must_use]
    pub fn wasserstein_normed(&self) -> Comparison {
        match self.depth {
            Depth::Ranks => Comparison::UNDEFINED,
            Depth::Full => wasserstein::normed(self),
        }
    }
}

/// The two order statistics between which a quantile of both samples lies.
#[derive(Debug, Clone, Copy)]
struct OrderStatistics {
    position: f64,
    low: Option<f64>,
    high: Option<f64>,
}

impl OrderStatistics {
    fn new(level: f64, sizes: Sizes) -> Self {
        Self { position: level * sizes.total().saturating_sub(1) as f64, low: None, high: None }
    }

    fn push(&mut self, step: Step) {
        let after = (step.below_a + step.below_b + step.a + step.b) as f64;
        if self.low.is_none() && after > self.position.floor() {
            self.low = Some(step.value);
        }
        if self.high.is_none() && after > self.position.ceil() {
            self.high = Some(step.value);
        }
    }

    fn value(&self) -> Option<f64> {
        let (low, high) = (self.low?, self.high?);
        Some(low + (high - low) * self.position.fract())
    }
}

fn half_iqr([first, third]: &[OrderStatistics; 2]) -> Option<f64> {
    Some((third.value()? - first.value()?) / 2.0).filter(|half| half.is_finite())
}

#[cfg(test)]
mod tests;
