//! Cramér-von Mises: the mean squared difference of two distribution functions.
//!
//! Question: do two samples of numbers come from one distribution, with attention to all of its range?
//! Input: the sorted merge of both samples; ±inf are ordinary values; missing ones are left out.
//! Formula: T = (nΣ(rᵢ-i)² + mΣ(sⱼ-j)²)/(nmN) - (4nm-1)/(6N) with r and s the midranks of the sides' sorted values. Effect:
//! √(Σ(F-G)²/N) over all values, the root mean square of F - G: without ties the same as √(T·(1/n+1/m)).
//! Valid when: values are independent. With ties T has a part that says nothing about F - G, and where the sizes differ its
//! p-value is far too small: see [`p_by_labels`].
//! Reference: Anderson 1962, doi:10.1214/aoms/1177704477, eq. 10, 11 and 14; Xiao, Gordon, Yakovlev 2006,
//! doi:10.18637/jss.v017.i08 (exact); Csörgő, Faraway 1996, doi:10.1111/j.2517-6161.1996.tb02077.x, eq. 1.2 (limit).
//! Oracle: SciPy 1.17 `scipy.stats.cramervonmises_2samp(a, b, method='auto')`.
//! Cost: a few integer operations a value.

use std::{collections::BTreeMap, f64::consts::PI};

use rand::Rng;
use statrs::function::gamma::ln_gamma;

use crate::{
    comparison::{Comparison, PMethod},
    permutation::Relabelling,
    survival,
    walk::{Sizes, Step, Walked},
};

/// Sizes up to which the exact distribution is used, as in SciPy.
const EXACT_SIZE: u64 = 20;

/// Four times the two sums of squared rank differences so far; four times, so that midranks stay integers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SquaresState {
    a: u128,
    b: u128,
    /// Σ(F-G)² over the values, where equal values are one step.
    differences: f64,
}

impl SquaresState {
    pub(crate) fn push(&mut self, step: Step, sizes: Sizes) {
        self.differences += squared_difference(step, sizes);
        let tied = u128::from(step.a + step.b);
        self.a += squares(u128::from(step.a), 2 * u128::from(step.below_b) + tied + 1);
        self.b += squares(u128::from(step.b), 2 * u128::from(step.below_a) + tied + 1);
    }
}

/// (F-G)² at a value, once for each of its occurrences.
fn squared_difference(step: Step, sizes: Sizes) -> f64 {
    let f = (step.below_a + step.a) as f64 / sizes.a as f64;
    let g = (step.below_b + step.b) as f64 / sizes.b as f64;
    (step.a + step.b) as f64 * (f - g) * (f - g)
}

/// Σ (2d - 2k)² over k of 1 to `count`, where `twice` is 2d.
fn squares(count: u128, twice: u128) -> u128 {
    let k2 = 2 * count * (count + 1) * (2 * count + 1) / 3;
    count * twice * twice + k2 - 2 * twice * count * (count + 1)
}

/// The test on a finished walk.
pub(crate) fn test(state: &SquaresState, sizes: Sizes) -> Comparison {
    if sizes.a == 0 || sizes.b == 0 {
        return Comparison::UNDEFINED;
    }
    let (n, m, total) = (sizes.a as f64, sizes.b as f64, sizes.total() as f64);
    let k = n * m;
    let four_u = u128::from(sizes.a) * state.a + u128::from(sizes.b) * state.b;
    let t = four_u as f64 / (4.0 * k * total) - (4.0 * k - 1.0) / (6.0 * total);
    let comparison = Comparison::of(t, (state.differences / total).sqrt());
    if sizes.a.max(sizes.b) <= EXACT_SIZE {
        return comparison.with_p(exact_tail(sizes, four_u), PMethod::Exact);
    }
    let mean = (1.0 + 1.0 / total) / 6.0;
    let variance = (total + 1.0) * (4.0 * k * total - 3.0 * (n * n + m * m) - 2.0 * k)
        / (45.0 * total * total * 4.0 * k);
    let scaled = 1.0 / 6.0 + (t - mean) / (45.0 * variance).sqrt();
    comparison.with_p(limit_tail(scaled), PMethod::Asymptotic)
}

