//! DeLong: the error of an area under the ROC curve, and of the difference of two on the same examples.
//!
//! Question: does the second model rank positives above negatives more often, and is that more than chance?
//! Input: each model's scores of the same positives and of the same negatives; ±inf are scores as others; ties count half.
//! Formula: V₁₀ of a positive is the share of negatives below it, V₀₁ of a negative that of positives above it; AUC their
//! mean; Cov = S₁₀/m + S₀₁/n with sample covariances. By midranks: V₁₀ = (R - R₊)/n, V₀₁ = 1 - (R - R₋)/m, with ranks among all,
//! among positives and among negatives. z = ΔAUC/√(V₁ + V₂ - 2·V₁₂). The interval of one AUC is Wilson's for a share of N independent
//! pairs, 1/N = v + w, by Student's t on (v + w)²/(v²/(m - 1) + w²/(n - 1)). By the error alone v = S₁₀/(m·AUC·(1 - AUC)); but that error is known
//! by examples that lose pairs, e = m·min(AUC, 1 - AUC) of them, and of a few it is mostly too small. So v is no less than
//! (e·v + 1/(3m))/(e + 1): as if one more had been seen of a model without any skill, of which Var V₁₀ = 1/12 = AUC·(1 - AUC)/3. w is the
//! same of S₀₁ and n. Of many examples nothing is left of that, and the interval is DeLong's. Of an
//! AUC of 1, whose error is 0, the lower end is (α/2)^(1/k), k = min(m, n): k pairs that share no example are independent, each is
//! won with a chance of at most AUC, and so all of them with at most AUCᵏ; of an AUC of 0 the same from the other side.
//! The error of a difference is known by examples whose parts differ, E = Σ|V₁₀ - V₁₀'| of the positives, and of a few it is too small as well. So
//! 1/(3m²(E + 1)) is added to its square, as if one more had been seen whose part may differ by anything, and the same of V₀₁ and n; nothing
//! where both models rank all examples alike. Of AUC of .99 and .999 beside .97 and .99 intervals of 95 % held the difference in 72 to 92 % of samples
//! without that (30 and 30 to 100 and 100 examples, 30 and 3,000 in 65 %), and hold it in 96 to 100 %; of .8 beside .78 in 92 to 98 %.
//! Valid when: examples are independent. Intervals of 95 % covered AUC of .6, .8, .95 and .99 in 94 % of samples and more of 10 and 10,
//! 20 and 2,000, 30 and 300, 200 and 200 examples of the classes, whichever is the rarer, of scores that are normal with equal and unequal spread, exponential of either
//! side, of Student's t on 4 degrees and of five grades (that of the logit with Student's t in 60 % and more, Newcombe's fifth in 85 %).
//! Degenerate: without both classes there is no AUC; below two of a class no error; an error of 0 leaves no p-value.
//! Reference: DeLong, DeLong, Clarke-Pearson 1988, doi:10.2307/2531595; Sun, Xu 2014, doi:10.1109/LSP.2014.2337313 (midranks);
//! Wilson 1927, doi:10.1080/01621459.1927.10502953; Newcombe 2006, doi:10.1002/sim.2324 (a score interval of an AUC, its method 5);
//! Brunner, Munzel 2000, doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U (degrees of freedom);
//! Clopper, Pearson 1934, doi:10.1093/biomet/26.4.404 (k of k); Hoeffding 1963, doi:10.1080/01621459.1963.10500830, 5a (disjoint pairs).
//! Oracle: the double sum over all pairs of positives and negatives in NumPy 2; SciPy 1.17 `stats.t.ppf` for the interval.
//! Cost: three sorts a model.

use crate::{
    binomial::wilson::within,
    experiment::effect::{Alternative, Effect, Estimate, Interval, Level},
    survival,
};

/// The variance of the part that an example has in the area of a model without skill, over that of a pair: 1/12 over 1/4.
const NO_SKILL: f64 = 1.0 / 3.0;

