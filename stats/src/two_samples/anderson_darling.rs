//! Anderson-Darling for two samples: the squared difference of two distribution functions with weight on the tails.
//!
//! Question: do two samples of numbers come from one distribution, with attention to its tails?
//! Input: the sorted merge of both samples; ±inf are ordinary values; missing ones are left out.
//! Formula: A² = (N-1)/N² Σᵢ 1/nᵢ Σⱼ lⱼ(N·Mᵢⱼ - nᵢBⱼ)²/(Bⱼ(N-Bⱼ) - Nlⱼ/4) over midranks; the statistic is (A² - 1)/σ. The
//! p-value interpolates the published table and stays within .001 and .25. Effect: √(A²·(1/n+1/m)).
//! Valid when: values are independent and there are at least four. The table is of samples without ties: see [`p_by_labels`].
//! Reference: Scholz, Stephens 1987, doi:10.1080/01621459.1987.10478517, eq. 4 and 7, table 2.
//! Oracle: SciPy 1.17 `scipy.stats.anderson_ksamp([a, b], variant='midrank')`.
//! Cost: some ten operations a value; the variance linear in N.

use rand::Rng;

use crate::{
    comparison::{Comparison, PMethod},
    permutation::Relabelling,
    walk::{Sizes, Step, Walked},
};

/// Levels of the table, and the coefficients of its critical values for two samples: b₀ + b₁ + b₂.
const TABLE: [(f64, f64); 7] = [
    (0.25, 0.675 - 0.245 - 0.105),
    (0.1, 1.281 + 0.25 - 0.305),
    (0.05, 1.645 + 0.678 - 0.362),
    (0.025, 1.96 + 1.149 - 0.391),
    (0.01, 2.326 + 1.822 - 0.396),
    (0.005, 2.573 + 2.364 - 0.345),
    (SMALLEST_P, 3.085 + 3.615 - 0.154),
];

/// The smallest level of the table, and so the smallest p-value.
pub const SMALLEST_P: f64 = 0.001;

/// The weighted sums so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WeightedState {
    a: f64,
    b: f64,
}

impl WeightedState {
    pub(crate) fn push(&mut self, step: Step, sizes: Sizes) {
        let total = sizes.total() as f64;
        let tied = (step.a + step.b) as f64;
        let below = (step.below_a + step.below_b) as f64 + tied / 2.0;
        let weight = tied / total / (below * (total - below) - total * tied / 4.0);
        if !weight.is_finite() {
            return;
        }
        let off = |below_side: u64, here: u64, size: u64| {
            let off = total * (below_side as f64 + here as f64 / 2.0) - below * size as f64;
            off * off * weight
        };
        self.a += off(step.below_a, step.a, sizes.a);
        self.b += off(step.below_b, step.b, sizes.b);
    }
}

/// The test on a finished walk.
pub(crate) fn test(state: &WeightedState, sizes: Sizes) -> Comparison {
    let total = sizes.total();
    if sizes.a == 0 || sizes.b == 0 || total < 4 {
        return Comparison::UNDEFINED;
    }
    let (n, m, all) = (sizes.a as f64, sizes.b as f64, total as f64);
    let raw = (all - 1.0) / all * (state.a / n + state.b / m);
    let statistic = (raw - 1.0) / variance(sizes).sqrt();
    let effect = (raw.max(0.0) * sizes.harmonic()).sqrt();
    Comparison::of(statistic, effect).with_p(interpolate(statistic), PMethod::Asymptotic)
}

/// The p-value of A² by exchanged labels, on the walk's grid; `None` without ties, where that of the table can be trusted.
#[must_use]
pub fn p_by_labels(walked: &Walked, rng: &mut impl Rng) -> Option<f64> {
    if !walked.has_ties() {
        return None;
    }
    let sizes = walked.sizes;
    Relabelling::p_of_steps(walked, rng, |steps| {
        let mut state = WeightedState::default();
        steps.for_each(|step| state.push(step, sizes));
        state.a / sizes.a as f64 + state.b / sizes.b as f64
    })
}

/// The variance of A² for two samples, eq. 4 with k = 2.
fn variance(sizes: Sizes) -> f64 {
    let total = sizes.total();
    let n = total as f64;
    let harmonic = sizes.harmonic();
    let (mut partial, mut g) = (0.0, 0.0);
    for i in 2..total {
        // partial is Σ 1/j over j from N-1 down to N-i+1.
        partial += 1.0 / (total - i + 1) as f64;
        g += partial / i as f64;
    }
    let h = partial + 1.0;
    let k = 2.0;
    let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * harmonic;
    let b = (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * harmonic - 8.0 * h + 4.0 * g
        - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * k * k
        + (4.0 * h - 4.0 * g + 6.0) * k
        + (2.0 * h - 6.0) * harmonic
        + 4.0 * h;
    let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
    (a * n.powi(3) + b * n * n + c * n + d) / ((n - 1.0) * (n - 2.0) * (n - 3.0))
}

/// The least-squares parabola through (critical value, ln level), read at the statistic.
fn interpolate(statistic: f64) -> f64 {
    let [(largest, first), .., (smallest, last)] = TABLE;
    if statistic < first {
        return largest;
    }
    if statistic > last {
        return smallest;
    }
    // Normal equations about the mean of the critical values, so that they are well conditioned.
    let count = TABLE.len() as f64;
    let centre = TABLE.iter().map(|(_, critical)| critical).sum::<f64>() / count;
    let sum = |power: i32| TABLE.iter().map(|(_, critical)| (critical - centre).powi(power)).sum::<f64>();
    let with_level = |power: i32| {
        TABLE.iter().map(|(level, critical)| level.ln() * (critical - centre).powi(power)).sum::<f64>()
    };
    let (s2, s3, s4) = (sum(2), sum(3), sum(4));
    let (y0, y1, y2) = (with_level(0), with_level(1), with_level(2));
    // Σ(x-centre) is zero: [n 0 s2; 0 s2 s3; s2 s3 s4]·[c0 c1 c2] = [y0 y1 y2].
    let c2 = (y2 - s2 * y0 / count - s3 * y1 / s2) / (s4 - s2 * s2 / count - s3 * s3 / s2);
    let c1 = (y1 - s3 * c2) / s2;
    let c0 = (y0 - s2 * c2) / count;
    let x = statistic - centre;
    (c0 + c1 * x + c2 * x * x).exp()
}
