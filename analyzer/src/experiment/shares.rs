//! Two shares of units, as they are or adjusted: how far the arm's is beyond the control's, with the error that it has if it is not. Pure.
//!
//! Many looks and tests against margins go by it. The error that the arms themselves show is none where a small one has met no success by chance,
//! whether a covariate or strata have adjusted it or not.

use windvane_stats::experiment::{
    cuped::{self, Law, Laws},
    effect::Estimate,
    post_stratified::{self, Stratum},
    proportion::{self, Proportion},
    sums::{PairSums, Sums},
};

use super::{
    compare,
    facts::{ArmMetric, ArmSums},
};

/// Control and arm.
#[derive(Debug, Clone)]
pub(super) enum Shares<'a> {
    /// As they are.
    Plain([&'a Proportion; 2]),
    /// Each with its covariate.
    Adjusted([&'a PairSums; 2], Laws),
    /// Within strata.
    Stratified(Vec<Stratum>),
}

impl<'a> Shares<'a> {
    /// Those of two arms of a metric; `None` where it is no proportion.
    pub(super) fn of(
        arms: &'a [ArmMetric],
        (control, arm): (usize, usize),
        strata: Option<&[Vec<Sums>]>,
    ) -> Option<Self> {
        match (&arms[control].sums, &arms[arm].sums, strata) {
            (ArmSums::Proportion(_), ArmSums::Proportion(_), Some(strata)) => {
                Some(Self::Stratified(compare::strata(strata, (control, arm))))
            }
            (ArmSums::Proportion(control), ArmSums::Proportion(arm), None) => {
                Some(Self::Plain([control, arm]))
            }
            (ArmSums::Adjusted(control, laws), ArmSums::Adjusted(arm, other), _)
                if [laws.value, other.value] == [Law::Proportion; 2] =>
            {
                Some(Self::Adjusted([control, arm], compare::of_both(*laws, *other)))
            }
            _ => None,
        }
    }

    /// The arm's share beyond 1 + `null` times the control's.
    pub(super) fn beyond(&self, null: f64) -> Option<Estimate> {
        match self {
            Self::Plain([control, arm]) => proportion::beyond(control, arm, null),
            Self::Adjusted([control, arm], laws) => cuped::shares_beyond(control, arm, *laws, null),
            Self::Stratified(strata) => post_stratified::shares_beyond(strata, null),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use windvane_stats::experiment::{
        cuped::{Law, Laws},
        proportion::Proportion,
        sums::{PairSums, PairTotals, Sums},
    };
    use windvane_types::experiment::{Comparison, GuardrailVerdict, Role, Verdict};

    use super::super::{
        facts::{ArmFacts, ArmMetric, ArmSums, Facts, MetricFacts, Part, Parts},
        inference::Inference,
        judge::judge,
        metric::{Measured, Metric},
        request::Rule,
    };

    const UNITS: [u64; 2] = [900, 100];

    fn facts(sums: [ArmSums; 2], strata: Vec<Vec<Sums>>) -> Facts {
        let arm =
            |(name, n): (&str, u64)| ArmFacts { name: name.to_owned(), units: n, weight: n as f64 / 1000.0 };
        let of = |(sums, n): (ArmSums, u64)| ArmMetric {
            sums,
            n,
            missing: 0,
            partial: 0,
            capped: 0,
            floored: 0,
            values: n,
        };
        let mut metric = Metric::new("bought", Measured::Proportion);
        metric.role = Role::Guardrail;
        let metric = MetricFacts {
            metric,
            covariate: None,
            arms: sums.into_iter().zip(UNITS).map(of).collect(),
            notes: Vec::new(),
            reason: None,
        };
        Facts {
            source: "e".to_owned(),
            rows: None,
            unassigned: 0,
            units: UNITS.iter().sum(),
            several: 0,
            arms: ["A", "B"].into_iter().zip(UNITS).map(arm).collect(),
            metrics: vec![metric],
            parts: Parts { strata: vec![strata], ..Parts::default() },
        }
    }

    fn judged(facts: &Facts) -> Comparison {
        judge(facts, 0, &Rule { inference: Inference::Sequential, ..Rule::against("A") })
            .comparisons
            .remove(0)
    }

    // 20 of 100 against 270 of 900 by the pooled z of statsmodels' proportions_ztest: p .0183 on one side, which breaks a guardrail, but not that
    // of one of three segments, which share .05.
    #[test]
    fn segments_share_the_error_of_a_broken_guardrail() {
        let share = |n, successes| ArmSums::Proportion(Proportion::of(n, successes).unwrap());
        let whole = || facts([share(900, 270.0), share(100, 20.0)], Vec::new());
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
        let adjusted = facts([pairs(900, 9.0, 450.0, 5.0), pairs(100, 0.0, 50.0, 0.0)], Vec::new());
        let sums = |n: u64, successes: f64| Sums::of(n, successes, successes).unwrap();
        let shares = [Proportion::of(900, 9.0), Proportion::of(100, 0.0)];
        let strata = vec![vec![sums(450, 5.0), sums(50, 0.0)], vec![sums(450, 4.0), sums(50, 0.0)]];
        let stratified = facts(shares.map(|share| ArmSums::Proportion(share.unwrap())), strata);
        for (facts, method) in [(adjusted, "cuped"), (stratified, "post_stratified")] {
            let found = judged(&facts);
            assert_eq!(found.method, method);
            assert!(found.p_value.unwrap() < 0.003, "{method}: {:?}", found.p_value);
            assert_eq!(
                (found.decision.p_value, found.verdict),
                (Some(1.0), Verdict::Inconclusive),
                "{method}"
            );
            assert_eq!(found.guardrail.unwrap().verdict, GuardrailVerdict::Undecided, "{method}");
        }
    }
}