/// The variance of an example's part in a difference that may be anything from -1 to 1.
const ANY_DIFFERENCE: f64 = 1.0 / 3.0;

/// By how much the area of pairs that are all won may be off 1 where they are weighed.
const ROUNDING: f64 = 1e-9;

/// One model's scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores<'a> {
    /// Of the examples that are positive.
    pub positives: &'a [f64],
    /// Of those that are not.
    pub negatives: &'a [f64],
}

/// An area under the ROC curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Auc {
    /// The chance that a positive scores above a negative, ties counted half.
    pub auc: f64,
    /// Its standard error; `None` below two examples of a class.
    pub se: Option<f64>,
    /// Its interval.
    pub ci: Option<Interval>,
}

/// An area with what its interval is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uncertain {
    /// The area.
    pub auc: f64,
    /// What positives, and what negatives, add to its variance.
    pub variances: [f64; 2],
    /// How many positives and negatives there are: so many of equal weight.
    pub examples: [f64; 2],
}

impl Uncertain {
    /// The standard error of the area.
    #[must_use]
    pub fn se(&self) -> f64 {
        self.variances.iter().sum::<f64>().max(0.0).sqrt()
    }

    /// The interval of an area of 0 or 1, whose error is 0, by the number of pairs that share no example; `None` of any other.
    #[must_use]
    pub fn of_equal_pairs(&self, confidence: f64) -> Option<Interval> {
        let pairs = self.examples[0].min(self.examples[1]);
        let reached = ((1.0 - confidence) / 2.0).powf(1.0 / pairs);
        match self.se() == 0.0 {
            true if (1.0 - self.auc).abs() < ROUNDING => Some(Interval { lo: reached, hi: 1.0 }),
            true if self.auc.abs() < ROUNDING => Some(Interval { lo: 0.0, hi: 1.0 - reached }),
            _ => None,
        }
    }

    /// The interval of any other area: Wilson's, of as many independent pairs as its error tells. The point where its error is 0.
    #[must_use]
    pub fn wilson(&self, confidence: f64) -> Interval {
        // Rounding may leave an area of weighed pairs beyond 1.
        let auc = self.auc.clamp(0.0, 1.0);
        if self.se() <= 0.0 {
            return Interval { lo: auc, hi: auc };
        }
        let [v, w] = [0, 1].map(|class| self.pair_share(auc, class));
        let errors = survival::student_exceeded((1.0 - confidence) / 2.0, self.degrees([v, w]));
        within(auc, (1.0 / (v + w), errors))
    }

    /// What a class adds to one over the number of independent pairs.
    fn pair_share(&self, auc: f64, class: usize) -> f64 {
        let (variance, examples) = (self.variances[class], self.examples[class]);
        let of_pair = auc * (1.0 - auc);
        let own = if of_pair > 0.0 { variance / of_pair } else { 0.0 };
        let lost = examples * auc.min(1.0 - auc);
        own.max((lost * own + NO_SKILL / examples) / (lost + 1.0))
    }

    /// Satterthwaite's degrees of freedom; weights may leave less than two examples of a class.
    fn degrees(&self, [v, w]: [f64; 2]) -> f64 {
        let part = |share: f64, examples: f64| share * share / (examples - 1.0);
        let below = part(v, self.examples[0]) + part(w, self.examples[1]);
        ((v + w) * (v + w) / below).max(1.0)
    }
}

/// Two areas on the same examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AucDifference {
    /// The first's area.
    pub first: f64,
    /// The second's.
    pub second: f64,
    /// The second's minus the first's.
    pub difference: Effect,
}

