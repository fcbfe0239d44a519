//! Spearman's rank correlation: whether two variables put the same things in the same order.
//!
//! Question: do both models rank requests alike, whatever their scales are?
//! Input: pairs, finite.
//! Formula: Pearson's correlation of the midranks.
//! Valid when: always as a description.
//! Degenerate: below two pairs, of different lengths, or with a constant side there is none.
//! Reference: Spearman 1904, doi:10.2307/1412159.
//! Oracle: SciPy 1.17 `scipy.stats.spearmanr(x, y).statistic`.
//! Cost: two sorts.

/// The coefficient, -1 to 1.
#[must_use]
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.len() < 2 || x.iter().chain(y).any(|value| !value.is_finite()) {
        return None;
    }
    let (x, y) = (midranks(x), midranks(y));
    // The mean of midranks is known, so that it costs no digits.
    let mean = (x.len() as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = product(&x, &x).sqrt() * product(&y, &y).sqrt();
    (spread > 0.0).then(|| (product(&x, &y) / spread).clamp(-1.0, 1.0))
}

fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tie in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = before as f64 + (tie.len() as f64 + 1.0) / 2.0;
        tie.iter().for_each(|at| ranks[*at] = rank);
        before += tie.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::spearman;

    // Oracle: SciPy 1.17 `spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]).statistic`.
    #[test]
    fn ties_share_their_rank() {
        let found = spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]).unwrap();
        assert!((found - 0.820_782_681_668_123_4).abs() < 1e-14, "{found}");
    }

    #[test]
    fn order_is_all_that_counts() {
        let of = |values: &[f64]| spearman(&[1.0, 2.0, 3.0], values).unwrap();
        assert!((of(&[-1e9, 0.0, 1e-9]) - 1.0).abs() < 1e-15);
        assert!((of(&[3.0, 2.0, 1.0]) + 1.0).abs() < 1e-15);
        assert_eq!(spearman(&[1.0, 1.0], &[3.0, 2.0]), None);
        assert_eq!(spearman(&[1.0], &[3.0]), None);
        assert_eq!(spearman(&[1.0, f64::NAN], &[3.0, 2.0]), None);
    }
}
