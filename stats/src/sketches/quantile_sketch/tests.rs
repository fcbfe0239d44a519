//! The bounds hold for every value, whatever was pushed, merged and kept.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{QuantileSketch, SketchFault, SketchState, WIDTH};

fn of(values: &[f64]) -> QuantileSketch {
    let mut sketch = QuantileSketch::default();
    values.iter().for_each(|value| sketch.push(*value, 1));
    sketch
}

fn draw(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Squares, so that the density is uneven; rounded, so that there are ties.
    (0..count).map(|_| (rng.random::<f64>().powi(2) * 3000.0).round()).collect()
}

/// Every rank and quantile of the sketch encloses the true one.
#[expect(clippy::cast_sign_loss, reason = "levels are not below 0")]
fn check(sketch: &QuantileSketch, values: &[f64]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    assert_eq!(sketch.n(), values.len() as u64);
    for at in sorted.iter().step_by(97).flat_map(|value| [*value, value - 0.5]) {
        let truth = sorted.partition_point(|value| *value <= at) as u64;
        let (low, high) = sketch.rank(at);
        assert!(low <= truth && truth <= high, "{at}: {truth} is outside of {low} to {high}");
        assert!((high - low) as f64 <= 2.0 * sketch.rank_error() * values.len() as f64 + 1.0);
    }
    for level in [0.0, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0] {
        let wanted = ((level * values.len() as f64).ceil() as usize).max(1);
        let (truth, quantile) = (sorted[wanted - 1], sketch.quantile(level).unwrap());
        assert!(
            quantile.low <= truth && truth <= quantile.high,
            "{level}: {truth} is outside of {quantile:?}"
        );
        assert!(quantile.low <= quantile.value && quantile.value <= quantile.high);
    }
}

#[test]
fn few_values_are_kept_as_they_are() {
    let values = draw(WIDTH - 1, 1);
    let sketch = of(&values);
    assert_eq!(sketch.rank_error(), 0.0);
    check(&sketch, &values);
    assert_eq!(of(&[4.0, 1.0, 3.0, 2.0]).quantile(0.5).unwrap().value, 2.0);
}

#[test]
fn many_values_stay_within_the_stated_error() {
    for count in [3_000, 50_000, 300_000] {
        let values = draw(count, 2);
        let sketch = of(&values);
        let stated = (count as f64 / WIDTH as f64).log2() / (2.0 * WIDTH as f64) + 2.0 / WIDTH as f64;
        assert!(
            sketch.rank_error() > 0.0 && sketch.rank_error() <= stated,
            "{count}: {}",
            sketch.rank_error()
        );
        check(&sketch, &values);
    }
}

#[test]
fn sorted_and_constant_streams_are_no_worse() {
    let mut values = draw(40_000, 3);
    values.sort_by(f64::total_cmp);
    check(&of(&values), &values);
    values.reverse();
    check(&of(&values), &values);
    let constant = vec![7.0; 20_000];
    check(&of(&constant), &constant);
    assert_eq!(of(&constant).rank(6.9), (0, 0));
}

#[test]
fn a_merge_in_any_order_holds_for_the_whole() {
    let parts: Vec<Vec<f64>> = (0..24).map(|i| draw(1_000 + 700 * i, 10 + i as u64)).collect();
    let whole: Vec<f64> = parts.iter().flatten().copied().collect();
    let (mut forward, mut backward) = (QuantileSketch::default(), QuantileSketch::default());
    parts.iter().for_each(|part| forward.merge(&of(part)));
    parts.iter().rev().for_each(|part| backward.merge(&of(part)));
    check(&forward, &whole);
    check(&backward, &whole);
    assert!(forward.rank_error() < 0.01, "{}", forward.rank_error());
}

#[test]
fn infinite_values_and_negative_zeros_have_their_rank() {
    let sketch = of(&[f64::NEG_INFINITY, -0.0, 0.0, f64::INFINITY]);
    assert_eq!((sketch.rank(-1.0), sketch.rank(-0.0), sketch.rank(1.0)), ((1, 1), (3, 3), (3, 3)));
    assert_eq!(sketch.quantile(1.0).unwrap().value, f64::INFINITY);
}