/// One area; `None` without both classes or with a score that is NaN.
#[must_use]
pub fn auc(scores: Scores, confidence: f64) -> Option<Auc> {
    let parts = Parts::of(scores)?;
    let variances =
        of_class(&parts.positives, &parts.positives).zip(of_class(&parts.negatives, &parts.negatives));
    let uncertain = variances.map(|(positives, negatives)| Uncertain {
        auc: parts.auc,
        variances: [positives, negatives],
        examples: [parts.positives.len() as f64, parts.negatives.len() as f64],
    });
    let ci = uncertain.filter(|_| confidence > 0.0 && confidence < 1.0).map(|uncertain| {
        uncertain.of_equal_pairs(confidence).unwrap_or_else(|| uncertain.wilson(confidence))
    });
    Some(Auc { auc: parts.auc, se: uncertain.map(|uncertain| uncertain.se()), ci })
}

/// The difference of two; the slices of both are of the same examples in the same order. `None` where their lengths differ, or as
/// for [`auc`].
#[must_use]
pub fn auc_difference(first: Scores, second: Scores, level: Level) -> Option<AucDifference> {
    let alike =
        first.positives.len() == second.positives.len() && first.negatives.len() == second.negatives.len();
    if !alike {
        return None;
    }
    let (a, b) = (Parts::of(first)?, Parts::of(second)?);
    let variance = difference_variance(&a, &b);
    let se = variance.map(|variance| variance.max(0.0).sqrt());
    let difference = Estimate { value: b.auc - a.auc, se }.test(None, level);
    Some(AucDifference { first: a.auc, second: b.auc, difference })
}

/// The test that the second is no worse than the first by more than `margin`.
#[must_use]
pub fn auc_not_worse(first: Scores, second: Scores, (margin, alpha): (f64, f64)) -> Option<Effect> {
    let level = Level { alpha, alternative: Alternative::Greater };
    let found = auc_difference(first, second, level)?.difference;
    Some(Estimate { value: found.estimate, se: found.se }.test_at(-margin, None, level))
}

/// Each example's part in the area.
struct Parts {
    auc: f64,
    /// Among all examples, positives first.
    ranks: Vec<f64>,
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

impl Parts {
    fn of(scores: Scores) -> Option<Self> {
        let (m, n) = (scores.positives.len(), scores.negatives.len());
        let all: Vec<f64> = scores.positives.iter().chain(scores.negatives).copied().collect();
        if m == 0 || n == 0 || all.iter().any(|score| score.is_nan()) {
            return None;
        }
        let (among_all, among_positives) = (midranks(&all), midranks(scores.positives));
        let among_negatives = midranks(scores.negatives);
        let below = |(all, own): (&f64, &f64)| (all - own) / n as f64;
        let above = |(all, own): (&f64, &f64)| 1.0 - (all - own) / m as f64;
        let positives: Vec<f64> = among_all[..m].iter().zip(&among_positives).map(below).collect();
        let negatives: Vec<f64> = among_all[m..].iter().zip(&among_negatives).map(above).collect();
        let auc = positives.iter().sum::<f64>() / m as f64;
        Some(Self { auc, ranks: among_all, positives, negatives })
    }
}

/// Of the differences themselves, so that equal models have none at all.
fn difference_variance(a: &Parts, b: &Parts) -> Option<f64> {
    let minus = |a: &[f64], b: &[f64]| b.iter().zip(a).map(|(b, a)| b - a).collect::<Vec<f64>>();
    let (positives, negatives) = (minus(&a.positives, &b.positives), minus(&a.negatives, &b.negatives));
    let seen = of_class(&positives, &positives)? + of_class(&negatives, &negatives)?;
    Some(if a.ranks == b.ranks { seen } else { seen + unseen(&positives) + unseen(&negatives) })
}

/// What one more example would add whose part differs, next to those of a class that do.
fn unseen(differences: &[f64]) -> f64 {
    let (n, seen) = (differences.len() as f64, differences.iter().map(|part| part.abs()).sum::<f64>());
    ANY_DIFFERENCE / (seen + 1.0) / n / n
}

/// The sample covariance over the number of examples.
fn of_class(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    if a.len() < 2 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    Some(a.iter().zip(b).map(|(x, y)| (x - mean_a) * (y - mean_b)).sum::<f64>() / (n - 1.0) / n)
}

fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for group in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = before as f64 + (group.len() as f64 + 1.0) / 2.0;
        group.iter().for_each(|at| ranks[*at] = rank);
        before += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::{Scores, auc, auc_difference, auc_not_worse};
    use crate::experiment::effect::Level;

