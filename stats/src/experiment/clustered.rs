//! Means over rows where units were assigned: the cluster-robust comparison, and how much a naive one would err.
//!
//! Question: is the mean per request different, where users were assigned and each has many requests?
//! Input: [`PairSums`] of each unit's (sum of its rows, number of its rows); for the design effect Σx² over the rows.
//! Formula: the ratio of sums with its delta variance over units ([`super::ratio`]). Design effect: that variance over s²/rows.
//! Effective units: (Σd)²/Σd² for the rows d of each unit, n where all have as many.
//! Valid when: units are independent; some forty effective units an arm. Rows within a unit may depend in any way.
//! Reference: Liang, Zeger 1986, doi:10.1093/biomet/73.1.13; Kish 1965, Survey Sampling, section 8.2 (design effect).
//! Oracle: statsmodels 0.14 `OLS(y, [1, arm]).fit(cov_type='cluster', cov_kwds={'groups': unit})`, in one arm times n/(n-1).
//! Cost: constant.

use super::{
    effect::{Contrast, finite},
    ratio,
    sums::{PairSums, Sums, SumsError},
};

/// The arm's mean over rows against the control's, with the variance over units.
#[must_use]
pub fn clustered_means(control: &PairSums, arm: &PairSums) -> Contrast {
    ratio::ratios(control, arm)
}

/// By how much the variance of an arm's mean over rows exceeds that of as many independent rows; `None` below two units or where
/// the rows do not vary.
///
/// # Errors
/// Where `row_sum_sq`, Σx² over the rows, is impossible for the sum of the rows.
pub fn design_effect(sums: &PairSums, row_sum_sq: f64) -> Result<Option<f64>, SumsError> {
    let totals = |variable| sums.mean(variable).map(|mean| mean * sums.n() as f64);
    let (Some(sum), Some(rows)) = (totals(0), totals(1)) else { return Ok(None) };
    let row_sums = Sums::of(whole(rows), sum, row_sum_sq)?;
    let independent = row_sums.variance().map(|variance| variance / rows);
    Ok(ratio::of(sums)
        .variance
        .zip(independent)
        .and_then(|(variance, independent)| finite(variance / independent)))
}

/// How many units with equally many rows say as much as these; `None` without units or rows. One that has nearly all rows is its own
/// mean's only witness: its residual is near 0, and so is the standard error.
#[must_use]
pub fn effective_units(sums: &PairSums) -> Option<f64> {
    let (n, rows) = (sums.n() as f64, sums.mean(1)?);
    let spread = sums.covariance(1, 1).unwrap_or(0.0).sqrt() / rows;
    // Σd² = (n-1)s² + n·d̄².
    finite(n / (1.0 + (n - 1.0) / n * spread * spread))
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a number of rows")]
fn whole(rows: f64) -> u64 {
    rows.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::{clustered_means, design_effect, effective_units};
    use crate::experiment::{
        mean::welch,
        sums::{PairSums, Sums},
    };

    const VALUES: [f64; 6] = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0];

    fn repeated(times: u32) -> (PairSums, f64) {
        let mut sums = PairSums::default();
        VALUES.iter().for_each(|value| sums.push([value * f64::from(times), f64::from(times)]));
        (sums, VALUES.iter().map(|value| value * value).sum::<f64>() * f64::from(times))
    }

    #[test]
    fn copies_of_a_row_add_no_information() {
        let mut plain = Sums::default();
        VALUES.iter().for_each(|value| plain.push([*value]));
        let (once, ten) = (repeated(1), repeated(10));
        let se = welch(&plain, &plain).absolute.unwrap().se.unwrap();
        assert!((clustered_means(&once.0, &once.0).absolute.unwrap().se.unwrap() - se).abs() < 1e-14);
        assert!((clustered_means(&ten.0, &ten.0).absolute.unwrap().se.unwrap() - se).abs() < 1e-14);
    }

    #[test]
    fn the_design_effect_of_copies_is_their_number() {
        let (once, ten) = (repeated(1), repeated(10));
        assert!((design_effect(&once.0, once.1).unwrap().unwrap() - 1.0).abs() < 1e-12);
        // s² of 60 rows divides by 59, that of 6 units by 5.
        let expected = 59.0 / 5.0;
        assert!((design_effect(&ten.0, ten.1).unwrap().unwrap() - expected).abs() < 1e-11);
        assert_eq!(design_effect(&PairSums::default(), 0.0), Ok(None));
        assert!(design_effect(&once.0, 1.0).is_err());
    }

    // 199 units with one row and one with 2,000: 2199²/(199 + 2000²).
    #[test]
    fn a_unit_with_nearly_all_rows_leaves_hardly_more_than_one() {
        let mut sums = PairSums::default();
        (0..199).for_each(|_| sums.push([5.0, 1.0]));
        sums.push([9000.0, 2000.0]);
        let found = effective_units(&sums).unwrap();
        assert!((found - 4_835_601.0 / 4_000_199.0).abs() < 1e-9, "{found}");
        assert!((effective_units(&repeated(10).0).unwrap() - 6.0).abs() < 1e-12);
        let mut one = PairSums::default();
        one.push([3.0, 7.0]);
        assert_eq!(effective_units(&one), Some(1.0));
        assert_eq!(effective_units(&PairSums::default()), None);
        one = PairSums::default();
        one.push([0.0, 0.0]);
        assert_eq!(effective_units(&one), None);
    }
}
