//! The bootstrap: an interval for a statistic that has no formula of its own.
//!
//! Question: how far would this statistic move if the units were drawn again?
//! Input: the sizes of the samples; a statistic of resampled indices, `None` where it is not defined; a seeded generator.
//! Formula: each sample is drawn with replacement; percentile: type-7 quantiles of the replicates at α/2 and 1 - α/2; BCa: at
//! Φ(z₀ + (z₀ + z)/(1 - a(z₀ + z))) with z₀ = Φ⁻¹ of the share of replicates below the estimate (ties count half) and a from the
//! jackknife, Σ Ū³/(6(Σ Ū²)^1.5), the samples' sums each over their own size's power.
//! Valid when: units are independent, and the statistic is smooth: not an extreme order statistic.
//! Degenerate: fewer than half of the replicates defined: no interval. All on one side of the estimate: the BCa interval is
//! refused, the percentile one is not.
//! Reference: Efron 1987, doi:10.1080/01621459.1987.10478410; Efron, Tibshirani 1993, chapter 14.
//! Oracle: SciPy 1.17 `scipy.stats.bootstrap(samples, statistic, method='percentile'|'BCa')` on its own replicates.
//! Cost: one statistic a resample, and one a unit for the jackknife of BCa; above [`JACKKNIFE_MAX`] units blocks are left out.

use rand::Rng;

use crate::{experiment::effect::Interval, survival};

/// Blocks that the jackknife leaves out at most.
pub const JACKKNIFE_MAX: usize = 2_000;

/// How many resamples, and how sure the interval is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Resamples; 999 or more.
    pub resamples: usize,
    /// Strictly between 0 and 1.
    pub confidence: f64,
}

/// What the resamples say.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    /// The statistic of the samples as they are.
    pub estimate: f64,
    /// The standard deviation of the replicates.
    pub se: f64,
    /// The percentile interval.
    pub percentile: Interval,
    /// The bias-corrected and accelerated interval; `None` where the replicates leave no room on one side, or do not move.
    pub bca: Option<Interval>,
    /// Resamples whose statistic was defined.
    pub replicates: usize,
}

/// Resamples samples of these sizes; `None` without units, where the statistic is not defined on the samples or on most
/// resamples, or for settings that are none.
pub fn bootstrap(
    sizes: &[usize],
    settings: Settings,
    rng: &mut impl Rng,
    mut statistic: impl FnMut(&[Vec<usize>]) -> Option<f64>,
) -> Option<Bootstrap> {
    let usable = settings.resamples > 0 && settings.confidence > 0.0 && settings.confidence < 1.0;
    if !usable || sizes.is_empty() || sizes.contains(&0) {
        return None;
    }
    let mut of = |drawn: &[Vec<usize>]| statistic(drawn).filter(|value| value.is_finite());
    let whole: Vec<Vec<usize>> = sizes.iter().map(|size| (0..*size).collect()).collect();
    let estimate = of(&whole)?;
    let mut drawn = whole.clone();
    let mut replicates = Vec::with_capacity(settings.resamples);
    for _ in 0..settings.resamples {
        for (sample, size) in drawn.iter_mut().zip(sizes) {
            sample.iter_mut().for_each(|index| *index = below(rng, *size));
        }
        replicates.extend(of(&drawn));
    }
    if 2 * replicates.len() < settings.resamples {
        return None;
    }
    replicates.sort_by(f64::total_cmp);
    let acceleration = acceleration(&whole, &mut of);
    Some(Bootstrap {
        estimate,
        se: deviation(&replicates),
        percentile: percentile(&replicates, settings.confidence)?,
        bca: acceleration.and_then(|a| bca(estimate, &replicates, a, settings.confidence)),
        replicates: replicates.len(),
    })
}

/// The percentile interval of sorted replicates; `None` without any.
#[must_use]
pub fn percentile(sorted: &[f64], confidence: f64) -> Option<Interval> {
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { lo: quantile(sorted, tail)?, hi: quantile(sorted, 1.0 - tail)? })
}

/// The BCa interval of sorted replicates.
#[must_use]
pub fn bca(estimate: f64, sorted: &[f64], acceleration: f64, confidence: f64) -> Option<Interval> {
    let below = sorted.partition_point(|value| *value < estimate);
    let not_above = sorted.partition_point(|value| *value <= estimate);
    let share = (below + not_above) as f64 / (2 * sorted.len()) as f64;
    if !(share > 0.0 && share < 1.0) || sorted.first() == sorted.last() {
        return None;
    }
    let bias = -survival::normal_exceeded(share);
    let z = survival::normal_exceeded((1.0 - confidence) / 2.0);
    let level = |z: f64| {
        let shifted = bias + z;
        survival::normal(-(bias + shifted / (1.0 - acceleration * shifted)))
    };
    Some(Interval { lo: quantile(sorted, level(-z))?, hi: quantile(sorted, level(z))? })
}

