//! Outputs with several floats a request: as vectors, as scores of classes, and as probability distributions.

use windvane_types::gate::{Distribution, TopClass};

use crate::answer::View;

/// How many classes the wider look at flips takes.
const TOP: usize = 5;
/// How far from 1 the sum of probabilities may be: 32-bit sums of a thousand classes stay below it.
const SUM_TOLERANCE: f64 = 1e-3;
/// Floats of a request beyond which it is an image or a mask, not scores of classes.
const CLASSES_MAX: usize = 200_000;

/// What was seen of one output.
#[derive(Debug, Default)]
pub(super) struct Classes {
    min_cosine: Option<f64>,
    requests: u64,
    flips: u64,
    top_flips: u64,
    top: u64,
    distributions: u64,
    kl: Extreme,
    tv: Extreme,
}

/// A mean and a maximum.
#[derive(Debug, Default)]
struct Extreme {
    n: u64,
    sum: f64,
    max: Option<f64>,
}

impl Extreme {
    fn push(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
    }

    fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

impl Classes {
    /// Looks at two answers of one shape; requests with a single float or with one that is not finite are left aside.
    pub(super) fn push(&mut self, a: &View<'_>, b: &View<'_>) {
        if a.len() < 2 || a.len() > CLASSES_MAX {
            return;
        }
        let numbers =
            |view: &View<'_>| (0..view.len()).filter_map(|at| view.number(at)).collect::<Vec<f64>>();
        let (x, y) = (numbers(a), numbers(b));
        if !x.iter().chain(&y).all(|value| value.is_finite()) {
            return;
        }
        if let Some(cosine) = cosine(&x, &y) {
            self.min_cosine = Some(self.min_cosine.map_or(cosine, |min| min.min(cosine)));
        }
        self.requests += 1;
        self.flips += u64::from(largest(&x) != largest(&y));
        let k = TOP.min(x.len() - 1);
        self.top = k as u64;
        self.top_flips += u64::from(top(&x, k) != top(&y, k));
        if is_distribution(&x) && is_distribution(&y) {
            self.distributions += 1;
            self.tv.push(x.iter().zip(&y).map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0);
            let kl: f64 = x.iter().zip(&y).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum();
            if kl.is_finite() {
                self.kl.push(kl.max(0.0));
            }
        }
    }

    pub(super) fn min_cosine(&self) -> Option<f64> {
        self.min_cosine
    }

    /// `exact` is the interval of a share at one look, `sequence` at every look.
    pub(super) fn top_class(
        &self,
        exact: impl Fn(u64, u64) -> Option<[f64; 2]>,
        sequence: impl Fn(u64, u64) -> Option<[f64; 2]>,
    ) -> Option<TopClass> {
        (self.requests > 0).then(|| TopClass {
            flips: self.flips,
            n: self.requests,
            ci: exact(self.flips, self.requests),
            k: self.top,
            top_k_flips: self.top_flips,
            top_k_ci: exact(self.top_flips, self.requests),
            sequence: sequence(self.flips, self.requests),
            top_k_sequence: sequence(self.top_flips, self.requests),
        })
    }

    pub(super) fn distribution(&self) -> Option<Distribution> {
        (self.distributions > 0).then(|| Distribution {
            n: self.distributions,
            mean_kl: self.kl.mean(),
            max_kl: self.kl.max,
            mean_tv: self.tv.mean(),
            max_tv: self.tv.max,
        })
    }
}

fn cosine(x: &[f64], y: &[f64]) -> Option<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = dot(x, y) / (dot(x, x).sqrt() * dot(y, y).sqrt());
    cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
}

/// The first of the largest.
fn largest(x: &[f64]) -> usize {
    x.iter().enumerate().fold(0, |best, (at, value)| if *value > x[best] { at } else { best })
}

/// The `k` largest, of equal ones the first, in order of place.
fn top(x: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    if k < order.len() {
        order.select_nth_unstable_by(k, |a, b| x[*b].total_cmp(&x[*a]).then(a.cmp(b)));
    }
    order.truncate(k);
    order.sort_unstable();
    order
}

fn is_distribution(x: &[f64]) -> bool {
    x.iter().all(|p| *p >= 0.0) && (x.iter().sum::<f64>() - 1.0).abs() <= SUM_TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_the_first_of_equals() {
        assert_eq!(largest(&[0.1, 0.4, 0.4, 0.1]), 1);
        assert_eq!(top(&[0.1, 0.4, 0.4, 0.1], 3), [0, 1, 2]);
        assert_eq!(top(&[5.0, 1.0, 9.0], 1), [2]);
    }

    #[test]
    fn a_zero_vector_has_no_direction() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), None);
        assert_eq!(cosine(&[2.0, 0.0], &[-3.0, 0.0]), Some(-1.0));
    }
}
