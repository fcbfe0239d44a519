//! Two independent proportions: which test fits the counts, and why.
//!
//! Question: is the share of successes another one in the second group, and may the normal limit be trusted to say so?
//! Input: successes and trials of both groups, the first being the control.
//! Formula: Boschloo's exact test where a cell of the 2×2 table expects fewer than 5 and the tables can be enumerated, Fisher's
//! where they cannot, the pooled z elsewhere.
//! Valid when: trials are independent.
//! Reference: Cochran 1954, doi:10.2307/3001616 (the rule of five); Mehrotra, Chan, Berger 2003, doi:10.1111/1541-0420.00051
//! (why Boschloo among the exact ones).
//! Oracle: as of the test that is chosen.
//! Cost: constant, or that of the exact test.

pub mod barnard;
pub mod boschloo;
pub mod likelihood_ratio;
mod nuisance;
pub mod pooled;

use crate::{binomial::Share, cells::Cell, experiment::effect::Alternative, fisher_exact};

/// Expected count below which the normal limit is not used.
pub const EXPECTED_MIN: f64 = 5.0;
/// Tables at most that an unconditional test enumerates: two groups of a thousand, some seconds.
pub const TABLES_MAX: u64 = 1_002_001;

/// Successes and trials of two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The control.
    pub control: Share,
    /// The group that is compared with it.
    pub treatment: Share,
}

/// A p-value with the test that gave it and the reason for that test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// Two-sided unless asked otherwise; never 0.
    pub p_value: f64,
    /// Which test.
    pub test: Test,
    /// Why.
    pub reason: Reason,
}

/// How the variance of the difference is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variance {
    /// From both groups together, p̄(1-p̄)(1/n+1/m): as if there were no difference.
    #[default]
    Pooled,
    /// From each group for itself, p(1-p)/n + q(1-q)/m.
    Unpooled,
}

/// The test that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// [`pooled::pooled_z`] without correction for continuity.
    PooledZ,
    /// [`boschloo::boschloo`].
    Boschloo,
    /// [`fisher_exact`].
    Fisher,
}

/// Why a test was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// Every cell expects at least [`EXPECTED_MIN`].
    EnoughExpected {
        /// The smallest expected count.
        expected: f64,
    },
    /// A cell expects fewer, so the test is exact.
    FewExpected {
        /// The smallest expected count.
        expected: f64,
    },
    /// A cell expects fewer, but there are too many tables for an unconditional test.
    TooManyTables {
        /// How many there are.
        tables: u64,
    },
}

impl Table {
    /// The change of the share.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.treatment.estimate() - self.control.estimate()
    }

    /// The smallest count that a cell expects if both groups have one share.
    #[must_use]
    pub fn smallest_expected(&self) -> f64 {
        let (n, m) = (self.control.n() as f64, self.treatment.n() as f64);
        let successes = (self.control.k() + self.treatment.k()) as f64;
        let rarer = successes.min(n + m - successes);
        rarer * n.min(m) / (n + m)
    }

    /// How many tables have these group sizes.
    #[must_use]
    pub fn tables(&self) -> u64 {
        self.control.n().saturating_add(1).saturating_mul(self.treatment.n().saturating_add(1))
    }

    /// The p-value by the test that fits the counts.
    #[must_use]
    pub fn test(&self, alternative: Alternative) -> Chosen {
        let expected = self.smallest_expected();
        if expected >= EXPECTED_MIN {
            let p_value = pooled::pooled_z(self, pooled::Continuity::None, alternative);
            return Chosen { p_value, test: Test::PooledZ, reason: Reason::EnoughExpected { expected } };
        }
        if let Some(exact) = boschloo::boschloo(self, alternative) {
            let reason = Reason::FewExpected { expected };
            return Chosen { p_value: exact.p_value, test: Test::Boschloo, reason };
        }
        let reason = Reason::TooManyTables { tables: self.tables() };
        Chosen { p_value: fisher(self, alternative), test: Test::Fisher, reason }
    }
}

/// Fisher's exact p-value; `Greater`: the treatment's share is larger.
#[must_use]
pub fn fisher(table: &Table, alternative: Alternative) -> f64 {
    let (control, treatment) = (table.control, table.treatment);
    let p = match alternative {
        Alternative::TwoSided => fisher_exact::two_sided(
            Cell::new(control.k(), treatment.k()),
            Cell::new(control.n() - control.k(), treatment.n() - treatment.k()),
        ),
        Alternative::Less => fisher_exact::at_most(treatment, control),
        Alternative::Greater => fisher_exact::at_most(control, treatment),
    };
    p.clamp(f64::MIN_POSITIVE, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{Reason, Table, Test};
    use crate::{binomial::Share, experiment::effect::Alternative};

    fn table(k: u64, n: u64, l: u64, m: u64) -> Table {
        Table { control: Share::new(k, n).unwrap(), treatment: Share::new(l, m).unwrap() }
    }

    #[test]
    fn few_expected_counts_are_tested_exactly() {
        let chosen = table(0, 12, 4, 11).test(Alternative::TwoSided);
        assert_eq!(chosen.test, Test::Boschloo);
        let Reason::FewExpected { expected } = chosen.reason else { panic!("{chosen:?}") };
        assert!((expected - 4.0 * 11.0 / 23.0).abs() < 1e-12);
    }

    #[test]
    fn enough_expected_counts_take_the_limit() {
        let chosen = table(100, 1000, 130, 1000).test(Alternative::TwoSided);
        assert_eq!((chosen.test, chosen.reason), (Test::PooledZ, Reason::EnoughExpected { expected: 115.0 }));
    }

    #[test]
    fn rare_successes_in_many_trials_take_fisher() {
        let chosen = table(0, 100_000, 7, 100_000).test(Alternative::TwoSided);
        assert_eq!(chosen.test, Test::Fisher);
        // 2·(1/2)^7 but for the finite population.
        assert!((chosen.p_value / 0.015_625 - 1.0).abs() < 1e-3, "{chosen:?}");
    }

    #[test]
    fn groups_that_are_all_alike_have_p_one() {
        for (k, n, l, m) in [(0, 3, 0, 5), (3, 3, 5, 5), (0, 100_000, 0, 100_000)] {
            assert_eq!(table(k, n, l, m).test(Alternative::TwoSided).p_value, 1.0);
        }
    }
}
