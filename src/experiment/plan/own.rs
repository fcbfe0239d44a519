//! How the verdict will be reached that is planned for: by the options, and by the experiment's own rule where they say nothing.

use windvane_analyzer::experiment::{
    Measured, SequenceMethod, StoredExperiment,
    inference::{Earlier, Inference, alternative_name, spending_name},
};
use windvane_stats::experiment::{
    effect::{Alternative, Level},
    group_sequential::{self, Schedule, Spending},
    plan::{Stopping, group_sequential as planned},
};
use windvane_types::experiment::{Better, Role};

use super::super::arguments::usage;
use super::{AlternativeName, PlanArguments};
use crate::drift::words::number;
use crate::exit::Failure;

/// The accepted chance of a false verdict, where nothing is said.
const ALPHA: f64 = 0.05;

/// How the verdict will be reached.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manner {
    /// The accepted chance of a false verdict of one comparison.
    pub(super) alpha: f64,
    pub(super) alternative: Alternative,
    pub(super) margin: Option<f64>,
    pub(super) ending: Ending,
    /// What the experiment says of it, in words.
    pub(super) taken: Vec<String>,
}

/// When it will be looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    /// Once, at the end.
    Once,
    /// At any time, by the confidence sequence that is narrowest at so many units of both arms; at those that are planned where `None`.
    AnyTime { tuning: Option<f64> },
    /// After equal shares of the units.
    Looks { looks: u32, spending: Spending },
}

impl Manner {
    /// That of the options.
    pub(super) fn of_options(asked: &PlanArguments) -> Self {
        Self {
            alpha: asked.alpha.unwrap_or(ALPHA),
            alternative: asked.alternative.map_or(Alternative::TwoSided, AlternativeName::alternative),
            margin: asked.margin,
            ending: ending_asked(asked, Spending::ObrienFleming).unwrap_or(Ending::Once),
            taken: Vec::new(),
        }
    }

    /// That of the options, and for a metric of an experiment with so many arms that of its rule where they say nothing.
    pub(super) fn of_experiment(
        asked: &PlanArguments,
        experiment: &StoredExperiment,
        (place, arms): (usize, u32),
    ) -> Self {
        let rule = &experiment.rule;
        let mut taken = Vec::new();
        let (own_ending, ending_told) = ending(experiment);
        let spending = match own_ending {
            Ending::Looks { spending, .. } => spending,
            Ending::Once | Ending::AnyTime { .. } => Spending::ObrienFleming,
        };
        let ending = ending_asked(asked, spending).unwrap_or_else(|| {
            taken.push(ending_told);
            own_ending
        });
        let given = asked.alternative.map(AlternativeName::alternative);
        let guardrail = guardrail(experiment, place).filter(|(side, _)| given.is_none_or(|it| it == *side));
        let alternative = given.or(guardrail.map(|(side, _)| side)).unwrap_or_else(|| {
            taken.push(format!("alternative = {}", alternative_name(rule.alternative)));
            rule.alternative
        });
        if let Some((side, margin)) = guardrail {
            let against = match asked.margin {
                None => format!(" against margin = {}", number(margin)),
                Some(_) => String::new(),
            };
            taken.push(format!("role = guardrail, tested one-sided ({}){against}", alternative_name(side)));
        }
        let alpha = asked.alpha.unwrap_or_else(|| {
            let (alpha, told) = alpha(experiment, (place, arms), guardrail.is_some());
            taken.push(told);
            alpha
        });
        let margin = asked.margin.or(guardrail.map(|(_, margin)| margin));
        taken.extend(uncounted(asked, experiment, place));
        Self { alpha, alternative, margin, ending, taken }
    }

    /// How it ends, for the power that is wanted.
    pub(super) fn stopping(&self, power: f64) -> Result<Stopping, Failure> {
        let (looks, spending) = match self.ending {
            Ending::Once => return Ok(Stopping::Fixed),
            Ending::AnyTime { tuning: None } => return Ok(Stopping::SequentialTuned),
            Ending::AnyTime { tuning: Some(tuning) } => return Ok(Stopping::Sequential { tuning }),
            Ending::Looks { looks, spending } => (looks, spending),
        };
        let level = self.level();
        let information: Vec<f64> = (1..=looks).map(|look| f64::from(look) / f64::from(looks)).collect();
        let inflation =
            group_sequential::boundaries(&information, &Schedule { planned: 1.0, spending, level })
                .ok()
                .and_then(|looks| planned::inflation(&planned::barriers(&looks), level, power));
        inflation.map(|inflation| Stopping::GroupSequential { inflation }).ok_or_else(|| {
            usage(format!("{looks} looks have no plan at alpha {} and this power", level.alpha))
        })
    }

