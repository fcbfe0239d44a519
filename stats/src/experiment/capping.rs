//! Capping: extreme values are set to a limit, so that a few units do not decide.
//!
//! Question: to which limits are values cut, and how many does that touch?
//! Input: limits as values, or as percentiles of the values of *all* arms together: limits of each arm for itself would hide a
//! difference in the tails.
//! Formula: x becomes min(max(x, lower), upper); a percentile is type 7 of Hyndman and Fan, over all units or only those that are
//! not 0.
//! Valid when: the tails are not what the experiment is about. The metric is another one after it, and is told so.
//! Reference: Dixon 1960, doi:10.1214/aoms/1177705900 (winsorised means); Tukey 1962, doi:10.1214/aoms/1177704711.
//! Oracle: NumPy 2 `np.clip(x, *np.quantile(x, [lower, upper]))`.
//! Cost: constant a value.

use thiserror::Error;

/// Where a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// A value of the metric.
    Value(f64),
    /// A share of the units, 0 to 1.
    Percentile(f64),
}

/// Which values a percentile counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counted {
    /// Every unit.
    #[default]
    All,
    /// Units whose value is not 0: most units buy nothing, and the percentile is meant for buyers.
    NotZero,
}

/// What is cut.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rule {
    /// The lower limit.
    pub lower: Option<Bound>,
    /// The upper limit.
    pub upper: Option<Bound>,
    /// Which values percentiles count.
    pub counted: Counted,
}

/// The limits as values; an infinite one cuts nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Values below become it.
    pub lower: f64,
    /// Values above become it.
    pub upper: f64,
}

/// Why there are no limits.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum CappingError {
    /// A limit is no number, or a percentile outside of 0 to 1.
    #[error("`{0}` is no limit")]
    NotALimit(f64),
    /// The percentile of no values.
    #[error("there are no values to take a percentile of")]
    NoValues,
    /// Nothing would be left between the limits.
    #[error("the lower limit {lower} is above the upper limit {upper}")]
    Crossed {
        /// The lower limit.
        lower: f64,
        /// The upper one.
        upper: f64,
    },
}

impl Rule {
    /// The percentiles to fetch before [`Rule::limits`] can answer.
    #[must_use]
    pub fn percentiles(&self) -> Vec<f64> {
        let percentile = |bound: Option<Bound>| match bound {
            Some(Bound::Percentile(share)) => Some(share),
            _ => None,
        };
        [self.lower, self.upper].into_iter().filter_map(percentile).collect()
    }

    /// The limits, asking `percentile` for each one that is needed.
    ///
    /// # Errors
    /// Where a limit is none, a percentile has no values, or the limits cross.
    pub fn limits(&self, percentile: impl Fn(f64) -> Option<f64>) -> Result<Limits, CappingError> {
        let of = |bound: Option<Bound>, open: f64| match bound {
            None => Ok(open),
            Some(Bound::Value(value)) if value.is_finite() => Ok(value),
            Some(Bound::Percentile(share)) if (0.0..=1.0).contains(&share) => {
                percentile(share).ok_or(CappingError::NoValues)
            }
            Some(Bound::Value(bad) | Bound::Percentile(bad)) => Err(CappingError::NotALimit(bad)),
        };
        let (lower, upper) = (of(self.lower, f64::NEG_INFINITY)?, of(self.upper, f64::INFINITY)?);
        if lower > upper { Err(CappingError::Crossed { lower, upper }) } else { Ok(Limits { lower, upper }) }
    }

    /// The limits of these values, ascending, of all arms together.
    ///
    /// # Errors
    /// As for [`Rule::limits`].
    pub fn limits_of(&self, ascending: &[f64]) -> Result<Limits, CappingError> {
        match self.counted {
            Counted::All => self.limits(|share| quantile(ascending, share)),
            Counted::NotZero => {
                let kept: Vec<f64> = ascending.iter().copied().filter(|value| *value != 0.0).collect();
                self.limits(|share| quantile(&kept, share))
            }
        }
    }
}

impl Limits {
    /// The value between the limits.
    #[must_use]
    pub fn cap(&self, value: f64) -> f64 {
        value.clamp(self.lower, self.upper)
    }

    /// Whether a value is changed.
    #[must_use]
    pub fn touches(&self, value: f64) -> bool {
        value < self.lower || value > self.upper
    }
}

fn quantile(ascending: &[f64], share: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let position = share * last as f64;
    #[expect(clippy::cast_sign_loss, reason = "a position in the slice")]
    let at = (position.floor() as usize).min(last);
    let (low, high) = (ascending[at], ascending[(at + 1).min(last)]);
    Some(if low == high { low } else { low + (position - position.floor()) * (high - low) })
}

#[cfg(test)]
mod tests {
    use super::{Bound, CappingError, Counted, Limits, Rule};

    // Oracle: NumPy 2 `np.quantile([0, 0, 0, 1, 2, 3, 100], [.1, .9])`: 0 and 41.8.
    #[test]
    fn percentiles_are_those_of_all_values() {
        let values = [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 100.0];
        let rule = Rule {
            lower: Some(Bound::Percentile(0.1)),
            upper: Some(Bound::Percentile(0.9)),
            counted: Counted::All,
        };
        let limits = rule.limits_of(&values).unwrap();
        assert!((limits.upper - 41.8).abs() < 1e-12 && limits.lower == 0.0);
        assert_eq!(rule.percentiles(), [0.1, 0.9]);
        assert_eq!((limits.cap(100.0), limits.cap(2.0)), (limits.upper, 2.0));
        assert!(limits.touches(100.0) && !limits.touches(3.0));
    }

    #[test]
    fn zeros_can_be_left_out_of_the_count() {
        let values = [0.0, 0.0, 0.0, 1.0, 2.0, 3.0];
        let rule = Rule { upper: Some(Bound::Percentile(0.5)), counted: Counted::NotZero, ..Rule::default() };
        assert_eq!(rule.limits_of(&values).unwrap().upper, 2.0);
        assert_eq!(rule.limits_of(&[0.0, 0.0]), Err(CappingError::NoValues));
    }

    #[test]
    fn no_rule_cuts_nothing() {
        let limits = Rule::default().limits_of(&[]).unwrap();
        assert_eq!(limits, Limits { lower: f64::NEG_INFINITY, upper: f64::INFINITY });
        assert!(!limits.touches(1e300));
    }

    #[test]
    fn limits_that_are_none_are_refused() {
        let upper = |bound| Rule { upper: Some(bound), ..Rule::default() }.limits_of(&[1.0]);
        assert_eq!(upper(Bound::Percentile(1.5)), Err(CappingError::NotALimit(1.5)));
        assert!(upper(Bound::Value(f64::NAN)).is_err());
        let crossed =
            Rule { lower: Some(Bound::Value(2.0)), upper: Some(Bound::Value(1.0)), counted: Counted::All };
        assert_eq!(crossed.limits_of(&[1.0]), Err(CappingError::Crossed { lower: 2.0, upper: 1.0 }));
    }
}
