//! Quantiles of lengths of time from counts in buckets of one relative width, with intervals.
//!
//! Question: where do the quantiles of a latency lie, how sure is that, and can parts be put together later?
//! Input: counts by bucket; bucket i holds values above γⁱ⁻¹ and up to γⁱ, values of 0 and below have a bucket of their own.
//! Formula: γ = (1+ε)/(1-ε), the value of a bucket is 2γⁱ/(γ+1), at most ε off. The quantile at level q is that of rank ⌈q·n⌉. Its interval
//! ends at order statistics: ranks l, u with P(B < l) ≤ α/2 and P(B ≥ u) ≤ α/2 for B binomial of n trials at q, as the outer
//! edges of their buckets; open where there is no such rank.
//! Valid when: values are independent. Buckets widen the interval, they never narrow it.
//! Reference: Masson, Rim, Lee 2019, doi:10.14778/3352063.3352135 (buckets); David, Nagaraja 2003, doi:10.1002/0471722162, section 7.1
//! (intervals).
//! Oracle: SciPy 1.17 `binom.ppf` for the ranks; NumPy 2 `quantile(method='inverted_cdf')` for the estimate.
//! Cost: linear in the buckets, 100 a factor of e.

use std::collections::BTreeMap;

use crate::{
    binomial,
    comparison::Comparison,
    walk::{Depth, Sizes, Walk},
};

/// ε, the relative error of a value.
pub const ACCURACY: f64 = 0.005;

/// The bucket of values that are 0 or below.
pub const ZERO: i32 = i32::MIN;

/// ln γ: the bucket of x is ⌈ln x / ln γ⌉.
#[must_use]
pub fn ln_gamma() -> f64 {
    ((1.0 + ACCURACY) / (1.0 - ACCURACY)).ln()
}

/// Counts by bucket. Parts of a sample are put together by adding them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSketch {
    buckets: BTreeMap<i32, u64>,
    n: u64,
}

/// A quantile with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The estimate, at most [`ACCURACY`] of itself off the sample's quantile.
    pub value: f64,
    /// The lower end; `None` where so few values leave it open.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

impl LogSketch {
    /// Adds `count` values of a bucket.
    pub fn push(&mut self, bucket: i32, count: u64) {
        *self.buckets.entry(bucket).or_default() += count;
        self.n += count;
    }

    /// Adds the values of another sketch.
    pub fn merge(&mut self, other: &Self) {
        other.buckets.iter().for_each(|(bucket, count)| self.push(*bucket, *count));
    }

    /// How many values were added.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The quantile at a level above 0 and below 1, with an interval of this confidence; `None` without values.
    #[must_use]
    pub fn quantile(&self, level: f64, confidence: f64) -> Option<Quantile> {
        if self.n == 0 {
            return None;
        }
        #[expect(clippy::cast_sign_loss, reason = "a share of a count")]
        let rank = ((level * self.n as f64 - 1e-9).ceil().max(1.0) as u64).min(self.n);
        let (low, high) = ranks(self.n, level, (1.0 - confidence) / 2.0);
        Some(Quantile {
            value: value_of(self.bucket_at(rank)),
            low: low.map(|rank| edge(self.bucket_at(rank), -1.0)),
            high: high.map(|rank| edge(self.bucket_at(rank), 0.0)),
        })
    }

    /// The mean of the values of the buckets, each at most [`ACCURACY`] of itself off; `None` without values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.buckets.iter().map(|(bucket, count)| value_of(*bucket) * *count as f64).sum();
        (self.n > 0).then(|| sum / self.n as f64)
    }

    /// Whether both samples could share a distribution: Kolmogorov and Smirnov on the buckets, whose ties only raise the p-value.
    #[must_use]
    pub fn ks(&self, current: &Self) -> Comparison {
        let sizes = Sizes { a: self.n, b: current.n };
        let mut walk = Walk::to_depth(Depth::Ranks, sizes, Vec::new());
        let mut buckets: Vec<i32> = self.buckets.keys().chain(current.buckets.keys()).copied().collect();
        buckets.sort_unstable();
        buckets.dedup();
        let count = |sketch: &Self, bucket| sketch.buckets.get(&bucket).copied().unwrap_or(0);
        for bucket in buckets {
            walk.push(f64::from(bucket), count(self, bucket), count(current, bucket));
        }
        walk.finish().map_or(Comparison::UNDEFINED, |walked| walked.ks())
    }

    fn bucket_at(&self, rank: u64) -> i32 {
        let mut below = 0;
        for (bucket, count) in &self.buckets {
            below += count;
            if below >= rank {
                return *bucket;
            }
        }
        ZERO
    }
}

