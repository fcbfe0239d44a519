//! What holds for every pair of samples: symmetry, bounds, and what must not matter.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use windvane_stats::{
    cells::{Cell, Cells},
    chi_square::chi_square,
    comparison::Comparison,
    cramers_v::cramers_v,
    divergence,
    domain_classifier::domain_classifier,
    edges::Binned,
    epps_singleton::Characteristic,
    fisher_exact::{fisher_exact, one_sided_fall},
    g_test::g_test,
    missing_rate::missing_rate,
    mmd::mmd,
    new_categories::new_categories,
    peers,
    walk::{Sizes, Step, Walk, Walked},
};

/// Sums in another order.
const REORDERED: f64 = 1e-12;

type Kernel = fn(&Cells) -> Comparison;

/// Kernels that do not care which side is the reference.
const SYMMETRIC: [(&str, Kernel); 7] = [
    ("chi_square", chi_square),
    ("g_test", g_test),
    ("cramers_v", cramers_v),
    ("jensen_shannon", divergence::jensen_shannon),
    ("hellinger", divergence::hellinger),
    ("total_variation", divergence::total_variation),
    ("l_infinity", divergence::l_infinity),
];

/// Kernels on categories, with the largest statistic there can be.
const BOUNDED: [(&str, Kernel, f64); 12] = [
    ("chi_square", chi_square, f64::MAX),
    ("g_test", g_test, f64::MAX),
    ("cramers_v", cramers_v, 1.0),
    ("psi", divergence::psi, f64::MAX),
    ("kl", divergence::kl, f64::MAX),
    ("jensen_shannon", divergence::jensen_shannon, 1.0),
    ("hellinger", divergence::hellinger, 1.0),
    ("total_variation", divergence::total_variation, 1.0),
    ("l_infinity", divergence::l_infinity, 1.0),
    ("new_categories", new_categories, 1.0),
    ("jensen_shannon, e", peers::jensen_shannon_nats, 0.832_554_611_2),
    ("psi, filled", peers::psi_filled, f64::MAX),
];

fn counts() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0_u64..60, 0_u64..60), 1..12)
}

fn cells(counts: &[(u64, u64)]) -> Cells {
    counts.iter().map(|(a, b)| Cell::new(*a, *b)).collect()
}

fn swapped(counts: &[(u64, u64)]) -> Cells {
    counts.iter().map(|(a, b)| Cell::new(*b, *a)).collect()
}

fn near(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => (one - other).abs() <= REORDERED * one.abs().max(1.0),
        _ => false,
    }
}

fn sample() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-40_i32..40).prop_map(|x| f64::from(x) / 4.0), 5..60)
}

fn merged(a: &[f64], b: &[f64]) -> Vec<(f64, u64, u64)> {
    let mut values: Vec<(f64, u64, u64)> =
        a.iter().map(|x| (*x, 1, 0)).chain(b.iter().map(|x| (*x, 0, 1))).collect();
    values.sort_by(|x, y| x.0.total_cmp(&y.0));
    values
}

fn walk(a: &[f64], b: &[f64]) -> Walked {
    let mut walk = Walk::new(Sizes { a: a.len() as u64, b: b.len() as u64 }, Vec::new());
    merged(a, b).into_iter().for_each(|(value, a, b)| walk.push(value, a, b));
    walk.finish().unwrap()
}

fn epps_singleton(a: &[f64], b: &[f64]) -> Option<Comparison> {
    let half = walk(a, b).half_iqr.filter(|half| *half > 0.0)?;
    let mut characteristic = Characteristic::new(half);
    merged(a, b).into_iter().for_each(|(value, a, b)| characteristic.push(value, a, b));
    Some(characteristic.test())
}

