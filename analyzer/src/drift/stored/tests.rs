//! Walking against a profile says what walking against the values says, up to the error it states.

use proptest::prelude::*;
use windvane_stats::edges::Binned;
use windvane_stats::walk::Sizes;
use windvane_types::baseline::{MomentsProfile, SCHEMA};

use super::*;

/// The profile of sorted values that keeps every `step`-th one, and the smallest and the largest.
fn thinned(values: &[f64], step: usize) -> NumberProfile {
    let mut moments = Moments::default();
    values.iter().for_each(|value| moments.push(*value, 1));
    let mut distinct: Vec<f64> = values.to_vec();
    distinct.dedup();
    let kept = distinct.iter().enumerate().filter(|(i, _)| i % step == 0 || *i + 1 == distinct.len());
    let mut from = f64::NEG_INFINITY;
    let points = kept
        .map(|(_, value)| {
            let between = values.iter().filter(|x| **x > from && *x < value).count() as u64;
            let at = values.iter().filter(|x| *x == value).count() as u64;
            from = *value;
            Point { value: *value, between, at }
        })
        .collect();
    let parts = moments.parts();
    let moments = MomentsProfile { shift: parts.shift, mean: parts.mean, m2: parts.m2 };
    NumberProfile { below: 0, above: 0, moments, points }
}

