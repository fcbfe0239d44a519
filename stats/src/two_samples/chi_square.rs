//! Pearson's chi-square test of homogeneity.
//!
//! Question: do two samples of categories come from one distribution?
//! Input: counts of each category on both sides (missing values may be one).
//! Formula: X² = Σ (o - e)²/e over the 2×B table, e = row total × column total / total; B - 1 degrees of freedom; no Yates
//! correction. Effect: ½·√(X²·(1/n + 1/m)) = ½·√(Σ (p-q)²/p̄), Cramér's V at equal sizes, free of how unequal they are.
//! Valid when: expected counts are about 5 or more.
//! Reference: Pearson 1900, doi:10.1080/14786440009463897.
//! Oracle: SciPy 1.17 `scipy.stats.chi2_contingency(table, correction=False)`.
//! Cost: linear in the categories.

use crate::{
    cells::Cells,
    comparison::{Comparison, PMethod},
    survival,
};

/// The test.
#[must_use]
pub fn chi_square(cells: &Cells) -> Comparison {
    if !cells.comparable() {
        return Comparison::UNDEFINED;
    }
    if cells.count() == 1 {
        return Comparison::SAME;
    }
    let sizes = cells.sizes();
    let (n, m, total) = (sizes.a as f64, sizes.b as f64, sizes.total() as f64);
    let statistic: f64 = cells
        .as_slice()
        .iter()
        .map(|cell| {
            let both = (cell.a + cell.b) as f64;
            let (expected_a, expected_b) = (both * n / total, both * m / total);
            let off = cell.a as f64 - expected_a;
            cell.times as f64 * (off * off / expected_a + off * off / expected_b)
        })
        .sum();
    let effect = 0.5 * (statistic * sizes.harmonic()).sqrt();
    let p_value = survival::chi_square(statistic, (cells.count() - 1) as f64);
    Comparison::of(statistic, effect).with_p(p_value, PMethod::Asymptotic)
}
