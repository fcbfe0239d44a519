//! Comparison of two quantiles of rows, with intervals clustered by unit.
//!
//! Question: is the arm's median, p95 or p99 different, where a unit may have many rows?
//! Input: every row is a value. It is fetched in two passes, so that no row has to leave the database:
//! 1. from the number of rows, [`ranks`] names the order statistics to fetch: two around the estimate and the interval's ends;
//! 2. with the estimate Q they give, each unit's (rows at most Q, rows), as [`PairSums`].
//!
//! Formula: Q by type 7 of Hyndman and Fan. With L, U the order statistics at n(q ± z√(q(1-q)/n)), rounded outwards, z at 95 %:
//! variance ((n-1)/n)·((U-L)/2z)²·V/(q(1-q)/n), where V is the variance of the ratio of sums Σ(rows at most Q)/Σ rows over
//! units: 1 row a unit leaves the last factor near 1, rows alike within a unit raise it.
//! Tied values (counts, whole milliseconds): where Q itself is one end of the interval, half of the interval's width is no error. Of counts
//! whose quantile is 6 or 7, as chance has it, both arms have the ends 6 and 7, and the estimates differ by four such errors: of Poisson counts of
//! mean 5 without a difference p75 differed in 32 of 100 samples of 500. There the error is the whole way to the other end, over z, and V is
//! held against p(1-p)/n of the share p of rows at most Q; where that is all of them, rows of a unit count as alike.
//! Valid when: n·min(q, 1-q) is at least 3.84·max(q, 1-q), so that both ranks exist (381 rows for p99); below there is no
//! standard error. Neither is there one where L = U in one arm alone, that is an atom, not certainty. No floor in the unit of
//! the values is used: seconds and microseconds give the same.
//! Reference: Deng, Knoblich, Lu 2018, doi:10.1145/3219819.3219919, section 4; Yao, Li, Lu 2024, arXiv:2401.14549.
//! Oracle: NumPy 2 `np.quantile` for Q; the rest in mpmath.
//! Cost: constant after the two passes.

use super::{
    effect::{Arm, Contrast, finite},
    ratio,
    sums::PairSums,
};

/// The deviate of the 95 % interval whose ends are fetched.
const Z: f64 = 1.959_963_984_540_054;
/// Its square, as the contract of the refusal has it.
const Z_SQUARED: f64 = 3.84;

/// Order statistics to fetch, counted from 1 in ascending order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranks {
    /// The order statistic at or below the quantile.
    pub below: u64,
    /// The one at or above it.
    pub above: u64,
    /// Where the quantile lies between the two, 0 to 1.
    pub fraction: f64,
    /// The lower end of the interval and the upper one; `None` with too few rows for this quantile.
    pub ends: Option<(u64, u64)>,
}

/// Which order statistics tell the quantile `q` of `rows` values; `None` without rows or with `q` outside of (0, 1).
#[must_use]
pub fn ranks(rows: u64, q: f64) -> Option<Ranks> {
    if rows == 0 || !(q > 0.0 && q < 1.0) {
        return None;
    }
    let n = rows as f64;
    let position = (n - 1.0) * q;
    let below = 1 + whole(position.floor());
    let half = Z * (n * q * (1.0 - q)).sqrt();
    let enough = n * q.min(1.0 - q) >= Z_SQUARED * q.max(1.0 - q);
    let ends = (whole((n * q - half).floor()).clamp(1, rows), whole((n * q + half).ceil()).clamp(1, rows));
    Some(Ranks {
        below: below.min(rows),
        above: (below + 1).min(rows),
        fraction: position - position.floor(),
        ends: enough.then_some(ends),
    })
}

impl Ranks {
    /// The quantile between the two order statistics around it.
    #[must_use]
    pub fn estimate(&self, below: f64, above: f64) -> f64 {
        // Nothing is subtracted where both are the same, so that infinite values stay themselves.
        if below == above { below } else { below + self.fraction * (above - below) }
    }
}

/// What the two passes found in one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileArm {
    /// The quantile in question, above 0 and below 1.
    pub q: f64,
    /// Its estimate.
    pub estimate: f64,
    /// The order statistics at the ends of the interval; `None` where [`Ranks::ends`] is.
    pub ends: Option<(f64, f64)>,
    /// For each unit its rows at most the estimate, and its rows.
    pub clusters: PairSums,
}