    const LEVEL: Level = Level { alpha: 0.05, alternative: crate::experiment::effect::Alternative::TwoSided };

    // Eight of nine pairs, one of them a tie: (8 + ½·0)/9 with one wrong.
    #[test]
    fn pairs_are_counted() {
        let scores = Scores { positives: &[0.9, 0.8, 0.4], negatives: &[0.5, 0.3, 0.1] };
        let found = auc(scores, 0.95).unwrap();
        assert!((found.auc - 8.0 / 9.0).abs() < 1e-15);
        // V₁₀ = 1, 1, ⅔ and V₀₁ = ⅔, 1, 1: both variances are 1/27, each over 3.
        assert!((found.se.unwrap() - (2.0_f64 / 81.0).sqrt()).abs() < 1e-15, "{found:?}");
        // v = w = (1/81)/(8/81), which is more than (⅓·v + 1/9)/(4/3): N = 4. SciPy 1.17: Wilson's of 8/9 at t.ppf(.975, 4).
        let ci = found.ci.unwrap();
        assert!(
            (ci.lo - 0.271_500_015_518_643_1).abs() < 1e-9 && (ci.hi - 0.994_210_531_475_752_3).abs() < 1e-9,
            "{ci:?}"
        );
    }

    // SciPy 1.17 and NumPy 2: V₁₀ and V₀₁ by the double sum, `stats.t.ppf` on the degrees of v and w, Wilson's formula.
    #[test]
    fn pairs_that_few_examples_lose_are_fewer_than_their_error_tells() {
        let numbers = |n: i32, of: fn(i32) -> i32| (0..n).map(|i| f64::from(of(i))).collect::<Vec<f64>>();
        // One positive of twenty is below a quarter of the negatives, and no other loses: N is 61, by the error alone it would be 79.
        let mut above = numbers(19, |i| 1_000 + i);
        above.push(150.5);
        for (positives, negatives, confidence, expected) in [
            (above, numbers(200, |i| i), 0.95, [0.912_140_152_286_757_3, 0.998_405_750_454_016_1]),
            (
                numbers(20, |i| 25 * (i * 7 % 40 + 5)),
                numbers(1_000, |i| i * 37 % 1_000),
                0.95,
                [0.441_675_102_657_798_86, 0.707_526_929_427_379_3],
            ),
            (
                numbers(10, |i| 5 + 4 * (i % 2)),
                numbers(16, |i| 1 + 4 * (i % 2)),
                0.9,
                [0.726_700_927_814_008_7, 0.948_527_933_751_260_3],
            ),
        ] {
            let scores = Scores { positives: &positives, negatives: &negatives };
            let ci = auc(scores, confidence).unwrap().ci.unwrap();
            let off = (ci.lo - expected[0]).abs().max((ci.hi - expected[1]).abs());
            assert!(off < 1e-9, "{ci:?} instead of {expected:?}");
        }
    }

    // Nothing is left of what few examples add: the interval is DeLong's, area ± 1.96 errors.
    #[test]
    fn many_examples_have_the_interval_of_their_error() {
        let uncertain = super::Uncertain { auc: 0.8, variances: [2e-8, 1e-8], examples: [1e7, 2e7] };
        let (ci, half) = (uncertain.wilson(0.95), 1.959_964 * 3e-8_f64.sqrt());
        assert!(
            (ci.lo - 0.8 + half).abs() < 1e-3 * half && (ci.hi - 0.8 - half).abs() < 1e-3 * half,
            "{ci:?}"
        );
    }

