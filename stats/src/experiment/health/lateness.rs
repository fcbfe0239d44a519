//! Lateness: whether data of one arm arrive late more often.
//!
//! Question: could the arms differ only because one arm's outcomes are not here yet?
//! Input: for both arms how many records arrived after the deadline, of all that arrived; the level.
//! Formula: the test of two proportions that fits the counts: pooled z, or Boschloo's or Fisher's where a cell expects fewer
//! than five.
//! Valid when: records are independent; where a unit has many, count units.
//! Degenerate: without records in an arm undecided.
//! Reference: Kohavi, Tang, Xu 2020, doi:10.1017/9781108653985, chapter 21.
//! Oracle: statsmodels 0.15 `proportions_ztest`; SciPy 1.17 `boschloo_exact`.
//! Cost: as of the test.

use crate::{
    binomial::Share,
    experiment::effect::Alternative,
    two_proportions::{Table, Test},
};

/// What lateness says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Both arms are late alike.
    Even,
    /// One arm is late more often.
    Uneven,
    /// No records in an arm.
    Undecided,
}

/// The check's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lateness {
    /// The share of the control that was late.
    pub late_control: Option<f64>,
    /// The arm's.
    pub late: Option<f64>,
    /// The p-value and the test that gave it; `None` where undecided.
    pub p_value: Option<f64>,
    /// Which test.
    pub test: Option<Test>,
    /// What follows.
    pub arrival: Arrival,
}

/// The check at a level such as [`super::ALPHA`]; a share that cannot be made is that of an arm without records.
#[must_use]
pub fn lateness(control: Option<Share>, arm: Option<Share>, alpha: f64) -> Lateness {
    let (late_control, late) = (control.map(Share::estimate), arm.map(Share::estimate));
    let Some((control, treatment)) = control.zip(arm) else {
        return Lateness { late_control, late, p_value: None, test: None, arrival: Arrival::Undecided };
    };
    let chosen = Table { control, treatment }.test(Alternative::TwoSided);
    let arrival = if chosen.p_value < alpha { Arrival::Uneven } else { Arrival::Even };
    Lateness { late_control, late, p_value: Some(chosen.p_value), test: Some(chosen.test), arrival }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, lateness};
    use crate::{binomial::Share, two_proportions::Test};

    #[test]
    fn an_arm_that_is_late_more_often_is_told() {
        let found = lateness(Share::new(100, 10_000), Share::new(200, 10_000), 0.001);
        assert_eq!((found.arrival, found.test), (Arrival::Uneven, Some(Test::PooledZ)));
        assert_eq!((found.late_control, found.late), (Some(0.01), Some(0.02)));
        assert_eq!(lateness(Share::new(100, 10_000), Share::new(101, 9_900), 0.001).arrival, Arrival::Even);
    }

    #[test]
    fn few_late_records_are_counted_exactly() {
        let found = lateness(Share::new(0, 50), Share::new(4, 50), 0.001);
        assert_eq!((found.arrival, found.test), (Arrival::Even, Some(Test::Boschloo)));
    }

    #[test]
    fn no_records_are_undecided() {
        let found = lateness(None, Share::new(4, 50), 0.001);
        assert_eq!((found.arrival, found.late, found.late_control), (Arrival::Undecided, Some(0.08), None));
    }
}
