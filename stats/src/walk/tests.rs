//! What holds for every pair of samples, whatever their values.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Depth, Sizes, SizesChanged, Walk, Walked};
use crate::{comparison::Comparison, edges::Binned, energy, wasserstein};

fn walk(a: &[f64], b: &[f64]) -> Walked {
    let mut values: Vec<(f64, u64, u64)> =
        a.iter().map(|x| (*x, 1, 0)).chain(b.iter().map(|x| (*x, 0, 1))).collect();
    values.sort_by(|x, y| x.0.total_cmp(&y.0));
    let mut walk = Walk::new(Sizes { a: a.len() as u64, b: b.len() as u64 }, Vec::new());
    values.iter().for_each(|(value, a, b)| walk.push(*value, *a, *b));
    walk.finish().unwrap()
}

#[test]
fn a_walk_for_ranks_says_nothing_of_distances() {
    let sizes = Sizes { a: 2, b: 2 };
    let mut shallow = Walk::to_depth(Depth::Ranks, sizes, Vec::new());
    [(1.0, 1, 0), (1.5, 1, 0), (2.0, 0, 1), (3.0, 0, 1)]
        .into_iter()
        .for_each(|(value, a, b)| shallow.push(value, a, b));
    let (shallow, full) = (shallow.finish().unwrap(), walk(&[1.0, 1.5], &[2.0, 3.0]));
    for kernel in [Walked::ks, Walked::mann_whitney, Walked::t_test, Walked::welch] {
        assert_eq!(kernel(&shallow), kernel(&full));
    }
    for kernel in [
        Walked::cramer_von_mises,
        Walked::anderson_darling,
        Walked::energy,
        Walked::wasserstein,
        Walked::wasserstein_normed,
    ] {
        assert_eq!(kernel(&shallow), Comparison::UNDEFINED);
        assert!(kernel(&full).statistic.is_some());
    }
    assert_eq!(crate::mmd::mmd(&shallow, &mut ChaCha8Rng::seed_from_u64(1)), Comparison::UNDEFINED);
}

// T with ties lies beyond every sum that the exact distribution has; SciPy 1.17 says 0 there, too.
#[test]
fn a_tail_without_mass_is_no_negative_zero() {
    let p = walk(&[1.0, 1.0], &[2.0, 2.0]).cramer_von_mises().p_value.unwrap();
    assert!(p == 0.0 && p.is_sign_positive(), "{p}");
}

const RANKS: [fn(&Walked) -> Comparison; 4] =
    [Walked::ks, Walked::mann_whitney, Walked::cramer_von_mises, Walked::anderson_darling];

fn sample() -> impl Strategy<Value = Vec<f64>> {
    // Quarters, so that ties are common and sums are exact.
    prop::collection::vec((-40_i32..40).prop_map(|x| f64::from(x) / 4.0), 2..60)
}

/// Few different values or nearly as many as there are, some infinite, of both signs.
fn held() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        4 => (-6_i32..6).prop_map(|x| f64::from(x) / 4.0),
        4 => (-1_000_i32..1_000).prop_map(|x| f64::from(x) / 7.0),
        1 => prop_oneof![Just(f64::NEG_INFINITY), Just(f64::INFINITY), Just(-0.0)],
    ];
    prop::collection::vec(value, 0..80).prop_map(|mut values| {
        values.sort_by(f64::total_cmp);
        values
    })
}

#[test]
fn samples_of_other_sizes_are_an_error() {
    for depth in [Depth::Ranks, Depth::Full] {
        let walk = Walk::to_depth(depth, Sizes { a: 2, b: 1 }, Vec::new());
        let (announced, came) = (Sizes { a: 2, b: 1 }, Sizes { a: 1, b: 1 });
        assert_eq!(walk.of_sorted(&[1.0], &[1.0]).unwrap_err(), SizesChanged { announced, came });
    }
}

#[test]
fn values_that_do_not_add_up_are_an_error() {
    let mut walk = Walk::new(Sizes { a: 2, b: 1 }, Vec::new());
    walk.push(1.0, 1, 1);
    let (announced, came) = (Sizes { a: 2, b: 1 }, Sizes { a: 1, b: 1 });
    assert_eq!(walk.finish().unwrap_err(), SizesChanged { announced, came });
}

#[test]
fn one_same_value_is_no_difference() {
    let walked = walk(&[3.0; 40], &[3.0; 35]);
    for kernel in [Walked::ks, Walked::cramer_von_mises, Walked::anderson_darling, Walked::mann_whitney] {
        assert_eq!(kernel(&walked).p_value, Some(1.0), "{walked:?}");
    }
    assert_eq!((walked.ks().statistic, walked.wasserstein().statistic), (Some(0.0), Some(0.0)));
    for kernel in [Walked::t_test, Walked::welch, Walked::wasserstein_normed] {
        assert_eq!(kernel(&walked), Comparison::UNDEFINED);
    }
}

#[test]
fn an_empty_side_leaves_nothing_defined() {
    for walked in [walk(&[], &[1.0, 2.0]), walk(&[1.0, 2.0], &[]), walk(&[], &[])] {
        for kernel in RANKS {
            assert_eq!(kernel(&walked), Comparison::UNDEFINED);
        }
        for kernel in [Walked::wasserstein, Walked::energy, Walked::t_test, Walked::welch] {
            assert_eq!(kernel(&walked), Comparison::UNDEFINED);
        }
    }
}

