//! Calibration: whether chances come true as often as they say.

use windvane_stats::paired::calibration::{Chances, ece_difference};
use windvane_types::gate::Metric;

use super::Pair;

/// The expected calibration error: the mean over bins of the distance between chance and frequency, weighted by requests.
pub(super) fn ece(pairs: &[Pair], confidence: f64) -> Option<Metric> {
    let of = |pair: &Pair| Chances { first: pair.champion, second: pair.candidate, truth: pair.truth };
    let examples: Vec<Chances> = pairs.iter().map(of).collect();
    let found = ece_difference(&examples, confidence)?;
    Some(Metric {
        metric: "ece".to_owned(),
        champion: found.first,
        candidate: found.second,
        difference: found.difference,
        ci: found.interval.map(|interval| [interval.lo, interval.hi]),
        p_value: None,
        method: "paired_delta".to_owned(),
        n: pairs.len() as u64,
        higher_is_better: false,
    })
}

#[cfg(test)]
mod tests {
    use super::{Pair, ece};

    // A candidate that is .05 too sure in every bin, beside a champion that is right: of a hundred requests a bin that many come true.
    #[test]
    fn a_candidate_that_is_too_sure_is_not_told_to_be_within_less() {
        let pairs: Vec<Pair> = (0..1_000_u32)
            .map(|i| {
                let champion = f64::from(i / 100) / 10.0 + 0.03;
                let truth = if i % 100 < i / 100 * 10 + 3 { 1.0 } else { 0.0 };
                Pair { champion, candidate: champion + 0.05, truth }
            })
            .collect();
        let found = ece(&pairs, 0.95).unwrap();
        let [lo, hi] = found.ci.unwrap();
        assert!((found.difference - 0.05).abs() < 1e-9, "{found:?}");
        assert!(lo < 0.05 && hi > 0.05, "{lo} {hi}");
        assert_eq!((found.method.as_str(), found.n), ("paired_delta", 1_000));
    }
}
