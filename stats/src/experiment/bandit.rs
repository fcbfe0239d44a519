//! Bandit weights: how traffic would be dealt out next, if earning mattered more than knowing.
//!
//! Question: which share should each arm get, given how likely it is the best?
//! Input: each arm's mean and standard error, larger being better; the floor below which no arm is put.
//! Formula: Thompson: αᵢ = P(arm i is best) = ∫ φ(z)·Πⱼ Φ((mᵢ + sᵢz - mⱼ)/sⱼ) dz for independent normal posteriors. Top-two:
//! ψᵢ = αᵢ(β + (1-β)Σⱼ αⱼ/(1-αⱼ)), j other than i, β = ½, which keeps testing the runner-up; where 1 - αⱼ has no digits, αᵢ/(1-αⱼ) is the
//! chance to be the best without j. Arms below the floor are put on it, and
//! the others give in proportion.
//! Valid when: estimates are about normal. Advice only: weights that move while the experiment runs bias plain means, and a
//! change of users over time looks like an effect.
//! Degenerate: an arm without a standard error above 0 leaves no advice; one arm gets everything; a floor that all together cannot
//! have gives equal shares.
//! Reference: Thompson 1933, doi:10.2307/2332286; Russo 2020, doi:10.1287/opre.2019.1911 (top-two), section 3.
//! Oracle: SciPy 1.17 `scipy.integrate.quad` of the same integrand; for two arms Φ(Δ/√(s₁²+s₂²)).
//! Cost: some thousand products of k error functions an arm.

use crate::survival;

/// The floor that peers use.
pub const FLOOR: f64 = 0.01;
/// How often top-two deals to the best itself.
const BETA: f64 = 0.5;
/// Chances of all others below which they have no digits to share out.
const CERTAIN: f64 = 1e-12;
/// Standard deviations that are integrated.
const REACH: f64 = 9.0;
/// Panels of Simpson's rule between two breakpoints.
const PANELS: u32 = 96;

/// What is known of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    /// The mean; larger is better.
    pub mean: f64,
    /// Its standard error.
    pub se: f64,
}

/// Advice for each arm, in the order of the arms.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// The chance that the arm is the best.
    pub probability_best: Vec<f64>,
    /// Thompson's shares, with the floor.
    pub thompson: Vec<f64>,
    /// Top-two shares, with the floor.
    pub top_two: Vec<f64>,
}

/// The advice; `None` without arms, with one that has no standard error above 0, or for a floor outside of [0, 1].
#[must_use]
pub fn advice(arms: &[Posterior], floor: f64) -> Option<Advice> {
    let known = |arm: &Posterior| arm.mean.is_finite() && arm.se.is_finite() && arm.se > 0.0;
    if arms.is_empty() || !arms.iter().all(known) || !(0.0..=1.0).contains(&floor) {
        return None;
    }
    let raw: Vec<f64> = (0..arms.len()).map(|at| best(arms, at)).collect();
    let total: f64 = raw.iter().sum();
    let best: Vec<f64> = raw.iter().map(|chance| chance / total).collect();
    let top_two = top_two(arms, &best);
    Some(Advice {
        thompson: floored(&best, floor),
        top_two: floored(&top_two, floor),
        probability_best: best,
    })
}

/// The chance that one arm is above all others, integrated between the points where another one's step lies.
fn best(arms: &[Posterior], at: usize) -> f64 {
    let own = arms[at];
    let others = || arms.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, arm)| arm);
    let chance = |z: f64| {
        let value = own.mean + own.se * z;
        let below: f64 = others().map(|arm| survival::normal((arm.mean - value) / arm.se)).product();
        (-0.5 * z * z).exp() * below
    };
    let mut breaks = vec![-REACH, -4.0, -2.0, 0.0, 2.0, 4.0, REACH];
    for arm in others() {
        let (middle, width) = ((arm.mean - own.mean) / own.se, arm.se / own.se);
        breaks
            .extend([-REACH, -3.0, 0.0, 3.0, REACH].map(|step| (middle + step * width).clamp(-REACH, REACH)));
    }
    breaks.sort_by(f64::total_cmp);
    let parts = breaks.windows(2).filter(|part| part[1] > part[0]);
    parts.map(|part| simpson(part[0], part[1], chance)).sum::<f64>() / std::f64::consts::TAU.sqrt()
}

fn simpson(low: f64, high: f64, of: impl Fn(f64) -> f64) -> f64 {
    let width = (high - low) / f64::from(PANELS);
    let inner = (1..PANELS).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * of(low + width * f64::from(i)));
    (of(low) + inner.sum::<f64>() + of(high)) * width / 3.0
}

/// ψ from α, and from the chances among the rest where one arm is so far ahead that its losses have no digits.
fn top_two(arms: &[Posterior], best: &[f64]) -> Vec<f64> {
    let mut shares: Vec<f64> = best.iter().map(|chance| BETA * chance).collect();
    for (leader, chance) in best.iter().enumerate() {
        let others = (0..arms.len()).filter(|at| *at != leader);
        let behind: f64 = others.clone().map(|at| best[at]).sum();
        let rest: Vec<f64> = if behind > CERTAIN {
            others.clone().map(|at| best[at]).collect()
        } else {
            let rest: Vec<Posterior> = others.clone().map(|at| arms[at]).collect();
            (0..rest.len()).map(|at| self::best(&rest, at)).collect()
        };
        let total: f64 = rest.iter().sum();
        for (at, part) in others.zip(&rest) {
            shares[at] += (1.0 - BETA) * chance * part / total;
        }
    }
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| share / total).collect()
}

