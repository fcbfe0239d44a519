//! The picture of a column: counts of both sides on bins that a person can read. No verdict hangs on it.
//!
//! Bins of the methods hold equal shares of the reference, so they would draw it flat; these are of equal width. They reach
//! over the middle of the reference and some way beyond, so that a few far values do not squeeze all others into one bin;
//! what lies outside is counted at both ends.

use windvane_stats::edges::Binned;
use windvane_stats::walk::Walked;
use windvane_store::populations::CategoryRow;
use windvane_types::drift::Distribution;

/// Bins between the outermost edges.
const BINS: u32 = 24;
/// Whole numbers up to this many have a bin each.
const WHOLE_MAX: f64 = 40.0;
/// How far the bins reach beyond the middle eight tenths of the reference, as a share of their length.
const BEYOND: f64 = 0.6;
/// Categories that are drawn by name.
const CATEGORIES: usize = 20;

/// Empty bins for a reference with these quantiles, evenly spaced from the smallest to the largest; `None` without any.
pub(super) fn bins(quantiles: &[f64]) -> Option<Binned> {
    let (first, last) = (*quantiles.first()?, *quantiles.last()?);
    if !(first.is_finite() && last.is_finite()) {
        return None;
    }
    let tenth = quantiles.len().saturating_sub(1).div_ceil(10);
    let (q10, q90) = (quantiles[tenth], quantiles[quantiles.len() - 1 - tenth]);
    let (low, high) = match q90 - q10 {
        length if length > 0.0 => (first.max(q10 - BEYOND * length), last.min(q90 + BEYOND * length)),
        _ => (first, last),
    };
    let whole = quantiles.iter().all(|edge| edge.fract() == 0.0);
    let edges = if high <= low {
        // A constant has one bin around it.
        let around = (low.abs() * 1e-6).max(0.5);
        vec![low - around, low + around]
    } else if whole && high - low <= WHOLE_MAX {
        let (low, high) = (low.ceil(), high.floor());
        (0..=(high - low) as i32 + 1).map(|i| low - 0.5 + f64::from(i)).collect()
    } else {
        (0..=BINS).map(|i| low + (high - low) * f64::from(i) / f64::from(BINS)).collect()
    };
    Some(Binned::new(edges))
}

/// The counts of a finished walk, where it was given bins to draw: the last ones.
pub(super) fn of_walk(walked: &Walked) -> Option<Distribution> {
    let [_, .., binned] = walked.binned.as_slice() else { return None };
    let (reference, current) = binned.counts().iter().copied().unzip();
    Some(Distribution { edges: binned.edges().to_vec(), categories: Vec::new(), reference, current })
}

/// The most frequent categories of both sides, and all others together.
pub(super) fn of_categories(rows: &[&CategoryRow]) -> Distribution {
    let total = |of: fn(&CategoryRow) -> u64| rows.iter().map(|row| of(row) * row.times).sum::<u64>().max(1);
    let (n, m) = (total(|row| row.a) as f64, total(|row| row.b) as f64);
    let share = |row: &CategoryRow| row.a as f64 / n + row.b as f64 / m;
    let mut named: Vec<&CategoryRow> = rows.iter().copied().filter(|row| row.times == 1).collect();
    named.sort_by(|a, b| share(b).total_cmp(&share(a)).then_with(|| a.category.cmp(&b.category)));
    named.truncate(CATEGORIES);
    let counts = |of: fn(&CategoryRow) -> u64| {
        let mut counts: Vec<u64> = named.iter().map(|row| of(row)).collect();
        let others = rows.iter().map(|row| of(row) * row.times).sum::<u64>() - counts.iter().sum::<u64>();
        counts.push(others);
        counts
    };
    Distribution {
        edges: Vec::new(),
        reference: counts(|row| row.a),
        current: counts(|row| row.b),
        categories: named.into_iter().map(|row| row.category.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(quantiles: &[f64]) -> Vec<f64> {
        bins(quantiles).unwrap().edges().to_vec()
    }

    #[test]
    fn far_values_do_not_squeeze_the_others() {
        let quantiles: Vec<f64> = (0..10).map(|i| f64::from(i) + 0.5).chain([1e9]).collect();
        let edges = edges(&quantiles);
        assert_eq!(edges.len(), 25);
        assert!(edges[0] >= 0.5 && edges[24] < 20.0, "{edges:?}");
    }

    #[test]
    fn few_whole_numbers_have_a_bin_each() {
        assert_eq!(edges(&[1.0, 2.0, 4.0]), [0.5, 1.5, 2.5, 3.5, 4.5]);
    }

    #[test]
    fn a_constant_has_one_bin_and_nothing_has_none() {
        assert_eq!(edges(&[3.0, 3.0, 3.0]), [2.5, 3.5]);
        assert_eq!(edges(&[1e12, 1e12]).len(), 2);
        assert!(bins(&[]).is_none() && bins(&[f64::NEG_INFINITY, 1.0]).is_none());
    }

    #[test]
    fn rare_categories_are_drawn_together() {
        let row = |category: &str, a, b, times| CategoryRow {
            column: 0,
            segment: 0,
            a,
            b,
            times,
            category: category.to_owned(),
            spelling: 2,
        };
        let rows = [row("a", 5, 1, 1), row("b", 1, 9, 1), row("c", 1, 0, 7)];
        let found = of_categories(&rows.iter().collect::<Vec<_>>());
        assert_eq!(found.categories, ["b", "a"]);
        assert_eq!((found.reference, found.current), (vec![1, 5, 7], vec![9, 1, 0]));
    }
}
