//! Published cases: literal inputs and answers from other tools' tests and papers, one test a case. Those of one kernel stand beside it,
//! under the same names: `c12_` and so on for drift and quality, `case_1_` and so on for experiments, exact tests and gates.
//!
//! Numbers with a tolerance of [`PRINTED`] are as printed by their source; all others were recomputed with SciPy 1.17 and hold to
//! [`CLOSED_FORM`].

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use windvane_stats::{
    cells::{Cell, Cells},
    chi_square::chi_square,
    comparison::Comparison,
    divergence,
    epps_singleton::Characteristic,
    fisher_exact, g_test, peers, psi_threshold,
    walk::{Sizes, Walk, Walked},
};

/// The same closed form in the same doubles, given to ten digits.
const CLOSED_FORM: f64 = 1e-9;
/// Five digits in print.
const PRINTED: f64 = 1e-5;

fn check(name: &str, actual: Option<f64>, expected: f64, tolerance: f64) {
    let actual = actual.unwrap_or_else(|| panic!("{name} is not defined"));
    assert!((actual - expected).abs() < tolerance, "{name}: {actual} instead of {expected}");
}

fn cells(a: &[u64], b: &[u64]) -> Cells {
    a.iter().zip(b).map(|(a, b)| Cell::new(*a, *b)).collect()
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

fn epps_singleton(a: &[f64], b: &[f64]) -> Comparison {
    let mut characteristic = Characteristic::new(walk(a, b).half_iqr.unwrap());
    merged(a, b).into_iter().for_each(|(value, a, b)| characteristic.push(value, a, b));
    characteristic.test()
}

const SIX: ([u64; 6], [u64; 6]) = ([16, 18, 16, 14, 12, 12], [16, 16, 16, 16, 16, 8]);

fn repeated(counts: &[u64]) -> Vec<f64> {
    counts.iter().zip(1_u32..).flat_map(|(count, value)| (0..*count).map(move |_| f64::from(value))).collect()
}

// Evidently, tests/stattests/test_stattests.py: goodness of fit, base e and Epps-Singleton are its conventions; the contingency
// table, base 2 and the distances are ours.
#[test]
fn c1_six_categories() {
    let six = cells(&SIX.0, &SIX.1);
    let fit = peers::chi_square_of_fit(&six);
    check("chi-square of fit", fit.statistic, 3.174_603_174_6, CLOSED_FORM);
    check("its p", fit.p_value, 0.673_087_600_7, CLOSED_FORM);
    let doubled = cells(&SIX.0.map(|count| 2 * count), &SIX.1);
    check("its p with twice the reference", peers::chi_square_of_fit(&doubled).p_value, 0.673_09, PRINTED);
    let table = chi_square(&six);
    check("chi-square", table.statistic, 1.622_408_963_6, CLOSED_FORM);
    check("its p", table.p_value, 0.898_526_239_4, CLOSED_FORM);
    check("hellinger", divergence::hellinger(&six).statistic, 0.068_127_743_7, CLOSED_FORM);
    check("jensen_shannon, e", peers::jensen_shannon_nats(&six).statistic, 0.068_048_196_2, CLOSED_FORM);
    check("jensen_shannon, 2", divergence::jensen_shannon(&six).statistic, 0.081_734_213_3, CLOSED_FORM);
    check("kl", peers::kl_plain(&six).statistic, 0.018_909_677_0, CLOSED_FORM);
    check("psi", peers::psi_plain(&six).statistic, 0.037_218_381_6, CLOSED_FORM);
    check("l_infinity", divergence::l_infinity(&six).statistic, 0.045_454_545_4, CLOSED_FORM);
    check("total_variation", divergence::total_variation(&six).statistic, 0.068_181_818_2, CLOSED_FORM);
    let (a, b) = (repeated(&SIX.0), repeated(&SIX.1));
    check("epps_singleton p", epps_singleton(&a, &b).p_value, 0.810_022_725_7, CLOSED_FORM);
    let walked = walk(&a, &b);
    check("ks", walked.ks().statistic, 0.045_454_545_5, CLOSED_FORM);
    check("wasserstein", walked.wasserstein().statistic, 0.090_909_090_9, CLOSED_FORM);
    check("mann_whitney less p", walked.mann_whitney_less().p_value, 0.481_433_030_6, CLOSED_FORM);
}

// The same file.
#[test]
fn c2_two_samples_of_eight() {
    let x = [38.7, 41.5, 43.8, 44.5, 45.5, 46.0, 47.7, 58.0];
    let y = [39.2, 39.3, 39.7, 41.4, 41.8, 42.9, 43.3, 45.8];
    let walked = walk(&x, &y);
    check("anderson_darling", walked.anderson_darling().statistic, 1.718_309_674_4, CLOSED_FORM);
    check("its p", walked.anderson_darling().p_value, 0.063_514_7, 1e-3);
    check("t_test p", walked.t_test().p_value, 0.084_105_7, 1e-7);
    check("welch p", walked.welch().p_value, 0.095_120_6, 1e-7);
    check("ks", walked.ks().statistic, 0.625, CLOSED_FORM);
    check("ks exact p", walked.ks().p_value, 0.087_024_087_0, CLOSED_FORM);
    check("cramer_von_mises", walked.cramer_von_mises().statistic, 0.437_5, CLOSED_FORM);
    check("its exact p", walked.cramer_von_mises().p_value, 0.064_335_664_3, CLOSED_FORM);
    check("mann_whitney", walked.mann_whitney().statistic, 49.0, CLOSED_FORM);
    check("its exact p", walked.mann_whitney().p_value, 0.082_983_683_0, CLOSED_FORM);
    check("wasserstein", walked.wasserstein().statistic, 4.162_5, CLOSED_FORM);
    check("wasserstein_normed", walked.wasserstein_normed().statistic, 0.781_236_105_8, CLOSED_FORM);
    let shifted = x.map(|value| value + 5.0);
    check("energy", walk(&x, &shifted).energy().statistic, 1.933_261_493_0, CLOSED_FORM);
}

// The same file; goodness of fit, as there.
#[test]
fn c3_g_test_of_three_categories() {
    let three = cells(&[5, 5, 8], &[4, 6, 8]);
    check("G", peers::g_test_of_fit(&three).statistic, 0.402_710_271_0, CLOSED_FORM);
    check("its p", peers::g_test_of_fit(&three).p_value, 0.817_622_013_4, CLOSED_FORM);
    // Ours is of the contingency table. Oracle: `chi2_contingency(table, lambda_='log-likelihood')`.
    check("g_test", g_test::g_test(&three).statistic, 0.202_375_597_2, CLOSED_FORM);
}

// Alibi Detect, doc/source/examples/cd_supervised_penguins.ipynb: did the accuracy fall?
#[test]
fn c4_fisher_one_sided() {
    for (right, wrong, expected) in
        [(121, 16, 0.155_966_773_309_06), (123, 14, 0.267_280_951_793_24), (62, 75, 1.651_087_669_56e-18)]
    {
        let p = fisher_exact::one_sided_fall(Cell::new(126, right), Cell::new(10, wrong));
        assert!((p / expected - 1.0).abs() < CLOSED_FORM, "{right} right: {p} instead of {expected}");
        let other_way = fisher_exact::one_sided_fall(Cell::new(10, wrong), Cell::new(126, right));
        assert!(p + other_way > 1.0 - CLOSED_FORM, "both tails hold the table itself: {p} and {other_way}");
    }
}

// Evidently issue 1929: an identical constant column gave NaN.
#[test]
fn c6_what_cannot_differ_has_p_one() {
    let constant = cells(&[30], &[30]);
    let missing_too = cells(&[10, 10, 10], &[10, 10, 10]);
    for same in [&constant, &missing_too] {
        for (name, kernel) in [
            ("chi_square", chi_square as fn(&Cells) -> Comparison),
            ("g_test", g_test::g_test),
            ("chi-square of fit", peers::chi_square_of_fit),
            ("g_test of fit", peers::g_test_of_fit),
        ] {
            check(name, kernel(same).statistic, 0.0, CLOSED_FORM);
            check(name, kernel(same).p_value, 1.0, CLOSED_FORM);
        }
        check("hellinger", divergence::hellinger(same).statistic, 0.0, CLOSED_FORM);
    }
    let walked = walk(&[1.0; 30], &[1.0; 30]);
    for (name, test) in [("ks", walked.ks()), ("mann_whitney", walked.mann_whitney())] {
        check(name, test.p_value, 1.0, CLOSED_FORM);
    }
}

// Yurdakul 2018 and Scouter's tests, whose reference is taken as known: 1/m alone.
#[test]
fn c11_psi_thresholds_know_the_number_of_rows() {
    let chi_square = |bins, rows: f64| psi_threshold::chi_square(0.05, bins, 1.0 / rows);
    check("B 10, M 400", chi_square(10, 400.0), 0.042_297_444_1, CLOSED_FORM);
    check("B 20, M 1000", chi_square(20, 1000.0), 0.030_143_527_2, CLOSED_FORM);
    check("B 10, M 100", chi_square(10, 100.0), 0.169_19, PRINTED);
    check("B 10, M 1000", chi_square(10, 1000.0), 0.016_919, PRINTED);
    check("normal", psi_threshold::normal(0.05, 10, 1.0 / 400.0), 0.039_946_307_3, CLOSED_FORM);
    let psi = |a: &[u64], b: &[u64]| peers::psi_plain(&cells(a, b)).statistic;
    check("psi", psi(&[30, 40, 30], &[20, 40, 40]), 0.069_314_718_1, CLOSED_FORM);
    check("psi", psi(&[20, 30, 24, 26], &[16, 28, 32, 24]), 0.034_921_019_4, CLOSED_FORM);
}