fn direct(reference: &[f64], current: &[f64], edges: Vec<f64>) -> Walked {
    let mut all: Vec<(f64, u64, u64)> = reference.iter().map(|x| (*x, 1, 0)).collect();
    all.extend(current.iter().map(|x| (*x, 0, 1)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sizes = Sizes { a: reference.len() as u64, b: current.len() as u64 };
    let mut walk = Walk::new(sizes, vec![Binned::new(edges)]);
    all.into_iter().for_each(|(value, a, b)| walk.push(value, a, b));
    walk.finish().unwrap()
}

fn merged(profile: &NumberProfile, current: &[f64], edges: Vec<f64>) -> Merged {
    let sizes = Sizes { a: profile.count(), b: current.len() as u64 };
    let walk = Walk::new(sizes, vec![Binned::new(edges)]);
    let mut merge = Merge::new(profile, walk, sizes.b);
    current.iter().for_each(|value| merge.push(ValueRow { segment: 0, value: *value, a: 0, b: 1 }));
    merge.finish().unwrap()
}

fn sorted(values: Vec<i32>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().map(|x| f64::from(x) / 8.0).collect();
    values.sort_by(f64::total_cmp);
    values
}

proptest! {
    // A profile that keeps every value gives the very numbers that the values give.
    #[test]
    fn an_exact_profile_loses_nothing(
        reference in prop::collection::vec(-40_i32..40, 1..200),
        current in prop::collection::vec(-60_i32..60, 1..200),
    ) {
        let (reference, current) = (sorted(reference), sorted(current));
        let profile = thinned(&reference, 1);
        prop_assert!(profile.is_exact());
        let edges = edges(&profile, 10);
        let expected = direct(&reference, &current, edges.clone());
        let found = merged(&profile, &current, edges);
        prop_assert_eq!(found.error, None);
        prop_assert_eq!(format!("{:?}", found.walked), format!("{:?}", expected));
    }

    // A thinned profile finds a difference that is too small by its stated error at most, never too large; bins are exact.
    #[test]
    fn a_thinned_profile_errs_within_its_bound_and_never_alarms_more(
        reference in prop::collection::vec(-400_i32..400, 1..300),
        current in prop::collection::vec(-500_i32..500, 1..300),
        step in 2_usize..30,
    ) {
        let (reference, current) = (sorted(reference), sorted(current));
        let profile = thinned(&reference, step);
        prop_assume!(!profile.is_exact());
        let edges = edges(&profile, 10);
        let expected = direct(&reference, &current, edges.clone());
        let found = merged(&profile, &current, edges);
        let (exact, coarse) = (expected.ks(), found.walked.ks());
        let (exact_d, coarse_d) = (exact.statistic.unwrap(), coarse.statistic.unwrap());
        prop_assert!(coarse_d <= exact_d + 1e-12);
        prop_assert!(exact_d <= coarse_d + found.error.unwrap() + 1e-12);
        prop_assert!(coarse.p_value.unwrap() >= exact.p_value.unwrap() - 1e-9);
        prop_assert_eq!(found.walked.binned[0].counts(), expected.binned[0].counts());
        let t = |walked: &Walked| walked.welch().statistic.unwrap_or_default();
        prop_assert!((t(&found.walked) - t(&expected)).abs() <= 1e-9 * t(&expected).abs().max(1.0));
    }
}

#[test]
fn infinite_values_of_both_sides_meet() {
    let profile = NumberProfile { below: 2, above: 1, ..thinned(&[1.0, 2.0], 1) };
    let current = [f64::NEG_INFINITY, 1.5, f64::INFINITY, f64::INFINITY];
    let reference = [f64::NEG_INFINITY, f64::NEG_INFINITY, 1.0, 2.0, f64::INFINITY];
    let found = merged(&profile, &current, Vec::new());
    assert_eq!(found.walked.ks(), direct(&reference, &current, Vec::new()).ks());
}

#[test]
fn categories_meet_their_counts_in_the_order_of_the_statement() {
    let kept = [("True".to_owned(), 3), ("false".to_owned(), 2), ("true".to_owned(), 1)];
    let mut cells = Cells::new(&kept, true);
    cells.push("true".to_owned(), 4);
    cells.push("new".to_owned(), 7);
    cells.push("also new".to_owned(), 7);
    let rows: Vec<_> =
        cells.finish().into_iter().map(|row| (row.a, row.b, row.times, row.category)).collect();
    let expected = [(0, 7, 2, "also new"), (2, 0, 1, "false"), (4, 4, 1, "true")];
    assert_eq!(rows, expected.map(|(a, b, times, category)| (a, b, times, category.to_owned())));
}

#[test]
fn what_a_profile_does_not_answer_is_named() {
    let column = |name: &str, numbers, categories| ColumnProfile {
        column: name.to_owned(),
        kind: if categories { Kind::Categorical } else { Kind::Numeric },
        values: 9,
        numbers,
        categories: None,
    };
    let coarse = thinned(&[1.0, 2.0, 3.0, 4.0, 5.0], 3);
    let exact = thinned(&[1.0, 2.0], 1);
    let columns = vec![
        column("coarse", Some(coarse), false),
        column("exact", Some(exact), false),
        column("many", None, true),
        ColumnProfile { kind: Kind::Embedding, ..column("vector", None, false) },
    ];
    let profile = Profile { schema: SCHEMA.to_owned(), rows: 9, columns };
    for (columns, methods, segments, expected) in [
        (&["coarse"][..], None, false, None),
        (&["coarse"], Some(Method::Wasserstein), false, Some("method `wasserstein` of column `coarse`")),
        (&["exact"], Some(Method::Wasserstein), false, None),
        (&["exact"], Some(Method::EppsSingleton), false, Some("method `epps_singleton` of column `exact`")),
        (&["many"], None, false, Some("method `chi_square` of column `many`")),
        (&["many"], Some(Method::MissingRate), false, None),
        (&["exact"], None, true, Some("segments")),
        (&["vector"], Some(Method::MissingRate), false, Some("method `missing_rate` of column `vector`")),
    ] {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let wanted =
            Wanted { columns: Some(&columns), methods: methods.as_slice().into(), segments, special: false };
        let wanted = Wanted { methods: wanted.methods.filter(|methods| !methods.is_empty()), ..wanted };
        assert_eq!(unanswered(&profile, wanted).as_deref(), expected, "{columns:?} {methods:?}");
    }
}
