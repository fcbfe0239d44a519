//! The paired bootstrap: an interval for the change of any statistic, such as F1 or a quantile, between two models on one traffic.
//!
//! Question: by how much does the second model's metric differ, where no formula gives the error?
//! Input: the number of pairs; a metric of either side over resampled pairs, `None` where it is not defined; a seeded generator.
//! Formula: pairs are drawn with replacement, both answers together; the statistic is the second's metric minus the first's.
//! Valid when: pairs are independent.
//! Reference: Efron, Tibshirani 1993, chapter 9; Koehn 2004, ACL W04-3250 (paired, in the evaluation of models).
//! Oracle: SciPy 1.17 `scipy.stats.bootstrap((first, second), statistic, paired=True)`.
//! Cost: two metrics a resample, and two a pair for the jackknife.

use rand::Rng;

use crate::bootstrap::{Bootstrap, Settings, bootstrap};

/// Which answer of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first, the incumbent's.
    First,
    /// The second, the candidate's.
    Second,
}

/// The change of `metric`; `None` as for [`bootstrap`].
pub fn paired_bootstrap(
    pairs: usize,
    settings: Settings,
    rng: &mut impl Rng,
    mut metric: impl FnMut(Side, &[usize]) -> Option<f64>,
) -> Option<Bootstrap> {
    bootstrap(&[pairs], settings, rng, |drawn| {
        let drawn = drawn.first()?;
        Some(metric(Side::Second, drawn)? - metric(Side::First, drawn)?)
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{Side, paired_bootstrap};
    use crate::bootstrap::Settings;

    // What both sides share cancels: the differences are 0 or 1, whatever the values are.
    #[test]
    fn what_pairs_share_cancels() {
        let first: Vec<f64> = (0..200).map(|i| f64::from(i * i % 199) * 1e3).collect();
        let second: Vec<f64> = first.iter().enumerate().map(|(i, x)| x + (i % 2) as f64).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let settings = Settings { resamples: 999, confidence: 0.95 };
        let found = paired_bootstrap(200, settings, &mut rng, |side, drawn| {
            let values = if side == Side::First { &first } else { &second };
            Some(drawn.iter().map(|i| values[*i]).sum::<f64>() / 200.0)
        })
        .unwrap();
        assert!((found.estimate - 0.5).abs() < 1e-9);
        assert!((found.se / (0.25_f64 / 200.0).sqrt() - 1.0).abs() < 0.15, "{found:?}");
    }

    #[test]
    fn a_metric_that_is_not_defined_has_no_interval() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let settings = Settings { resamples: 99, confidence: 0.95 };
        let none = paired_bootstrap(3, settings, &mut rng, |side, _| (side == Side::First).then_some(1.0));
        assert_eq!(none, None);
    }
}
