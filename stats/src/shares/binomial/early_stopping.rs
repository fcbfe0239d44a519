//! Early stopping: how many requests prove that a share of them meets a bound.
//!
//! Question: with `t` requests over the bound, how many must there be to say that at least a share `p` is within it?
//! Input: the share, the confidence, a tolerance; how many were over the bound.
//! Formula: the smallest h with I_{p-d}(h, t+1) < 1 - c, which makes h + t requests: the exact one-sided test of the share p - d.
//! Where the answer must also say "not met", each of the two tests gets half of the error.
//! Valid when: requests are independent.
//! Reference: MLPerf inference rules, appendix "early stopping criterion"; the table of the fixed precision is n = z²p(1-p)/m²
//! with a margin m of a twentieth of 1 - p, and its rounded column the next multiple of 2¹³.
//! Oracle: SciPy 1.17 `scipy.stats.binom.cdf(t, h + t, 1 - p + d)`.
//! Cost: some thirty binomial tails.

use super::{at_least, at_most};
use crate::survival;

/// Requests at most that are searched: a share of 1 - 10⁻⁹ and a million over the bound stay below it.
const REQUESTS_MAX: u64 = 1 << 52;

/// Requests of one load in the rules' table of fixed precision.
const LOAD: f64 = 8192.0;

/// What is to be proved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Claim {
    share: f64,
    confidence: f64,
}

/// What the requests so far prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// At least the share is within the bound.
    Met,
    /// Less than the share is.
    Missed,
    /// Neither is proved yet.
    Open,
}

impl Claim {
    /// At least `share` is within the bound, with `confidence`; `None` unless both are strictly between 0 and 1.
    #[must_use]
    pub fn new(share: f64, confidence: f64) -> Option<Self> {
        let inside = |x: f64| x > 0.0 && x < 1.0;
        (inside(share) && inside(confidence)).then_some(Self { share, confidence })
    }

    /// The same with a tolerance: only `share - tolerance` is to be proved.
    #[must_use]
    pub fn with_tolerance(self, tolerance: f64) -> Option<Self> {
        Self::new(self.share - tolerance, self.confidence)
    }

    /// The fewest requests, those over the bound included, that prove the claim when `over` of them are over it; one-sided.
    #[must_use]
    pub fn requests(&self, over: u64) -> u64 {
        self.search(over, 1.0 - self.confidence)
    }

    /// The same where a missed claim is looked for too, which costs half of the error.
    #[must_use]
    pub fn requests_two_sided(&self, over: u64) -> u64 {
        self.search(over, (1.0 - self.confidence) / 2.0)
    }

    /// What `over` of `requests` prove, each direction at half of the error. One look only: looking after every request raises
    /// the error.
    #[must_use]
    pub fn standing(&self, over: u64, requests: u64) -> Standing {
        let error = (1.0 - self.confidence) / 2.0;
        let allowed = 1.0 - self.share;
        if requests == 0 || over > requests {
            return Standing::Open;
        }
        if at_most(over, requests, allowed) < error {
            return Standing::Met;
        }
        if at_least(over, requests, allowed) < error { Standing::Missed } else { Standing::Open }
    }

    /// Requests that estimate the share within a twentieth of 1 - share, whatever comes out.
    #[must_use]
    pub fn fixed_precision(&self) -> f64 {
        let z = survival::normal_exceeded((1.0 - self.confidence) / 2.0);
        let margin = (1.0 - self.share) / 20.0;
        z * z * self.share * (1.0 - self.share) / (margin * margin)
    }

    /// The same, rounded up to whole loads as the rules do: multiples of 2¹³.
    #[must_use]
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "above 0, and whole")]
    pub fn fixed_precision_rounded(&self) -> u64 {
        (self.fixed_precision() / LOAD).ceil() as u64 * LOAD as u64
    }

    fn search(&self, over: u64, error: f64) -> u64 {
        let allowed = 1.0 - self.share;
        let proves = |requests: u64| at_most(over, requests, allowed) < error;
        let mut high = over.max(1);
        while !proves(high) && high < REQUESTS_MAX {
            high *= 2;
        }
        super::partition(over, high, proves)
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Standing};

    // Field case 29: the MLPerf rules at confidence .99 without tolerance.
    #[test]
    fn case_29_the_table_of_the_rules_is_reproduced() {
        for (share, overs) in [
            (0.9, &[(0, 44), (1, 64), (2, 81), (10, 197)][..]),
            (0.95, &[(0, 90), (1, 130), (2, 165), (10, 398)]),
            (0.97, &[(0, 152), (1, 219), (2, 277), (10, 667)]),
            (0.99, &[(0, 459), (1, 662), (2, 838), (10, 2_010)]),
            (0.999, &[(0, 4_603), (1, 6_636), (2, 8_403), (10, 20_140)]),
        ] {
            for (over, requests) in overs {
                let claim = Claim::new(share, 0.99).unwrap();
                assert_eq!(claim.requests(*over), *requests, "{share} with {over} over");
            }
        }
    }

    // Field case 29: the fixed-precision table of the rules.
    #[test]
    fn case_29_the_fixed_precision_of_the_rules_is_reproduced() {
        for (share, requests, rounded) in [
            (0.9, 23_886.0, 24_576),
            (0.95, 50_425.0, 57_344),
            (0.97, 85_811.0, 90_112),
            (0.99, 262_742.0, 270_336),
        ] {
            let claim = Claim::new(share, 0.99).unwrap();
            assert_eq!(
                (claim.fixed_precision().round(), claim.fixed_precision_rounded()),
                (requests, rounded)
            );
        }
    }

    #[test]
    fn two_sided_claims_take_more_requests() {
        let claim = Claim::new(0.99, 0.95).unwrap();
        assert_eq!(claim.requests_two_sided(0), 368);
        assert_eq!(claim.requests(0), 299);
    }

    #[test]
    fn a_claim_is_met_missed_or_open() {
        let claim = Claim::new(0.99, 0.95).unwrap();
        assert_eq!(claim.standing(0, 368), Standing::Met);
        assert_eq!(claim.standing(0, 367), Standing::Open);
        assert_eq!(claim.standing(10, 100), Standing::Missed);
        assert_eq!(claim.standing(0, 0), Standing::Open);
    }

    #[test]
    fn a_tolerance_asks_for_less() {
        let claim = Claim::new(0.9, 0.99).unwrap();
        let tolerant = claim.with_tolerance(0.01).unwrap();
        assert!(tolerant.requests(3) < claim.requests(3));
        assert_eq!(claim.with_tolerance(0.9), None);
        assert_eq!(Claim::new(1.0, 0.99), None);
    }
}
