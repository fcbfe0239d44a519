//! Exact, paired and planning kernels against SciPy and statsmodels: tests/golden/kernels.json, written by kernels.py there.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde::Deserialize;
use windvane_stats::{
    binomial::{Share, clopper_pearson::clopper_pearson, wilson::wilson},
    bootstrap,
    experiment::{
        effect::{Alternative, Interval, Level},
        plan::{Allocation, Baseline, Plan, Scale},
    },
    paired::{mcnemar::Pairs, t::paired_t, wilcoxon::wilcoxon},
    two_proportions::{Table, boschloo::boschloo, fisher},
};

/// Relative, with the same absolute: closed forms, and tails that the oracles compute to about this.
const TAIL: f64 = 1e-9;
/// SciPy's non-central t under statsmodels has about these digits.
const NONCENTRAL: f64 = 1e-7;
/// In the order of the file.
const ALTERNATIVES: [Alternative; 3] = [Alternative::TwoSided, Alternative::Less, Alternative::Greater];

#[derive(Deserialize)]
struct Golden {
    binomials: Vec<Binomial>,
    tables: Vec<TwoByTwo>,
    differences: Vec<Differences>,
    pairs: Vec<Discordant>,
    bootstraps: Vec<Resampled>,
    powers: Vec<Power>,
}

#[derive(Deserialize)]
struct Binomial {
    k: u64,
    n: u64,
    share: f64,
    p_values: [f64; 3],
    clopper_pearson: [f64; 2],
    wilson: [f64; 2],
}

#[derive(Deserialize)]
struct TwoByTwo {
    control: [u64; 2],
    treatment: [u64; 2],
    boschloo: [f64; 3],
    fisher: [f64; 3],
}

#[derive(Deserialize)]
struct Differences {
    differences: Vec<f64>,
    wilcoxon: [f64; 3],
    t: Option<f64>,
}

#[derive(Deserialize)]
struct Discordant {
    first_only: u64,
    second_only: u64,
    exact: f64,
    corrected: f64,
}

#[derive(Deserialize)]
struct Resampled {
    estimate: f64,
    replicates: Vec<f64>,
    acceleration: f64,
    percentile: [f64; 2],
    bca: [f64; 2],
}

#[derive(Deserialize)]
struct Power {
    effect: f64,
    n: f64,
    ratio: f64,
    alternative: String,
    normal: f64,
    student: f64,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/kernels.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn check(what: &str, actual: f64, expected: f64, tolerance: f64) {
    let off = (actual - expected).abs();
    assert!(off <= tolerance * expected.abs().max(1e-3), "{what}: {actual} instead of {expected}");
}

fn check_interval(what: &str, actual: Interval, expected: [f64; 2]) {
    check(what, actual.lo, expected[0], TAIL);
    check(what, actual.hi, expected[1], TAIL);
}

#[test]
fn shares_agree_with_scipy() {
    for case in golden().binomials {
        let what = format!("{} of {} at {}", case.k, case.n, case.share);
        let share = Share::new(case.k, case.n).unwrap();
        for (alternative, expected) in ALTERNATIVES.into_iter().zip(case.p_values) {
            check(&what, share.p_value(case.share, alternative).unwrap(), expected, TAIL);
        }
        check_interval(&what, clopper_pearson(share, 0.95).unwrap().interval, case.clopper_pearson);
        check_interval(&what, wilson(share, 0.95).unwrap().interval, case.wilson);
    }
}

#[test]
fn tables_agree_with_a_search_of_the_common_share() {
    for case in golden().tables {
        let share = |[k, n]: [u64; 2]| Share::new(k, n).unwrap();
        let table = Table { control: share(case.control), treatment: share(case.treatment) };
        for (at, alternative) in ALTERNATIVES.into_iter().enumerate() {
            let what = format!("{table:?} {alternative:?}");
            check(&what, boschloo(&table, alternative).unwrap().p_value, case.boschloo[at], TAIL);
            check(&what, fisher(&table, alternative), case.fisher[at], TAIL);
        }
    }
}

#[test]
fn differences_agree_with_scipy() {
    for case in golden().differences {
        let what = format!("{:?}", case.differences);
        for (alternative, expected) in ALTERNATIVES.into_iter().zip(case.wilcoxon) {
            check(&what, wilcoxon(&case.differences, alternative).unwrap().p_value, expected, TAIL);
        }
        let found = paired_t(&case.differences, Level::two_sided(0.05)).unwrap().p_value;
        assert_eq!(found.is_some(), case.t.is_some(), "{what}");
        if let (Some(found), Some(expected)) = (found, case.t) {
            check(&what, found, expected, TAIL);
        }
    }
}

#[test]
fn discordant_pairs_agree_with_statsmodels() {
    for case in golden().pairs {
        let (b, c) = (case.first_only, case.second_only);
        let found = Pairs::new(b, c, b + c + 150).unwrap().test();
        check(&format!("{b} {c}"), found.exact, case.exact, TAIL);
        check(&format!("{b} {c}"), found.corrected, case.corrected, TAIL);
    }
}

#[test]
fn intervals_of_the_same_replicates_agree_with_scipy() {
    for case in golden().bootstraps {
        let found = bootstrap::percentile(&case.replicates, 0.95).unwrap();
        check_interval("percentile", found, case.percentile);
        let found = bootstrap::bca(case.estimate, &case.replicates, case.acceleration, 0.95).unwrap();
        check_interval("BCa", found, case.bca);
    }
}

#[test]
fn powers_agree_with_statsmodels() {
    for case in golden().powers {
        let alternative =
            if case.alternative == "greater" { Alternative::Greater } else { Alternative::TwoSided };
        let total = case.n * (1.0 + case.ratio);
        let plan = Plan {
            scale: Scale::Absolute,
            allocation: Allocation::of(case.n, case.n * case.ratio, total).unwrap(),
            level: Level { alpha: 0.05, alternative },
            ..Plan::new(Baseline::of_mean(0.0, 1.0).unwrap(), 0.05)
        };
        let what = format!("{} with {} and {}", case.effect, case.n, case.n * case.ratio);
        let power = plan.power(case.effect, total).unwrap();
        // statsmodels pools the variances; with unequal arms Welch has fewer degrees of freedom and less power.
        if case.ratio == 1.0 {
            check(&what, power, case.student, NONCENTRAL);
        } else {
            assert!(power < case.normal + 1e-12 && power < case.student + 1e-3, "{what}: {power}");
        }
    }
}
