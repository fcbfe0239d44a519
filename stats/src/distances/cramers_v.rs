//! Cramér's V, corrected for bias.
//!
//! Question: how strong is the association between the category and the side it is on?
//! Input: counts of each category on both sides (missing values may be one).
//! Formula: V = √(max(0, X²/N - (B-1)/(N-1))/min(1 - 1/(N-1)·1, B - 1 - (B-1)²/(N-1))) for the 2×B table without Yates
//! correction; p is that of chi-square.
//! Valid when: both sides have occurrences of at least two categories.
//! Reference: Bergsma 2013, doi:10.1016/j.jkss.2012.10.002.
//! Oracle: SciPy 1.17 `chi2_contingency(table, correction=False)` and the paper's formula in NumPy.
//! Cost: linear in the categories.

use crate::{cells::Cells, chi_square::chi_square, comparison::Comparison};

/// The coefficient, with the p-value of chi-square.
#[must_use]
pub fn cramers_v(cells: &Cells) -> Comparison {
    let test = chi_square(cells);
    let Some(statistic) = test.statistic.filter(|_| cells.count() > 1) else { return test };
    let total = cells.sizes().total() as f64;
    let more = cells.count() as f64 - 1.0;
    let phi = (statistic / total - more / (total - 1.0)).max(0.0);
    let rows = 1.0 - 1.0 / (total - 1.0);
    let columns = more - more * more / (total - 1.0);
    let below = rows.min(columns);
    if below <= 0.0 {
        return Comparison { statistic: None, effect: None, p_value: None, p_method: None };
    }
    let v = (phi / below).sqrt().min(1.0);
    Comparison { statistic: Some(v), effect: Some(v), ..test }
}
