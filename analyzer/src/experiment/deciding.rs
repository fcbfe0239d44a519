//! One contrast under the rule: the number that decides, by each way of inference, and the tests against a margin. Pure.

use windvane_stats::{
    experiment::{
        bayes::{self, Posterior},
        beta_relative::BetaRelative,
        effect::{self, Alternative, Contrast, Estimate, Interval, Level},
        group_sequential::{self, Look, Schedule},
        hypothesis::Mode,
    },
    survival,
};
use windvane_types::experiment::{
    Better, Decision, GroupSequential, Guardrail, GuardrailVerdict, MarginTest,
};

use super::{
    anytime::Anytime,
    compare::{ends, level},
    inference::{Belief, Inference, Looks, spending_name},
    looks::Place,
    request::Rule,
    sequence_method::SequenceMethod,
    shares::Shares,
};

/// A contrast, the rule, and where this look stands among others.
pub(super) struct Deciding<'a> {
    pub(super) contrast: &'a Contrast,
    pub(super) rule: &'a Rule,
    /// None unless the inference is group sequential.
    pub(super) place: Option<&'a Place>,
    /// What counts of rows say at every look, where they do.
    pub(super) anytime: Option<Anytime>,
    /// Control and arm, where both are shares of units.
    pub(super) shares: Option<Shares<'a>>,
    /// How many segments this is one of; 1 of the whole.
    pub(super) among: usize,
}

/// What is tested, and the degrees of freedom of its error; none where that is not estimated from a spread.
type Tested = (Estimate, Option<f64>);

