//! Distances between two discrete distributions.
//!
//! Question: how far apart are the shares of two samples over the same categories or bins?
//! Input: counts of each category on both sides (missing values may be one).
//! Formula: with shares p of the reference and q of the current sample:
//! psi Σ (q-p)·ln(q/p); kl Σ p·ln(p/q); jensen_shannon √(½KL₂(p‖½(p+q)) + ½KL₂(q‖½(p+q))) in base 2, from 0 to 1;
//! hellinger √(1 - Σ√pq); total_variation ½Σ|p-q|; l_infinity max|p-q|. psi and kl add ½ to every count (Jeffreys), the
//! others are never smoothed. Under no change psi/(1/n+1/m), 2·kl/(1/n+1/m), 8·ln2·jensen_shannon²/(1/n+1/m) and
//! 8·hellinger²/(1/n+1/m) tend to chi-square with B - 1 degrees of freedom.
//! Valid when: both sides have an occurrence; the chi-square limit needs expected counts of about 5.
//! Reference: Lin 1991, doi:10.1109/18.61115; Yurdakul, Naranjo 2020, doi:10.21314/JRMV.2020.227; Csiszár, Shields 2004,
//! doi:10.1561/0100000004, section 4 (all of these are f-divergences with the same limit).
//! Oracle: SciPy 1.17 `scipy.spatial.distance.jensenshannon(p, q, base=2)`, `scipy.stats.entropy(p, q)`.
//! Cost: linear in the categories.

use std::f64::consts::LN_2;

use crate::{
    cells::Cells,
    comparison::{Comparison, PMethod},
    survival,
};

/// Population stability index.
#[must_use]
pub fn psi(cells: &Cells) -> Comparison {
    on_two_sides(cells, || {
        let psi = cells.sum_smoothed(|p, q| (q - p) * (q / p).ln());
        Comparison::of(psi, psi).with_p(limit_p(psi, cells), PMethod::Asymptotic)
    })
}

/// Kullback-Leibler divergence of the reference from the current sample, in nats.
#[must_use]
pub fn kl(cells: &Cells) -> Comparison {
    on_two_sides(cells, || {
        let kl = cells.sum_smoothed(|p, q| p * (p / q).ln()).max(0.0);
        Comparison::of(kl, kl).with_p(limit_p(2.0 * kl, cells), PMethod::Asymptotic)
    })
}

/// Jensen-Shannon distance in base 2.
#[must_use]
pub fn jensen_shannon(cells: &Cells) -> Comparison {
    on_two_sides(cells, || {
        let half = |p: f64, q: f64| if p > 0.0 { 0.5 * p * (2.0 * p / (p + q)).log2() } else { 0.0 };
        let divergence = cells.sum(|p, q| half(p, q) + half(q, p)).clamp(0.0, 1.0);
        let distance = divergence.sqrt();
        Comparison::of(distance, distance)
            .with_p(limit_p(8.0 * LN_2 * divergence, cells), PMethod::Asymptotic)
    })
}

/// Hellinger distance.
#[must_use]
pub fn hellinger(cells: &Cells) -> Comparison {
    on_two_sides(cells, || {
        // ½Σ(√p-√q)² is 1 - Σ√pq without its cancellation.
        let squared = 0.5 * cells.sum(|p, q| (p.sqrt() - q.sqrt()).powi(2));
        let distance = squared.clamp(0.0, 1.0).sqrt();
        Comparison::of(distance, distance).with_p(limit_p(8.0 * squared, cells), PMethod::Asymptotic)
    })
}

/// Total variation distance; its null distribution is simulated, see [`crate::permutation`].
#[must_use]
pub fn total_variation(cells: &Cells) -> Comparison {
    on_two_sides(cells, || {
        let distance = 0.5 * cells.sum(|p, q| (p - q).abs());
        Comparison::of(distance, distance)
    })
}

/// Largest difference of a share; its null distribution is simulated, see [`crate::permutation`].
#[must_use]
pub fn l_infinity(cells: &Cells) -> Comparison {
    on_two_sides(cells, || {
        let sizes = cells.sizes();
        let (n, m) = (sizes.a as f64, sizes.b as f64);
        let gap = |cell: &crate::cells::Cell| (cell.a as f64 / n - cell.b as f64 / m).abs();
        let distance = cells.as_slice().iter().map(gap).fold(0.0, f64::max);
        Comparison::of(distance, distance)
    })
}

