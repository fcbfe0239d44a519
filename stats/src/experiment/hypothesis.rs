//! What is to be shown: that an arm is better, that it is not much worse, or that it is about the same.
//!
//! Question: which verdict do an estimate and its error support, with a margin where the metric is a guardrail?
//! Input: an estimated difference; how it is tested ([`Mode`]); what is better, higher or lower; the margin, above 0, in the
//! unit of the estimate (0.01 is one per cent of a relative effect).
//! Formula: for d the difference in the better direction: superiority d = 0 two-sided; non-inferiority against d ≤ -margin
//! one-sided; equivalence by two one-sided tests against d ≤ -margin and d ≥ margin, p the larger of the two. Each at alpha.
//! Valid when: as the mode is. Superiority after non-inferiority needs no correction: the hypotheses are nested.
//! Reference: Schuirmann 1987, doi:10.1007/BF01068419 (two one-sided tests); Lakens 2017, doi:10.1177/1948550617697177; Lewis
//! 2001, CPMP/EWP/482/99 (from non-inferiority to superiority).
//! Oracle: statsmodels 0.14 `CompareMeans.ttost_ind(low, upp, usevar='unequal')`.
//! Cost: two tests.

use super::{
    effect::{Alternative, Contrast, Effect, Estimate, Interval, Level, defined},
    mixture::NormalMixture,
    sequence::confidence_sequence,
};
use crate::survival;

/// How an estimate is tested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// Once, at an end that was fixed before: Student's t, or the normal distribution without `df`.
    Fixed {
        /// Degrees of freedom.
        df: Option<f64>,
    },
    /// At any time, by a confidence sequence.
    Sequence {
        /// Units of both arms.
        n_total: u64,
        /// Units at which the sequence is narrowest.
        tuning: f64,
    },
    /// At any time, by a normal mixture.
    Mixture(NormalMixture),
}

impl Mode {
    /// A fixed horizon with the degrees of freedom of a contrast.
    #[must_use]
    pub fn fixed(contrast: &Contrast) -> Self {
        Self::Fixed { df: contrast.df }
    }

    /// The test against a difference of `null`; the interval does not depend on it.
    #[must_use]
    pub fn test_at(&self, null: f64, estimate: Estimate, level: Level) -> Effect {
        let shifted = Estimate { value: estimate.value - null, ..estimate };
        let p_value = self.test(shifted, level).p_value;
        Effect { p_value, ..self.test(estimate, level) }
    }

    /// The test against no difference where the error is estimated with these degrees of freedom. At any time the difference counts as the
    /// normal deviate with its tail of Student's t, and the interval is as much wider: an error that came out small by chance at
    /// one of the first looks would be taken for certainty.
    #[must_use]
    pub fn test_with(&self, estimate: Estimate, df: Option<f64>, level: Level) -> Effect {
        let known = estimate.se.filter(|se| *se > 0.0 && !matches!(self, Self::Fixed { .. })).zip(df);
        let Some((se, df)) = known else { return self.test(estimate, level) };
        let p_value = self.test(estimate.as_normal(Some(df)), level).p_value;
        let ci = self.test(Estimate { value: 0.0, ..estimate }, level).ci.and_then(|ci| {
            let deviate = ci.hi.min(-ci.lo) / se;
            let half_width = survival::student_deviate(deviate, df) * se;
            defined(Interval::around(estimate.value, half_width, level.alternative))
        });
        Effect { p_value, ci, ..estimate.untested() }
    }

    /// The test against no difference.
    #[must_use]
    pub fn test(&self, estimate: Estimate, level: Level) -> Effect {
        match *self {
            Self::Fixed { df } => estimate.test(df, level),
            Self::Sequence { n_total, tuning } => confidence_sequence(estimate, n_total, tuning, level),
            Self::Mixture(mixture) => mixture.test(estimate, level),
        }
    }
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Better {
    /// More is better: revenue.
    #[default]
    Higher,
    /// Less is better: latency.
    Lower,
}

/// What is to be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hypothesis {
    /// A difference, and its sign tells which arm is better.
    Superiority,
    /// The arm is not worse by the margin or more.
    NonInferiority {
        /// The loss that would still be acceptable.
        margin: f64,
    },
    /// The arm is neither better nor worse by the margin or more.
    Equivalence {
        /// The difference that would not matter.
        margin: f64,
    },
}

/// What has to be shown, which way is better, and how surely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// What is to be shown.
    pub hypothesis: Hypothesis,
    /// Which way is better.
    pub better: Better,
    /// The chance of a false alarm, above 0 and below ½.
    pub alpha: f64,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Significantly different from the control in the better direction.
    Better,
    /// Significantly different in the other one; against a margin: worse by more than the margin.
    Worse,
    /// Not worse by the margin, without being better.
    NotInferior,
    /// Within the margin on both sides.
    Equivalent,
    /// The data do not tell.
    Inconclusive,
}

