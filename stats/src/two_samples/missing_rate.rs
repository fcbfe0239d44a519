//! The change of the share of missing values.
//!
//! Question: are values missing more or less often than in the reference?
//! Input: missing and present counts on both sides.
//! Formula: q - p, the share missing now minus the share missing in the reference; z = (q-p)/√(p̄(1-p̄)(1/n+1/m)); where a
//! cell of the 2×2 table expects fewer than 5 the p-value is Fisher's exact one.
//! Valid when: both sides have rows.
//! Reference: Fleiss, Levin, Paik 2003, doi:10.1002/0471445428, section 3.1; Fisher 1922, doi:10.2307/2340521.
//! Oracle: statsmodels 0.14 `proportions_ztest([x, y], [n, m])`; SciPy 1.17 `scipy.stats.fisher_exact`.
//! Cost: constant; exact p linear in the smaller margin.

use crate::{
    cells::{Cell, Cells},
    comparison::{Comparison, PMethod},
    fisher_exact, survival,
};

/// Expected count below which the normal limit is not used.
const EXPECTED_MIN: f64 = 5.0;

/// The test on counts of missing values and of values.
#[must_use]
pub fn missing_rate(missing: Cell, present: Cell) -> Comparison {
    let (n, m) = ((missing.a + present.a) as f64, (missing.b + present.b) as f64);
    if n == 0.0 || m == 0.0 {
        return Comparison::UNDEFINED;
    }
    let change = missing.b as f64 / m - missing.a as f64 / n;
    let pooled = (missing.a + missing.b) as f64 / (n + m);
    if missing.a + missing.b == 0 || present.a + present.b == 0 {
        return Comparison::SAME;
    }
    let comparison = Comparison::of(change, change);
    let table: Cells = [missing, present].into_iter().collect();
    if table.smallest_expected() < EXPECTED_MIN {
        return comparison.with_p(fisher_exact::two_sided(missing, present), PMethod::Exact);
    }
    let z = change / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    comparison.with_p(survival::normal_two_sided(z), PMethod::Asymptotic)
}

#[cfg(test)]
mod tests {
    use super::missing_rate;
    use crate::{
        cells::Cell,
        comparison::{Comparison, PMethod},
    };

    // Oracle: statsmodels 0.14 `proportions_ztest([140, 10], [1000, 1000])`.
    #[test]
    fn agrees_with_two_proportions() {
        let test = missing_rate(Cell::new(10, 140), Cell::new(990, 860));
        assert!((test.statistic.unwrap() - 0.13).abs() < 1e-15);
        assert!((test.p_value.unwrap() / 2.550_896_274_083_332_3e-28 - 1.0).abs() < 1e-9, "{test:?}");
    }

    #[test]
    fn few_missing_values_are_counted_exactly() {
        let test = missing_rate(Cell::new(0, 2), Cell::new(100_000, 28));
        assert_eq!(test.p_method, Some(PMethod::Exact));
        assert!(test.p_value.unwrap() > 1e-8);
    }

    #[test]
    fn nothing_missing_is_no_change() {
        assert_eq!(missing_rate(Cell::new(0, 0), Cell::new(10, 20)), Comparison::SAME);
        assert_eq!(missing_rate(Cell::new(10, 20), Cell::new(0, 0)), Comparison::SAME);
        assert_eq!(missing_rate(Cell::new(0, 0), Cell::new(10, 0)), Comparison::UNDEFINED);
    }
}