fn on_two_sides(cells: &Cells, compare: impl FnOnce() -> Comparison) -> Comparison {
    match (cells.comparable(), cells.count()) {
        (false, _) => Comparison::UNDEFINED,
        (true, 1) => Comparison::SAME,
        (true, _) => compare(),
    }
}

fn limit_p(statistic: f64, cells: &Cells) -> f64 {
    survival::chi_square(statistic / cells.sizes().harmonic(), (cells.count() - 1) as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{hellinger, jensen_shannon, kl, l_infinity, psi, total_variation};
    use crate::{
        cells::{Cell, Cells},
        chi_square::chi_square,
        comparison::Comparison,
    };

    const CLOSED_FORM: f64 = 1e-9;

    fn cells(a: &[u64], b: &[u64]) -> Cells {
        a.iter().zip(b).map(|(a, b)| Cell::new(*a, *b)).collect()
    }

    fn check(comparison: Comparison, expected: f64) {
        let statistic = comparison.statistic.expect("defined");
        assert!((statistic - expected).abs() < CLOSED_FORM, "{statistic} instead of {expected}");
    }

    // Evidently, tests/stattests/test_stattests.py, in the conventions of the contract.
    #[test]
    fn six_categories_agree_with_published_values() {
        let six = cells(&[16, 18, 16, 14, 12, 12], &[16, 16, 16, 16, 16, 8]);
        check(hellinger(&six), 0.068_127_743_7);
        check(jensen_shannon(&six), 0.081_734_213_3);
        check(l_infinity(&six), 0.045_454_545_454_5);
        check(total_variation(&six), 0.068_181_818_181_8);
        let contingency = chi_square(&six);
        check(contingency, 1.622_408_963_6);
        assert!((contingency.p_value.unwrap() - 0.898_526_239_4).abs() < CLOSED_FORM);
    }

    #[test]
    fn disjoint_samples_are_as_far_apart_as_can_be() {
        let disjoint = cells(&[50, 0], &[0, 70]);
        check(jensen_shannon(&disjoint), 1.0);
        check(hellinger(&disjoint), 1.0);
        check(total_variation(&disjoint), 1.0);
        assert!(psi(&disjoint).statistic.unwrap() > 5.0);
        assert!(kl(&disjoint).statistic.unwrap() > 1.0);
    }

    #[test]
    fn one_shared_category_cannot_differ() {
        for kernel in [psi, kl, jensen_shannon, hellinger, total_variation, l_infinity, chi_square] {
            assert_eq!(kernel(&cells(&[30], &[40])), Comparison::SAME);
        }
    }

    #[test]
    fn an_empty_side_leaves_nothing_defined() {
        for kernel in [psi, kl, jensen_shannon, hellinger, total_variation, l_infinity, chi_square] {
            assert_eq!(kernel(&cells(&[30, 2], &[0, 0])), Comparison::UNDEFINED);
        }
    }

    proptest! {
        // Distances are symmetric, within their bounds, and do not depend on the order of the categories.
        #[test]
        fn distances_are_symmetric_bounded_and_orderless(
            counts in prop::collection::vec((0_u64..500, 0_u64..500), 2..30)
        ) {
            let forward: Cells = counts.iter().map(|(a, b)| Cell::new(*a, *b)).collect();
            let backward: Cells = counts.iter().rev().map(|(a, b)| Cell::new(*b, *a)).collect();
            prop_assume!(forward.comparable());
            for kernel in [psi, jensen_shannon, hellinger, total_variation, l_infinity, chi_square] {
                let (one, other) = (kernel(&forward).statistic.unwrap(), kernel(&backward).statistic.unwrap());
                prop_assert!((one - other).abs() <= 1e-9 * one.abs().max(1.0));
                prop_assert!(one >= 0.0);
            }
            for kernel in [jensen_shannon, hellinger, total_variation, l_infinity] {
                prop_assert!(kernel(&forward).statistic.unwrap() <= 1.0);
            }
        }

        // Categories that occur equally often may be given together.
        #[test]
        fn times_is_repetition(a in 1_u64..50, b in 1_u64..50, times in 1_u64..20) {
            let other = Cell::new(30, 30);
            let together: Cells = [other, Cell { a, b, times }].into_iter().collect();
            let apart: Cells = std::iter::once(other).chain((0..times).map(|_| Cell::new(a, b))).collect();
            for kernel in [psi, kl, jensen_shannon, hellinger, total_variation, l_infinity, chi_square] {
                let (one, other) = (kernel(&together), kernel(&apart));
                prop_assert!((one.statistic.unwrap() - other.statistic.unwrap()).abs() < 1e-9);
            }
        }
    }
}