/// A verdict and the test behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// The p-value of the hypothesis asked for; `None` without a positive standard error.
    pub p_value: Option<f64>,
    /// The interval whose ends decide: two-sided at alpha for superiority, at twice alpha for equivalence, one-sided for
    /// non-inferiority.
    pub ci: Option<Interval>,
}

/// Answers a question about one estimate.
#[must_use]
pub fn decide(estimate: Estimate, mode: Mode, question: Question) -> Decision {
    let asked = Asked { estimate, mode, question };
    match question.hypothesis {
        Hypothesis::Superiority => asked.superiority(),
        Hypothesis::NonInferiority { margin } => asked.non_inferiority(margin),
        Hypothesis::Equivalence { margin } => asked.equivalence(margin),
    }
}

struct Asked {
    estimate: Estimate,
    mode: Mode,
    question: Question,
}

impl Asked {
    fn superiority(&self) -> Decision {
        let effect = self.mode.test(self.estimate, Level::two_sided(self.question.alpha));
        let up = effect.estimate > 0.0;
        let verdict = match effect.p_value {
            Some(p) if p < self.question.alpha => {
                if up == (self.question.better == Better::Higher) {
                    Verdict::Better
                } else {
                    Verdict::Worse
                }
            }
            _ => Verdict::Inconclusive,
        };
        Decision { verdict, p_value: effect.p_value, ci: effect.ci }
    }

    fn non_inferiority(&self, margin: f64) -> Decision {
        let (worst, up, down) = match self.question.better {
            Better::Higher => (-margin, Alternative::Greater, Alternative::Less),
            Better::Lower => (margin, Alternative::Less, Alternative::Greater),
        };
        let shown = self.against(worst, up);
        let verdict = if self.below_alpha(shown.p_value) {
            match self.superiority().verdict {
                Verdict::Better => Verdict::Better,
                _ => Verdict::NotInferior,
            }
        } else if self.below_alpha(self.against(worst, down).p_value) {
            Verdict::Worse
        } else {
            Verdict::Inconclusive
        };
        Decision { verdict, p_value: shown.p_value, ci: shown.ci }
    }

    fn equivalence(&self, margin: f64) -> Decision {
        let above = self.against(-margin, Alternative::Greater);
        let below = self.against(margin, Alternative::Less);
        let p_value = above.p_value.zip(below.p_value).map(|(above, below)| above.max(below));
        let ci = above.ci.zip(below.ci).map(|(above, below)| Interval { lo: above.lo, hi: below.hi });
        let verdict =
            if self.below_alpha(p_value) { Verdict::Equivalent } else { self.superiority().verdict };
        Decision { verdict, p_value, ci }
    }

    fn against(&self, null: f64, alternative: Alternative) -> Effect {
        self.mode.test_at(null, self.estimate, Level { alpha: self.question.alpha, alternative })
    }

    fn below_alpha(&self, p_value: Option<f64>) -> bool {
        p_value.is_some_and(|p| p < self.question.alpha)
    }
}

#[cfg(test)]
mod tests {
    use super::{Better, Decision, Hypothesis, Mode, Question, Verdict, decide};
    use crate::experiment::{
        effect::{Alternative, Estimate, Level},
        mixture::NormalMixture,
        sequence::TUNING,
    };

    /// SciPy 1.17 `norm.isf(t.sf(3, 4))`.
    const FEW: f64 = 2.054_348_558_593_922;

    fn fixed(value: f64, se: f64, hypothesis: Hypothesis, better: Better) -> Decision {
        let estimate = Estimate { value, se: Some(se) };
        decide(estimate, Mode::Fixed { df: None }, Question { hypothesis, better, alpha: 0.05 })
    }

    fn verdict(value: f64, se: f64, hypothesis: Hypothesis) -> Verdict {
        fixed(value, se, hypothesis, Better::Higher).verdict
    }

    #[test]
    fn superiority_goes_by_the_better_direction() {
        let of = |value, better| fixed(value, 1.0, Hypothesis::Superiority, better).verdict;
        assert_eq!(of(3.0, Better::Higher), Verdict::Better);
        assert_eq!(of(3.0, Better::Lower), Verdict::Worse);
        assert_eq!(of(-3.0, Better::Lower), Verdict::Better);
        assert_eq!(of(1.0, Better::Higher), Verdict::Inconclusive);
    }

