//! Published plans, and what holds for every plan.

use proptest::prelude::*;

use super::{
    Allocation, Baseline, Moment, Plan, Scale, Stopping, delta_variance, midway::Running, search::Direction,
};
use crate::experiment::{
    effect::{Alternative, Level},
    quantile::QuantileArm,
};

/// Half of the last printed digit.
const PRINTED: f64 = 5e-6;

/// What the switch from Student's t to the normal distribution may change in a power.
const SWITCH: f64 = 1e-5;

/// Field case 25: mean 10, variance 3909.99977, three equal arms.
fn case_25() -> Plan {
    let baseline = Baseline::of_mean(10.0, 3909.99977).unwrap();
    Plan { allocation: Allocation::equal(3).unwrap(), ..Plan::new(baseline, 0.05) }
}

// GrowthBook, packages/shared/test/power.test.ts.
#[test]
fn case_25_power_and_detectable_effect_agree_with_growthbook() {
    assert!((case_25().power(0.05, 400_000.0).unwrap() - 0.52144).abs() < PRINTED);
    let mde = case_25().minimum_detectable_effect(400_000.0, 0.8, Direction::Up).unwrap();
    assert!((mde - 0.07027).abs() < PRINTED, "{mde}");
}

// Quantiles of an exponential with mean 1: the median is ln 2 and has the density ½, so the variance .25/.25; and what the order
// statistics of many rows tell is about that.
#[test]
fn a_quantile_has_the_variance_of_its_density() {
    let known = Baseline::of_density(0.5, std::f64::consts::LN_2, 0.5).unwrap();
    assert_eq!((known.mean(), known.variance_at(1.0)), (std::f64::consts::LN_2, Some(1.0)));
    let rows: Vec<f64> = (1..20_000).map(|i| -(1.0 - f64::from(i) / 20_000.0).ln()).collect();
    let read = Baseline::of_quantile(&QuantileArm::of_units(rows.chunks(1), 0.5).unwrap()).unwrap();
    assert!((read.variance_at(1.0).unwrap() - 1.0).abs() < 0.02, "{read:?}");
    for (q, density) in
        [(0.0, 1.0), (1.0, 1.0), (0.5, 0.0), (0.5, -1.0), (0.5, f64::INFINITY), (f64::NAN, 1.0)]
    {
        assert_eq!(Baseline::of_density(q, 1.0, density), None, "{q} {density}");
    }
}

// GrowthBook, packages/shared/test/power.test.ts, frequentist variance of (2, 7, 4, .5, 5, 15).
#[test]
fn case_25_delta_variances_agree_with_growthbook() {
    let control = Moment { mean: 7.0, variance: 2.0, n: 4.0 };
    let arm = Moment { mean: 5.0, variance: 0.5, n: 15.0 };
    assert!((delta_variance(control, arm, Scale::Absolute) - 0.53333).abs() < PRINTED);
    assert!((delta_variance(control, arm, Scale::Relative) - 0.00589).abs() < PRINTED);
}

// GrowthBook's sequential power of case 25, .20596, and detectable effect, .12821, belong to no half-width of the confidence
// sequence at two thirds of 400,000 units. These values do: the power is Φ(δ/σ - c) + Φ(-δ/σ - c) with
// c = √(2(Nρ²+1)/(Nρ²)·ln(√(Nρ²+1)/α)) = 3.4721 at N = 266,666 and ρ² = (-2 ln α + ln(1 - 2 ln α))/5000.
#[test]
fn sequential_power_is_that_of_its_own_boundary() {
    let plan = Plan { stopping: Stopping::Sequential { tuning: 5_000.0 }, ..case_25() };
    let power = plan.power(0.05, 400_000.0).unwrap();
    assert!((power - 0.07206).abs() < PRINTED, "{power}");
    let mde = plan.minimum_detectable_effect(400_000.0, 0.8, Direction::Up).unwrap();
    assert!((mde - 0.11044).abs() < PRINTED, "{mde}");
}

// GrowthBook, mid-experiment power: (500, 500, 1500) against (500, 525, 1551.25), target 5 %.
#[test]
fn case_25_the_way_to_go_agrees_with_growthbook() {
    let side = |sum: f64, sum_sq: f64| Moment {
        mean: sum / 500.0,
        variance: (sum_sq - sum * sum / 500.0) / 499.0,
        n: 500.0,
    };
    let running = Running { control: side(500.0, 1500.0), arm: side(525.0, 1551.25) };
    let plan = Plan::new(Baseline::of_mean(1.0, 2.0).unwrap(), 0.05);
    let fixed = plan.remaining(&running, 0.05, 0.8).unwrap();
    assert!((fixed - 25.457).abs() < 5e-4, "{fixed}");
    let sequential = Plan { stopping: Stopping::Sequential { tuning: 5_000.0 }, ..plan };
    let always = sequential.remaining(&running, 0.05, 0.8).unwrap();
    assert!((always - 55.668).abs() < 5e-4, "{always}");
    assert_eq!(plan.remaining(&running, 2.0, 0.8), Some(0.0));
    assert_eq!(plan.remaining(&running, 0.0, 0.8), None);
}

