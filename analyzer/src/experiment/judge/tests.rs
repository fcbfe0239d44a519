//! Verdicts, ledgers and guardrails of facts that are made by hand.

use std::collections::BTreeMap;

use windvane_stats::experiment::{
    cuped::{Law, Laws},
    group_sequential::Spending,
    proportion::Proportion,
    quantile::QuantileArm,
    sums::{PairSums, PairTotals, Sums},
};
use windvane_types::experiment::{Comparison, Effect, GuardrailVerdict, Role, SrmVerdict, Verdict};

use super::{SRM_BELOW, beside, compare, judge, sample_ratio, undefined};
use crate::experiment::{
    facts::{ArmFacts, ArmMetric, ArmSums, Facts, MetricFacts, Part, Parts},
    inference::{Earlier, Inference, Looks, Progress},
    metric::{Measured, Metric},
    request::{LookedAt, Rule},
    sequence_method::SequenceMethod,
};

/// Two arms with so many units and weights, and what is summed of them.
fn arms_of(
    metric: Metric,
    (units, weights): ([u64; 2], [f64; 2]),
    sums: [ArmSums; 2],
    parts: Parts,
) -> Facts {
    let arm = |((name, units), weight): ((&str, u64), f64)| ArmFacts { name: name.to_owned(), units, weight };
    let of = |(sums, n): (ArmSums, u64)| ArmMetric {
        sums,
        n,
        missing: 0,
        partial: 0,
        capped: 0,
        floored: 0,
        values: n,
    };
    let metric = MetricFacts {
        metric,
        covariate: None,
        arms: sums.into_iter().zip(units).map(of).collect(),
        notes: Vec::new(),
        reason: None,
    };
    Facts {
        source: "e".to_owned(),
        rows: None,
        unassigned: 0,
        units: units.iter().sum(),
        several: 0,
        arms: ["A", "B"].into_iter().zip(units).zip(weights).map(arm).collect(),
        metrics: vec![metric],
        parts,
    }
}

/// Two arms with so many units and these means, every second unit one above its mean and the others one below.
fn two_arms(units: [u64; 2], means: [f64; 2], segments: Vec<Part>) -> Facts {
    let of = |place: usize| {
        let (mean, n) = (means[place], units[place]);
        ArmSums::Mean(Sums::of(n, mean * n as f64, (mean * mean + 1.0) * n as f64).unwrap())
    };
    let metric = Metric::new("revenue", Measured::Mean);
    arms_of(metric, (units, [0.5; 2]), [of(0), of(1)], Parts { segments, ..Parts::default() })
}

/// A guardrail of shares of 900 and 100 units.
fn two_shares(sums: [ArmSums; 2], strata: Vec<Vec<Sums>>) -> Facts {
    let mut metric = Metric::new("bought", Measured::Proportion);
    metric.role = Role::Guardrail;
    let parts = Parts { strata: vec![strata], ..Parts::default() };
    arms_of(metric, ([900, 100], [0.9, 0.1]), sums, parts)
}

// chisquare([5200, 4800]) by SciPy is 6.3e-5, and chisquare([5000, 5000]) and chisquare([2000, 2000]) are 1.
#[test]
fn a_mismatch_of_the_whole_withholds_the_verdicts_of_its_segments() {
    for (units, verdict) in [([5000, 5000], Verdict::Better), ([5200, 4800], Verdict::Inconclusive)] {
        let values = BTreeMap::from([("country".to_owned(), Some("DE".to_owned()))]);
        let part = Part { values, facts: two_arms([2000, 2000], [10.0, 11.0], Vec::new()) };
        let document = judge(&two_arms(units, [10.0, 11.0], vec![part]), 0, &Rule::against("A"));
        let segment = &document.segments[0];
        let found = (document.comparisons[0].verdict, segment.comparisons[0].verdict);
        assert_eq!(found, (verdict, verdict), "{units:?}");
        assert_eq!(segment.srm.verdict, SrmVerdict::Ok);
        let told = segment.comparisons[0]
            .ledger
            .iter()
            .any(|line| line.starts_with("withheld: the verdict `better`"));
        assert_eq!(told, verdict == Verdict::Inconclusive, "{:?}", segment.comparisons[0].ledger);
    }
}