/// Puts arms below the floor on it; the others give in proportion to what they have.
fn floored(shares: &[f64], floor: f64) -> Vec<f64> {
    let count = shares.len() as f64;
    if floor * count >= 1.0 {
        return vec![1.0 / count; shares.len()];
    }
    let mut lifted = vec![false; shares.len()];
    loop {
        let free = 1.0 - floor * lifted.iter().filter(|lifted| **lifted).count() as f64;
        let sum: f64 =
            shares.iter().zip(&lifted).filter(|(_, lifted)| !**lifted).map(|(share, _)| share).sum();
        let scaled = |share: f64| share / sum * free;
        let mut more = false;
        for (share, lifted) in shares.iter().zip(&mut lifted) {
            if !*lifted && scaled(*share) < floor {
                *lifted = true;
                more = true;
            }
        }
        if !more {
            let of = |(share, lifted): (&f64, &bool)| if *lifted { floor } else { scaled(*share) };
            return shares.iter().zip(&lifted).map(of).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FLOOR, Posterior, advice};
    use crate::survival;

    fn arms(arms: &[(f64, f64)]) -> Vec<Posterior> {
        arms.iter().map(|(mean, se)| Posterior { mean: *mean, se: *se }).collect()
    }

    // For two arms the chance is Φ of the difference, however unlike the errors are.
    #[test]
    fn two_arms_have_a_closed_form() {
        for (a, b) in [((1.0, 0.5), (1.3, 0.2)), ((1.0, 1.0), (1.1, 1e-4)), ((0.0, 1e-3), (0.002, 1e-3))] {
            let expected = survival::normal((b.0 - a.0) / f64::hypot(a.1, b.1));
            let found = advice(&arms(&[a, b]), 0.0).unwrap().probability_best;
            assert!((found[0] - expected).abs() < 1e-8, "{found:?} instead of {expected}");
        }
    }

    // Oracle: SciPy 1.17 `quad(lambda x: norm.pdf(x, m[i], s[i])*prod(norm.cdf(x, m[j], s[j])), …, points=m)`.
    #[test]
    fn four_arms_agree_with_scipy() {
        let found = advice(&arms(&[(1.0, 0.3), (1.2, 0.1), (0.5, 0.9), (1.1, 0.2)]), 0.0).unwrap();
        for (actual, expected) in found.probability_best.iter().zip([
            0.18276853896932843,
            0.40576195100367707,
            0.1933171550262775,
            0.21815235500071725,
        ]) {
            assert!((actual - expected).abs() < 1e-8, "{found:?}");
        }
    }

    #[test]
    fn a_certain_winner_leaves_the_floor_to_the_others() {
        let found = advice(&arms(&[(0.0, 0.01), (9.0, 0.01), (0.1, 0.01)]), FLOOR).unwrap();
        assert_eq!(found.thompson, [0.01, 0.98, 0.01]);
        // Top-two keeps half for the runner-up, however unlikely it is.
        assert!(found.top_two[1] < 0.51 && found.top_two.iter().all(|share| *share >= 0.01), "{found:?}");
    }

    #[test]
    fn equal_arms_share_equally() {
        let found = advice(&arms(&[(1.0, 0.2); 5]), FLOOR).unwrap();
        for share in found.thompson.iter().chain(&found.top_two) {
            assert!((share - 0.2).abs() < 1e-12);
        }
    }

    #[test]
    fn one_arm_gets_everything_and_no_arm_gets_no_advice() {
        let found = advice(&arms(&[(1.0, 0.2)]), FLOOR).unwrap();
        assert_eq!((found.thompson, found.top_two), (vec![1.0], vec![1.0]));
        assert_eq!(advice(&[], FLOOR), None);
        assert_eq!(advice(&arms(&[(1.0, 0.0), (1.0, 1.0)]), FLOOR), None);
        assert_eq!(advice(&arms(&[(f64::NAN, 1.0)]), FLOOR), None);
        assert_eq!(advice(&arms(&[(1.0, 1.0)]), 1.5), None);
    }

    #[test]
    fn a_floor_for_more_than_there_is_means_equal_shares() {
        let found = advice(&arms(&[(0.0, 0.01), (9.0, 0.01), (0.1, 0.01)]), 0.5).unwrap();
        assert_eq!(found.thompson, [1.0 / 3.0; 3]);
    }

    proptest! {
        // Shares are a distribution, none is below the floor, and a better arm with the same error never gets less.
        #[test]
        fn shares_are_a_distribution(means in prop::collection::vec(-3.0_f64..3.0, 1..8), se in 0.05_f64..2.0) {
            let all: Vec<(f64, f64)> = means.iter().map(|mean| (*mean, se)).collect();
            let found = advice(&arms(&all), FLOOR).unwrap();
            for shares in [&found.thompson, &found.top_two] {
                prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(shares.iter().all(|share| *share >= FLOOR - 1e-12));
            }
            for i in 0..means.len() {
                for j in 0..means.len() {
                    let less = found.probability_best[i] < found.probability_best[j] - 1e-9;
                    prop_assert!(!(means[i] > means[j] && less));
                }
            }
        }
    }
}