// Oracle: statsmodels 0.15 `TTestIndPower().power(effect, n, .05, ratio, alternative='two-sided'|'larger')`.
#[test]
fn small_samples_agree_with_statsmodels() {
    let standard = |n: f64, ratio: f64, alternative| Plan {
        scale: Scale::Absolute,
        allocation: Allocation::of(n, n * ratio, n * (1.0 + ratio)).unwrap(),
        level: Level { alpha: 0.05, alternative },
        ..Plan::new(Baseline::of_mean(0.0, 1.0).unwrap(), 0.05)
    };
    for (effect, n, two_sided, greater) in [(0.5, 50.0, 0.696_893_405_533_383_7, 0.798_936_164_150_176_2)] {
        for (alternative, expected) in [(Alternative::TwoSided, two_sided), (Alternative::Greater, greater)] {
            let power = standard(n, 1.0, alternative).power(effect, 2.0 * n).unwrap();
            assert!((power - expected).abs() < 1e-8, "{alternative:?}: {power}");
        }
    }
    // 393.4057 and 69.1978 in each arm by `solve_power`.
    assert_eq!(standard(1.0, 1.0, Alternative::TwoSided).sample_size(0.2, 0.8), Some(787));
    assert_eq!(standard(1.0, 1.0, Alternative::Greater).sample_size(0.5, 0.9), Some(139));
}

// By hand: (z_.975 + z_.8)²·(.1·.9 + .11·.89)/.01² = 14,748.2 in each arm, both scales alike but for the control's part.
#[test]
fn a_share_varies_with_itself() {
    let plan = Plan { scale: Scale::Absolute, ..Plan::new(Baseline::of_share(0.1).unwrap(), 0.05) };
    let units = plan.sample_size(0.01, 0.8).unwrap();
    assert!(units.abs_diff(2 * 14_749) <= 2, "{units}");
    assert_eq!(plan.power(0.95, 1e6), None);
    assert_eq!(plan.sample_size(0.95, 0.8), None);
}

// Nine of ten units in the control: of 200,000 experiments drawn by NumPy, a share of 2 % that falls to 1.6 % is found in .7159 and one that rises to
// 2.4 % in .8538 by the pooled z. The error that the estimate has would tell .8 of both.
#[test]
fn shares_of_unlike_arms_are_found_at_any_time_by_the_error_of_one_share() {
    let baseline = Baseline::of_share(0.02).unwrap();
    let plan = Plan {
        scale: Scale::Absolute,
        allocation: Allocation::of(0.9, 0.1, 1.0).unwrap(),
        stopping: Stopping::SequentialTuned,
        ..Plan::new(baseline, 0.05)
    };
    for (effect, total, found) in [(-0.004, 168_350.0, 0.7159), (0.004, 240_493.0, 0.8538)] {
        let power = plan.power(effect, total).unwrap();
        assert!((power - found).abs() < 0.003, "{effect}: {power}");
        let once = Plan { stopping: Stopping::Fixed, ..plan };
        assert!(once.power(effect, total) > plan.power(effect, total));
    }
    // SciPy, by the formula.
    assert!((plan.power(-0.004, 168_350.0).unwrap() - 0.713_601_609).abs() < 1e-6);
}

// Of 200,000 experiments drawn by NumPy, tested once by the likeliest shares that differ by the margin. By the error that the estimate has .8677 and
// .8433 of the first two would be told.
#[test]
fn margins_of_shares_are_held_by_the_error_of_shares_at_the_margin() {
    for (share, effect, margin, control, total, found) in [
        (0.02, 0.0, 0.2, 0.9, 100_000.0, [0.8983, 0.8133]),
        (0.02, 0.0, 0.2, 0.5, 40_000.0, [0.9377, 0.8308]),
        (0.1, 0.0, 0.1, 10.0 / 11.0, 66_000.0, [0.8173, 0.7707]),
    ] {
        for (side, found) in [Alternative::Greater, Alternative::Less].into_iter().zip(found) {
            let plan = Plan {
                allocation: Allocation::of(control, 1.0 - control, 1.0).unwrap(),
                level: Level { alpha: 0.05, alternative: side },
                null: if side == Alternative::Greater { -margin } else { margin },
                ..Plan::new(Baseline::of_share(share).unwrap(), 0.05)
            };
            let power = plan.power(effect, total).unwrap();
            assert!((power - found).abs() < 0.003, "{share} {side:?}: {power}");
        }
    }
}