// C is far below both of the others, and has no verdict by any inference.
#[test]
fn an_arm_of_weight_0_is_shown_and_left_out_of_the_test() {
    let two = two_arms([2000, 2000], [10.0, 10.1], Vec::new());
    let mut facts = two.clone();
    facts.units += 300;
    facts.arms.push(ArmFacts { name: "C".to_owned(), units: 300, weight: 0.0 });
    let third = two_arms([300, 300], [5.0, 5.0], Vec::new());
    facts.metrics[0].arms.push(third.metrics[0].arms[0].clone());
    facts.metrics[0].metric.margin = Some(0.9);
    facts.metrics[0].metric.role = Role::Guardrail;
    let values = BTreeMap::from([("country".to_owned(), None)]);
    let part = Part { values, facts: facts.clone() };
    facts.parts.segments.push(part);
    for inference in [Inference::Fixed, Inference::Sequential, Inference::Bayesian { loss_max: None }] {
        let rule = Rule { inference, ..Rule::against("A") };
        let document = judge(&facts, 0, &rule);
        assert_eq!((document.tests, document.srm.p_value), (2, Some(1.0)));
        assert_eq!(document.overall(), document.comparisons[0].verdict);
        for comparisons in [&document.comparisons, &document.segments[0].comparisons] {
            let [of_b, of_c] = comparisons.as_slice() else { panic!("{comparisons:?}") };
            assert!(of_b.reason.is_none() && of_b.guardrail.is_some() && of_b.p_adjusted.is_some());
            assert_eq!((of_c.verdict, of_c.p_adjusted), (Verdict::Inconclusive, None), "{of_c:?}");
            assert!(of_c.guardrail.is_none() && of_c.mean == Some(5.0) && of_c.p_value.is_some());
            let told = of_c.ledger.last().unwrap();
            assert!(told.starts_with("left out of the test: arm `C` has the weight 0"), "{told}");
        }
    }
    // Nor is anything tested against a control that gets no units.
    let mut off = two;
    off.arms[0].weight = 0.0;
    let document = judge(&off, 0, &Rule::against("A"));
    let reason = document.comparisons[0].reason.as_ref().unwrap();
    assert!(document.tests == 0 && reason.contains("arm `A` has the weight 0"), "{reason}");
}

