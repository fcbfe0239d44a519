//! The interval of a share that holds at every look.
//!
//! Question: which true shares are compatible with what was counted so far, however often somebody looks and whenever counting stops?
//! Input: successes and trials; the confidence, strictly between 0 and 1.
//! Formula: the shares p with B(k + ½, n - k + ½) / B(½, ½) < p^k (1 - p)^(n - k) / α. The left side over the power is a martingale
//! with mean 1 where p is true (the mixture of all shares by the density of Beta(½, ½) against p), so that it ever reaches 1/α
//! with a chance of at most α.
//! Valid when: trials are independent with one share; at every look together, where an exact interval holds at one alone.
//! Reference: Robbins 1970, doi:10.1214/aoms/1177696786, section 3; Ville's inequality.
//! Oracle: SciPy 1.17 `scipy.special.betaln`, `xlogy` and `scipy.optimize.brentq` on the formula.
//! Cost: some hundred logarithms.

use statrs::function::gamma::ln_gamma;

use super::{Share, ShareInterval};
use crate::experiment::effect::Interval;

/// The density of shares that are mixed: Jeffreys', which is sharp for rare successes, too.
const PRIOR: f64 = 0.5;
/// Halvings until two neighbouring numbers are left, also next to 0.
const HALVINGS: u32 = 200;

/// The interval; `None` for a confidence outside of (0, 1).
#[must_use]
pub fn every_look(share: Share, confidence: f64) -> Option<ShareInterval> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let (k, rest) = (share.k() as f64, (share.n() - share.k()) as f64);
    let mixed = ln_beta(k + PRIOR, rest + PRIOR) - ln_beta(PRIOR, PRIOR) + (1.0 - confidence).ln();
    // Falls from 0 to the estimate and rises from there to 1.
    let is_out = |p: f64| mixed >= times_ln(k, p.ln()) + times_ln(rest, (-p).ln_1p());
    let estimate = share.estimate();
    let lo = if share.k() == 0 { 0.0 } else { border(is_out, (0.0, estimate)) };
    let hi = if share.k() == share.n() { 1.0 } else { border(is_out, (1.0, estimate)) };
    Some(ShareInterval { estimate, interval: Interval { lo, hi } })
}

/// The last share that is out, between one that is out and one that is in.
fn border(is_out: impl Fn(f64) -> bool, (mut out, mut inside): (f64, f64)) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(out, inside);
        if is_out(middle) {
            out = middle;
        } else {
            inside = middle;
        }
    }
    out
}

/// A product with a logarithm, 0 without a factor.
fn times_ln(times: f64, ln: f64) -> f64 {
    if times == 0.0 { 0.0 } else { times * ln }
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

#[cfg(test)]
mod tests {
    use super::every_look;
    use crate::binomial::{Share, clopper_pearson::clopper_pearson};

    /// Against the oracle's root finder.
    const TOLERANCE: f64 = 1e-9;

    // brentq(lambda p: betaln(k+.5, n-k+.5) - betaln(.5, .5) - xlogy(k, p) - xlogy(n-k, 1-p) + log(.05), …)
    #[test]
    fn the_ends_are_those_of_the_oracle() {
        for ((k, n), lo, hi) in [
            ((0, 1000), 0.0, 0.006_997_502_521_426_764),
            ((5, 1000), 0.000_539_304_165_843_947_6, 0.018_003_858_871_300_956),
            ((50, 100), 0.338_257_552_645_791_55, 0.661_742_447_354_208_4),
            ((100, 100), 0.942_971_402_361_227_5, 1.0),
            ((1, 1), 0.025, 1.0),
        ] {
            let found = every_look(Share::new(k, n).unwrap(), 0.95).unwrap().interval;
            assert!(
                (found.lo - lo).abs() < TOLERANCE && (found.hi - hi).abs() < TOLERANCE,
                "{k}/{n}: {found:?}"
            );
        }
    }

    #[test]
    fn it_is_wider_than_the_interval_of_one_look() {
        for (k, n) in [(0, 10), (3, 500), (499, 500), (20_000, 1_000_000)] {
            let share = Share::new(k, n).unwrap();
            let (all, one) = (every_look(share, 0.95).unwrap(), clopper_pearson(share, 0.95).unwrap());
            assert!(all.interval.lo <= one.interval.lo && all.interval.hi >= one.interval.hi, "{k}/{n}");
        }
    }

    /// The exact chance that any of the first looks misses the true share, summed over all ways to count.
    fn missed_at_any_look(p: f64, looks: u64) -> f64 {
        let (mut alive, mut missed) = (vec![1.0], 0.0);
        for n in 1..=looks {
            let mut next = vec![0.0; alive.len() + 1];
            for (k, chance) in alive.iter().enumerate() {
                next[k] += chance * (1.0 - p);
                next[k + 1] += chance * p;
            }
            for (k, chance) in next.iter_mut().enumerate() {
                let found = every_look(Share::new(k as u64, n).unwrap(), 0.9).unwrap().interval;
                if p < found.lo || p > found.hi {
                    missed += *chance;
                    *chance = 0.0;
                }
            }
            alive = next;
        }
        missed
    }

    #[test]
    fn looking_after_every_trial_misses_no_more_often_than_it_says() {
        for p in [0.01, 0.3, 0.5] {
            let missed = missed_at_any_look(p, 80);
            assert!(missed <= 0.1, "{p}: {missed}");
            assert!(missed > 0.0 || p < 0.02, "{p}: looks do miss at times");
        }
    }
}
