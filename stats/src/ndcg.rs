//! How well one order of weighted things keeps another's: normalised discounted cumulative gain.
//!
//! Question: do the features that mattered most still come first?
//! Input: for each thing its gain (importance in the reference) and the weight that orders it (importance now), both finite and not
//! negative.
//! Formula: DCG = Σ gain of the i-th by weight / log₂(i + 1), i from 1, tied weights sharing their discounts; divided by the same in the
//! order of the gains.
//! Valid when: some gain is above 0.
//! Reference: Järvelin, Kekäläinen 2002, doi:10.1145/582415.582418; McSherry, Najork 2008, doi:10.1007/978-3-540-78646-7_38 (ties).
//! Oracle: AWS's example of feature attribution drift: .70 .50 .05 in training, .10 .20 .70 live: .7154648768/1.0404648769.
//! Cost: two sorts.

/// A thing with its gain and its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// What it is worth at the top.
    pub gain: f64,
    /// What puts it there.
    pub weight: f64,
}

/// A gain from which on the sum of a few may be more than a number can hold.
const LARGE: f64 = 1e300;

/// The gain of the order by weight, as a share of the best order's; `None` where nothing has a gain.
#[must_use]
pub fn ndcg(things: &[Ranked]) -> Option<f64> {
    let unit = if things.iter().any(|thing| thing.gain > LARGE) { LARGE } else { 1.0 };
    let ideal = gain(things, unit, |thing| thing.gain);
    // Of tied gains one side may add up otherwise rounded.
    (ideal > 0.0).then(|| (gain(things, unit, |thing| thing.weight) / ideal).min(1.0))
}

fn gain(things: &[Ranked], unit: f64, by: impl Fn(&Ranked) -> f64) -> f64 {
    let mut order: Vec<&Ranked> = things.iter().collect();
    order.sort_by(|a, b| by(b).total_cmp(&by(a)));
    let (mut sum, mut rank) = (0.0, 0);
    for tied in order.chunk_by(|a, b| by(a) == by(b)) {
        let discounts: f64 = (rank..rank + tied.len()).map(|i| 1.0 / (i as f64 + 2.0).log2()).sum();
        sum += tied.iter().map(|thing| thing.gain / unit).sum::<f64>() / tied.len() as f64 * discounts;
        rank += tied.len();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{Ranked, ndcg};

    fn of(pairs: &[(f64, f64)]) -> Option<f64> {
        let things: Vec<Ranked> =
            pairs.iter().map(|(gain, weight)| Ranked { gain: *gain, weight: *weight }).collect();
        ndcg(&things)
    }

    // Field case C12.
    #[test]
    fn c12_the_example_of_the_field_is_a_violation() {
        let found = of(&[(0.7, 0.1), (0.5, 0.2), (0.05, 0.7)]).unwrap();
        assert!((found - 0.687_639_624_1).abs() < 5e-11, "{found}");
    }

    // Attributions that are all 0 said that nothing had changed, for they kept the order given.
    // Oracle: scikit-learn 1.9 `ndcg_score([[4, 3, 2, 1]], [[0, 0, 0, 0]])`, `ndcg_score([[4, 3, 2, 1]], [[5, 1, 1, 0]])`.
    #[test]
    fn ties_say_nothing_of_the_order() {
        let flat = of(&[(4.0, 0.0), (3.0, 0.0), (2.0, 0.0), (1.0, 0.0)]).unwrap();
        assert!((flat - 0.874_451_514_839_208_5).abs() < 1e-12, "{flat}");
        let tied = of(&[(4.0, 5.0), (3.0, 1.0), (2.0, 1.0), (1.0, 0.0)]).unwrap();
        assert!((tied - 0.991_060_943_219_290_5).abs() < 1e-12, "{tied}");
    }

    #[test]
    fn the_same_order_is_one_and_nothing_is_undefined() {
        assert_eq!(of(&[(3.0, 30.0), (2.0, 20.0), (1.0, 1.0)]), Some(1.0));
        assert_eq!((of(&[]), of(&[(0.0, 1.0)])), (None, None));
    }

    // Both sums were infinite, and their ratio no number, which counted as 1.
    #[test]
    fn the_largest_gains_are_shares_like_others() {
        let large = 2.0_f64.powi(1_023);
        let found = |unit: f64| of(&[(unit, 1.0), (unit, 3.0), (unit / 2.0, 2.0)]).unwrap();
        assert!((found(large) - found(1.0)).abs() < 1e-12, "{} and {}", found(large), found(1.0));
    }
}
