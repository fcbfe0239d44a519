//! Verdicts over evidence that is written down, with the numbers of the contract and of published cases.

use std::sync::LazyLock;
use std::time::Duration;

use windvane_types::gate::Document;

use super::*;

fn evidence_of(agree: u64, n: u64) -> Agreement {
    Agreement {
        rate: (n > 0).then(|| agree as f64 / n as f64),
        agree,
        n,
        ci: crate::compare::interval(agree, n, 0.95),
        outputs: Vec::new(),
        errors: 0,
        segments: Vec::new(),
        segments_left_out: 0,
        worst: Vec::new(),
        noise: None,
    }
}

fn verdict_of(policy: &str, agreement: &Agreement) -> Verdict {
    Document::worst(&checks_of(policy, agreement, (&Timings::default(), &Timings::default())))
}

fn checks_of(policy: &str, agreement: &Agreement, timings: (&Timings, &Timings)) -> Vec<Check> {
    checks_with(policy, (agreement, timings), |_| {})
}

static NO_QUALITY: LazyLock<Quality> = LazyLock::new(Quality::default);
static NONE_SKIPPED: LazyLock<SkippedRequests> = LazyLock::new(SkippedRequests::default);

fn checks_with<'a>(
    policy: &str,
    (agreement, timings): (&'a Agreement, (&'a Timings, &'a Timings)),
    change: impl FnOnce(&mut Evidence<'a>),
) -> Vec<Check> {
    let policy = Policy::parse(policy).unwrap();
    let mut evidence = Evidence {
        agreement,
        segments: (&[], 0),
        differences: &[],
        first_error: None,
        timed_errors: (0, None),
        timings,
        quality: &NO_QUALITY,
        skipped: &NONE_SKIPPED,
    };
    change(&mut evidence);
    judge(&policy, &evidence)
}

const POLICY: &str = "[gate]\nmin_requests = 100\n[agreement]\nrate_min = 0.99\n";

// The contract: a bound of .99 at confidence .95 needs 368 rows without a difference to pass.
#[test]
fn agreement_passes_from_368_requests_without_a_difference() {
    for (agree, n, expected) in [
        (368, 368, Verdict::Pass),
        (367, 367, Verdict::Inconclusive),
        (99, 99, Verdict::Inconclusive),
        (0, 0, Verdict::Inconclusive),
        (960, 1000, Verdict::Fail),
        (985, 1000, Verdict::Inconclusive),
    ] {
        assert_eq!(verdict_of(POLICY, &evidence_of(agree, n)), expected, "{agree} of {n}");
    }
}

// Field case 33: 1985 of 2000 against .99 has a one-sided p of .155: neither shown nor refuted.
#[test]
fn a_rate_just_above_its_bound_is_no_proof() {
    assert_eq!(verdict_of(POLICY, &evidence_of(1985, 2000)), Verdict::Inconclusive);
}

/// An output without any difference.
fn output(name: &str) -> Output {
    Output {
        output: name.to_owned(),
        rate: Some(1.0),
        max_abs: None,
        max_rel: None,
        nonfinite: 0,
        element: "float32".to_owned(),
        atol: None,
        rtol: None,
        agree: 100_000,
        n: 100_000,
        nonfinite_champion: 0,
        shape_differs: 0,
        mean_abs: None,
        max_ulp: None,
        min_cosine: None,
        top_class: None,
        distribution: None,
        rank: None,
        drift: None,
        drift_ci: None,
    }
}

#[test]
fn one_value_that_is_not_finite_fails_whatever_the_rate() {
    let mut agreement = evidence_of(100_000, 100_000);
    agreement.outputs.push(Output { nonfinite: 1, ..output("y") });
    let checks = checks_of(POLICY, &agreement, (&Timings::default(), &Timings::default()));
    let finite = checks.iter().find(|check| check.check == "finite").unwrap();
    assert_eq!(finite.verdict, Verdict::Fail);
    assert!(finite.reason.contains("output `y`"), "{}", finite.reason);
    agreement.outputs.clear();
    agreement.errors = 1;
    assert_eq!(verdict_of(POLICY, &agreement), Verdict::Fail);
}

fn timings(latencies: impl IntoIterator<Item = u64>) -> Timings {
    let mut timings = Timings::new(Some(5_000.0));
    for us in latencies {
        timings.push(Duration::from_micros(us), [Duration::from_micros(us)], 0.0);
    }
    timings
}

// MLPerf's early stopping, each direction at half of the error: 368 without one over the bound prove 99 % at 95 %.
#[test]
fn a_tail_is_proved_by_counting_and_not_by_its_quantile() {
    let policy = "[latency]\np99_us_max = 5000\n";
    let verdict = |candidate: &Timings| {
        let checks = checks_of(policy, &evidence_of(1, 1), (&timings([]), candidate));
        checks.iter().find(|check| check.check == "p99_us").unwrap().verdict
    };
    assert_eq!(verdict(&timings((0..368).map(|_| 10))), Verdict::Pass);
    assert_eq!(verdict(&timings((0..367).map(|_| 10))), Verdict::Inconclusive);
    assert_eq!(verdict(&timings((0..100).map(|i| if i < 90 { 10 } else { 9_000 }))), Verdict::Fail);
    assert_eq!(verdict(&timings([])), Verdict::Inconclusive);
}

#[test]
fn a_ratio_of_latencies_needs_both_intervals() {
    let verdict = |candidate: &Timings| {
        let champion = timings((0..1000).map(|i| 100 + i % 10));
        let checks = checks_of("[latency]\nratio_max = 1.2\n", &evidence_of(1, 1), (&champion, candidate));
        checks.iter().find(|check| check.check == "latency_ratio").unwrap().verdict
    };
    assert_eq!(verdict(&timings((0..1000).map(|i| 100 + i % 10))), Verdict::Pass);
    assert_eq!(verdict(&timings((0..1000).map(|i| 200 + i % 10))), Verdict::Fail);
    assert_eq!(verdict(&timings((0..1000).map(|i| 130 - i % 10))), Verdict::Inconclusive);
    assert_eq!(verdict(&timings([100, 100])), Verdict::Inconclusive);
}

// Published cases in which a rank test over a handful of values let a candidate through: sparse errors, and a slow majority.
#[test]
fn a_few_errors_or_a_slow_majority_never_pass() {
    // Errors of the candidate in six intervals of a thousand requests: 0, 1, 2, 1, 0, 0. The champion has none.
    let mut agreement = evidence_of(5_996, 6_000);
    agreement.errors = 4;
    assert_eq!(verdict_of(POLICY, &agreement), Verdict::Fail);
    // Seven answers of ten take a hundred times as long: ten are too few to prove it, a hundred are not.
    let latencies = |times: usize| {
        let slow =
            timings(std::iter::repeat_n(100_000, 7 * times).chain(std::iter::repeat_n(1_000, 3 * times)));
        let champion = timings(std::iter::repeat_n(1_000, 10 * times));
        let n = 10 * times as u64;
        let checks = checks_of("[latency]\nratio_max = 1.2\n", &evidence_of(n, n), (&champion, &slow));
        Document::worst(&checks)
    };
    assert_eq!((latencies(1), latencies(10)), (Verdict::Inconclusive, Verdict::Fail));
}

#[test]
fn a_lost_gate_stays_lost_however_the_rest_answers() {
    let policy = Policy::parse(POLICY).unwrap();
    assert!(!is_lost(&policy, (100, 110), 10_000));
    assert!(is_lost(&policy, (700, 1_000), 10_000));
    // What is called lost fails at the end, with every further request in agreement.
    for differ in 0..400_u64 {
        if is_lost(&policy, (0, differ), 10_000) {
            assert_eq!(verdict_of(POLICY, &evidence_of(10_000 - differ, 10_000)), Verdict::Fail, "{differ}");
        }
    }
}

#[test]
fn a_margin_of_quality_is_met_missed_or_open() {
    let metric = |difference: f64, ci: Option<[f64; 2]>| Quality {
        labelled: 500,
        metrics: vec![Metric {
            metric: "accuracy".to_owned(),
            champion: 0.9,
            candidate: 0.9 + difference,
            difference,
            ci,
            p_value: None,
            method: "mcnemar".to_owned(),
            n: 500,
            higher_is_better: true,
        }],
    };
    for (difference, ci, expected) in [
        (-0.001, Some([-0.004, 0.002]), Verdict::Pass),
        (0.02, Some([0.01, 0.03]), Verdict::Pass),
        (-0.02, Some([-0.03, -0.01]), Verdict::Fail),
        (-0.004, Some([-0.01, 0.002]), Verdict::Inconclusive),
        (0.0, None, Verdict::Inconclusive),
    ] {
        assert_eq!(
            quality(("accuracy", 0.005), &metric(difference, ci)).verdict,
            expected,
            "{difference} {ci:?}"
        );
    }
    assert_eq!(quality(("roc_auc", 0.005), &metric(0.0, None)).verdict, Verdict::Inconclusive);
    assert_eq!(quality(("accuracy", 0.005), &Quality::default()).verdict, Verdict::Inconclusive);
}

/// The check of segments over a hundred large ones that are proved, and these.
fn segments_with(more: &[(&str, u64, u64)], unknown: u64) -> Check {
    let segment = |(name, agree, n): (String, u64, u64)| Segment {
        segment: std::collections::BTreeMap::from([("carrier".to_owned(), Some(name))]),
        rate: agree as f64 / n as f64,
        agree,
        n,
        ci: crate::compare::interval(agree, n, 0.9995),
    };
    let many = (0..100).map(|at| (format!("large {at}"), 9_999, 10_000));
    let all: Vec<Segment> = many
        .chain(more.iter().map(|(name, agree, n)| ((*name).to_owned(), *agree, *n)))
        .map(segment)
        .collect();
    let policy = "[agreement]\nrate_min = 0.9\nsegment_rate_min = 0.95\n";
    let (agreement, timings) = (evidence_of(1_000, 1_000), Timings::default());
    let checks = checks_with(policy, (&agreement, (&timings, &timings)), |evidence| {
        evidence.segments = (all.as_slice(), unknown);
    });
    checks.into_iter().find(|check| check.check == "segments").unwrap()
}

// Of so many segments a report lists a hundred; those that it does not list are judged all the same.
#[test]
fn one_small_segment_leaves_a_gate_in_doubt_however_many_are_proved() {
    assert_eq!(segments_with(&[], 0).verdict, Verdict::Pass);
    let small = segments_with(&[("small", 3, 3)], 0);
    assert_eq!((small.verdict, small.n), (Verdict::Inconclusive, 3), "{}", small.reason);
    assert!(small.reason.contains("of 101 segments") && small.reason.contains("small"), "{}", small.reason);
    assert_eq!(segments_with(&[("small", 3, 3), ("broken", 10, 100)], 0).verdict, Verdict::Fail);
    let unknown = segments_with(&[], 7);
    assert_eq!(unknown.verdict, Verdict::Inconclusive);
    assert!(unknown.reason.contains("nothing is known of 7"), "{}", unknown.reason);
}

#[test]
fn an_error_when_requests_are_timed_fails_as_one_when_they_are_compared_does() {
    let (agreement, timings) = (evidence_of(1_000, 1_000), Timings::default());
    let checks = checks_with(POLICY, (&agreement, (&timings, &timings)), |evidence| {
        evidence.timed_errors = (2, Some("the candidate: it was broken off"));
    });
    let errors = checks.iter().find(|check| check.check == "errors").unwrap();
    assert_eq!((errors.verdict, errors.observed), (Verdict::Fail, Some(2.0)));
    assert!(errors.reason.contains("timed") && errors.reason.contains("broken off"), "{}", errors.reason);
}

#[test]
fn what_would_do_is_told_at_the_confidence_of_the_policy() {
    let reason = |policy: &str| {
        let timings = Timings::default();
        let checks = checks_of(policy, &evidence_of(367, 367), (&timings, &timings));
        checks.into_iter().find(|check| check.check == "agreement").unwrap().reason
    };
    let sure = reason("[gate]\nconfidence = 0.99\n[agreement]\nrate_min = 0.99\n");
    // ln(0.005) / ln(0.99) is 527.2.
    assert!(sure.contains("528 requests would do at 99.0 % confidence"), "{sure}");
    let all = reason("[agreement]\nrate_min = 1.0\n");
    assert!(all.contains("no number of requests shows that all agree"), "{all}");
}

#[test]
fn shares_near_either_end_keep_their_digits() {
    for (share, told) in
        [(0.0, "0.0 %"), (0.0005, "0.050 %"), (0.004, "0.40 %"), (0.5, "50.0 %"), (0.9999, "99.990 %")]
    {
        assert_eq!(percent(share), told);
    }
}

#[test]
fn a_spread_is_judged_by_its_interval_and_the_worst_output_decides() {
    let mut agreement = evidence_of(1_000, 1_000);
    let spread =
        |name: &str, distance, ci| Output { drift: Some(distance), drift_ci: Some(ci), ..output(name) };
    for (outputs, expected, told) in [
        (vec![], Verdict::Inconclusive, None),
        (vec![output("words")], Verdict::Inconclusive, None),
        (vec![spread("a", 0.01, [0.0, 0.1])], Verdict::Pass, Some("a")),
        (vec![spread("a", 0.01, [0.0, 0.11])], Verdict::Inconclusive, Some("a")),
        (vec![spread("a", 0.3, [0.2, 0.4]), spread("b", 0.9, [0.05, 1.0])], Verdict::Fail, Some("a")),
        (
            vec![spread("a", 0.09, [0.08, 0.1]), spread("b", 0.01, [0.0, 0.2])],
            Verdict::Inconclusive,
            Some("b"),
        ),
    ] {
        agreement.outputs = outputs;
        let found = drift(0.1, &agreement);
        assert_eq!((found.verdict, found.subject.as_deref()), (expected, told), "{}", found.reason);
    }
}