#[test]
fn infinite_values_have_ranks_and_no_distance() {
    let walked = walk(&[f64::NEG_INFINITY, 1.0, 2.0], &[1.0, 2.0, f64::INFINITY]);
    assert!(RANKS.iter().all(|kernel| kernel(&walked).statistic.is_some()));
    for kernel in
        [Walked::wasserstein, Walked::energy, Walked::t_test, Walked::welch, Walked::wasserstein_normed]
    {
        assert_eq!(kernel(&walked), Comparison::UNDEFINED);
    }
}

proptest! {
    #[test]
    fn samples_that_are_held_are_walked_as_value_by_value(a in held(), b in held()) {
        let sizes = Sizes { a: a.len() as u64, b: b.len() as u64 };
        for depth in [Depth::Ranks, Depth::Full] {
            let begin = || {
                let bins = [vec![-1.0, 0.0, 0.25, 2.0], vec![0.5]].map(Binned::new);
                Walk::to_depth(depth, sizes, bins.to_vec())
            };
            let mut values: Vec<(f64, u64, u64)> =
                a.iter().map(|x| (*x, 1, 0)).chain(b.iter().map(|x| (*x, 0, 1))).collect();
            values.sort_by(|x, y| x.0.total_cmp(&y.0));
            let mut pushed = begin();
            values.iter().for_each(|(value, a, b)| pushed.push(*value, *a, *b));
            let (pushed, held) = (pushed.finish().unwrap(), begin().of_sorted(&a, &b).unwrap());
            prop_assert_eq!((held.sizes, held.distinct), (pushed.sizes, pushed.distinct));
            prop_assert_eq!((held.ks, held.ranks), (pushed.ks, pushed.ranks));
            prop_assert_eq!((held.moments_a, held.moments_b), (pushed.moments_a, pushed.moments_b));
            prop_assert_eq!(held.half_iqr, pushed.half_iqr);
            for (held, pushed) in held.binned.iter().zip(&pushed.binned) {
                prop_assert_eq!(held.counts(), pushed.counts());
            }
            prop_assert_eq!(held.cramer_von_mises(), pushed.cramer_von_mises());
            prop_assert_eq!(held.energy(), pushed.energy());
        }
    }

    // Rank methods see only the order: a strictly increasing map changes nothing.
    #[test]
    fn ranks_do_not_change_under_monotone_maps(a in sample(), b in sample()) {
        let map = |values: &[f64]| values.iter().map(|x| (x / 3.0).exp()).collect::<Vec<_>>();
        let (plain, mapped) = (walk(&a, &b), walk(&map(&a), &map(&b)));
        for kernel in RANKS {
            prop_assert_eq!(kernel(&plain), kernel(&mapped));
        }
    }

    // The order in which equal values are pushed, and on how many pushes, is of no account.
    #[test]
    fn pushes_of_one_value_add_up(a in sample(), b in sample()) {
        let once = walk(&a, &b);
        let mut values: Vec<(f64, u64, u64)> =
            b.iter().map(|x| (*x, 0, 1)).chain(a.iter().rev().map(|x| (*x, 1, 0))).collect();
        values.sort_by(|x, y| x.0.total_cmp(&y.0));
        let mut other = Walk::new(once.sizes, Vec::new());
        values.iter().for_each(|(value, a, b)| other.push(*value, *a, *b));
        let other = other.finish().unwrap();
        for kernel in RANKS {
            prop_assert_eq!(kernel(&once), kernel(&other));
        }
        prop_assert_eq!(once.wasserstein().statistic, other.wasserstein().statistic);
    }

    // Distances do not care which side is which, and a shift by c is c away.
    #[test]
    fn distances_are_symmetric_and_know_a_shift(a in sample(), b in sample(), shift in 0_i32..40) {
        let (forward, backward) = (walk(&a, &b), walk(&b, &a));
        for kernel in [Walked::ks, Walked::wasserstein, Walked::energy] {
            let (one, other) = (kernel(&forward).statistic.unwrap(), kernel(&backward).statistic.unwrap());
            prop_assert!((one - other).abs() < 1e-12 * one.max(1.0));
        }
        let shift = f64::from(shift) / 4.0;
        let moved: Vec<f64> = a.iter().map(|x| x + shift).collect();
        let distance = walk(&a, &moved).wasserstein().statistic.unwrap();
        prop_assert!((distance - shift).abs() < 1e-9);
    }

    // Every p-value is a probability, and every statistic a number.
    #[test]
    fn nothing_leaves_its_bounds(a in sample(), b in sample()) {
        let walked = walk(&a, &b);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let simulated = [wasserstein::p_value(&walked, &mut rng), energy::p_value(&walked, &mut rng)];
        let p_values = RANKS.iter().filter_map(|kernel| kernel(&walked).p_value).chain(simulated.into_iter().flatten());
        for p in p_values.chain([walked.t_test(), walked.welch()].into_iter().filter_map(|test| test.p_value)) {
            prop_assert!((0.0..=1.0).contains(&p), "{}", p);
        }
        prop_assert!((0.0..=1.0).contains(&walked.ks().statistic.unwrap()));
        prop_assert!(walked.mann_whitney().effect.unwrap().abs() <= 1.0);
        prop_assert!((0.0..=1.0).contains(&walked.energy().effect.unwrap()));
    }
}