#[test]
fn without_values_there_is_no_quantile_and_no_comparison() {
    let empty = QuantileSketch::default();
    assert_eq!((empty.quantile(0.5), empty.ks(&of(&[1.0])), empty.rank(0.0)), (None, None, (0, 0)));
}

// Oracle: SciPy 1.17 `ks_2samp(range(40), range(10, 50), method='asymp')`.
#[test]
fn exact_sketches_have_the_exact_difference() {
    let (a, b): (Vec<f64>, Vec<f64>) = (0..40).map(|i| (f64::from(i), f64::from(i + 10))).unzip();
    let ks = of(&a).ks(&of(&b)).unwrap();
    assert!(
        (ks.statistic - 0.25).abs() < 1e-12 && ks.low == ks.statistic && ks.high == ks.statistic,
        "{ks:?}"
    );
    assert!((ks.p_value.unwrap() - 0.137_625_698_367_175_64).abs() < 1e-9, "{ks:?}");
}

#[test]
fn a_p_value_finer_than_the_sketches_is_refused() {
    // A million values each: rows would tell a difference of 0.19 %, and the sketches err by about as much together.
    let mut sketches = [5, 6].map(|seed| of(&draw(400_000, seed)));
    let [one, other] = &mut sketches;
    let doubled = other.clone();
    other.merge(&doubled);
    let ks = one.ks(other).unwrap();
    assert!(ks.high - ks.low > 0.002, "{ks:?}");
    assert_eq!(ks.p_value, None, "{ks:?}");
    assert_eq!(one.compare(other).p_value, None);
    // What is far larger than the error is told, by the bound that is certain.
    let shifted: Vec<f64> = draw(400_000, 7).iter().map(|value| value + 200.0).collect();
    let ks = one.ks(&of(&shifted)).unwrap();
    assert!(ks.low > 0.1 && ks.p_value.unwrap() < 1e-12, "{ks:?}");
}

#[test]
fn a_kept_state_reads_back_and_a_broken_one_does_not() {
    let sketch = of(&draw(4_000, 8));
    assert_eq!(QuantileSketch::try_from(sketch.state().clone()), Ok(sketch.clone()));
    let broken = |change: fn(&mut SketchState)| {
        let mut state = sketch.state().clone();
        change(&mut state);
        QuantileSketch::try_from(state).unwrap_err()
    };
    assert_eq!(broken(|state| state.n += 1), SketchFault::Count { weight: 4_000, n: 4_001 });
    assert_eq!(broken(|state| state.levels[1][0] = f64::NAN), SketchFault::NotANumber);
    assert_eq!(broken(|state| state.levels[0] = vec![0.0; WIDTH]), SketchFault::Shape);
}

proptest! {
    // Whatever is pushed, with whatever counts, every rank is enclosed, and so is D of two samples.
    #[test]
    fn bounds_enclose_the_truth(
        a in prop::collection::vec((-50_i32..50, 1_u64..3000), 1..40),
        b in prop::collection::vec((-50_i32..50, 1_u64..3000), 1..40),
    ) {
        let sketched = |values: &[(i32, u64)]| {
            let mut sketch = QuantileSketch::default();
            values.iter().for_each(|(value, count)| sketch.push(f64::from(*value), *count));
            sketch
        };
        let count = |values: &[(i32, u64)], at: i32| -> u64 {
            values.iter().filter(|(value, _)| *value <= at).map(|(_, count)| count).sum()
        };
        let (one, other) = (sketched(&a), sketched(&b));
        let mut truth = 0.0_f64;
        for at in -51..51 {
            let (low, high) = one.rank(f64::from(at));
            let (in_a, in_b) = (count(&a, at), count(&b, at));
            prop_assert!(low <= in_a && in_a <= high);
            truth = truth.max((in_a as f64 / one.n() as f64 - in_b as f64 / other.n() as f64).abs());
        }
        let ks = one.ks(&other).unwrap();
        prop_assert!(ks.low <= truth + 1e-12 && truth <= ks.high + 1e-12, "{} {:?}", truth, ks);
        prop_assert_eq!(ks, other.ks(&one).unwrap());
    }
}
