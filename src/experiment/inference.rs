//! Which answer the verdict is made of: the options of the command line, checked against each other.

use clap::{Args, ValueEnum};
use windvane_analyzer::experiment::{
    Rule,
    inference::{self, Belief, Earlier, FRACTION_MAX, Inference, LOOKS_MAX, Looks, Progress, Rope},
};
use windvane_stats::experiment::effect::Alternative;

use super::arguments::usage;
use crate::exit::Failure;

/// Options of inference.
#[derive(Debug, Args)]
pub struct InferenceArguments {
    /// Which answer the verdict is made of: one look at a planned end, any number of looks, a few planned looks, or the
    /// posterior. One look where nothing is said.
    #[arg(long, value_enum)]
    inference: Option<InferenceName>,
    /// Which differences are looked for: any (the default), the arm above the control, or the arm below it. Intervals follow.
    #[arg(long, value_enum)]
    alternative: Option<AlternativeName>,
    /// Planned looks, evenly spaced, for group_sequential: those before this one are counted as taken.
    #[arg(long, value_name = "N")]
    looks: Option<u32>,
    /// How much of the plan has come, for group_sequential: the fractions at the looks so far, this one last (0.25,0.5).
    #[arg(long, value_name = "F,…", conflicts_with = "planned_units")]
    information_fraction: Option<String>,
    /// The units of all arms that get any at the planned end, for group_sequential: the fraction is told from those that have come.
    #[arg(long, value_name = "UNITS")]
    planned_units: Option<f64>,
    /// How alpha is spent over the looks, for group_sequential: obrien_fleming (the default), pocock or power(RHO).
    #[arg(long, value_name = "NAME")]
    spending: Option<String>,
    /// What was believed before: flat (the default), normal(MEAN,SD) of the relative difference, or beta(A,B) of shares.
    #[arg(long, value_name = "PRIOR")]
    prior: Option<String>,
    /// Relative differences that do not matter, as LO,HI: the posterior's probability of them is told, and decides with
    /// bayesian.
    #[arg(long, value_name = "LO,HI", allow_hyphen_values = true)]
    rope: Option<String>,
    /// What a verdict may cost on average where it is wrong, as a share of the control's value; for bayesian.
    #[arg(long, value_name = "SHARE")]
    loss_max: Option<f64>,
}

/// A way of inference by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum InferenceName {
    /// One look at an end that was planned.
    Fixed,
    /// As many looks as you like.
    Sequential,
    /// A few looks that share alpha.
    GroupSequential,
    /// The posterior.
    Bayesian,
}

/// An alternative by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AlternativeName {
    /// Any difference.
    #[value(name = "two_sided", alias = "two-sided")]
    TwoSided,
    /// The arm above the control.
    Greater,
    /// The arm below the control.
    Less,
}

impl AlternativeName {
    /// The sides of the test.
    pub(super) fn alternative(self) -> Alternative {
        match self {
            Self::TwoSided => Alternative::TwoSided,
            Self::Greater => Alternative::Greater,
            Self::Less => Alternative::Less,
        }
    }
}

impl InferenceArguments {
    /// Whether anything is asked for.
    pub fn given(&self) -> bool {
        self.inference.is_some()
            || self.alternative.is_some()
            || self.of_looks().is_some()
            || self.prior.is_some()
            || self.rope.is_some()
            || self.loss_max.is_some()
    }

    /// The rule with this inference.
    ///
    /// # Errors
    /// A usage error that says what is accepted, or what contradicts what.
    pub fn apply(&self, rule: Rule) -> Result<Rule, Failure> {
        let alternative = self.alternative.unwrap_or(AlternativeName::TwoSided).alternative();
        let name = self.inference.unwrap_or(InferenceName::Fixed);
        if rule.alpha >= 0.5 && alternative != Alternative::TwoSided {
            return Err(usage(format!(
                "`--alpha {}` is out of range with one side: above 0 and below 0.5",
                rule.alpha
            )));
        }
        let inference = match (name, self.of_looks()) {
            (InferenceName::GroupSequential, _) => Inference::GroupSequential(self.group_sequential()?),
            (_, Some(option)) => {
                return Err(usage(format!("`--{option}` goes with --inference group_sequential only")));
            }
            (InferenceName::Fixed, None) => Inference::Fixed,
            (InferenceName::Sequential, None) => Inference::Sequential,
            (InferenceName::Bayesian, None) => Inference::Bayesian { loss_max: self.loss()? },
        };
        if self.loss_max.is_some() && name != InferenceName::Bayesian {
            return Err(usage("`--loss-max` goes with --inference bayesian only".to_owned()));
        }
        let belief = self.prior.as_deref().map(Belief::parse).transpose().map_err(usage)?.unwrap_or_default();
        let rope = self.rope.as_deref().map(Rope::parse).transpose().map_err(usage)?;
        Ok(Rule { inference, alternative, belief, rope, ..rule })
    }

    /// The first option that only planned looks have.
    fn of_looks(&self) -> Option<&'static str> {
        let given = [
            ("looks", self.looks.is_some()),
            ("information-fraction", self.information_fraction.is_some()),
            ("planned-units", self.planned_units.is_some()),
            ("spending", self.spending.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    fn group_sequential(&self) -> Result<Looks, Failure> {
        let spending = inference::spending(self.spending.as_deref().unwrap_or("obrien_fleming"));
        let spending = spending.map_err(usage)?;
        if let Some(looks) = self.looks.filter(|looks| !(1..=LOOKS_MAX).contains(looks)) {
            return Err(usage(format!("`--looks {looks}` is out of range: 1 to {LOOKS_MAX}")));
        }
        let evenly = self.looks.map_or(Earlier::At(Vec::new()), Earlier::Every);
        let (now, before) = match (&self.information_fraction, self.planned_units) {
            (Some(text), _) => {
                let mut fractions = inference::fractions(text).map_err(usage)?;
                let now = Progress::Fraction(fractions.pop().unwrap_or(FRACTION_MAX));
                match (fractions.is_empty(), self.looks) {
                    (false, Some(_)) => {
                        return Err(usage(
                            "`--looks` and several fractions in `--information-fraction` both say which looks came before: give one of them"
                                .to_owned(),
                        ));
                    }
                    (false, None) => (now, Earlier::At(fractions)),
                    (true, _) => (now, evenly),
                }
            }
            (None, Some(units)) if units >= 1.0 && units.is_finite() => (Progress::OfUnits(units), evenly),
            (None, Some(units)) => {
                return Err(usage(format!("`--planned-units {units}` is out of range: 1 or more")));
            }
            (None, None) => {
                return Err(usage(
                    "group_sequential needs to know how far this look is: give --planned-units UNITS or --information-fraction F"
                        .to_owned(),
                ));
            }
        };
        Ok(Looks { spending, now, before })
    }

    fn loss(&self) -> Result<Option<f64>, Failure> {
        match self.loss_max.filter(|loss| !(*loss > 0.0 && loss.is_finite())) {
            None => Ok(self.loss_max),
            Some(loss) => {
                Err(usage(format!("`--loss-max {loss}` is out of range: a share above 0, as in 0.0025")))
            }
        }
    }
}
