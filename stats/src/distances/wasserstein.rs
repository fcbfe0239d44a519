//! Wasserstein: how far values must be carried to turn one sample into the other.
//!
//! Question: by how much, in the unit of the column, did the values move?
//! Input: the sorted merge of both samples; infinite values leave no distance; missing ones are left out.
//! Formula: W = ∫ |F(x) - G(x)| dx; normed: W / standard deviation of the reference (ddof 0).
//! Valid when: values are finite; the normed one needs a reference that is not constant.
//! Reference: Vallender 1974, doi:10.1137/1118101, eq. 1.
//! Oracle: SciPy 1.17 `scipy.stats.wasserstein_distance(a, b)`.
//! Cost: four operations a value.

use rand::Rng;

use crate::{
    comparison::Comparison,
    permutation::Relabelling,
    walk::{Sizes, Step, Walked},
};

/// The area between both distribution functions so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WassersteinState {
    area: f64,
    lost: f64,
    last: Option<f64>,
    gap: f64,
    infinite: bool,
}

impl WassersteinState {
    pub(crate) fn push(&mut self, step: Step, sizes: Sizes) {
        if step.value.is_infinite() {
            self.infinite = true;
            return;
        }
        if let Some(last) = self.last {
            self.add(self.gap * (step.value - last));
        }
        self.last = Some(step.value);
        let a = u128::from(step.below_a + step.a) * u128::from(sizes.b);
        let b = u128::from(step.below_b + step.b) * u128::from(sizes.a);
        self.gap = a.abs_diff(b) as f64 / (sizes.a as f64 * sizes.b as f64);
    }

    /// Neumaier's summation: what rounding takes away is kept apart.
    fn add(&mut self, term: f64) {
        let sum = self.area + term;
        self.lost += if self.area >= term { (self.area - sum) + term } else { (term - sum) + self.area };
        self.area = sum;
    }

    /// The distance; `None` without values or with infinite ones.
    #[must_use]
    pub fn distance(&self) -> Option<f64> {
        (self.last.is_some() && !self.infinite)
            .then_some(self.area + self.lost)
            .filter(|area| area.is_finite())
    }
}

/// The reference's standard deviation (ddof 0), where it is above zero.
fn deviation(walked: &Walked) -> Option<f64> {
    walked.moments_a.variance(0).map(f64::sqrt).filter(|sd| *sd > 0.0)
}

/// The distance in the unit of the column; the effect is the normed one.
pub(crate) fn distance(walked: &Walked) -> Comparison {
    match walked.wasserstein.distance().filter(|_| walked.sizes.a > 0 && walked.sizes.b > 0) {
        None => Comparison::UNDEFINED,
        Some(0.0) => Comparison::of(0.0, 0.0),
        Some(distance) => Comparison {
            effect: deviation(walked).map(|sd| distance / sd).filter(|effect| effect.is_finite()),
            ..Comparison::of(distance, 0.0)
        },
    }
}

/// The distance in standard deviations of the reference.
pub(crate) fn normed(walked: &Walked) -> Comparison {
    match (distance(walked).statistic, deviation(walked)) {
        (Some(distance), Some(sd)) => Comparison::of(distance / sd, distance / sd),
        _ => Comparison::UNDEFINED,
    }
}

/// The chance of at least this distance under no change: labels are exchanged on the walk's grid.
#[must_use]
pub fn p_value(walked: &Walked, rng: &mut impl Rng) -> Option<f64> {
    walked.wasserstein.distance().filter(|_| walked.sizes.a > 0 && walked.sizes.b > 0)?;
    let pooled = Relabelling::of_grid(walked);
    let gaps: Vec<f64> = walked.grid.windows(2).map(|pair| pair[1].value - pair[0].value).collect();
    let (n, m) = (walked.sizes.a as f64, walked.sizes.b as f64);
    let area = |labels: &[u64]| {
        let (mut a, mut all, mut sum) = (0, 0, 0.0);
        for (i, gap) in gaps.iter().enumerate() {
            a += labels[i];
            all += pooled.totals[i];
            sum += gap * (a as f64 / n - (all - a) as f64 / m).abs();
        }
        sum
    };
    Some(pooled.p_of_grid(walked, rng, area))
}