fn value_of(bucket: i32) -> f64 {
    if bucket == ZERO { 0.0 } else { (f64::from(bucket) * ln_gamma()).exp() * (1.0 - ACCURACY) }
}

/// An edge of a bucket: -1 for the lower, 0 for the upper one.
fn edge(bucket: i32, side: f64) -> f64 {
    if bucket == ZERO { 0.0 } else { ((f64::from(bucket) + side) * ln_gamma()).exp() }
}

/// The ranks between which the quantile of the population lies, each side missing it with a chance of at most `alpha`.
fn ranks(n: u64, level: f64, alpha: f64) -> (Option<u64>, Option<u64>) {
    // The lower rank l is the largest with P(B ≤ l - 1) ≤ alpha, the upper one u the smallest with P(B ≥ u) ≤ alpha.
    let low = partition(n, |l| binomial::at_most(l, n, level) > alpha);
    let high = partition(n + 1, |u| binomial::at_least(u, n, level) <= alpha);
    (Some(low).filter(|l| *l >= 1), Some(high).filter(|u| *u <= n))
}

/// The first of `0..=end` for which `holds`, which stays true from there on.
fn partition(end: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(x: f64) -> i32 {
        if x <= 0.0 { ZERO } else { (x.ln() / ln_gamma()).ceil() as i32 }
    }

    fn sketch(values: impl Iterator<Item = f64>) -> LogSketch {
        let mut sketch = LogSketch::default();
        values.for_each(|x| sketch.push(bucket(x), 1));
        sketch
    }

    // Oracle: SciPy 1.17: l = binom.ppf(.025, n, q), u = binom.ppf(.975, n, q) + 1.
    #[test]
    fn ranks_are_those_of_the_binomial() {
        assert_eq!(ranks(1_000, 0.5, 0.025), (Some(469), Some(532)));
        assert_eq!(ranks(1_000, 0.99, 0.025), (Some(983), Some(997)));
        assert_eq!(ranks(100, 0.99, 0.025), (Some(97), None));
        assert_eq!(ranks(3, 0.5, 0.025), (None, None));
    }

    #[test]
    fn quantiles_are_within_the_promised_error() {
        let sketch = sketch((1..=10_000).map(f64::from));
        for level in [0.5, 0.9, 0.99, 0.999] {
            let quantile = sketch.quantile(level, 0.95).unwrap();
            let truth = level * 10_000.0;
            assert!((quantile.value / truth - 1.0).abs() <= ACCURACY + 1e-9, "{level}: {quantile:?}");
            assert!(
                quantile.low.unwrap() <= truth && truth <= quantile.high.unwrap(),
                "{level}: {quantile:?}"
            );
        }
        assert_eq!(LogSketch::default().quantile(0.5, 0.95), None);
    }

    #[test]
    fn parts_together_are_the_whole() {
        let (mut a, b) = (sketch((1..500).map(f64::from)), sketch((0..900).map(|i| f64::from(i) * 1.7)));
        let all = sketch((1..500).map(f64::from).chain((0..900).map(|i| f64::from(i) * 1.7)));
        a.merge(&b);
        assert_eq!(a, all);
        assert_eq!(all.quantile(1e-9, 0.95).unwrap().value, 0.0);
    }

    #[test]
    fn a_slower_sample_is_told_from_a_like_one() {
        let at = |factor: f64| sketch((1..=2_000).map(|i| factor * f64::from(i % 997 + 3)));
        let (one, slow) = (at(1.0), at(1.3));
        assert!(one.ks(&slow).p_value.unwrap() < 1e-9);
        assert_eq!(one.ks(&one).p_value, Some(1.0));
        assert_eq!(one.ks(&LogSketch::default()), Comparison::UNDEFINED);
    }
}
