//! The kernels against SciPy: tests/golden/drift.json, written by tests/golden/drift.py.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use windvane_stats::{
    cells::{Cell, Cells},
    chi_square::chi_square,
    comparison::Comparison,
    cramers_v::cramers_v,
    divergence,
    epps_singleton::Characteristic,
    fisher_exact::fisher_exact,
    g_test::g_test,
    ks,
    missing_rate::missing_rate,
    mmd::mmd,
    new_categories::new_categories,
    walk::{Sizes, Walk, Walked},
};

/// Closed forms of the same doubles.
const CLOSED_FORM: f64 = 1e-9;
/// Absolute: where SciPy computes a tail as 1 - cdf it has no more digits than this.
const SCIPY_TAIL: f64 = 1e-11;

/// Absolute: SciPy says of its series for Cramér-von Mises that it is not accurate far out.
const SCIPY_SERIES: f64 = 1e-9;

#[derive(Deserialize)]
struct Golden {
    numeric: Vec<Case<f64>>,
    categorical: Vec<Case<u64>>,
    one_sample_ks: Vec<OneSample>,
}

#[derive(Deserialize)]
struct Case<T> {
    name: String,
    reference: Vec<T>,
    current: Vec<T>,
    methods: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    statistic: Option<f64>,
    p_value: Option<f64>,
}

#[derive(Deserialize)]
struct OneSample {
    n: u64,
    d: f64,
    p_value: f64,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/drift.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn merged(reference: &[f64], current: &[f64]) -> Vec<(f64, u64, u64)> {
    let mut values: Vec<(f64, u64, u64)> =
        reference.iter().map(|x| (*x, 1, 0)).chain(current.iter().map(|x| (*x, 0, 1))).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values
}

fn walk(reference: &[f64], current: &[f64]) -> Walked {
    let sizes = Sizes { a: reference.len() as u64, b: current.len() as u64 };
    let mut walk = Walk::new(sizes, Vec::new());
    for (value, a, b) in merged(reference, current) {
        walk.push(value, a, b);
    }
    walk.finish().unwrap()
}

fn numeric(method: &str, walked: &Walked, case: &Case<f64>) -> Comparison {
    match method {
        "ks" => walked.ks(),
        "wasserstein" => walked.wasserstein(),
        "wasserstein_normed" => walked.wasserstein_normed(),
        "cramer_von_mises" => walked.cramer_von_mises(),
        "anderson_darling" => walked.anderson_darling(),
        "mann_whitney" => walked.mann_whitney(),
        "energy" => walked.energy(),
        "mmd" => mmd(walked, &mut ChaCha8Rng::seed_from_u64(1)),
        "t_test" => walked.t_test(),
        "welch" => walked.welch(),
        "epps_singleton" => {
            let mut characteristic = Characteristic::new(walked.half_iqr.unwrap());
            for (value, a, b) in merged(&case.reference, &case.current) {
                characteristic.push(value, a, b);
            }
            characteristic.test()
        }
        other => panic!("no kernel for {other}"),
    }
}

fn categorical(method: &str, cells: &Cells) -> Comparison {
    match method {
        "chi_square" => chi_square(cells),
        "g_test" => g_test(cells),
        "cramers_v" => cramers_v(cells),
        "fisher_exact" => fisher_exact(cells),
        "jensen_shannon" => divergence::jensen_shannon(cells),
        "hellinger" => divergence::hellinger(cells),
        "total_variation" => divergence::total_variation(cells),
        "l_infinity" => divergence::l_infinity(cells),
        "psi" => divergence::psi(cells),
        "kl" => divergence::kl(cells),
        "missing_rate" => missing_rate(cells.as_slice()[1], cells.as_slice()[0]),
        "new_categories" => new_categories(cells),
        other => panic!("no kernel for {other}"),
    }
}

fn differs(actual: Option<f64>, expected: Option<f64>, absolute: f64) -> bool {
    match (actual, expected) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(actual), Some(expected)) => {
            let off = (actual - expected).abs();
            off > CLOSED_FORM * expected.abs() && off > absolute
        }
    }
}

fn check(name: &str, method: &str, actual: Comparison, expected: &Expected) -> Option<String> {
    let statistic = differs(actual.statistic, expected.statistic, CLOSED_FORM);
    let tail = if method == "cramer_von_mises" { SCIPY_SERIES } else { SCIPY_TAIL };
    let p_value = differs(actual.p_value, expected.p_value, tail);
    (statistic || p_value).then(|| {
        format!("{name} {method}: {actual:?} instead of {:?}, {:?}", expected.statistic, expected.p_value)
    })
}

#[test]
fn numeric_methods_agree_with_scipy() {
    let failures: Vec<String> = golden()
        .numeric
        .iter()
        .flat_map(|case| {
            let walked = walk(&case.reference, &case.current);
            case.methods
                .iter()
                .filter_map(|(method, expected)| {
                    check(&case.name, method, numeric(method, &walked, case), expected)
                })
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn categorical_methods_agree_with_scipy() {
    let failures: Vec<String> = golden()
        .categorical
        .iter()
        .flat_map(|case| {
            let cells: Cells =
                case.reference.iter().zip(&case.current).map(|(a, b)| Cell::new(*a, *b)).collect();
            case.methods
                .iter()
                .filter_map(|(method, expected)| {
                    let mut actual = categorical(method, &cells);
                    if expected.p_value.is_none() {
                        actual.p_value = None;
                    }
                    check(&case.name, method, actual, expected)
                })
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_one_sample_distribution_agrees_with_scipy() {
    for case in golden().one_sample_ks {
        // Sizes whose harmonic combination is n: 2n against 2n.
        let sizes = Sizes { a: 2 * case.n, b: 2 * case.n };
        let p = ks::asymptotic_p(case.d, sizes);
        let off = (p - case.p_value).abs();
        assert!(
            off < 1e-9 * case.p_value || off < 1e-13,
            "n {} d {}: {p} instead of {}",
            case.n,
            case.d,
            case.p_value
        );
    }
}
