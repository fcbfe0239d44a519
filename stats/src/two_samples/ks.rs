//! Kolmogorov-Smirnov: the largest difference of two distribution functions.
//!
//! Question: do two samples of numbers come from one distribution, whatever it is?
//! Input: the sorted merge of both samples; ±inf are ordinary values; missing ones are left out.
//! Formula: D = max |F(x) - G(x)|.
//! Valid when: values are independent; with ties the p-value is conservative.
//! Reference: Hodges 1958, doi:10.1007/BF02589501 (exact, by lattice paths); Simard, L'Ecuyer 2011,
//! doi:10.18637/jss.v039.i11 (the one-sample distribution that approximates the other cases).
//! Oracle: SciPy 1.17 `scipy.stats.ks_2samp(a, b, method='auto')`.
//! Cost: two multiplications a value; the exact p up to [`EXACT_PATHS`] lattice points.

mod one_sample;
mod paths;

use crate::{
    comparison::{Comparison, PMethod},
    walk::{Sizes, Step},
};

/// Sizes up to which the exact distribution is used, as in SciPy.
const EXACT_SIZE: u64 = 10_000;
/// Lattice points inside the band up to which unequal sizes get the exact distribution: about 0.1 s. Beyond that the band is
/// so wide that p is far below anything that is told apart.
pub const EXACT_PATHS: u128 = 40_000_000;

/// The largest difference so far, as an integer over n·m so that ties and rounding cannot move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KsState {
    largest: u128,
}

impl KsState {
    pub(crate) fn push(&mut self, step: Step, sizes: Sizes) {
        let a = u128::from(step.below_a + step.a) * u128::from(sizes.b);
        let b = u128::from(step.below_b + step.b) * u128::from(sizes.a);
        self.largest = self.largest.max(a.abs_diff(b));
    }

    /// Adds what was seen of other values of the same samples.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.largest = self.largest.max(other.largest);
    }
}

/// The test on a finished walk.
pub(crate) fn test(state: &KsState, sizes: Sizes) -> Comparison {
    if sizes.a == 0 || sizes.b == 0 {
        return Comparison::UNDEFINED;
    }
    let d = state.largest as f64 / (sizes.a as f64 * sizes.b as f64);
    let comparison = Comparison::of(d, d);
    if state.largest == 0 {
        return comparison.with_p(1.0, PMethod::Exact);
    }
    let small = sizes.a.max(sizes.b) <= EXACT_SIZE;
    if small && sizes.a == sizes.b {
        let h = u64::try_from(state.largest / u128::from(sizes.a)).expect("at most n");
        comparison.with_p(paths::equal_sizes(sizes.a, h), PMethod::Exact)
    } else if small && 2 * (state.largest + u128::from(sizes.a)) <= EXACT_PATHS {
        let largest = u64::try_from(state.largest).expect("at most n·m");
        comparison.with_p(paths::unequal_sizes(sizes, largest), PMethod::Exact)
    } else {
        let effective = (1.0 / sizes.harmonic()).round();
        comparison.with_p(one_sample::survival(effective, d), PMethod::Asymptotic)
    }
}

/// P(D ≥ d) by the one-sample distribution with n·m/(n+m) observations; for tools that never use the exact one.
#[must_use]
pub fn asymptotic_p(d: f64, sizes: Sizes) -> f64 {
    one_sample::survival((1.0 / sizes.harmonic()).round(), d)
}