proptest! {
    // Exchanging the sides changes nothing.
    #[test]
    fn symmetric_kernels_do_not_know_the_sides(counts in counts()) {
        for (name, kernel) in SYMMETRIC {
            let (one, other) = (kernel(&cells(&counts)), kernel(&swapped(&counts)));
            prop_assert!(near(one.statistic, other.statistic), "{} {:?} {:?}", name, one, other);
            prop_assert!(near(one.p_value, other.p_value), "{} {:?} {:?}", name, one, other);
        }
    }

    // The order of the categories is of no account, nor whether equal ones come one by one.
    #[test]
    fn categories_have_no_order(counts in counts(), times in 1_u64..4) {
        let reversed: Cells = counts.iter().rev().map(|(a, b)| Cell::new(*a, *b)).collect();
        let repeated: Vec<(u64, u64)> = counts.iter().flat_map(|pair| (0..times).map(move |_| *pair)).collect();
        let together: Cells = counts.iter().map(|(a, b)| Cell { a: *a, b: *b, times }).collect();
        for (name, kernel, _) in BOUNDED {
            let (one, other) = (kernel(&cells(&counts)), kernel(&reversed));
            prop_assert!(near(one.statistic, other.statistic), "{} {:?} {:?}", name, one, other);
            let (one, other) = (kernel(&cells(&repeated)), kernel(&together));
            prop_assert!(near(one.statistic, other.statistic), "{} {:?} {:?}", name, one, other);
        }
    }

    // Statistics stay in their range, p-values are probabilities, and nothing is NaN.
    #[test]
    fn statistics_stay_in_their_range(counts in counts()) {
        let all = cells(&counts);
        for (name, kernel, most) in BOUNDED {
            let said = kernel(&all);
            prop_assert!(said.statistic.is_none_or(|s| s >= -REORDERED && s <= most + REORDERED), "{} {:?}", name, said);
            prop_assert!(said.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)), "{} {:?}", name, said);
            prop_assert!(said.statistic.is_some() || said.p_value.is_none(), "{} {:?}", name, said);
            prop_assert_eq!(said.statistic.is_some(), all.comparable(), "{}", name);
        }
    }

    // Taking two categories for one cannot take two samples further apart.
    #[test]
    fn coarser_categories_are_no_further_apart(counts in counts()) {
        prop_assume!(counts.len() > 1);
        let mut coarser = counts.clone();
        let (a, b) = coarser.pop().unwrap();
        coarser[0] = (coarser[0].0 + a, coarser[0].1 + b);
        for kernel in [divergence::jensen_shannon, divergence::hellinger, divergence::total_variation] {
            let (fine, coarse) = (kernel(&cells(&counts)), kernel(&cells(&coarser)));
            prop_assert!(coarse.statistic.unwrap_or(0.0) <= fine.statistic.unwrap_or(0.0) + REORDERED);
        }
    }

    // The shares alone decide a distance: ten times the rows leave it and make the p-value no larger.
    #[test]
    fn more_rows_of_the_same_are_surer(counts in counts()) {
        let more: Vec<(u64, u64)> = counts.iter().map(|(a, b)| (10 * a, 10 * b)).collect();
        for kernel in [divergence::jensen_shannon, divergence::hellinger] {
            let (few, many) = (kernel(&cells(&counts)), kernel(&cells(&more)));
            prop_assert!(near(few.statistic, many.statistic));
            prop_assert!(many.p_value.unwrap_or(0.0) <= few.p_value.unwrap_or(0.0) + REORDERED);
        }
    }

    // One-sided tails overlap in the observed table alone, and neither is above twice the two-sided p needs to be.
    #[test]
    fn exact_tails_fit_together(a in 0_u64..40, b in 0_u64..40, c in 0_u64..40, d in 0_u64..40) {
        prop_assume!(a + c > 0 && b + d > 0 && a + b > 0 && c + d > 0);
        let (one, two) = (Cell::new(a, b), Cell::new(c, d));
        let (fall, rise) = (one_sided_fall(one, two), one_sided_fall(two, one));
        prop_assert!((0.0..=1.0).contains(&fall) && fall + rise >= 1.0 - 1e-9, "{} {}", fall, rise);
        let test = fisher_exact(&[one, two].into_iter().collect());
        prop_assert!(test.p_value.unwrap() >= fall.min(rise) - 1e-9, "{:?} {} {}", test, fall, rise);
        let exchanged = fisher_exact(&[Cell::new(b, a), Cell::new(d, c)].into_iter().collect());
        prop_assert!((test.p_value.unwrap() - exchanged.p_value.unwrap()).abs() < 1e-9);
    }

    // What is missing more often on one side is missing less often on the other.
    #[test]
    fn the_missing_share_has_a_sign(a in 0_u64..500, b in 0_u64..500, c in 1_u64..500, d in 1_u64..500) {
        let test = missing_rate(Cell::new(a, b), Cell::new(c, d));
        let exchanged = missing_rate(Cell::new(b, a), Cell::new(d, c));
        prop_assert!(near(test.statistic, exchanged.statistic.map(|change| -change)));
        prop_assert!((test.p_value.unwrap() - exchanged.p_value.unwrap()).abs() < 1e-9);
        prop_assert!(test.statistic.unwrap().abs() <= 1.0);
    }

    // Tests of means change their sign with the sides, and not under a change of unit.
    #[test]
    fn means_have_a_sign_and_no_unit(a in sample(), b in sample()) {
        let scaled = |values: &[f64]| values.iter().map(|x| 8.0 * x - 16.0).collect::<Vec<_>>();
        let (plain, exchanged) = (walk(&a, &b), walk(&b, &a));
        let other_unit = walk(&scaled(&a), &scaled(&b));
        for kernel in [Walked::t_test, Walked::welch] {
            let test = kernel(&plain);
            prop_assert!((test.statistic.unwrap_or(0.0) + kernel(&exchanged).statistic.unwrap_or(0.0)).abs() < 1e-9);
            prop_assert!((test.statistic.unwrap_or(0.0) - kernel(&other_unit).statistic.unwrap_or(0.0)).abs() < 1e-9);
        }
    }

    // Epps-Singleton knows neither the sides nor the unit.
    #[test]
    fn characteristic_functions_are_symmetric(a in sample(), b in sample()) {
        let scaled = |values: &[f64]| values.iter().map(|x| 4.0 * x).collect::<Vec<_>>();
        let (one, other) = (epps_singleton(&a, &b), epps_singleton(&b, &a));
        prop_assert_eq!(one.is_some(), other.is_some());
        let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
        prop_assert!((one.p_value.unwrap_or(1.0) - other.p_value.unwrap_or(1.0)).abs() < 1e-6, "{:?} {:?}", one, other);
        let scaled = epps_singleton(&scaled(&a), &scaled(&b)).unwrap_or_default();
        prop_assert!((one.p_value.unwrap_or(1.0) - scaled.p_value.unwrap_or(1.0)).abs() < 1e-6, "{:?} {:?}", one, scaled);
    }

    // The discrepancy of kernels is symmetric, and at most that of two points far apart.
    #[test]
    fn discrepancies_are_symmetric_and_bounded(a in sample(), b in sample()) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (one, other) = (mmd(&walk(&a, &b), &mut rng), mmd(&walk(&b, &a), &mut rng));
        prop_assert!(near(one.statistic, other.statistic), "{:?} {:?}", one, other);
        prop_assert!(one.statistic.unwrap() <= 2.0 && (0.0..=1.0).contains(&one.p_value.unwrap()));
    }

    // An area under a curve is a share.
    #[test]
    fn a_classifier_is_right_between_never_and_always(counts in counts()) {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let said = domain_classifier(&cells(&counts), &mut rng);
        prop_assert!(said.statistic.is_none_or(|auc| (0.0..=1.0).contains(&auc)), "{:?}", said);
        prop_assert!(said.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)), "{:?}", said);
    }

    // Bins hold every value once, whatever the edges are.
    #[test]
    fn bins_lose_nothing(a in sample(), edges in sample()) {
        let mut binned = Binned::new(edges);
        a.iter().for_each(|value| binned.push(Step { value: *value, a: 1, b: 2, below_a: 0, below_b: 0 }));
        let total = binned.counts().iter().fold((0, 0), |sum, (a, b)| (sum.0 + a, sum.1 + b));
        prop_assert_eq!(total, (a.len() as u64, 2 * a.len() as u64));
    }
}

// Simulation: 3,000 pairs of samples without any change, on eight bins. At 5 % the standard error is 0.4 points.
#[test]
fn a_classifier_on_bins_is_seldom_sure_of_nothing() {
    use rand::RngExt;
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut sure = 0;
    for _ in 0..3_000 {
        let mut counts = [(0_u64, 0_u64); 8];
        for _ in 0..150 {
            counts[rng.random_range(0..8)].0 += 1;
            counts[rng.random_range(0..8)].1 += 1;
        }
        sure += u32::from(domain_classifier(&cells(&counts), &mut rng).p_value.unwrap() < 0.05);
    }
    assert!(f64::from(sure) / 3_000.0 < 0.05 + 3.0 * 0.004, "{sure} of 3,000");
}