    #[test]
    fn a_guardrail_with_a_margin_forgives_a_trivial_harm() {
        let within = Hypothesis::NonInferiority { margin: 1.0 };
        // Significantly worse than the control, by a hundredth of the margin.
        assert_eq!(verdict(-0.01, 0.001, Hypothesis::Superiority), Verdict::Worse);
        assert_eq!(verdict(-0.01, 0.001, within), Verdict::NotInferior);
        assert_eq!(verdict(0.5, 0.1, within), Verdict::Better);
        assert_eq!(verdict(-3.0, 0.1, within), Verdict::Worse);
        assert_eq!(verdict(-0.9, 0.1, within), Verdict::Inconclusive);
        let lower = fixed(0.01, 0.001, within, Better::Lower);
        assert_eq!(lower.verdict, Verdict::NotInferior);
        // Its interval ends above and stays below the margin.
        assert!(lower.ci.unwrap().hi < 1.0 && lower.ci.unwrap().lo.is_infinite());
    }

    // The larger of P(Z > (0.1+0.5)/0.2) and P(Z < (0.1-0.5)/0.2): SciPy norm.sf(2).
    #[test]
    fn equivalence_is_two_one_sided_tests() {
        let result = fixed(0.1, 0.2, Hypothesis::Equivalence { margin: 0.5 }, Better::Higher);
        assert_eq!(result.verdict, Verdict::Equivalent);
        assert!((result.p_value.unwrap() - 0.022_750_131_948_179_21).abs() < 1e-10);
        let ci = result.ci.unwrap();
        assert!((ci.hi - (0.1 + 0.2 * 1.644_853_626_951_472)).abs() < 1e-9 && ci.lo > -0.5);
        assert_eq!(verdict(2.0, 0.2, Hypothesis::Equivalence { margin: 0.5 }), Verdict::Better);
        assert_eq!(verdict(0.4, 0.3, Hypothesis::Equivalence { margin: 0.5 }), Verdict::Inconclusive);
    }

    #[test]
    fn no_standard_error_is_inconclusive() {
        for hypothesis in [
            Hypothesis::Superiority,
            Hypothesis::NonInferiority { margin: 1.0 },
            Hypothesis::Equivalence { margin: 1.0 },
        ] {
            for se in [Some(0.0), None] {
                let question = Question { hypothesis, better: Better::Higher, alpha: 0.05 };
                let result = decide(Estimate { value: 0.5, se }, Mode::Fixed { df: Some(3.0) }, question);
                assert_eq!((result.verdict, result.p_value), (Verdict::Inconclusive, None));
            }
        }
    }

    // At four degrees of freedom 3 errors are SciPy's norm.isf(t.sf(3, 4)) = 2.054 of them, so that p is that of 2.054 errors.
    #[test]
    fn an_error_of_few_units_is_worth_less_at_any_time() {
        let estimate = |value: f64| Estimate { value, se: Some(2.0) };
        for mode in
            [Mode::Sequence { n_total: 6, tuning: 20.0 }, Mode::Mixture(NormalMixture::of_variance(1.0))]
        {
            for alternative in [Alternative::TwoSided, Alternative::Greater, Alternative::Less] {
                let level = Level { alpha: 0.05, alternative };
                let few = |t: f64| mode.test_with(estimate(2.0 * t), Some(4.0), level);
                let same = mode.test(estimate(2.0 * FEW), level).p_value.unwrap();
                assert!((few(3.0).p_value.unwrap() / same - 1.0).abs() < 1e-9, "{mode:?} {alternative:?}");
                assert_eq!(
                    mode.test_with(estimate(6.0), None, level),
                    mode.test(estimate(6.0), level),
                    "{mode:?} {alternative:?}"
                );
                for t in -60..60 {
                    let found = few(f64::from(t) / 2.0);
                    let clear = found.ci.is_some_and(|ci| !ci.contains(0.0));
                    assert_eq!(found.p_value.unwrap() < 0.05, clear, "{mode:?} {alternative:?} {t}");
                }
            }
        }
        let fixed = Mode::Fixed { df: Some(4.0) };
        let level = Level::two_sided(0.05);
        assert_eq!(fixed.test_with(estimate(6.0), Some(4.0), level), fixed.test(estimate(6.0), level));
    }

    #[test]
    fn always_valid_modes_ask_for_more() {
        let question = Question { hypothesis: Hypothesis::Superiority, better: Better::Higher, alpha: 0.05 };
        let estimate = Estimate { value: 2.4, se: Some(1.0) };
        let modes = [
            Mode::Sequence { n_total: 5000, tuning: TUNING },
            Mode::Mixture(NormalMixture::of_variance(1.0)),
        ];
        assert_eq!(decide(estimate, Mode::Fixed { df: None }, question).verdict, Verdict::Better);
        for mode in modes {
            assert_eq!(decide(estimate, mode, question).verdict, Verdict::Inconclusive);
        }
    }
}
