//! How right a model is: metrics of classifiers, regressions and rankings from sorted walks and mergeable sums, each with an
//! interval, and their estimates from calibrated probabilities where the truth is not known.
//!
//! Rows carry weights; without any each weighs 1 and sums are counts. Intervals under weights use the effective number of rows,
//! (Σw)²/Σw² (Kish).

pub mod calibration;
pub mod confusion;
pub mod errors;
pub mod estimate;
pub mod isotonic;
pub mod loss_model;
pub mod losses;
pub mod mean;
pub mod ranked;
pub mod ranking;
pub mod recommendation;
pub mod threshold;

use crate::experiment::effect::Interval;

/// A metric, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Its value; finite.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// How the interval was made; empty without one.
    pub method: &'static str,
    /// Why there is no value.
    pub reason: Option<Undefined>,
}

/// Why a metric is not defined on some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// There are none with target and prediction.
    NoRows,
    /// All of them are of one class.
    OneClass,
    /// None is positive.
    NoPositives,
    /// None is negative.
    NoNegatives,
    /// None is predicted to be positive.
    NoPredictedPositives,
    /// Neither predicted nor true positives.
    NoPositivesAtAll,
    /// A class of the task does not occur, so that an average over all classes is not defined.
    MissingClass,
    /// A score is no probability.
    ScoreOutsideUnit,
    /// A number is -1 or less, where logarithms of 1 + x are taken.
    BelowMinusOne,
    /// The target has one value only.
    ConstantTarget,
    /// A number is infinite, or a sum is.
    NotFinite,
    /// No group has a relevant item.
    NoRelevantItems,
}

impl Undefined {
    /// The word of the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRows => "no_rows",
            Self::OneClass => "one_class",
            Self::NoPositives => "no_positives",
            Self::NoNegatives => "no_negatives",
            Self::NoPredictedPositives => "no_predicted_positives",
            Self::NoPositivesAtAll => "no_positives_at_all",
            Self::MissingClass => "missing_class",
            Self::ScoreOutsideUnit => "score_outside_0_1",
            Self::BelowMinusOne => "value_at_or_below_minus_1",
            Self::ConstantTarget => "constant_target",
            Self::NotFinite => "not_finite",
            Self::NoRelevantItems => "no_relevant_items",
        }
    }
}

impl Measured {
    /// A value with its interval; not defined where the value is not finite.
    #[must_use]
    pub fn new(value: f64, interval: Option<Interval>, method: &'static str) -> Self {
        if !value.is_finite() {
            return Self::undefined(Undefined::NotFinite);
        }
        let interval = interval.filter(|interval| interval.lo.is_finite() && interval.hi.is_finite());
        let method = if interval.is_some() { method } else { "" };
        Self { value: Some(value), interval, method, reason: None }
    }

    /// No value.
    #[must_use]
    pub fn undefined(reason: Undefined) -> Self {
        Self { value: None, interval: None, method: "", reason: Some(reason) }
    }

    /// The same with an increasing function applied to value and interval.
    #[must_use]
    pub fn map(self, of: impl Fn(f64) -> f64) -> Self {
        let interval = self.interval.map(|interval| Interval { lo: of(interval.lo), hi: of(interval.hi) });
        match self.value {
            Some(value) => Self::new(of(value), interval, self.method),
            None => self,
        }
    }

    /// The same with the interval cut to the values that the metric can have.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        let cut = |interval: Interval| Interval { lo: interval.lo.max(low), hi: interval.hi.min(high) };
        Self { interval: self.interval.map(cut), ..self }
    }
}
