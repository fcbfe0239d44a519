//! What is compared, and by which rule.

use windvane_stats::{
    correction::{Correction, Ranked, preferential_bonferroni},
    experiment::effect::Alternative,
};
use windvane_store::{
    Statement,
    experiment::{self, Alone, Frame, Measure},
    populations::Population,
};

use super::{
    Cuts, Metric,
    inference::{Belief, Inference, Rope},
    sequence_method::SequenceMethod,
};

/// A comparison of arms over rows.
#[derive(Debug, Clone)]
pub struct ExperimentRequest {
    /// The rows.
    pub population: Population,
    /// The same rows where all records of every unit count, which is asked first because it answers faster, and says whether they do.
    pub whole: Option<Population>,
    /// The same rows where every unit has a single one, which is asked before that.
    pub alone: Option<Alone>,
    /// Tells the arms where the population is known to have one row a unit; `None` where the rows have to be asked.
    pub arms: Option<Statement>,
    /// The column that says who or what was assigned.
    pub unit: String,
    /// The column that says to which arm.
    pub arm: String,
    /// The metrics, at least one.
    pub metrics: Vec<Metric>,
    /// A column from before the experiment that explains part of the spread; for every mean and proportion.
    pub covariate: Option<String>,
    /// Into which parts the rows are cut besides.
    pub cuts: Cuts,
    /// How answers become verdicts.
    pub rule: Rule,
}

impl ExperimentRequest {
    /// What is asked before sums are: the arms, and whether each unit has one row.
    pub(super) fn probe(&self, frame: &Frame, measures: &[Measure]) -> Statement {
        self.arms.clone().unwrap_or_else(|| experiment::probe(frame, measures))
    }
}

/// How answers become verdicts.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The arm that the others are compared with.
    pub control: String,
    /// The accepted chance of a false verdict.
    pub alpha: f64,
    /// Which differences count.
    pub alternative: Alternative,
    /// The units of both arms at which the confidence sequence is narrowest.
    pub tuning: f64,
    /// By what the interval that holds at every look is made.
    pub sequence: SequenceMethod,
    /// The share of units that each arm should get; equal where it is empty.
    pub weights: Vec<(String, f64)>,
    /// The multiple-testing correction over metrics × arms.
    pub correction: FamilyCorrection,
    /// Which answer the verdict is made of.
    pub inference: Inference,
    /// How often the experiment is looked at.
    pub looked_at: LookedAt,
    /// What was believed before, for the posterior.
    pub belief: Belief,
    /// Relative differences that do not matter, for the posterior.
    pub rope: Option<Rope>,
    /// Whether bandit weights are told.
    pub advice: bool,
}

/// How often an experiment is looked at, beside what its inference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LookedAt {
    /// When somebody asks.
    #[default]
    Asked,
    /// By schedule, again and again: whether the arms have their share of units is then asked at every look.
    Scheduled,
}

/// How the p-values of all metrics and arms are corrected together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FamilyCorrection {
    /// All alike.
    Alike(Correction),
    /// Those of primary metrics share a part of alpha, the others the rest.
    Preferential {
        /// The part, above 0 and below 1.
        primary_share: f64,
    },
}

impl FamilyCorrection {
    /// The word of the command line and of the document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alike(correction) => correction.as_str(),
            Self::Preferential { .. } => "preferential_bonferroni",
        }
    }

    /// What the p-value at this place is multiplied by where no other one is small, in a family that says of each whether its metric is
    /// primary.
    #[must_use]
    pub fn of_smallest(self, primary: &[bool], place: usize) -> f64 {
        match self {
            Self::Alike(correction) => correction.of_smallest(primary.len()),
            Self::Preferential { primary_share } => {
                let family: Vec<Ranked> =
                    primary.iter().map(|primary| Ranked { p_value: SMALL, primary: *primary }).collect();
                preferential_bonferroni(&family, primary_share)[place] / SMALL
            }
        }
    }

    /// Whether p-values stay as they are.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::Alike(Correction::None)
    }
}

/// A p-value that is below 1 whatever it is multiplied by.
const SMALL: f64 = 1e-9;

/// The part of alpha that primary metrics share, where nothing else is said.
pub const PRIMARY_SHARE: f64 = 0.5;

/// Units at which the confidence sequence is narrowest where nothing else is said.
pub const TUNING: f64 = windvane_stats::experiment::sequence::TUNING;

impl Rule {
    /// The defaults, with this control.
    #[must_use]
    pub fn against(control: &str) -> Self {
        Self {
            control: control.to_owned(),
            alpha: 0.05,
            alternative: Alternative::TwoSided,
            tuning: TUNING,
            sequence: SequenceMethod::Asymptotic,
            weights: Vec::new(),
            correction: FamilyCorrection::Alike(Correction::Holm),
            inference: Inference::Fixed,
            looked_at: LookedAt::Asked,
            belief: Belief::Flat,
            rope: None,
            advice: false,
        }
    }
}
