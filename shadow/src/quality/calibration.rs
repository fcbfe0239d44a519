//! Calibration: whether chances come true as often as they say.

use rand_chacha::ChaCha8Rng;
use windvane_stats::bootstrap::Settings;
use windvane_stats::paired::bootstrap::{Side, paired_bootstrap};
use windvane_types::gate::Metric;

use super::Pair;

/// Bins of one width.
const BINS: usize = 10;
/// Pairs that are resampled at most, the first of them; the estimates are of all.
const RESAMPLED_MAX: usize = 5_000;
/// Resamples: the ends of a 95 % interval are then the 25th and the 975th.
const RESAMPLES: usize = 999;

/// The expected calibration error: the mean over bins of the distance between chance and frequency, weighted by requests.
pub(super) fn ece(pairs: &[Pair], confidence: f64, rng: &mut ChaCha8Rng) -> Option<Metric> {
    let side =
        |side: Side| move |pair: &Pair| if side == Side::First { pair.champion } else { pair.candidate };
    let of = |score: &dyn Fn(&Pair) -> f64| error(pairs.iter().map(|pair| (score(pair), pair.truth)));
    let (champion, candidate) = (of(&side(Side::First))?, of(&side(Side::Second))?);
    let resampled = &pairs[..pairs.len().min(RESAMPLED_MAX)];
    let settings = Settings { resamples: RESAMPLES, confidence };
    let alike = pairs.iter().all(|pair| pair.champion == pair.candidate);
    let found = paired_bootstrap(resampled.len(), settings, rng, |which, drawn| {
        let score = side(which);
        error(drawn.iter().map(|at| (score(&resampled[*at]), resampled[*at].truth)))
    });
    let interval = found.map(|found| [found.percentile.lo, found.percentile.hi]);
    Some(Metric {
        metric: "ece".to_owned(),
        champion,
        candidate,
        difference: candidate - champion,
        ci: if alike { Some([0.0, 0.0]) } else { interval },
        p_value: None,
        method: "paired_bootstrap".to_owned(),
        n: pairs.len() as u64,
        higher_is_better: false,
    })
}

#[expect(clippy::cast_sign_loss, reason = "a chance is not negative")]
fn error(scores: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let mut bins = [(0.0, 0.0); BINS];
    let mut n = 0_u64;
    for (chance, truth) in scores {
        let bin = &mut bins[((chance * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += chance;
        bin.1 += truth;
        n += 1;
    }
    (n > 0).then(|| bins.iter().map(|(chance, truth)| (chance - truth).abs()).sum::<f64>() / n as f64)
}

#[cfg(test)]
mod tests {
    use super::error;

    // By hand: bin .1 holds .1 and .1 with one true of two, bin .9 holds .95 with one of one.
    #[test]
    fn chance_against_frequency() {
        let found = error([(0.1, 0.0), (0.1, 1.0), (0.95, 1.0)].into_iter()).unwrap();
        assert!((found - (0.8 + 0.05) / 3.0).abs() < 1e-15, "{found}");
        assert_eq!(error(std::iter::empty()), None);
        assert_eq!(error([(1.0, 1.0)].into_iter()), Some(0.0));
    }
}
