//! Bins of a numeric column: fixed edges from the reference, and bins of their own for what lies outside.
//!
//! Question: how do both samples spread over the ranges that the reference defines?
//! Input: ascending finite edges; values in any order, ±inf allowed.
//! Formula: bin i holds e₍ᵢ₎ ≤ x < e₍ᵢ₊₁₎, the last one also its upper edge (NumPy's histogram); below the first and above
//! the last edge there is one bin each.
//! Valid when: always; equal edges count once, so that a reference with few values gets fewer bins.
//! Reference: NumPy 2, `numpy.histogram`; edges by `numpy.quantile` (Hyndman, Fan 1996, type 7).
//! Oracle: NumPy 2, `np.histogram(x, np.unique(np.quantile(reference, np.arange(bins + 1) / bins)))`.
//! Cost: two comparisons for a value in the bin of the one before, as sorted values mostly are; else a binary search.

use crate::{
    cells::{Cell, Cells},
    walk::Step,
};

/// Counts of both samples on fixed edges.
#[derive(Debug, Clone)]
pub struct Binned {
    edges: Vec<f64>,
    counts: Vec<(u64, u64)>,
    /// The bin of the last value.
    last: usize,
}

impl Binned {
    /// Empty bins on these edges; they are sorted, repeated and non-finite ones dropped.
    #[must_use]
    pub fn new(mut edges: Vec<f64>) -> Self {
        edges.retain(|edge| edge.is_finite());
        edges.sort_by(f64::total_cmp);
        edges.dedup_by(|a, b| a == b);
        let bins = if edges.len() == 1 { 3 } else { edges.len() + 1 };
        Self { edges, counts: vec![(0, 0); bins], last: 0 }
    }

    /// The edges.
    #[must_use]
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// Counts below the first edge, in each bin, and above the last edge.
    #[must_use]
    pub fn counts(&self) -> &[(u64, u64)] {
        &self.counts
    }

    /// Adds a value.
    pub fn push(&mut self, step: Step) {
        if !self.is_inside(self.last, step.value) {
            self.last = self.bin(step.value);
        }
        let (a, b) = &mut self.counts[self.last];
        *a += step.a;
        *b += step.b;
    }

    /// Adds the values of two ascending samples, by one search an edge.
    pub fn push_sorted(&mut self, a: &[f64], b: &[f64]) {
        let (ends_a, ends_b) = (self.ends(a), self.ends(b));
        let mut from = (0, 0);
        for ((in_a, in_b), to) in self.counts.iter_mut().zip(ends_a.into_iter().zip(ends_b)) {
            *in_a += (to.0 - from.0) as u64;
            *in_b += (to.1 - from.1) as u64;
            from = to;
        }
    }

    /// Where the values of each bin end in an ascending sample.
    fn ends(&self, values: &[f64]) -> Vec<usize> {
        let below = |edge: &f64| values.partition_point(|value| value < edge);
        let up_to = |edge: &f64| values.partition_point(|value| value <= edge);
        let mut ends: Vec<usize> = match self.edges.as_slice() {
            [] => Vec::new(),
            [only] => vec![below(only), up_to(only)],
            [lower @ .., last] => lower.iter().map(below).chain([up_to(last)]).collect(),
        };
        ends.push(values.len());
        ends
    }