    // Drawn at an AUC of .99 (normal scores 3.29 apart), that of the logit with Student's t covered it in four of five samples.
    #[test]
    fn an_area_near_one_is_covered_as_often_as_told() {
        let mut draws = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let mut scores = |n: usize, mean: f64| -> Vec<f64> {
            let normal = |u: f64| crate::survival::normal_exceeded(u) + mean;
            (0..n).map(|_| normal(rand::RngExt::random_range(&mut draws, 1e-12..1.0))).collect()
        };
        let (mean, truth) = (2.0_f64.sqrt() * crate::survival::normal_exceeded(0.01), 0.99);
        let covered = (0..400).filter(|_| {
            let (positives, negatives) = (scores(20, mean), scores(500, 0.0));
            let ci = auc(Scores { positives: &positives, negatives: &negatives }, 0.95).unwrap().ci.unwrap();
            (ci.lo..=ci.hi).contains(&truth)
        });
        let covered = covered.count();
        assert!(covered >= 380, "{covered} of 400");
    }

    #[test]
    fn equal_models_have_no_difference() {
        let scores = Scores { positives: &[0.9, 0.8, 0.4], negatives: &[0.5, 0.3, 0.1] };
        let found = auc_difference(scores, scores, LEVEL).unwrap();
        assert_eq!((found.difference.estimate, found.difference.se), (0.0, Some(0.0)));
        assert_eq!(found.difference.p_value, None);
        let other = Scores { positives: &[0.9], ..scores };
        assert_eq!(auc_difference(scores, other, LEVEL), None);
    }

    // Parts by hand: V₁₀ is 1, 1, ⅔ and 1, 1, 1, V₀₁ ⅔, 1, 1 and 1, 1, 1. Each has the variance 1/27 over 3, and 1/(27·4/3) is added.
    #[test]
    fn a_difference_that_few_examples_make_is_not_sure() {
        let first = Scores { positives: &[0.9, 0.8, 0.4], negatives: &[0.5, 0.3, 0.1] };
        let second = Scores { positives: &[0.9, 0.8, 0.6], ..first };
        let found = auc_difference(first, second, LEVEL).unwrap().difference;
        assert!((found.estimate - 1.0 / 9.0).abs() < 1e-15, "{found:?}");
        assert!((found.se.unwrap().powi(2) - 2.0 * (1.0 / 81.0 + 1.0 / 36.0)).abs() < 1e-15, "{found:?}");
        // Both are right of all pairs, and rank others than the same examples first.
        let third = Scores { positives: &[0.8, 0.9, 0.6], ..first };
        let found = auc_difference(second, third, LEVEL).unwrap().difference;
        assert_eq!(found.estimate, 0.0);
        assert!((found.se.unwrap().powi(2) - 2.0 / 27.0).abs() < 1e-15, "{found:?}");
        // Ranks are the same whatever the scores are.
        let doubled = Scores { positives: &[1.8, 1.6, 1.2], negatives: &[1.0, 0.6, 0.2] };
        assert_eq!(auc_difference(second, doubled, LEVEL).unwrap().difference.se, Some(0.0));
    }

    // Normal scores 4.37 and 3.29 apart: areas of .999 and .99. By the seen error alone three of four samples covered the difference.
    #[test]
    fn a_difference_of_areas_near_one_is_covered_as_often_as_told() {
        let mut draws = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let mut scores = |mean: f64| -> Vec<f64> {
            let normal = |u: f64| crate::survival::normal_exceeded(u) + mean;
            (0..30).map(|_| normal(rand::RngExt::random_range(&mut draws, 1e-12..1.0))).collect()
        };
        let apart = |area: f64| 2.0_f64.sqrt() * crate::survival::normal_exceeded(1.0 - area);
        let covered = (0..200).filter(|_| {
            let (p, n, q, m) = (scores(apart(0.999)), scores(0.0), scores(apart(0.99)), scores(0.0));
            let (first, second) =
                (Scores { positives: &p, negatives: &n }, Scores { positives: &q, negatives: &m });
            let ci = auc_difference(first, second, LEVEL).unwrap().difference.ci.unwrap();
            ci.contains(-0.009)
        });
        let covered = covered.count();
        assert!(covered >= 188, "{covered} of 200");
    }

