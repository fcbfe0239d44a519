//! How far chance reaches: a bound of a file of expectations, for the number of rows at hand.

use windvane_stats::binomial::Share;
use windvane_stats::{count_band, exceedances, survival};
use windvane_types::quality::{ColumnExpectations, Expectations, ShareBound};

/// Counts that pass, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// Which ends of a share are bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Less and more are surprises.
    Both,
    /// Only more is one.
    Upper,
}

/// The chance of a false alarm that each bound gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    tests: usize,
    alpha: f64,
    tolerance: f64,
}

impl Bounds {
    /// Shares `alpha` equally among the bounds that chance can break.
    pub(super) fn of(expectations: &Expectations) -> Self {
        let table = &expectations.table;
        let times = table.times.as_ref();
        let of_table = [table.duplicates, times.and_then(|t| t.late), times.and_then(|t| t.out_of_order)];
        let of_table = of_table.iter().filter(|bound| is_learnt(bound.as_ref())).count();
        let of_columns: usize = expectations.columns.iter().map(|(_, column)| tests(column)).sum();
        let tests = of_table + of_columns;
        Self { tests, alpha: expectations.alpha / tests.max(1) as f64, tolerance: expectations.tolerance }
    }

    pub(super) fn tests(&self) -> usize {
        self.tests
    }

    /// The chance of a false alarm of one bound.
    pub(super) fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The counts among `m` rows that pass.
    pub(super) fn counts(&self, bound: &ShareBound, m: u64, ends: Ends) -> Counts {
        self.counts_at(bound, m, (ends, self.alpha))
    }

    /// The same, where several questions share the chance of one bound.
    pub(super) fn counts_at(&self, bound: &ShareBound, m: u64, (ends, alpha): (Ends, f64)) -> Counts {
        let counts = match *bound {
            ShareBound::Limits { min, max } => {
                Counts { low: up(min * m as f64).min(m), high: down(max * m as f64).min(m) }
            }
            ShareBound::Seen { seen, of } => match Share::new(seen.min(of), of) {
                None => Counts { low: 0, high: m },
                Some(share) => {
                    let band = count_band::count_band(share, m, alpha);
                    let mean = share.estimate() * m as f64;
                    Counts {
                        low: band.low.min(up(mean * (1.0 - self.tolerance))),
                        high: band.high.max(down(mean * (1.0 + self.tolerance)).min(m)),
                    }
                }
            },
        };
        match ends {
            Ends::Both => counts,
            Ends::Upper => Counts { low: 0, ..counts },
        }
    }

    /// Values outside the range of `of` earlier ones that pass among `m`.
    pub(super) fn outside(&self, of: u64, m: u64) -> u64 {
        exceedances::highest(of, m, self.alpha)
    }

    /// Different values that pass among `m`: their number grows no faster than the rows.
    pub(super) fn distinct(&self, bound: &ShareBound, m: u64) -> u64 {
        match *bound {
            ShareBound::Limits { max, .. } => down(max),
            ShareBound::Seen { seen, of } => {
                let mean = seen as f64 * (m as f64 / of.max(1) as f64).max(1.0);
                let z = survival::normal_exceeded(self.alpha);
                down(mean * (1.0 + self.tolerance) + z * (2.0 * mean).sqrt()).max(seen)
            }
        }
    }
}

/// How many of the bounds of a column chance can break, each end counted.
fn tests(column: &ColumnExpectations) -> usize {
    let two = |bound: &Option<ShareBound>| 2 * usize::from(is_learnt(bound.as_ref()));
    let one = |bound: &Option<ShareBound>| usize::from(is_learnt(bound.as_ref()));
    let range = column.range.is_some_and(|range| range.of.is_some() && range.share.is_none());
    let length = column.length.is_some_and(|length| length.of.is_some());
    // Categories that nobody has seen are a person's.
    let vanished = column.categories.as_ref().is_some_and(|all| all.iter().any(|one| one.seen > 0));
    let new = vanished && !column.closed;
    two(&column.missing)
        + one(&column.infinite)
        + one(&column.empty)
        + one(&column.most_frequent)
        + one(&column.distinct)
        + [range, length, vanished, new].into_iter().map(usize::from).sum::<usize>()
}

/// One that was learnt from no rows lets everything pass: chance cannot break it.
fn is_learnt(bound: Option<&ShareBound>) -> bool {
    matches!(bound, Some(ShareBound::Seen { of: 1.., .. }))
}

/// The largest count not above; a hair more than a whole number is that number.
#[expect(clippy::cast_sign_loss, reason = "bounded below by zero")]
fn down(count: f64) -> u64 {
    (count + 1e-9).floor().max(0.0) as u64
}

/// The smallest count not below.
#[expect(clippy::cast_sign_loss, reason = "bounded below by zero")]
fn up(count: f64) -> u64 {
    (count - 1e-9).ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::{ShareBound, is_learnt};

    // The bounds of late events and of those out of order, of a window of the store without predictions, counted as two that know their rows.
    #[test]
    fn a_bound_that_was_learnt_from_no_rows_does_not_count() {
        assert!(is_learnt(Some(&ShareBound::Seen { seen: 0, of: 1 })));
        assert!(!is_learnt(Some(&ShareBound::Seen { seen: 0, of: 0 })));
        assert!(!is_learnt(Some(&ShareBound::Limits { min: 0.0, max: 1.0 })));
        assert!(!is_learnt(None));
    }
}