impl Deciding<'_> {
    /// What the verdict is made of; not corrected yet.
    pub(super) fn decision(&self, group: Option<&GroupSequential>) -> Decision {
        let level = level(self.rule);
        let of = |scale: &str, effect: Option<effect::Effect>| Decision {
            inference: self.rule.inference.as_str().to_owned(),
            scale: scale.to_owned(),
            ci: effect.and_then(|effect| effect.ci).map(ends),
            p_value: effect.and_then(|effect| effect.p_value),
            p_adjusted: None,
        };
        match &self.rule.inference {
            Inference::Fixed => of("absolute", self.contrast.absolute(level)),
            Inference::Sequential if self.anytime.is_some() => Decision {
                ci: self.anytime.map(|it| ends(it.absolute)),
                p_value: self.anytime.and_then(|it| it.p_value),
                ..of("absolute", None)
            },
            // The relative difference makes an arm look sure that has few successes by chance, and over many looks there is one.
            Inference::Sequential => {
                let mode = self.rule.sequence.absolute_mode(self.contrast, (self.rule.tuning, level));
                let tested = |((it, df), mode): (Tested, Mode)| mode.test_with(it, df, level);
                of("absolute", self.difference().zip(mode).map(tested))
            }
            Inference::GroupSequential(_) => Decision {
                ci: group.and_then(|group| group.absolute_ci),
                p_value: group.and_then(|group| group.p_value).map(|p| self.stands().unwrap_or(p)),
                ..of("absolute", None)
            },
            Inference::Bayesian { .. } => {
                let ci = self.posterior().map(|posterior| ends(self.credible(&posterior)));
                Decision { ci, ..of("relative", None) }
            }
        }
    }

    /// This look among those of the plan.
    pub(super) fn group_sequential(&self) -> Option<GroupSequential> {
        let Inference::GroupSequential(looks) = &self.rule.inference else { return None };
        let place = self.place?;
        let schedule = self.schedule(looks, self.rule.alternative);
        let last = group_sequential::boundaries(&place.fractions, &schedule).ok()?.pop();
        let look = match place.closed {
            None => last?,
            Some(_) => {
                Look { fraction: 0.0, alpha_spent: last.map_or(0.0, |it| it.alpha_spent), boundary: None }
            }
        };
        let tested = self.difference();
        let (absolute, df) = (tested.map(|(it, _)| it), tested.and_then(|(_, df)| df));
        let errors = |boundary: f64| match df {
            Some(df) if boundary > 0.0 => survival::student_deviate(boundary, df),
            _ => boundary,
        };
        let reach = Look { boundary: look.boundary.map(errors), ..look };
        let interval = |estimate: Option<Estimate>| {
            let tested = estimate.filter(|estimate| estimate.se.is_some_and(|se| se > 0.0))?;
            reach.interval(tested, self.rule.alternative).map(ends)
        };
        Some(GroupSequential {
            spending: spending_name(looks.spending),
            fractions: place.fractions.clone(),
            alpha_spent: look.alpha_spent,
            boundary: look.boundary,
            z: absolute.and_then(|it| Some(it.as_normal(df).value / it.se.filter(|se| *se > 0.0)?)),
            p_value: tested.and_then(|it| self.repeated(it, (looks, self.rule.alternative))),
            absolute_ci: interval(absolute),
            relative_ci: interval(self.contrast.relative),
            definition: place.definition.clone(),
            plan: place.plan.clone(),
        })
    }

    /// Why nothing decides, where one look would have a p-value: what a mixture takes for a share of the control is none of a control of 0.
    pub(super) fn undecided(&self, decision: &Decision) -> Option<String> {
        let of_nothing = self.rule.inference == Inference::Sequential
            && decision.p_value.is_none()
            && self.contrast.mean_control == Some(0.0)
            && self.rule.sequence != SequenceMethod::Asymptotic;
        of_nothing.then(|| {
            format!(
                "the control is 0, of which {} can be no share, so that nothing decides yet; the asymptotic method needs no control above 0",
                self.rule.sequence.name()
            )
        })
    }

    /// The p-value of an earlier look, where this one cannot decide.
    fn stands(&self) -> Option<f64> {
        self.place?.stands(self.contrast.absolute?.value)
    }

    /// The p-value that the relative difference is `null` or on the other side of it; with a prior, the probability of that.
    pub(super) fn p_at(&self, null: f64, alternative: Alternative) -> Option<f64> {
        let level = Level { alpha: self.rule.alpha, alternative };
        match &self.rule.inference {
            Inference::Fixed => {
                let (estimate, df) = self.beyond(null)?;
                estimate.test(df, level).p_value
            }
            Inference::Sequential => {
                let (estimate, df) = self.beyond(null)?;
                let mode = match self.contrast.mean_control {
                    Some(0.0) => {
                        self.rule.sequence.absolute_mode(self.contrast, (self.rule.tuning, level))?
                    }
                    _ => self.rule.sequence.mode(self.contrast, (self.rule.tuning, level)),
                };
                mode.test_with(estimate, df, level).p_value
            }
            Inference::GroupSequential(looks) => self.repeated(self.beyond(null)?, (looks, alternative)),
            Inference::Bayesian { .. } => {
                if let Some(below) = self.share_below(null) {
                    let above = (1.0 - below).max(f64::MIN_POSITIVE);
                    let below = below.max(f64::MIN_POSITIVE);
                    return Some(match alternative {
                        Alternative::Greater => below,
                        Alternative::Less => above,
                        Alternative::TwoSided => 2.0 * below.min(above),
                    });
                }
                let posterior = self.posterior()?;
                let z = (posterior.mean - null) / posterior.deviation;
                Some(match alternative {
                    Alternative::Greater => survival::normal(z),
                    Alternative::Less => survival::normal(-z),
                    Alternative::TwoSided => 2.0 * survival::normal(z.abs()),
                })
            }
        }
    }

    /// The absolute difference.
    fn difference(&self) -> Option<Tested> {
        let of_spread = || Some((self.contrast.absolute?, self.contrast.df));
        self.of_one_likelihood(0.0).or_else(of_spread)
    }

    /// The difference beyond the relative one of `null`; beside a control of 0 every margin is a difference of 0.
    fn beyond(&self, null: f64) -> Option<Tested> {
        let base = self.contrast.mean_control?;
        if base == 0.0 {
            return self.difference();
        }
        let relative = |(it, df): Tested| {
            (Estimate { value: it.value / base.abs(), se: it.se.map(|se| se / base.abs()) }, df)
        };
        let of_spread = || Some((self.contrast.beyond(null)?, self.contrast.df));
        self.of_one_likelihood(null).map(relative).or_else(of_spread)
    }

    /// The difference of two shares beyond the relative one of `null`. A small arm that has no success by chance has no spread either, so the
    /// error is that of shares which differ by `null`.
    fn of_one_likelihood(&self, null: f64) -> Option<Tested> {
        self.contrast.absolute?.se.filter(|se| *se > 0.0)?;
        Some((self.shares.as_ref()?.beyond(null)?, None))
    }

    /// The tests of the relative effect against the margin.
    pub(super) fn margin_test(&self, better: Better, margin: Option<f64>) -> Option<MarginTest> {
        let margin = margin.filter(|_| self.contrast.relative.is_some())?;
        let above = self.p_at(-margin, Alternative::Greater);
        let below = self.p_at(margin, Alternative::Less);
        Some(MarginTest {
            non_inferiority_p_value: if better == Better::Higher { above } else { below },
            equivalence_p_value: above.zip(below).map(|(above, below)| above.max(below)),
            equivalence_p_adjusted: None,
        })
    }

    /// Whether the arm is shown to be not worse by the margin, or to be worse. That one segment of many is worse chance shows sooner, so that they
    /// share alpha; that all of them hold it does not.
    pub(super) fn guardrail(&self, better: Better, margin: Option<f64>) -> Guardrail {
        let margin = margin.unwrap_or(0.0);
        let (bound, held, broken) = match better {
            Better::Higher => (-margin, Alternative::Greater, Alternative::Less),
            Better::Lower => (margin, Alternative::Less, Alternative::Greater),
        };
        let p_value = self.p_at(bound, held);
        let shown = |p: Option<f64>, alpha: f64| p.is_some_and(|p| p < alpha);
        let (alpha, of_segment) = (self.rule.alpha, self.rule.alpha / self.among as f64);
        let verdict = match (shown(p_value, alpha), shown(self.p_at(bound, broken), of_segment)) {
            (true, _) => GuardrailVerdict::Held,
            (false, true) => GuardrailVerdict::Broken,
            (false, false) => GuardrailVerdict::Undecided,
        };
        Guardrail { verdict, margin, p_value }
    }

    /// The probability that the relative difference of two shares is at most `null`, where a beta prior was given.
    fn share_below(&self, null: f64) -> Option<f64> {
        match (self.rule.belief, self.shares.as_ref()) {
            (Belief::Beta { prior, .. }, Some(Shares::Plain([control, arm]))) => {
                Some(BetaRelative::of(control, arm, prior).below(null))
            }
            _ => None,
        }
    }

    /// The posterior of the relative difference; a beta prior is one of shares, and leaves this one flat.
    pub(super) fn posterior(&self) -> Option<Posterior> {
        let prior = match self.rule.belief {
            Belief::Normal { mean, sd } => bayes::Prior::Normal { mean, deviation: sd },
            Belief::Flat | Belief::Beta { .. } => bayes::Prior::Flat,
        };
        bayes::posterior(self.contrast.relative?, prior)
    }

    /// The credible interval on the side or sides that the alternative asks for.
    fn credible(&self, posterior: &Posterior) -> Interval {
        let alpha = self.rule.alpha;
        match self.rule.alternative {
            Alternative::TwoSided => posterior.credible(1.0 - alpha),
            Alternative::Greater => Interval { hi: f64::INFINITY, ..posterior.credible(1.0 - 2.0 * alpha) },
            Alternative::Less => Interval { lo: f64::NEG_INFINITY, ..posterior.credible(1.0 - 2.0 * alpha) },
        }
    }

    fn schedule(&self, looks: &Looks, alternative: Alternative) -> Schedule {
        let level = Level { alpha: self.rule.alpha, alternative };
        Schedule { planned: 1.0, spending: looks.spending, level }
    }

    fn repeated(&self, (estimate, df): Tested, (looks, alternative): (&Looks, Alternative)) -> Option<f64> {
        let place = self.place?;
        if place.closed.is_some() {
            return estimate.se.filter(|se| *se > 0.0).map(|_| 1.0);
        }
        let schedule = self.schedule(looks, alternative);
        let estimate = estimate.as_normal(df);
        group_sequential::repeated_p_value(estimate, &place.fractions, &schedule).ok().flatten()
    }
}
