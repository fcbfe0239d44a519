//! Metrics of both models with paired intervals of their difference, candidate minus champion.

use windvane_stats::experiment::effect::{Effect, Estimate, Level};
use windvane_stats::experiment::sums::Joint;
use windvane_stats::paired::delong::{Scores, auc_difference};
use windvane_stats::paired::mcnemar::Pairs;
use windvane_stats::paired::t::paired_t;
use windvane_types::gate::Metric;

use super::Pair;

/// Chances closer to 0 or 1 than this count as this, as in scikit-learn: one certain mistake would be infinitely wrong.
const CHANCE_MIN: f64 = 1e-15;

/// Share of right labels: Tango's interval, the p-value of McNemar's exact test.
pub(super) fn accuracy(
    (champion_only, candidate_only, n): (u64, u64, u64),
    right: (u64, u64),
    confidence: f64,
) -> Option<Metric> {
    let pairs = Pairs::new(champion_only, candidate_only, n).filter(|_| n > 0)?;
    let (champion, candidate) = (right.0 as f64 / n as f64, right.1 as f64 / n as f64);
    Some(Metric {
        metric: "accuracy".to_owned(),
        champion,
        candidate,
        difference: candidate - champion,
        ci: pairs.interval(confidence).map(|ci| [ci.lo, ci.hi]),
        p_value: Some(pairs.test().exact),
        method: "mcnemar".to_owned(),
        n,
        higher_is_better: true,
    })
}

/// Area under the ROC curve, by DeLong.
pub(super) fn roc_auc(pairs: &[Pair], confidence: f64) -> Option<Metric> {
    let of = |truth: f64, side: &dyn Fn(&Pair) -> f64| -> Vec<f64> {
        pairs.iter().filter(|pair| pair.truth == truth).map(side).collect()
    };
    let (champion, candidate) = (|pair: &Pair| pair.champion, |pair: &Pair| pair.candidate);
    let (p, n) = (of(1.0, &champion), of(0.0, &champion));
    let (q, m) = (of(1.0, &candidate), of(0.0, &candidate));
    let found = auc_difference(
        Scores { positives: &p, negatives: &n },
        Scores { positives: &q, negatives: &m },
        level(confidence),
    )?;
    let sides = (found.first, found.second);
    Some(metric(("roc_auc", "delong", true), sides, (&found.difference, pairs.len())))
}

/// Mean negative logarithm of the chance given to what came true.
pub(super) fn log_loss(pairs: &[Pair], confidence: f64) -> Option<Metric> {
    mean(("log_loss", pairs, confidence), |score, truth| {
        let chance = score.clamp(CHANCE_MIN, 1.0 - CHANCE_MIN);
        -(truth * chance.ln() + (1.0 - truth) * (-chance).ln_1p())
    })
}

/// Mean squared distance of the chance from what came true.
pub(super) fn brier(pairs: &[Pair], confidence: f64) -> Option<Metric> {
    mean(("brier", pairs, confidence), |score, truth| (score - truth) * (score - truth))
}

/// Mean absolute error.
pub(super) fn mae(pairs: &[Pair], confidence: f64) -> Option<Metric> {
    mean(("mae", pairs, confidence), |score, truth| (score - truth).abs())
}

/// Root of the mean squared error; the error of the difference by the delta method.
pub(super) fn rmse(pairs: &[Pair], confidence: f64) -> Option<Metric> {
    let mut sums = Joint::<2>::default();
    let square = |score: f64, truth: f64| (score - truth) * (score - truth);
    pairs
        .iter()
        .for_each(|pair| sums.push([square(pair.champion, pair.truth), square(pair.candidate, pair.truth)]));
    let (a, b) = (sums.mean(0)?.sqrt(), sums.mean(1)?.sqrt());
    let variance = || {
        let (v, w, c) = (sums.covariance(0, 0)?, sums.covariance(1, 1)?, sums.covariance(0, 1)?);
        // An error of 0 has no slope of its root; it does not vary either.
        let part = |numerator: f64, root: f64| if root > 0.0 { numerator / root } else { 0.0 };
        Some((part(v, a * a) + part(w, b * b) - 2.0 * part(c, a * b)) / 4.0 / pairs.len() as f64)
    };
    let se = variance().map(|variance| variance.max(0.0).sqrt());
    let effect = Estimate { value: b - a, se }.test(None, level(confidence));
    Some(metric(("rmse", "delta", false), (a, b), (&effect, pairs.len())))
}