// A covariate that explains half of the variance saves half of the units.
#[test]
fn a_covariate_saves_its_share_of_units() {
    let plan = case_25();
    let helped = Plan { baseline: plan.baseline.with_variance_reduction(0.5).unwrap(), ..plan };
    let (alone, with) = (plan.sample_size(0.05, 0.8).unwrap(), helped.sample_size(0.05, 0.8).unwrap());
    assert!((with as f64 / alone as f64 - 0.5).abs() < 1e-4);
    assert_eq!(plan.baseline.with_variance_reduction(1.5), None);
}

#[test]
fn looking_at_any_time_costs_units() {
    let fixed = case_25().sample_size(0.05, 0.8).unwrap();
    let tuned = Plan { stopping: Stopping::SequentialTuned, ..case_25() };
    let inflation = tuned.inflation(0.05, 0.8).unwrap();
    assert!(inflation > 1.5 && inflation < 2.0, "{inflation}");
    let looks = Plan { stopping: Stopping::GroupSequential { inflation: 1.028 }, ..case_25() };
    let ratio = looks.sample_size(0.05, 0.8).unwrap() as f64 / fixed as f64;
    assert!((ratio - 1.028).abs() < 1e-4);
}

#[test]
fn a_margin_is_a_null_hypothesis() {
    let level = Level { alpha: 0.025, alternative: Alternative::Greater };
    let plan = Plan { level, null: -0.02, ..case_25() };
    // No effect at all is 2 % above the margin, and most of the time it is shown.
    let power = plan.power(0.0, 20_000_000.0).unwrap();
    assert!(power > 0.99, "{power}");
    assert_eq!(plan.sample_size(-0.02, 0.8), None);
    assert_eq!(plan.minimum_detectable_effect(1e6, 0.8, Direction::Down), None);
}

#[test]
fn what_cannot_be_planned_is_none() {
    let none = Plan::new(Baseline::of_mean(5.0, 0.0).unwrap(), 0.05);
    assert_eq!((none.power(0.1, 1e3), none.sample_size(0.1, 0.8)), (None, None));
    let zero = Plan::new(Baseline::of_mean(0.0, 1.0).unwrap(), 0.05);
    assert_eq!(zero.power(0.1, 1e3), None);
    assert_eq!(case_25().power(0.05, 5.0), None);
    assert_eq!(case_25().power(f64::NAN, 1e5), None);
    assert_eq!(case_25().sample_size(0.0, 0.8), None);
    assert_eq!(Baseline::of_mean(f64::NAN, 1.0), None);
    assert_eq!(Baseline::of_mean(1.0, -1.0), None);
    assert_eq!(Baseline::of_share(1.1), None);
    assert_eq!(Allocation::equal(1), None);
    assert_eq!(Allocation::of(0.5, 0.6, 1.0), None);
    // With ten units, a relative effect is never certain: the control's own mean is not known.
    assert_eq!(case_25().minimum_detectable_effect(30.0, 0.8, Direction::Up), None);
}

#[test]
fn the_square_root_rule_favours_the_control() {
    let allocation = Allocation::square_root(5).unwrap();
    let (control, arm) = allocation.units(600.0);
    assert!((control - 200.0).abs() < 1e-9 && (arm - 100.0).abs() < 1e-9);
}

proptest! {
    // Search answers invert power: the found size is enough and one less is not; the found effect has the wanted power.
    #[test]
    fn searches_invert_power(
        mean in 0.5_f64..50.0, spread in 0.2_f64..4.0, effect in 0.02_f64..0.5, wanted in 0.5_f64..0.95
    ) {
        let plan = Plan::new(Baseline::of_mean(mean, (spread * mean).powi(2)).unwrap(), 0.05);
        let size = plan.sample_size(effect, wanted).unwrap() as f64;
        prop_assert!(plan.power(effect, size).unwrap() >= wanted);
        prop_assert!(plan.power(effect, size - 1.0).is_none_or(|power| power < wanted));
        let mde = plan.minimum_detectable_effect(size, wanted, Direction::Up).unwrap();
        prop_assert!(mde <= effect * (1.0 + 1e-9));
        prop_assert!((plan.power(mde, size).unwrap() - wanted).abs() < 1e-6);
    }

    // More units and larger effects never lose power. Where an effect is hopeless for a sequence that was tuned to fewer units, its
    // power is the chance of a false alarm at this one look, and that falls as the sequence widens: effect 0.01, n 26776 (1e-3).
    #[test]
    fn power_rises(effect in 0.01_f64..1.0, n in 100.0_f64..1e6, sequential in any::<bool>()) {
        let stopping = if sequential { Stopping::Sequential { tuning: 5e3 } } else { Stopping::Fixed };
        let plan = Plan { stopping, ..case_25() };
        let power = plan.power(effect, n).unwrap();
        let hopeless = sequential && power < 0.01;
        prop_assert!(hopeless || plan.power(effect, 1.5 * n).unwrap() >= power - SWITCH);
        prop_assert!(plan.power(1.5 * effect, n).unwrap() >= power - SWITCH);
    }
}