/// The p-value of Σ(F-G)² by exchanged labels, on the walk's grid; `None` without ties, where that of [`test()`] can be trusted.
///
/// The midranks of tied values add to T what depends on the sizes and the ties alone, and the null distribution of T is that
/// without ties: at 60 values against 1,000 of a Poisson distribution with mean 2, SciPy's p-value is below .001 for most
/// pairs of samples without any difference.
#[must_use]
pub fn p_by_labels(walked: &Walked, rng: &mut impl Rng) -> Option<f64> {
    if !walked.has_ties() {
        return None;
    }
    Relabelling::p_of_steps(walked, rng, |steps| {
        steps.map(|step| squared_difference(step, walked.sizes)).sum()
    })
}

/// P(T ≥ t) by counting lattice paths by their sum of squared distances to the diagonal.
fn exact_tail(sizes: Sizes, four_u: u128) -> f64 {
    let (n, m) = (sizes.a, sizes.b);
    let gcd = gcd(n, m);
    let (up, right) = (m / gcd, n / gcd);
    let lcm = u128::from(n / gcd * m);
    let k = u128::from(n * m);
    // Anderson's eq. 9 solved for the sum over the path; ties may leave a fraction, which is dropped as in SciPy.
    let sum =
        (lcm * lcm * u128::from(n + m) * (6 * four_u).saturating_sub(4 * k * (4 * k - 1))) / (24 * k * k);
    let sum = u64::try_from(sum).unwrap_or(u64::MAX);
    let mut columns: Vec<BTreeMap<u64, f64>> = vec![BTreeMap::new(); usize::try_from(n).unwrap_or(0) + 1];
    for j in 0..=m {
        for i in 0..columns.len() {
            let mut paths = std::mem::take(&mut columns[i]);
            if i > 0 {
                for (at, count) in &columns[i - 1] {
                    *paths.entry(*at).or_default() += count;
                }
            }
            if i == 0 && j == 0 {
                paths.insert(0, 1.0);
            }
            let off = (up * i as u64).abs_diff(right * j);
            columns[i] = paths.into_iter().map(|(at, count)| (at + off * off, count)).collect();
        }
    }
    let Some(last) = columns.last() else { return 1.0 };
    let all: f64 = last.values().sum();
    last.range(sum..).map(|(_, count)| count).sum::<f64>() / all
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// P(W² > x) in the limit.
fn limit_tail(x: f64) -> f64 {
    if x < 0.003 {
        return 1.0;
    }
    let mut cdf = 0.0;
    for k in 0..200 {
        let k = f64::from(k);
        let y = 4.0 * k + 1.0;
        let q = y * y / (16.0 * x);
        let weight = (ln_gamma(k + 0.5) - ln_gamma(k + 1.0)).exp() / (PI.powf(1.5) * x.sqrt());
        let term = weight * y.sqrt() * scaled_bessel_k(0.25, q) * (-2.0 * q).exp();
        cdf += term;
        if term < 1e-17 {
            break;
        }
    }
    // Far out 1 - cdf is rounding; there the largest eigenvalue 1/π² of the process rules (Zolotarev 1961).
    if cdf > 1.0 - 1e-12 {
        std::f64::consts::SQRT_2 * survival::chi_square(PI * PI * x, 1.0)
    } else {
        1.0 - cdf
    }
}

/// e^z·K_ν(z) for z above 0, by the trapezoidal rule on ∫ exp(z - z·cosh t)·cosh(νt) dt, which converges geometrically.
fn scaled_bessel_k(order: f64, z: f64) -> f64 {
    const STEP: f64 = 1.0 / 64.0;
    let mut sum = 0.5;
    for i in 1..2000 {
        let t = f64::from(i) * STEP;
        // cosh t - 1 without cancellation.
        let half = (t / 2.0).sinh();
        let term = (-2.0 * z * half * half).exp() * (order * t).cosh();
        sum += term;
        if term < 1e-18 * sum {
            break;
        }
    }
    sum * STEP
}