    /// The bins as cells.
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        self.counts.iter().map(|(a, b)| Cell::new(*a, *b))
    }

    /// The bins as cells, what lies outside counted into the first and the last bin; all of them where there are no two bins
    /// inside.
    #[must_use]
    pub fn closed(&self) -> Cells {
        let [below, first, inside @ .., last, above] = self.counts.as_slice() else {
            return self.cells().collect();
        };
        let ends = [(below.0 + first.0, below.1 + first.1), (last.0 + above.0, last.1 + above.1)];
        ends.iter().chain(inside).map(|(a, b)| Cell::new(*a, *b)).collect()
    }

    /// The chance of at least so many current values beyond the edges where these are the extremes of the reference and nothing
    /// changed; 1 where a reference value lies beyond them, so that they are not.
    ///
    /// With n reference values among n + m the i lowest and j highest are all current ones with a chance of
    /// Π (m-k)/(n+m-k) over k below i + j, whatever their distribution is; at most so many + 1 pairs i, j add up to the
    /// number found. With ties the chance is smaller.
    #[must_use]
    pub fn p_outside(&self) -> f64 {
        let [below, .., above] = self.counts.as_slice() else { return 1.0 };
        if below.0 + above.0 > 0 {
            return 1.0;
        }
        let (n, m) = self.counts.iter().fold((0, 0), |(n, m), (a, b)| (n + a, m + b));
        let found = below.1 + above.1;
        let mut chance = (found + 1) as f64;
        for k in 0..found {
            chance *= (m - k) as f64 / (n + m - k) as f64;
            if chance < f64::MIN_POSITIVE {
                return 0.0;
            }
        }
        chance.min(1.0)
    }

    /// Whether a bin between two edges holds the value; not said of the upper edge of the last one.
    fn is_inside(&self, bin: usize, value: f64) -> bool {
        let around = bin.checked_sub(1).and_then(|lower| self.edges.get(lower..=bin));
        matches!(around, Some([lower, upper]) if *lower <= value && value < *upper)
    }

    fn bin(&self, value: f64) -> usize {
        match self.edges.as_slice() {
            [] => 0,
            [.., last] if value > *last => self.counts.len() - 1,
            [.., last] if value == *last => self.counts.len() - 2,
            edges => edges.partition_point(|edge| *edge <= value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Binned;
    use crate::walk::Step;

    fn counts(edges: &[f64], values: &[f64]) -> Vec<u64> {
        let mut binned = Binned::new(edges.to_vec());
        for value in values {
            binned.push(Step { value: *value, a: 1, b: 0, below_a: 0, below_b: 0 });
        }
        binned.counts().iter().map(|(a, _)| *a).collect()
    }

    #[test]
    fn the_last_bin_holds_its_upper_edge() {
        assert_eq!(counts(&[0.0, 1.0, 2.0], &[0.0, 0.5, 1.0, 1.5, 2.0]), [0, 2, 3, 0]);
    }

    #[test]
    fn values_outside_have_bins_of_their_own() {
        let values = [f64::NEG_INFINITY, -0.1, 2.1, f64::INFINITY];
        assert_eq!(counts(&[0.0, 1.0, 2.0], &values), [2, 0, 0, 2]);
    }

    // Whatever came before, a value is counted where it would be counted alone.
    #[test]
    fn the_bin_of_a_value_does_not_hang_on_those_before_it() {
        for edges in [vec![], vec![1.0], vec![0.0, 1.0], vec![0.0, 1.0, 2.0, 4.0]] {
            let values = [-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, f64::INFINITY, f64::NEG_INFINITY];
            for first in values {
                for second in values {
                    let alone = [counts(&edges, &[first]), counts(&edges, &[second])];
                    let sum: Vec<u64> = alone[0].iter().zip(&alone[1]).map(|(a, b)| a + b).collect();
                    assert_eq!(counts(&edges, &[first, second]), sum, "{first} and {second} on {edges:?}");
                }
            }
        }
    }

    #[test]
    fn sorted_values_are_counted_as_each_of_them_alone() {
        let a = [f64::NEG_INFINITY, -1.0, 0.0, 0.0, 0.5, 1.0, 1.0, 3.0, 4.0, 4.0, 4.5, f64::INFINITY];
        for edges in [vec![], vec![1.0], vec![0.0, 1.0], vec![0.0, 1.0, 2.0, 4.0]] {
            let others: [&[f64]; 3] = [&[], &a[1..6], &[5.0]];
            for b in others {
                let mut binned = Binned::new(edges.clone());
                binned.push_sorted(&a, b);
                let expected: Vec<(u64, u64)> =
                    counts(&edges, &a).into_iter().zip(counts(&edges, b)).collect();
                assert_eq!(binned.counts(), expected, "{b:?} on {edges:?}");
            }
        }
    }

    #[test]
    fn closed_bins_hold_what_lies_outside() {
        for (edges, expected) in [(vec![0.0, 1.0, 2.0], vec![3, 2]), (vec![0.0, 2.0], vec![2, 2, 1])] {
            let mut binned = Binned::new(edges);
            for value in [-1.0, -0.5, 0.5, 1.5, 3.0] {
                binned.push(Step { value, a: 1, b: 0, below_a: 0, below_b: 0 });
            }
            let counts: Vec<u64> = binned.closed().as_slice().iter().map(|cell| cell.a).collect();
            assert_eq!(counts, expected);
        }
    }

    // Two values of each side: both current ones beyond the extremes come in 3 of 6 orders, and one bound of it is 3·(2·1)/(4·3).
    #[test]
    fn what_lies_outside_has_a_bounded_chance() {
        let p = |outside: u64, n: u64, m: u64| {
            let mut binned = Binned::new(vec![0.0, 1.0, 2.0]);
            let mut push = |value, a, b| binned.push(Step { value, a, b, below_a: 0, below_b: 0 });
            push(1.0, n, m - outside);
            push(3.0, 0, outside);
            binned.p_outside()
        };
        assert_eq!(p(2, 2, 2), 0.5);
        assert_eq!(p(0, 10, 10), 1.0);
        assert!(p(80, 1000, 1000) < 1e-20);
        let mut with_infinite = Binned::new(vec![0.0, 1.0]);
        with_infinite.push(Step { value: f64::INFINITY, a: 1, b: 5, below_a: 0, below_b: 0 });
        assert_eq!(with_infinite.p_outside(), 1.0, "the edges are no extremes of the reference");
    }

    #[test]
    fn a_constant_reference_has_one_bin() {
        assert_eq!(counts(&[3.0, 3.0, 3.0], &[2.0, 3.0, 3.0, 4.0]), [1, 2, 1]);
    }

    #[test]
    fn without_edges_everything_is_in_one_bin() {
        assert_eq!(counts(&[f64::INFINITY], &[1.0, 2.0]), [2]);
    }
}