    /// The error and the sides of the test.
    pub(super) fn level(&self) -> Level {
        Level { alpha: self.alpha, alternative: self.alternative }
    }

    /// The looks, where they are planned.
    pub(super) fn looks(&self) -> Option<u32> {
        match self.ending {
            Ending::Looks { looks, .. } => Some(looks),
            Ending::Once | Ending::AnyTime { .. } => None,
        }
    }
}

/// What the options say of the end.
fn ending_asked(asked: &PlanArguments, spending: Spending) -> Option<Ending> {
    match (asked.fixed, asked.sequential, asked.looks) {
        (true, ..) => Some(Ending::Once),
        (false, true, _) => Some(Ending::AnyTime { tuning: None }),
        (false, false, looks) => looks.map(|looks| Ending::Looks { looks, spending }),
    }
}

/// How the experiment ends by its own rule, and the words for it.
fn ending(experiment: &StoredExperiment) -> (Ending, String) {
    let rule = &experiment.rule;
    let (ending, more) = match (&rule.inference, rule.sequence) {
        (Inference::Fixed, _) => (Ending::Once, String::new()),
        (Inference::Sequential, SequenceMethod::Asymptotic) => {
            let told = format!(", narrowest at {} units", rule.tuning);
            (Ending::AnyTime { tuning: Some(rule.tuning) }, told)
        }
        (Inference::Sequential, method) => {
            let told = format!(" by {}, counted as the asymptotic method at its narrowest", method.name());
            (Ending::AnyTime { tuning: None }, told)
        }
        (Inference::GroupSequential(looks), _) => match looks.before {
            Earlier::Every(planned) if planned > 1 => {
                let told = format!(", {planned} looks by {}", spending_name(looks.spending));
                (Ending::Looks { looks: planned, spending: looks.spending }, told)
            }
            Earlier::Every(_) | Earlier::At(_) => {
                (Ending::Once, " without `looks`, counted as one look".to_owned())
            }
        },
        (Inference::Bayesian { .. }, _) => (Ending::Once, ", counted as one look".to_owned()),
    };
    (ending, format!("inference = {}{more}", rule.inference.as_str()))
}

/// The side on which a guardrail has to be shown to hold, and its margin; `None` for other metrics.
fn guardrail(experiment: &StoredExperiment, place: usize) -> Option<(Alternative, f64)> {
    let metric = &experiment.metrics[place].metric;
    let side = match metric.better {
        Better::Higher => Alternative::Greater,
        Better::Lower => Alternative::Less,
    };
    (metric.role == Role::Guardrail).then_some((side, metric.margin.unwrap_or(0.0)))
}

/// What will take from the variance of the metric by an amount that traffic does not tell, unless an option gives one.
fn uncounted(asked: &PlanArguments, experiment: &StoredExperiment, place: usize) -> Option<String> {
    let key = match experiment.metrics[place].metric.measured {
        Measured::Quantile { .. } => None,
        _ if experiment.covariate_us.is_some() => Some("covariate_window"),
        Measured::Mean | Measured::Proportion if experiment.stratify.is_some() => Some("stratify"),
        Measured::Mean | Measured::Proportion | Measured::Ratio { .. } => None,
    }?;
    (asked.variance_reduction == 0.0).then(|| {
        format!("{key} is not counted without --variance-reduction, which the ledger of a look tells")
    })
}

/// What is left of alpha for one p-value where no other one is small, and the words for it. A guardrail gets all of it.
fn alpha(experiment: &StoredExperiment, (place, arms): (usize, u32), guardrail: bool) -> (f64, String) {
    let rule = &experiment.rule;
    let compared = arms.saturating_sub(1).max(1) as usize;
    let family: Vec<bool> = experiment
        .metrics
        .iter()
        .flat_map(|metric| std::iter::repeat_n(metric.metric.role == Role::Primary, compared))
        .collect();
    let factor = if guardrail { 1.0 } else { rule.correction.of_smallest(&family, place * compared) };
    let alpha = rule.alpha / factor;
    let left = match factor > 1.0 {
        true => format!(
            ", of which {} leaves {} to one of {} p-values",
            rule.correction.as_str(),
            number(alpha),
            family.len()
        ),
        false => String::new(),
    };
    (alpha, format!("alpha = {}{left}", rule.alpha))
}