/// The arm's quantile against the control's; an arm without rows is `None`.
#[must_use]
pub fn quantiles(control: Option<&QuantileArm>, arm: Option<&QuantileArm>) -> Contrast {
    let atom = |side: Option<&QuantileArm>| side.and_then(|side| side.ends).is_some_and(|(lo, hi)| lo == hi);
    let one_atom = atom(control) != atom(arm);
    let of = |side: Option<&QuantileArm>| {
        let Some(side) = side else { return Arm { n: 0, mean: None, variance: None } };
        let variance = side.variance().filter(|_| !one_atom);
        Arm { n: side.clusters.n(), mean: finite(side.estimate), variance }
    };
    Contrast::between(of(control), of(arm))
}

impl QuantileArm {
    /// From the rows themselves, one slice a unit; `None` without rows. Values must not be NaN.
    #[must_use]
    pub fn of_units<'a>(units: impl IntoIterator<Item = &'a [f64]> + Clone, q: f64) -> Option<Self> {
        let mut values: Vec<f64> = units.clone().into_iter().flatten().copied().collect();
        values.sort_by(f64::total_cmp);
        let ranks = ranks(values.len() as u64, q)?;
        let at = |rank: u64| values[usize::try_from(rank - 1).expect("a rank within the slice")];
        let estimate = ranks.estimate(at(ranks.below), at(ranks.above));
        let mut clusters = PairSums::default();
        for unit in units.into_iter().filter(|unit| !unit.is_empty()) {
            let below = unit.iter().filter(|value| **value <= estimate).count();
            clusters.push([below as f64, unit.len() as f64]);
        }
        Some(Self { q, estimate, ends: ranks.ends.map(|(lo, hi)| (at(lo), at(hi))), clusters })
    }

    /// Whether so many rows have the estimate itself that it is one end of the interval.
    #[must_use]
    pub fn is_tied(&self) -> bool {
        self.ends.is_some_and(|(lo, hi)| lo < hi && (self.estimate <= lo || self.estimate >= hi))
    }

    /// The variance of the estimate; `None` where it is refused.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        let (lo, hi) = self.ends?;
        let size = self.clusters.mean(1)?;
        let rows = size * self.clusters.n() as f64;
        let of_units = ratio::of(&self.clusters).variance?;
        let (error, inflation) = if self.is_tied() {
            let share = self.clusters.mean(0)? / size;
            let independent = share * (1.0 - share) / rows;
            let inflation = match independent > 0.0 {
                true => of_units / independent,
                false => self.clusters.covariance(1, 1)? / size + size,
            };
            ((hi - lo) / Z, inflation)
        } else {
            ((hi - lo) / (2.0 * Z), of_units / (self.q * (1.0 - self.q) / rows))
        };
        finite(error * error * ((rows - 1.0) / rows * inflation))
    }
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "whole, and clamped to the rows")]
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::{QuantileArm, Ranks, quantiles, ranks};
    use crate::experiment::{effect::Level, sums::PairSums};

    fn single(values: &[f64], q: f64) -> QuantileArm {
        QuantileArm::of_units(values.chunks(1), q).unwrap()
    }

    fn ladder(n: u32, step: f64) -> Vec<f64> {
        (0..n).map(|i| f64::from(i) * step).collect()
    }

    #[test]
    fn p99_needs_381_rows() {
        assert_eq!(ranks(380, 0.99).unwrap().ends, None);
        // n·q = 377.19, z·√(n·q·(1-q)) = 3.81.
        assert_eq!(ranks(381, 0.99).unwrap().ends, Some((373, 381)));
        assert_eq!(ranks(380, 0.01).unwrap().ends, None);
        assert!(ranks(4, 0.5).unwrap().ends.is_some() && ranks(3, 0.5).unwrap().ends.is_none());
    }

    #[test]
    fn the_estimate_is_type_seven() {
        assert_eq!(ranks(5, 0.5), Some(Ranks { below: 3, above: 4, fraction: 0.0, ends: Some((1, 5)) }));
        // numpy.quantile([0, 10, 20, 30], 0.25) = 7.5.
        assert_eq!(single(&[30.0, 0.0, 20.0, 10.0], 0.25).estimate, 7.5);
        assert_eq!(single(&[4.0], 0.99).estimate, 4.0);
        assert_eq!(
            (ranks(0, 0.5), ranks(5, 0.0), ranks(5, 1.0), ranks(5, f64::NAN)),
            (None, None, None, None)
        );
    }

    #[test]
    fn no_floor_depends_on_the_unit_of_the_values() {
        let level = Level::two_sided(0.05);
        let p = |step: f64| {
            let (control, arm) = (single(&ladder(1000, step), 0.9), single(&ladder(1000, step * 1.02), 0.9));
            let contrast = quantiles(Some(&control), Some(&arm));
            (
                contrast.relative(level).unwrap().se.unwrap(),
                contrast.absolute(level).unwrap().p_value.unwrap(),
            )
        };
        let (seconds, microseconds) = (p(1e-9), p(1e-3));
        assert!((seconds.0 / microseconds.0 - 1.0).abs() < 1e-9);
        assert!((seconds.1 / microseconds.1 - 1.0).abs() < 1e-9);
    }

    // Ten copies of each row in one unit say no more than one row: the standard error must stay about the same, where
    // independent rows would have it a third as large.
    #[test]
    fn copies_within_a_unit_add_nothing() {
        let rows = ladder(2000, 1.0);
        let copies: Vec<f64> = rows.iter().flat_map(|value| [*value; 10]).collect();
        let once = single(&rows, 0.9).variance().unwrap().sqrt();
        let clustered = QuantileArm::of_units(copies.chunks(10), 0.9).unwrap().variance().unwrap().sqrt();
        let naive = single(&copies, 0.9).variance().unwrap().sqrt();
        assert!((clustered / once - 1.0).abs() < 0.05, "{clustered} {once}");
        assert!(naive < 0.4 * once);
    }

    #[test]
    fn too_few_rows_leave_an_estimate_without_error() {
        let (control, arm) = (single(&ladder(100, 1.0), 0.99), single(&ladder(1000, 1.0), 0.99));
        let effect = quantiles(Some(&control), Some(&arm)).absolute(Level::two_sided(0.05)).unwrap();
        assert_eq!((effect.se, effect.ci, effect.p_value), (None, None, None));
        assert!(effect.estimate > 0.0);
    }

    #[test]
    fn equal_values_have_no_p_value() {
        let level = Level::two_sided(0.05);
        let (same, other) = (single(&[5.0; 100], 0.5), single(&ladder(100, 1.0), 0.5));
        let effect = quantiles(Some(&same), Some(&same)).absolute(level).unwrap();
        assert_eq!((effect.se, effect.p_value), (Some(0.0), None));
        // An atom in one arm alone is not certainty.
        assert_eq!(quantiles(Some(&same), Some(&other)).absolute(level).unwrap().se, None);
        assert_eq!(quantiles(None, Some(&other)).absolute, None);
    }

    // Poisson(5) by its distribution function: P(X ≤ 6) = .7622. In the first arm 376 of 500 are 6 or less, in the other one fewer, so that the
    // quantiles are 6 and 7, and the ends of both 6 and 7: the order statistics 356 and 394.
    #[test]
    fn quantiles_of_tied_values_do_not_differ_by_the_step_between_them() {
        let level = Level::two_sided(0.05);
        let counts = |at_most_six: usize| {
            let mut values = vec![5.0; 300];
            values.resize(at_most_six, 6.0);
            values.resize(480, 7.0);
            values.resize(500, 8.0);
            single(&values, 0.75)
        };
        let (control, arm) = (counts(376), counts(374));
        assert_eq!((control.estimate, arm.estimate), (6.0, 7.0));
        assert_eq!((control.ends, arm.ends), (Some((6.0, 7.0)), Some((6.0, 7.0))));
        assert!(control.is_tied() && arm.is_tied());
        let effect = quantiles(Some(&control), Some(&arm)).absolute(level).unwrap();
        // √2/1.96 for a step of 1: SciPy's norm gives p .1658.
        assert!((effect.se.unwrap() - 0.721_551).abs() < 1e-5, "{effect:?}");
        assert!((effect.p_value.unwrap() - 0.166).abs() < 1e-3, "{effect:?}");
        // All rows are at most the estimate, and three of a unit are alike: as many as it has rows count as one.
        let most: Vec<f64> = [4.0, 5.0].into_iter().flat_map(|value| [value; 150]).collect();
        let alike = QuantileArm::of_units(most.chunks(3), 0.55).unwrap();
        assert_eq!((alike.estimate, alike.ends), (5.0, Some((4.0, 5.0))));
        let expected = 3.0 * 299.0 / 300.0 / (1.959_963_984_540_054_f64).powi(2);
        assert!((alike.variance().unwrap() - expected).abs() < 1e-9, "{:?}", alike.variance());
        assert!(!single(&ladder(1000, 1.0), 0.9).is_tied());
    }

    #[test]
    fn one_unit_has_no_error() {
        let unit = QuantileArm::of_units([ladder(500, 1.0).as_slice()], 0.5).unwrap();
        assert_eq!((unit.clusters.n(), unit.variance()), (1, None));
        assert_eq!(PairSums::default().n(), 0);
    }
}
