//! How well one order of weighted things keeps another's: normalised discounted cumulative gain.
//!
//! Question: do the features that mattered most still come first?
//! Input: for each thing its gain (importance in the reference) and the weight that orders it (importance now), both finite and not
//! negative; ties keep the order given.
//! Formula: DCG = Σ gain of the i-th by weight / log₂(i + 1), i from 1; divided by the same in the order of the gains.
//! Valid when: some gain is above 0.
//! Reference: Järvelin, Kekäläinen 2002, doi:10.1145/582415.582418.
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

/// The gain of the order by weight, as a share of the best order's; `None` where nothing has a gain.
#[must_use]
pub fn ndcg(things: &[Ranked]) -> Option<f64> {
    let ideal = gain(things, |thing| thing.gain);
    (ideal > 0.0).then(|| gain(things, |thing| thing.weight) / ideal)
}

fn gain(things: &[Ranked], by: impl Fn(&Ranked) -> f64) -> f64 {
    let mut order: Vec<&Ranked> = things.iter().collect();
    order.sort_by(|a, b| by(b).total_cmp(&by(a)));
    order.iter().enumerate().map(|(i, thing)| thing.gain / (i as f64 + 2.0).log2()).sum()
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

    #[test]
    fn the_same_order_is_one_and_nothing_is_undefined() {
        assert_eq!(of(&[(3.0, 30.0), (2.0, 20.0), (1.0, 1.0)]), Some(1.0));
        assert_eq!((of(&[]), of(&[(0.0, 1.0)])), (None, None));
    }
}
