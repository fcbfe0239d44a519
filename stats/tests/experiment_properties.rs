//! What holds for every experiment: nothing panics or is NaN, arms can be exchanged, the unit of the values does not matter.

use proptest::prelude::*;
use windvane_stats::experiment::{
    bayes::{Prior, posterior},
    cuped::{Laws, adjusted},
    effect::{Alternative, Contrast, Effect, Level},
    mean::welch,
    mixture::NormalMixture,
    quantile::{QuantileArm, quantiles},
    ratio::ratios,
    sequence::confidence_sequence,
    sums::{PairSums, Sums},
};

const BOTH: Level = Level { alpha: 0.05, alternative: Alternative::TwoSided };
/// Sums in another order.
const REORDERED: f64 = 1e-9;

fn sums(values: &[f64]) -> Sums {
    let mut sums = Sums::default();
    values.iter().for_each(|value| sums.push([*value]));
    sums
}

fn pairs(values: &[(f64, f64)]) -> PairSums {
    let mut sums = PairSums::default();
    values.iter().for_each(|(x, y)| sums.push([*x, *y]));
    sums
}

fn sound(effect: Effect) -> bool {
    effect.estimate.is_finite()
        && effect.se.is_none_or(|se| se.is_finite() && se >= 0.0)
        && effect.p_value.is_none_or(|p| p > 0.0 && p <= 1.0)
        && effect.ci.is_none_or(|ci| !ci.lo.is_nan() && !ci.hi.is_nan() && ci.lo <= ci.hi)
}

/// Every mode on both scales and against margins.
fn sound_everywhere(contrast: &Contrast) -> bool {
    let margins = [contrast.beyond(0.1), contrast.beyond(-1.0)];
    [contrast.absolute, contrast.relative].into_iter().chain(margins).flatten().all(|estimate| {
        let sides = [Alternative::TwoSided, Alternative::Greater, Alternative::Less];
        let tested = sides.map(|alternative| {
            let level = Level { alpha: 0.05, alternative };
            sound(estimate.test(contrast.df, level))
                && sound(confidence_sequence(estimate, contrast.n_total(), 5000.0, level))
                && sound(NormalMixture::of_variance(0.1).test(estimate, level))
        });
        let believed = posterior(estimate, Prior::Flat).is_none_or(|found| {
            (0.0..=1.0).contains(&found.probability_better)
                && found.expected_loss >= 0.0
                && found.expected_gain >= 0.0
        });
        tested.into_iter().all(|is_sound| is_sound) && believed
    })
}

fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(1.0),
        -1e3_f64..1e3,
        1e9_f64 - 1.0..1e9 + 1.0,
        -1e-200_f64..1e-200,
        -1e120_f64..1e120,
    ]
}

proptest! {
    // Whatever the values, every number that comes out is one.
    #[test]
    fn nothing_is_nan(
        control in prop::collection::vec((wild(), wild()), 0..12),
        arm in prop::collection::vec((wild(), wild()), 0..12),
    ) {
        let first = |rows: &[(f64, f64)]| sums(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
        prop_assert!(sound_everywhere(&welch(&first(&control), &first(&arm))));
        let (control, arm) = (pairs(&control), pairs(&arm));
        prop_assert!(sound_everywhere(&ratios(&control, &arm)));
        let result = adjusted(&control, &arm, Laws::default());
        prop_assert!(sound_everywhere(&result.contrast) && result.theta.is_finite());
        prop_assert!(result.variance_reduction.is_none_or(f64::is_finite));
    }

    #[test]
    fn no_quantile_is_nan(
        control in prop::collection::vec(wild(), 1..60),
        arm in prop::collection::vec(wild(), 1..60),
        q in 0.01_f64..0.99,
        rows in 1_usize..5,
    ) {
        let side = |values: &[f64]| QuantileArm::of_units(values.chunks(rows), q).unwrap();
        prop_assert!(sound_everywhere(&quantiles(Some(&side(&control)), Some(&side(&arm)))));
    }

    // Exchanging the arms turns the sign of the difference and nothing else.
    #[test]
    fn arms_can_be_exchanged(
        control in prop::collection::vec(-100.0_f64..100.0, 2..30),
        arm in prop::collection::vec(-100.0_f64..100.0, 2..30),
    ) {
        let there = welch(&sums(&control), &sums(&arm)).absolute(BOTH).unwrap();
        let back = welch(&sums(&arm), &sums(&control)).absolute(BOTH).unwrap();
        prop_assert_eq!(there.estimate, -back.estimate);
        prop_assert_eq!(there.se, back.se);
        prop_assert_eq!(there.p_value, back.p_value);
    }

    // Seconds or microseconds, Celsius or Kelvin: the p-value stays, and a lift does not know the unit.
    #[test]
    fn the_unit_does_not_matter(
        control in prop::collection::vec(1.0_f64..100.0, 3..30),
        arm in prop::collection::vec(1.0_f64..100.0, 3..30),
        scale in 1e-6_f64..1e6,
        shift in -1e6_f64..1e6,
    ) {
        let change = |values: &[f64], scale: f64, shift: f64| -> Vec<f64> {
            values.iter().map(|value| value * scale + shift).collect()
        };
        let plain = welch(&sums(&control), &sums(&arm));
        let scaled = welch(&sums(&change(&control, scale, 0.0)), &sums(&change(&arm, scale, 0.0)));
        let p = |contrast: &Contrast| contrast.absolute(BOTH).unwrap().p_value.unwrap();
        prop_assert!((p(&plain) - p(&scaled)).abs() < REORDERED);
        let lift = |contrast: &Contrast| contrast.relative(BOTH).unwrap().estimate;
        prop_assert!((lift(&plain) - lift(&scaled)).abs() < REORDERED * lift(&plain).abs().max(1.0));
        // Shifting rounds the values themselves to 1e-10.
        let shifted = welch(&sums(&change(&control, 1.0, shift)), &sums(&change(&arm, 1.0, shift)));
        prop_assert!((p(&plain) - p(&shifted)).abs() < 1e-6);
    }
}