#[test]
fn a_standard_error_of_zero_is_told_by_what_does_not_vary() {
    let mut pairs = PairSums::default();
    [1.0, 2.0, 4.0].into_iter().for_each(|value| pairs.push([value, value]));
    for (sums, part) in [
        (ArmSums::Mean(Sums::of(3, 3.0, 3.0).unwrap()), "one same value"),
        (ArmSums::Ratio(pairs), "one same ratio"),
        (ArmSums::Adjusted(pairs, Laws::default()), "the covariate does not tell"),
    ] {
        let side = ArmMetric { sums, n: 3, missing: 0, partial: 0, capped: 0, floored: 0, values: 3 };
        let absolute = Effect { estimate: Some(0.0), se: Some(0.0), ..Effect::default() };
        let told = undefined(&absolute, (&side, &side)).unwrap();
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_quantile_without_a_p_value_says_why() {
    let side = |values: &[f64]| ArmMetric {
        sums: ArmSums::Quantile(QuantileArm::of_units(values.chunks(1), 0.5)),
        n: values.len() as u64,
        missing: 0,
        partial: 0,
        capped: 0,
        floored: 0,
        values: values.len() as u64,
    };
    let spread: Vec<f64> = (1..=100).map(f64::from).collect();
    let (same, infinite, few) = (vec![5.0; 100], vec![f64::INFINITY; 100], vec![1.0, 2.0, 3.0]);
    let huge: Vec<f64> = spread.iter().map(|value| value * 1e300).collect();
    for (control, arm, part, has_set) in [
        (&spread, &spread, None, true),
        (&same, &same, Some("in each arm the rows about the quantile have one same value"), true),
        (&spread, &same, Some("in one arm the rows about the quantile have one same value"), false),
        (&same, &spread, Some("in one arm the rows about the quantile have one same value"), false),
        (&spread, &infinite, Some("are infinite"), false),
        (&huge, &huge, Some("too large to be squared"), false),
        (&spread, &few, Some("too few rows"), false),
    ] {
        let sides = (side(control), side(arm));
        let rule = Rule::against("A");
        let contrast = compare::compare(&sides.0, &sides.1).contrast;
        let absolute = compare::effect(contrast.absolute(compare::level(&rule)));
        let told = undefined(&absolute, (&sides.0, &sides.1));
        assert_eq!(told.is_some(), part.is_some(), "{told:?}");
        assert!(part.is_none_or(|part| told.as_ref().unwrap().contains(part)), "{told:?}");
        // Where the difference has no error, neither has the set of the relative one.
        let set = beside::fieller(&sides.0.sums, &sides.1.sums, (&contrast, rule.alpha));
        assert_eq!(set.is_some(), has_set, "{part:?}: {set:?}");
    }
}

#[test]
fn units_of_an_arm_of_weight_0_are_no_part_of_the_plan() {
    let mut facts = two_arms([400, 400], [10.0, 10.1], Vec::new());
    let third = two_arms([800, 800], [5.0, 5.0], Vec::new());
    facts.units += 800;
    facts.arms.push(ArmFacts { name: "C".to_owned(), units: 800, weight: 0.0 });
    facts.metrics[0].arms.push(third.metrics[0].arms[0].clone());
    let looks =
        Looks { spending: Spending::Pocock, now: Progress::OfUnits(1600.0), before: Earlier::Every(4) };
    let rule = Rule { inference: Inference::GroupSequential(looks), ..Rule::against("A") };
    let found = judge(&facts, 0, &rule).comparisons.remove(0);
    assert_eq!(found.group_sequential.unwrap().fractions, [0.25, 0.5]);
}

// Units of 9, 11, 9, 11 against 10.5, 12.5, 10.5, 12.5: SciPy's ttest_ind gives p 0.115840, and the normal distribution 0.066193.
#[test]
fn one_planned_look_is_the_fixed_test_however_few_units_there_are() {
    let mut facts = two_arms([4, 4], [10.0, 11.5], Vec::new());
    facts.metrics[0].metric.margin = Some(0.2);
    let judged = |inference| {
        let rule = Rule { inference, alpha: 0.1, ..Rule::against("A") };
        judge(&facts, 0, &rule).comparisons.remove(0)
    };
    let looks = Looks {
        spending: Spending::ObrienFleming,
        now: Progress::Fraction(1.0),
        before: Earlier::At(Vec::new()),
    };
    let (fixed, planned) = (judged(Inference::Fixed), judged(Inference::GroupSequential(looks)));
    let of = |found: &Comparison| {
        let [lo, hi] = found.decision.ci.unwrap();
        let margin = found.margin_test.unwrap();
        [found.decision.p_value, lo, hi, margin.equivalence_p_value].map(Option::unwrap)
    };
    assert!((of(&fixed)[0] - 0.115_840).abs() < 1e-6, "{fixed:?}");
    for (fixed, planned) in of(&fixed).iter().zip(of(&planned)) {
        assert!((fixed - planned).abs() < 1e-8, "{fixed} {planned}");
    }
    assert_eq!((fixed.verdict, planned.verdict), (Verdict::Inconclusive, Verdict::Inconclusive));
    let group = planned.group_sequential.unwrap();
    assert!(group.z.unwrap() < group.boundary.unwrap(), "{group:?}");
}

// One of ten units is dealt to B. That none of 100 succeeds where 9 of 900 do has the exact p 0.6107 (SciPy `fisher_exact`) and the pooled z
// -1.0045 (statsmodels `proportions_ztest`), but B has no variance: by that of the control alone it is 3.02 errors away.
#[test]
fn a_small_arm_without_a_success_is_not_sure_to_be_worse() {
    let mut facts = two_arms([900, 100], [0.0, 0.0], Vec::new());
    for (arm, (weight, successes)) in [(0.9, 9.0), (0.1, 0.0)].into_iter().enumerate() {
        facts.arms[arm].weight = weight;
        let sums = Proportion::of(facts.arms[arm].units, successes).unwrap();
        facts.metrics[0].arms[arm].sums = ArmSums::Proportion(sums);
    }
    let once =
        Looks { spending: Spending::Pocock, now: Progress::Fraction(1.0), before: Earlier::At(Vec::new()) };
    facts.metrics[0].metric.role = Role::Guardrail;
    facts.metrics[0].metric.measured = Measured::Proportion;
    for (inference, p) in [(Inference::GroupSequential(once), 0.315_123), (Inference::Sequential, 1.0)] {
        let found = judge(&facts, 0, &Rule { inference, ..Rule::against("A") }).comparisons.remove(0);
        assert!((found.decision.p_value.unwrap() - p).abs() < 1e-6, "{found:?}");
        assert_eq!(found.verdict, Verdict::Inconclusive, "{found:?}");
        assert_eq!(found.guardrail.unwrap().verdict, GuardrailVerdict::Undecided);
        let high = found.decision.ci.and_then(|ci| ci[1]);
        assert!(high.is_none_or(|high| high > 0.0), "{high:?}");
        // What the document calls the p-value is that of the estimate's own error, and one look goes by it.
        assert!(found.p_value.unwrap() < 0.003, "{:?}", found.p_value);
        assert!((found.exact_p_value.unwrap() - 0.610_675).abs() < 1e-6, "{:?}", found.exact_p_value);
    }
}

// 0 of 20 and 20 of 20: no table is further out but the opposite one, and both are likeliest at a share of .5: 2/2⁴⁰ (SciPy `boschloo_exact`).
#[test]
fn shares_of_none_and_all_have_an_exact_p_value_where_they_have_no_error() {
    let mut facts = two_arms([20, 20], [0.0, 0.0], Vec::new());
    for (arm, successes) in [0.0, 20.0].into_iter().enumerate() {
        facts.metrics[0].arms[arm].sums = ArmSums::Proportion(Proportion::of(20, successes).unwrap());
    }
    facts.metrics[0].metric.measured = Measured::Proportion;
    let found = judge(&facts, 0, &Rule::against("A")).comparisons.remove(0);
    assert!(found.p_value.is_none() && found.verdict == Verdict::Inconclusive, "{found:?}");
    assert!((found.exact_p_value.unwrap() * 2_f64.powi(39) - 1.0).abs() < 1e-6, "{:?}", found.exact_p_value);
    let line = "no normal limit; the exact p-value by boschloo is 1.8e-12, ";
    assert!(found.ledger.iter().any(|told| told.contains(line)), "{:?}", found.ledger);
}

// A mixture's parameter is a share of the control's value.
#[test]
fn a_mixture_beside_a_control_of_zero_decides_nothing_and_says_so() {
    let mut facts = two_arms([1000, 1000], [0.0, 0.0], Vec::new());
    for (arm, successes) in [0.0, 30.0].into_iter().enumerate() {
        facts.metrics[0].arms[arm].sums = ArmSums::Proportion(Proportion::of(1000, successes).unwrap());
    }
    facts.metrics[0].metric.measured = Measured::Proportion;
    for (sequence, decides) in
        [(SequenceMethod::Msprt { sd: 0.05 }, false), (SequenceMethod::Asymptotic, true)]
    {
        let rule = Rule { sequence, inference: Inference::Sequential, ..Rule::against("A") };
        let found = judge(&facts, 0, &rule).comparisons.remove(0);
        assert!(found.p_value.unwrap() < 1e-6, "{:?}", found.p_value);
        assert_eq!((found.p_adjusted.is_some(), found.reason.is_none()), (decides, decides), "{found:?}");
        let told =
            found.reason.is_none_or(|reason| reason.contains("the control is 0, of which msprt(0.05)"));
        assert!(told, "{sequence:?}");
    }
}

// Equal means of 2,000 units with the variance 2000/1999: against +0.6 % the error is √((1 + 1.006²)/1999)/10 = 0.0031726, against -0.6 %
// less. The margin is 1.8912 of them away, and SciPy's t.sf(1.8912, 3998) is 0.029334. Twice that is 0.058669.
#[test]
fn equivalence_is_corrected_over_all_margins() {
    for (metrics, verdict) in [(1, Verdict::Equivalent), (2, Verdict::Inconclusive)] {
        let mut facts = two_arms([2000, 2000], [10.0, 10.0], Vec::new());
        facts.metrics[0].metric.margin = Some(0.006);
        facts.metrics = vec![facts.metrics[0].clone(); metrics];
        let document = judge(&facts, 0, &Rule::against("A"));
        for found in &document.comparisons {
            let test = found.margin_test.unwrap();
            let (raw, adjusted) = (test.equivalence_p_value.unwrap(), test.equivalence_p_adjusted.unwrap());
            assert!((raw - 0.029_334).abs() < 1e-6, "{raw}");
            assert!((adjusted / raw - metrics as f64).abs() < 1e-12, "{adjusted}");
            assert_eq!(found.verdict, verdict, "{metrics}");
            let told = found.ledger.iter().any(|line| line.contains("beyond the margin to 0.0586"));
            assert_eq!(told, metrics == 2, "{:?}", found.ledger);
            let behind = found.ledger.iter().any(|line| line.ends_with("the larger p-value is 0.029334"));
            assert_eq!(behind, metrics == 1, "{:?}", found.ledger);
        }
    }
}

// chisquare([5200, 4800]) by SciPy is 6.3e-5, below the bound; the p-value of every look is 3.6e-3 (stats/src/experiment/srm.rs).
#[test]
fn a_scheduled_look_judges_the_sample_ratio_by_the_p_value_of_every_look() {
    let arm = |name: &str, units| ArmFacts { name: name.to_owned(), units, weight: 0.5 };
    let facts = Facts {
        source: "e".to_owned(),
        rows: None,
        unassigned: 0,
        units: 10_000,
        several: 0,
        arms: vec![arm("A", 5200), arm("B", 4800)],
        metrics: Vec::new(),
        parts: Parts::default(),
    };
    for (looked_at, verdict, bounds) in [
        (LookedAt::Asked, SrmVerdict::Mismatch, 6e-5..7e-5),
        (LookedAt::Scheduled, SrmVerdict::Ok, 3.6e-3..3.7e-3),
    ] {
        let srm = sample_ratio(&facts, SRM_BELOW, &Rule { looked_at, ..Rule::against("A") });
        let p = srm.deciding_p_value("fixed").unwrap();
        assert!(srm.verdict == verdict && bounds.contains(&p), "{looked_at:?}: {srm:?}");
    }
}

// 20 of 100 against 270 of 900 by the pooled z of statsmodels' proportions_ztest: p .0183 on one side, which breaks a guardrail, but not that
// of one of three segments, which share .05.
#[test]
fn segments_share_the_error_of_a_broken_guardrail() {
    let share = |n, successes| ArmSums::Proportion(Proportion::of(n, successes).unwrap());
    let whole = || two_shares([share(900, 270.0), share(100, 20.0)], Vec::new());
    for (segments, verdict) in [(1, GuardrailVerdict::Broken), (3, GuardrailVerdict::Undecided)] {
        let part = Part { values: BTreeMap::new(), facts: whole() };
        let mut facts = whole();
        facts.parts.segments = vec![part; segments];
        let found = judge(&facts, 0, &Rule::against("A"));
        let of = |comparison: &Comparison| comparison.guardrail.as_ref().unwrap().verdict;
        assert_eq!(of(&found.comparisons[0]), GuardrailVerdict::Broken);
        assert_eq!(of(&found.segments[0].comparisons[0]), verdict, "{segments}");
    }
}

// None of 100 succeeds where 9 of 900 do, as in the plain case of `judge`: by its own error B is three errors away, and the exact p is .61.
#[test]
fn a_small_arm_without_a_success_is_not_sure_to_be_worse_when_it_is_adjusted() {
    let pairs = |n: u64, successes: f64, before: f64, both: f64| {
        let totals = PairTotals {
            n,
            sum: successes,
            sum_sq: successes,
            other_sum: before,
            other_sum_sq: before,
            cross_sum: both,
        };
        let laws = Laws { value: Law::Proportion, covariate: Law::Proportion };
        ArmSums::Adjusted(PairSums::of(&totals).unwrap(), laws)
    };
    let adjusted = two_shares([pairs(900, 9.0, 450.0, 5.0), pairs(100, 0.0, 50.0, 0.0)], Vec::new());
    let sums = |n: u64, successes: f64| Sums::of(n, successes, successes).unwrap();
    let shares = [Proportion::of(900, 9.0), Proportion::of(100, 0.0)];
    let strata = vec![vec![sums(450, 5.0), sums(50, 0.0)], vec![sums(450, 4.0), sums(50, 0.0)]];
    let stratified = two_shares(shares.map(|share| ArmSums::Proportion(share.unwrap())), strata);
    for (facts, method) in [(adjusted, "cuped"), (stratified, "post_stratified")] {
        let rule = Rule { inference: Inference::Sequential, ..Rule::against("A") };
        let found = judge(&facts, 0, &rule).comparisons.remove(0);
        assert_eq!(found.method, method);
        assert!(found.p_value.unwrap() < 0.003, "{method}: {:?}", found.p_value);
        assert_eq!((found.decision.p_value, found.verdict), (Some(1.0), Verdict::Inconclusive), "{method}");
        assert_eq!(found.guardrail.unwrap().verdict, GuardrailVerdict::Undecided, "{method}");
    }
}
