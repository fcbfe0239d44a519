//! Two shares of units, as they are or adjusted: how far the arm's is beyond the control's, with the error that it has if it is not. Pure.
//!
//! Many looks and tests against margins go by it. The error that the arms themselves show is none where a small one has met no success by chance,
//! whether a covariate or strata have adjusted it or not.

use windvane_stats::experiment::{
    cuped::{self, Law, Laws},
    effect::Estimate,
    post_stratified::{self, Stratum},
    proportion::{self, Proportion},
    sums::{PairSums, Sums},
};

use super::{
    compare,
    facts::{ArmMetric, ArmSums},
};

/// Control and arm.
#[derive(Debug, Clone)]
pub(super) enum Shares<'a> {
    /// As they are.
    Plain([&'a Proportion; 2]),
    /// Each with its covariate.
    Adjusted([&'a PairSums; 2], Laws),
    /// Within strata.
    Stratified(Vec<Stratum>),
}

impl<'a> Shares<'a> {
    /// Those of two arms of a metric; `None` where it is no proportion.
    pub(super) fn of(
        arms: &'a [ArmMetric],
        (control, arm): (usize, usize),
        strata: Option<&[Vec<Sums>]>,
    ) -> Option<Self> {
        match (&arms[control].sums, &arms[arm].sums, strata) {
            (ArmSums::Proportion(_), ArmSums::Proportion(_), Some(strata)) => {
                Some(Self::Stratified(compare::strata(strata, (control, arm))))
            }
            (ArmSums::Proportion(control), ArmSums::Proportion(arm), None) => {
                Some(Self::Plain([control, arm]))
            }
            (ArmSums::Adjusted(control, laws), ArmSums::Adjusted(arm, other), _)
                if [laws.value, other.value] == [Law::Proportion; 2] =>
            {
                Some(Self::Adjusted([control, arm], compare::of_both(*laws, *other)))
            }
            _ => None,
        }
    }

    /// The arm's share beyond 1 + `null` times the control's.
    pub(super) fn beyond(&self, null: f64) -> Option<Estimate> {
        match self {
            Self::Plain([control, arm]) => proportion::beyond(control, arm, null),
            Self::Adjusted([control, arm], laws) => cuped::shares_beyond(control, arm, *laws, null),
            Self::Stratified(strata) => post_stratified::shares_beyond(strata, null),
        }
    }
}
