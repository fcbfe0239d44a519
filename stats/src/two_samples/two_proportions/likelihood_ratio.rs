//! Two proportions by the likelihood ratio: the G-test of the table of two groups.
//!
//! Question: is the share of successes another one in the second group?
//! Input: successes and trials of both groups; whether to correct for continuity.
//! Formula: G = 2Σ o·ln(o/e) over the four cells, one degree of freedom; corrected, each o is moved by a half towards its e, and no
//! further than to it (Yates).
//! Valid when: every cell expects at least five.
//! Reference: Sokal, Rohlf 1995, ISBN 0716724111, sections 17.3 and 17.4.
//! Oracle: SciPy 1.17 `chi2_contingency(table, correction=True|False, lambda_='log-likelihood')`.
//! Cost: constant.

use super::{Table, pooled::Continuity};
use crate::survival;

/// The two-sided p-value; 1 where neither group has both successes and failures. Never 0.
#[must_use]
pub fn likelihood_ratio(table: &Table, continuity: Continuity) -> f64 {
    let groups = [table.control, table.treatment].map(|group| (group.k() as f64, group.n() as f64));
    let total: f64 = groups.iter().map(|(_, n)| n).sum();
    let share = groups.iter().map(|(k, _)| k).sum::<f64>() / total;
    if share <= 0.0 || share >= 1.0 {
        return 1.0;
    }
    let cells = groups.iter().flat_map(|(k, n)| [(*k, n * share), (n - k, n * (1.0 - share))]);
    let part = |(observed, expected): (f64, f64)| {
        let correction = match continuity {
            Continuity::None => 0.0,
            Continuity::Yates => 0.5_f64.min((expected - observed).abs()),
        };
        let observed = observed + correction.copysign(expected - observed);
        if observed > 0.0 { observed * (observed / expected).ln() } else { 0.0 }
    };
    let statistic = 2.0 * cells.map(part).sum::<f64>();
    survival::chi_square(statistic.max(0.0), 1.0).clamp(f64::MIN_POSITIVE, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{Continuity, likelihood_ratio};
    use crate::{binomial::Share, two_proportions::Table};

    fn table(control: (u64, u64), treatment: (u64, u64)) -> Table {
        let share = |(k, n)| Share::new(k, n).unwrap();
        Table { control: share(control), treatment: share(treatment) }
    }

    // Field case 20 (tea-tasting, test_proportion), whose G-test is corrected; the others by
    // scipy.stats.chi2_contingency(table, correction, lambda_='log-likelihood').
    #[test]
    fn case_20_agrees_with_published_values() {
        for (control, treatment, continuity, p) in [
            ((19, 53), (13, 47), Continuity::Yates, 0.507_629_453_461_716_7),
            ((19, 53), (13, 47), Continuity::None, 0.379_762_689_988_442_87),
            ((3, 4), (1, 4), Continuity::Yates, 0.477_161_780_859_612_7),
            ((0, 5), (4, 5), Continuity::Yates, 0.042_863_926_739_601_79),
        ] {
            let found = likelihood_ratio(&table(control, treatment), continuity);
            assert!((found / p - 1.0).abs() < 1e-9, "{control:?} {treatment:?}: {found}");
        }
    }

    #[test]
    fn the_correction_never_turns_the_difference() {
        assert_eq!(likelihood_ratio(&table((1, 10), (2, 10)), Continuity::Yates), 1.0);
        assert_eq!(likelihood_ratio(&table((5, 10), (5, 10)), Continuity::None), 1.0);
    }

    #[test]
    fn no_variance_is_no_evidence() {
        for k in [0, 10] {
            assert_eq!(likelihood_ratio(&table((k, 10), (k, 10)), Continuity::None), 1.0);
        }
    }
}