/// How the standard error changes with the statistic, by leaving out one unit or one block at a time; `None` where it does not
/// move.
fn acceleration(whole: &[Vec<usize>], of: &mut impl FnMut(&[Vec<usize>]) -> Option<f64>) -> Option<f64> {
    let (mut cubes, mut squares) = (0.0, 0.0);
    for at in 0..whole.len() {
        let size = whole[at].len();
        if size < 2 {
            return None;
        }
        let blocks = size.min(JACKKNIFE_MAX);
        let mut left = whole.to_vec();
        let mut values = Vec::with_capacity(blocks);
        for block in 0..blocks {
            let (from, to) = (block * size / blocks, (block + 1) * size / blocks);
            left[at] = whole[at][..from].iter().chain(&whole[at][to..]).copied().collect();
            values.push(of(&left)?);
        }
        let n = blocks as f64;
        let mean = values.iter().sum::<f64>() / n;
        let influence = |value: &f64| (n - 1.0) * (mean - value) / n;
        cubes += values.iter().map(|value| influence(value).powi(3)).sum::<f64>();
        squares += values.iter().map(|value| influence(value).powi(2)).sum::<f64>();
    }
    let acceleration = cubes / (6.0 * squares.powf(1.5));
    acceleration.is_finite().then_some(acceleration)
}

/// Type 7 of Hyndman and Fan.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_sign_loss, reason = "a position in the slice")]
    let at = position.floor() as usize;
    let (low, high) = (sorted[at], sorted[(at + 1).min(last)]);
    Some(low + (position - position.floor()) * (high - low))
}

fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (n - 1.0).max(1.0)).sqrt()
}

/// A number below `size`, each as likely as any other but for one in 2⁶⁴/size.
fn below(rng: &mut impl Rng, size: usize) -> usize {
    let wide = u128::from(rng.next_u64()) * size as u128;
    usize::try_from(wide >> 64).expect("below the size of a slice")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{Settings, bootstrap, percentile};
    use crate::experiment::effect::Interval;

    const SETTINGS: Settings = Settings { resamples: 1_999, confidence: 0.95 };

    fn mean(values: &[f64], drawn: &[usize]) -> Option<f64> {
        Some(drawn.iter().map(|i| values[*i]).sum::<f64>() / drawn.len() as f64)
    }

    #[test]
    fn a_mean_has_the_interval_that_theory_says() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i * 7 % 400) / 400.0).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let found = bootstrap(&[400], SETTINGS, &mut rng, |drawn| mean(&values, &drawn[0])).unwrap();
        // √(1/12/400); the standard deviation of 1,999 replicates is within a twentieth of it.
        assert!((found.se / (1.0_f64 / 4_800.0).sqrt() - 1.0).abs() < 0.08, "{found:?}");
        let bca = found.bca.unwrap();
        assert!((bca.lo - (found.estimate - 1.96 * found.se)).abs() < 0.2 * found.se, "{found:?}");
        assert!((bca.hi - (found.estimate + 1.96 * found.se)).abs() < 0.2 * found.se, "{found:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values = [1.0, 5.0, 2.0, 9.0, 4.0];
        let run = || {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            bootstrap(&[5], SETTINGS, &mut rng, |drawn| mean(&values, &drawn[0]))
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn constant_values_have_a_point_and_no_correction() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let found = bootstrap(&[9], SETTINGS, &mut rng, |_| Some(2.0)).unwrap();
        assert_eq!((found.se, found.percentile, found.bca), (0.0, Interval { lo: 2.0, hi: 2.0 }, None));
    }

    #[test]
    fn undefined_statistics_and_empty_samples_have_none() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(bootstrap(&[9], SETTINGS, &mut rng, |_| None), None);
        assert_eq!(bootstrap(&[9], SETTINGS, &mut rng, |_| Some(f64::NAN)), None);
        assert_eq!(bootstrap(&[], SETTINGS, &mut rng, |_| Some(1.0)), None);
        assert_eq!(bootstrap(&[3, 0], SETTINGS, &mut rng, |_| Some(1.0)), None);
        let never = Settings { confidence: 1.0, ..SETTINGS };
        assert_eq!(bootstrap(&[3], never, &mut rng, |_| Some(1.0)), None);
        assert_eq!(percentile(&[], 0.95), None);
    }
}
