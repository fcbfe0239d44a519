//! The G-test: the likelihood-ratio test of homogeneity.
//!
//! Question: do two samples of categories come from one distribution?
//! Input: counts of each category on both sides (missing values may be one).
//! Formula: G = 2Σ o·ln(o/e) over the 2×B table; B - 1 degrees of freedom; no Yates correction. Effect as of chi-square.
//! Valid when: expected counts are about 5 or more.
//! Reference: Sokal, Rohlf 1995, ISBN 0716724111, section 17.4.
//! Oracle: SciPy 1.17 `scipy.stats.chi2_contingency(table, correction=False, lambda_='log-likelihood')`.
//! Cost: linear in the categories.

use crate::{
    cells::Cells,
    comparison::{Comparison, PMethod},
    survival,
};

/// The test.
#[must_use]
pub fn g_test(cells: &Cells) -> Comparison {
    if !cells.comparable() {
        return Comparison::UNDEFINED;
    }
    if cells.count() == 1 {
        return Comparison::SAME;
    }
    let sizes = cells.sizes();
    let (n, m, total) = (sizes.a as f64, sizes.b as f64, sizes.total() as f64);
    let part = |observed: u64, expected: f64| match observed {
        0 => 0.0,
        observed => observed as f64 * (observed as f64 / expected).ln(),
    };
    let sum: f64 = cells
        .as_slice()
        .iter()
        .map(|cell| {
            let both = (cell.a + cell.b) as f64;
            cell.times as f64 * (part(cell.a, both * n / total) + part(cell.b, both * m / total))
        })
        .sum();
    let statistic = (2.0 * sum).max(0.0);
    let effect = 0.5 * (statistic * sizes.harmonic()).sqrt();
    let p_value = survival::chi_square(statistic, (cells.count() - 1) as f64);
    Comparison::of(statistic, effect).with_p(p_value, PMethod::Asymptotic)
}