/// The mean of a loss, by the paired t test.
fn mean((name, pairs, confidence): (&str, &[Pair], f64), loss: impl Fn(f64, f64) -> f64) -> Option<Metric> {
    let of = |pair: &Pair| (loss(pair.champion, pair.truth), loss(pair.candidate, pair.truth));
    let losses: Vec<(f64, f64)> = pairs.iter().map(of).collect();
    let differences: Vec<f64> = losses.iter().map(|(a, b)| b - a).collect();
    let effect = paired_t(&differences, level(confidence))?;
    let mean = |side: fn(&(f64, f64)) -> f64| losses.iter().map(side).sum::<f64>() / losses.len() as f64;
    let sides = (mean(|loss| loss.0), mean(|loss| loss.1));
    Some(metric((name, "paired_t", false), sides, (&effect, pairs.len())))
}

fn level(confidence: f64) -> Level {
    Level::two_sided(1.0 - confidence)
}

fn metric(
    (name, method, higher_is_better): (&str, &str, bool),
    (champion, candidate): (f64, f64),
    (effect, n): (&Effect, usize),
) -> Metric {
    Metric {
        metric: name.to_owned(),
        champion,
        candidate,
        difference: effect.estimate,
        ci: effect.ci.map(|ci| [ci.lo, ci.hi]),
        p_value: effect.p_value,
        method: method.to_owned(),
        n: n as u64,
        higher_is_better,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(rows: &[(f64, f64, f64)]) -> Vec<Pair> {
        rows.iter()
            .map(|(champion, candidate, truth)| Pair {
                champion: *champion,
                candidate: *candidate,
                truth: *truth,
            })
            .collect()
    }

    // Field case C32: AUC .64 and log loss .6884817487155065 of these chances and outcomes.
    #[test]
    fn published_values_come_out() {
        let chances = [0.91, 0.82, 0.73, 0.64, 0.55, 0.46, 0.37, 0.28, 0.19, 0.0];
        let truth = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0];
        let rows: Vec<_> = chances.iter().zip(truth).map(|(p, t)| (*p, *p, t)).collect();
        let pairs = pairs(&rows);
        let auc = roc_auc(&pairs, 0.95).unwrap();
        assert!((auc.champion - 0.64).abs() < 1e-12 && auc.difference == 0.0, "{auc:?}");
        assert!((log_loss(&pairs, 0.95).unwrap().champion - 0.688_481_748_715_506_5).abs() < 1e-12);
    }

    // By hand: errors 1, 2 and 2, 2: roots of 2.5 and 4.
    #[test]
    fn a_root_of_mean_squares() {
        let found = rmse(&pairs(&[(1.0, 2.0, 0.0), (2.0, 2.0, 0.0)]), 0.95).unwrap();
        assert!((found.champion - 2.5_f64.sqrt()).abs() < 1e-14 && found.candidate == 2.0, "{found:?}");
    }

    #[test]
    fn two_alike_models_have_no_difference_and_no_doubt() {
        for found in [
            mae(&pairs(&[(1.0, 1.0, 0.0), (2.0, 2.0, 5.0)]), 0.95),
            rmse(&pairs(&[(1.0, 1.0, 0.0), (2.0, 2.0, 5.0)]), 0.95),
        ] {
            let found = found.unwrap();
            assert_eq!((found.difference, found.ci), (0.0, Some([0.0, 0.0])), "{found:?}");
        }
    }
}