    #[test]
    fn one_class_has_no_area() {
        assert_eq!(auc(Scores { positives: &[1.0], negatives: &[] }, 0.95), None);
        assert_eq!(auc(Scores { positives: &[f64::NAN], negatives: &[1.0] }, 0.95), None);
        let single = auc(Scores { positives: &[1.0], negatives: &[0.0] }, 0.95).unwrap();
        assert_eq!((single.auc, single.se, single.ci), (1.0, None, None));
    }

    // R 4.5: `binom.test(7, 7)$conf.int` and `binom.test(0, 7)$conf.int`.
    #[test]
    fn an_area_of_all_pairs_is_not_sure() {
        let low = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
        let high = [0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87, 0.88];
        for (positives, negatives, area, lo, hi) in [
            (&high[..], &low[..], 1.0, 0.590_383_602_774_996_6, 1.0),
            (&low[..], &high[..], 0.0, 0.0, 0.409_616_397_225_003_4),
        ] {
            let found = auc(Scores { positives, negatives }, 0.95).unwrap();
            let ci = found.ci.unwrap();
            assert_eq!((found.auc, found.se), (area, Some(0.0)));
            assert!((ci.lo - lo).abs() < 1e-12 && (ci.hi - hi).abs() < 1e-12, "{ci:?}");
        }
        // One tied score of both classes: the area is ½ whatever the model, and no pair is won.
        let tied = auc(Scores { positives: &[0.5; 4], negatives: &[0.5; 4] }, 0.95).unwrap();
        assert_eq!(tied.ci.map(|ci| (ci.lo, ci.hi)), Some((0.5, 0.5)));
    }

    #[test]
    fn a_margin_forgives_a_small_loss() {
        let positives: Vec<f64> = (0..300).map(|i| f64::from(i % 100) + 30.0).collect();
        let negatives: Vec<f64> = (0..300).map(|i| f64::from(i * 7 % 100)).collect();
        let worse: Vec<f64> = positives.iter().map(|x| x - 1.0).collect();
        let (first, second) = (
            Scores { positives: &positives, negatives: &negatives },
            Scores { positives: &worse, negatives: &negatives },
        );
        let p = |margin| auc_not_worse(first, second, (margin, 0.05)).unwrap().p_value.unwrap();
        assert!(p(0.0) > 0.95 && p(0.05) < 1e-6, "{} {}", p(0.0), p(0.05));
    }

    proptest! {
        // Midranks give the double sum over all pairs.
        #[test]
        fn midranks_are_the_double_sum(
            positives in prop::collection::vec(0_u8..12, 2..30), negatives in prop::collection::vec(0_u8..12, 2..30)
        ) {
            let float = |values: &[u8]| values.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
            let (x, y) = (float(&positives), float(&negatives));
            let wins = |a: f64, b: f64| if a > b { 1.0 } else if a < b { 0.0 } else { 0.5 };
            let v10: Vec<f64> =
                x.iter().map(|a| y.iter().map(|b| wins(*a, *b)).sum::<f64>() / y.len() as f64).collect();
            let v01: Vec<f64> =
                y.iter().map(|b| x.iter().map(|a| wins(*a, *b)).sum::<f64>() / x.len() as f64).collect();
            let variance = super::of_class(&v10, &v10).unwrap() + super::of_class(&v01, &v01).unwrap();
            let found = auc(Scores { positives: &x, negatives: &y }, 0.95).unwrap();
            let area = v10.iter().sum::<f64>() / x.len() as f64;
            prop_assert!((found.auc - area).abs() < 1e-12);
            prop_assert!((found.se.unwrap().powi(2) - variance).abs() < 1e-12);
        }
    }
}
