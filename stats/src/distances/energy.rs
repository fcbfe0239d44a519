//! Energy distance: the squared difference of two distribution functions, integrated over the values.
//!
//! Question: how far apart are two samples, in a metric that sees every difference of distribution?
//! Input: the sorted merge of both samples; infinite values leave no distance; missing ones are left out.
//! Formula: √(2∫(F-G)² dx) = √(2E|X-Y| - E|X-X'| - E|Y-Y'|). Effect: √ of the energy coefficient
//! 2∫(F-G)²/(2E|X-Y|), between 0 and 1 and free of the unit.
//! Valid when: values are finite.
//! Reference: Székely, Rizzo 2013, doi:10.1016/j.jspi.2013.03.018, eq. 2 and 5.
//! Oracle: SciPy 1.17 `scipy.stats.energy_distance(a, b)`; p by relabelling, as its `permutation_test`.
//! Cost: some operations a value; p 128 cells a relabelling.

use rand::Rng;

use crate::{
    comparison::Comparison,
    permutation::Relabelling,
    walk::{Sizes, Step, Walked},
};

/// The two integrals so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EnergyState {
    squared: f64,
    cross: f64,
    last: Option<(f64, f64, f64)>,
    infinite: bool,
}

impl EnergyState {
    pub(crate) fn push(&mut self, step: Step, sizes: Sizes) {
        if step.value.is_infinite() {
            self.infinite = true;
            return;
        }
        if let Some((value, f, g)) = self.last {
            let width = step.value - value;
            self.squared += width * (f - g) * (f - g);
            self.cross += width * (f * (1.0 - g) + g * (1.0 - f));
        }
        let f = (step.below_a + step.a) as f64 / sizes.a as f64;
        let g = (step.below_b + step.b) as f64 / sizes.b as f64;
        self.last = Some((step.value, f, g));
    }
}

/// The distance, without a p-value.
pub(crate) fn distance(walked: &Walked) -> Comparison {
    let state = &walked.energy;
    if walked.sizes.a == 0 || walked.sizes.b == 0 || state.infinite {
        return Comparison::UNDEFINED;
    }
    let coefficient = if state.cross > 0.0 { (state.squared / state.cross).min(1.0) } else { 0.0 };
    Comparison::of((2.0 * state.squared).sqrt(), coefficient.sqrt())
}

/// The chance of at least this distance under no change: labels are exchanged on the walk's grid.
#[must_use]
pub fn p_value(walked: &Walked, rng: &mut impl Rng) -> Option<f64> {
    distance(walked).statistic?;
    let pooled = Relabelling::of_grid(walked);
    let gaps: Vec<f64> = walked.grid.windows(2).map(|pair| pair[1].value - pair[0].value).collect();
    let (n, m) = (walked.sizes.a as f64, walked.sizes.b as f64);
    let energy = |labels: &[u64]| {
        let (mut a, mut all, mut sum) = (0, 0, 0.0);
        for (i, gap) in gaps.iter().enumerate() {
            a += labels[i];
            all += pooled.totals[i];
            sum += gap * (a as f64 / n - (all - a) as f64 / m).powi(2);
        }
        sum
    };
    Some(pooled.p_of_grid(walked, rng, energy))
}
