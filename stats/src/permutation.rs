//! Simulated null distributions: the pooled values are relabelled at random.
//!
//! Question: how often would a statistic be this large if the labels said nothing?
//! Input: the pooled counts of each cell, the size of the reference, a seeded generator.
//! Formula: labels fill the cells multivariate-hypergeometrically; p = (k + 1)/(N + 1) with k of N statistics at or above the
//! observed one. It stops early once k reaches [`EXCEEDANCES`]: then p = k/N.
//! Valid when: rows are exchangeable under no change.
//! Reference: Phipson, Smyth 2010, doi:10.2202/1544-6115.1585; Besag, Clifford 1991, doi:10.1093/biomet/78.2.301 (stopping).
//! Oracle: SciPy 1.17 `scipy.stats.permutation_test`.
//! Cost: at most [`RELABELLINGS`] × cells, and at most [`WORK_MAX`] cells in all.

use rand::Rng;
use rand_distr::{Distribution, Hypergeometric};

use crate::{
    cells::{Cell, Cells},
    comparison::{Comparison, PMethod},
};

/// Relabellings at most: the smallest p-value is one in ten thousand.
pub const RELABELLINGS: u64 = 9_999;
/// Statistics at or above the observed one after which more would not change the answer.
pub const EXCEEDANCES: u64 = 50;
/// Cells filled at most: about a second.
pub const WORK_MAX: u64 = 20_000_000;

/// Occurrences that each category must expect for a limiting distribution.
pub const EXPECTED_MIN: f64 = 5.0;
/// Categories up to which labels are exchanged.
pub const CELLS_MAX: u64 = 100_000;

/// The pooled sample whose labels are exchanged.
#[derive(Debug, Clone)]
pub struct Relabelling {
    /// The pooled count of each cell.
    pub totals: Vec<u64>,
    /// How many of all values carry the label of the reference.
    pub size_a: u64,
}

impl Relabelling {
    /// The p-value of `observed` for `statistic`, which is handed the reference's count in each cell.
    pub fn p_value(
        &self,
        rng: &mut impl Rng,
        observed: f64,
        mut statistic: impl FnMut(&[u64]) -> f64,
    ) -> f64 {
        let rounds = (WORK_MAX / (self.totals.len() as u64).max(1)).clamp(99, RELABELLINGS);
        // Sums of many small terms come out in another order; equal statistics must stay equal.
        let least = observed * (1.0 - 1e-12);
        let mut labels = vec![0; self.totals.len()];
        let mut exceeding = 0;
        for round in 1..=rounds {
            relabel(&self.totals, self.size_a, rng, &mut labels);
            if statistic(&labels) >= least {
                exceeding += 1;
                if exceeding == EXCEEDANCES {
                    return EXCEEDANCES as f64 / round as f64;
                }
            }
        }
        (exceeding + 1) as f64 / (rounds + 1) as f64
    }
}

/// Replaces an asymptotic p-value by a simulated one where a category expects fewer than [`EXPECTED_MIN`] occurrences, or
/// gives one to a statistic that has none.
pub fn on_cells(cells: &Cells, rng: &mut impl Rng, kernel: fn(&Cells) -> Comparison) -> Comparison {
    let comparison = kernel(cells);
    let Some(observed) = comparison.statistic.filter(|_| cells.count() > 1 && cells.count() <= CELLS_MAX)
    else {
        return comparison;
    };
    if comparison.p_value.is_some() && cells.smallest_expected() >= EXPECTED_MIN {
        return comparison;
    }
    let totals: Vec<u64> = cells
        .as_slice()
        .iter()
        .flat_map(|cell| {
            std::iter::repeat_n(cell.a + cell.b, usize::try_from(cell.times).unwrap_or(usize::MAX))
        })
        .collect();
    let pooled = Relabelling { totals, size_a: cells.sizes().a };
    let p_value = pooled.p_value(rng, observed, |labels| {
        let relabelled: Cells =
            pooled.totals.iter().zip(labels).map(|(all, a)| Cell::new(*a, all - a)).collect();
        kernel(&relabelled).statistic.unwrap_or(0.0)
    });
    comparison.with_p(p_value, PMethod::Permutation)
}

fn relabel(totals: &[u64], size_a: u64, rng: &mut impl Rng, labels: &mut [u64]) {
    let mut left: u64 = totals.iter().sum();
    let mut wanted = size_a;
    for (label, total) in labels.iter_mut().zip(totals) {
        *label = draw(left, *total, wanted, rng);
        left -= total;
        wanted -= *label;
    }
}

/// How many of `total` values are among `wanted` drawn from `left`.
fn draw(left: u64, total: u64, wanted: u64, rng: &mut impl Rng) -> u64 {
    if wanted == 0 || total == 0 {
        return 0;
    }
    if total == left {
        return wanted;
    }
    if total == 1 {
        return u64::from(
            (rng.next_u64() as f64 / 18_446_744_073_709_551_616.0) * left as f64 <= wanted as f64,
        );
    }
    match Hypergeometric::new(left, total, wanted) {
        Ok(distribution) => distribution.sample(rng),
        Err(_) => unreachable!("a part is not larger than its whole"),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{Relabelling, relabel};

    #[test]
    fn relabelling_keeps_the_margins() {
        let totals = [3, 1, 40, 0, 7];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut labels = [0; 5];
        for _ in 0..200 {
            relabel(&totals, 20, &mut rng, &mut labels);
            assert_eq!(labels.iter().sum::<u64>(), 20);
            assert!(labels.iter().zip(&totals).all(|(label, total)| label <= total));
        }
    }

    #[test]
    fn labels_have_the_hypergeometric_mean_and_variance() {
        let totals = [1000, 3000, 6000];
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut labels = [0; 3];
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..20_000 {
            relabel(&totals, 4000, &mut rng, &mut labels);
            let off = labels[1] as f64 - 1200.0;
            sum += off;
            squares += off * off;
        }
        // Variance n·K/N·(1-K/N)·(N-n)/(N-1) = 504.05; the mean of 20,000 has a standard error of 0.16.
        assert!((sum / 20_000.0).abs() < 0.8, "{}", sum / 20_000.0);
        assert!((squares / 20_000.0 / 504.05 - 1.0).abs() < 0.06);
    }

    #[test]
    fn an_extreme_statistic_has_the_smallest_p() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let pooled = Relabelling { totals: vec![500, 500], size_a: 500 };
        let p = pooled.p_value(&mut rng, 500.0, |labels| labels[0] as f64);
        assert!((p - 1e-4).abs() < 1e-12);
    }
}
