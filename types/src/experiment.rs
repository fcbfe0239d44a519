//! The document `windvane.experiment/1`: what `windvane experiment` prints, and what findings of experiments are made of.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved.

mod advice;
mod decision;
pub mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use advice::{Advice, ArmAdvice};
pub use decision::{BetaBinomial, Decision, Fieller, GroupSequential, Guardrail, GuardrailVerdict};

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.experiment/1";

/// The answer to "is an arm better than the control, by how much, and is the experiment healthy?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The arms with their units, by name; the control among them.
    pub arms: Vec<Arm>,
    /// Whether units were dealt out as planned.
    pub srm: Srm,
    /// One entry a metric and an arm that is not the control.
    pub comparisons: Vec<Comparison>,
    /// A file name, or the name of an experiment.
    pub source: String,
    /// The arm that the others are compared with.
    pub control: String,
    /// The accepted chance of a false verdict.
    pub alpha: f64,
    /// The multiple-testing correction over metrics × arms.
    pub correction: String,
    /// How many p-values the correction was made over.
    pub tests: usize,
    /// Which p-value decides: `fixed`, `sequential`, `group_sequential`, `bayesian`.
    pub inference: String,
    /// Rows that were read; null where sums were given.
    pub rows: Option<u64>,
    /// Units that were left out because they were seen in several arms.
    pub units_in_several_arms: u64,
    /// Whether the experiment itself can be trusted, one entry a check.
    pub health: Vec<Check>,
    /// The comparisons within segments, for segments asked for with `--segment-by`.
    pub segments: Vec<Segment>,
    /// Which differences the tests look for: `two_sided`, `greater` (the arm above the control) or `less`.
    #[serde(default)]
    pub alternative: String,
    /// Segments that have too few units, or are not among the largest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub segments_left_out: Option<u64>,
    /// How the next units would be dealt out, by each primary metric, where it was asked for: advice, not a verdict.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub advice: Vec<Advice>,
}

impl Document {
    /// The answer in one word, the one that asks for action first: `worse` where any comparison says so, else `better` where any
    /// does, else `equivalent` where all are, else `inconclusive`. Arms of weight 0 have no say.
    #[must_use]
    pub fn overall(&self) -> Verdict {
        let tested = || self.comparisons.iter().filter(|found| self.is_tested(found));
        let any = |verdict| tested().any(|found| found.verdict == verdict);
        let all = |verdict| tested().all(|found| found.verdict == verdict);
        match () {
            () if any(Verdict::Worse) => Verdict::Worse,
            () if any(Verdict::Better) => Verdict::Better,
            () if tested().next().is_some() && all(Verdict::Equivalent) => Verdict::Equivalent,
            () => Verdict::Inconclusive,
        }
    }

    /// Whether both arms of a comparison get units: where the weight of one is 0 it is shown, and left out of the test.
    #[must_use]
    pub fn is_tested(&self, comparison: &Comparison) -> bool {
        let of = |arm: &Arm| arm.arm == comparison.arm || arm.arm == comparison.control;
        self.arms.iter().all(|arm| arm.weight > 0.0 || !of(arm))
    }
}

/// One alternative of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Its name.
    pub arm: String,
    /// Its units.
    pub n: u64,
    /// The share of units that it should get; 0 for one that is switched off, which is shown and not tested.
    pub weight: f64,
}

/// Sample ratio mismatch: did each arm get its share of the units?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Srm {
    /// χ² over the arms with weight above 0; null below two of them or without units.
    pub p_value: Option<f64>,
    /// The same question asked again and again: valid however often it is looked at.
    pub sequential_p_value: Option<f64>,
    /// The answer.
    pub verdict: SrmVerdict,
    /// Whether it is asked by schedule, again and again, whatever the document's `inference`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub scheduled: bool,
}

impl Srm {
    /// The p-value that the verdict is made of, by the document's `inference` and by whether looks are scheduled: of one look where
    /// there is one, that of every look where there are several.
    #[must_use]
    pub fn deciding_p_value(&self, inference: &str) -> Option<f64> {
        let repeated = self.scheduled || matches!(inference, "sequential" | "group_sequential");
        if repeated { self.sequential_p_value } else { self.p_value }
    }
}

/// What the counts of units say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SrmVerdict {
    /// The counts are what the weights make likely.
    Ok,
    /// They are not: nothing else can be believed.
    Mismatch,
}

impl SrmVerdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Mismatch => "mismatch",
        }
    }
}

/// What a metric of an arm says against the control's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The metric.
    pub metric: String,
    /// The arm.
    pub arm: String,
    /// The control.
    pub control: String,
    /// Units of the arm with a value.
    pub n: u64,
    /// Units of the control with a value.
    pub n_control: u64,
    /// The arm's mean, share, ratio or quantile.
    pub mean: Option<f64>,
    /// The control's.
    pub mean_control: Option<f64>,
    /// The difference.
    pub absolute: Effect,
    /// The difference over the control's absolute value; null where that is 0.
    pub relative: Option<Effect>,
    /// The p-value of the absolute difference.
    pub p_value: Option<f64>,
    /// The p-value that decides (this one, unless `inference` says otherwise) after correction over metrics × arms.
    pub p_adjusted: Option<f64>,
    /// Degrees of freedom (Welch, Satterthwaite).
    pub df: Option<f64>,
    /// The estimator: `welch`, `proportion`, `ratio`, `cuped`, `quantile`, `post_stratified`.
    pub method: String,
    /// The relative difference, valid however often it is looked at.
    pub sequential: Option<Sequential>,
    /// The relative difference with a prior.
    pub bayesian: Option<Bayesian>,
    /// What the covariate did; null without one.
    pub cuped: Option<Cuped>,
    /// The answer in one word.
    pub verdict: Verdict,
    /// Every adjustment that was made, in order, in words.
    pub ledger: Vec<String>,
    /// `mean`, `proportion`, `ratio` or `quantile`.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The column below the line of a ratio.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub denominator: Option<String>,
    /// The level of a quantile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quantile: Option<f64>,
    /// Which way is better.
    pub better: Better,
    /// What the metric is for: `primary`, `secondary` or `guardrail`.
    pub role: Role,
    /// The relative margin of equivalence or non-inferiority, where one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub margin: Option<f64>,
    /// What the margin's tests say, where one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub margin_test: Option<MarginTest>,
    /// Units of the arm and of the control without a value, which are left out.
    pub missing: u64,
    /// Why there is no estimate, or no test.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The number that the verdict was made of.
    #[serde(default)]
    pub decision: Decision,
    /// This look among those that were planned, with `group_sequential`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group_sequential: Option<GroupSequential>,
    /// The posterior of two proportions, where a beta prior was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub beta_binomial: Option<BetaBinomial>,
    /// The exact p-value of two proportions where a cell expects fewer than five units, or no unit of one arm succeeds and all of the other's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exact_p_value: Option<f64>,
    /// The test that gave it: `boschloo`, or `fisher` above some hundred units.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exact_test: Option<String>,
    /// The relative difference by Fieller's theorem, which stays honest where the control is near 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relative_fieller: Option<Fieller>,
    /// What strata did, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stratified: Option<Stratified>,
    /// Whether a guardrail metric holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guardrail: Option<Guardrail>,
}

/// An estimated difference.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Effect {
    /// The difference; null with an empty arm.
    pub estimate: Option<f64>,
    /// Its standard error; null below two units an arm.
    pub se: Option<f64>,
    /// Its interval; the point where the standard error is 0. An end is null where it is infinite (one-sided).
    pub ci: Option<[Option<f64>; 2]>,
    /// The chance of at least this difference without any; never 0.
    pub p_value: Option<f64>,
}

/// An effect that may be looked at any time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    /// The relative difference.
    pub estimate: f64,
    /// The interval of the confidence sequence at these units.
    pub ci: Option<[Option<f64>; 2]>,
    /// The always-valid p-value.
    pub p_value: Option<f64>,
    /// The units of both arms at which the asymptotic interval is tightest.
    pub tuning: f64,
    /// By what the interval is made; left out where it is the asymptotic one.
    #[serde(skip_serializing_if = "SequenceKind::is_asymptotic", default)]
    pub method: SequenceKind,
}

/// By what an always-valid interval is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceKind {
    /// The asymptotic confidence sequence, narrowest at a number of units.
    #[default]
    Asymptotic,
    /// The normal mixture, narrowest at a standard error.
    NormalMixture,
    /// The mixture sequential probability ratio test.
    Msprt,
    /// Counts of rows about a quantile.
    QuantileRanks,
}

impl SequenceKind {
    fn is_asymptotic(&self) -> bool {
        *self == Self::Asymptotic
    }
}

/// An effect with a prior on the relative scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bayesian {
    /// The probability that the arm is better.
    pub probability_better: f64,
    /// What is lost on average by choosing the arm, as a share of the control's value.
    pub expected_loss: f64,
    /// What is gained on average by choosing it.
    pub expected_gain: f64,
    /// The posterior mean.
    pub mean: f64,
    /// The posterior standard deviation.
    pub sd: f64,
    /// The credible interval.
    pub ci: Option<[Option<f64>; 2]>,
    /// The prior in words: `flat`, `normal(0, 0.3)`.
    pub prior: String,
    /// The probability that the effect is within the region of practical equivalence, where one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probability_in_rope: Option<f64>,
}

/// What a covariate did to a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cuped {
    /// The slope of the metric on the covariate, pooled over arms.
    pub theta: f64,
    /// The share of the variance of the difference that it took away.
    pub variance_reduction: Option<f64>,
}

/// What strata did to a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stratified {
    /// Strata that were compared.
    pub strata: u64,
    /// Strata with too few units in an arm, which were merged.
    pub merged: u64,
    /// The share of the variance of the difference that they took away; below 0 where they only cost.
    pub variance_reduction: Option<f64>,
}

/// One-sided tests against a margin, on the relative scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MarginTest {
    /// The chance of data like these if the arm were worse by the margin: small means it is not.
    pub non_inferiority_p_value: Option<f64>,
    /// The chance of data like these if the arm differed by the margin either way: small means it does not.
    pub equivalence_p_value: Option<f64>,
    /// The same, corrected over all comparisons that have a margin: the number that decides. None where a posterior does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub equivalence_p_adjusted: Option<f64>,
}

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The mean over units.
    Mean,
    /// The share of units with 1.
    Proportion,
    /// A sum over a sum.
    Ratio,
    /// A quantile of the rows.
    Quantile,
}

impl Kind {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Proportion => "proportion",
            Self::Ratio => "ratio",
            Self::Quantile => "quantile",
        }
    }
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    #[default]
    Higher,
    /// Less is better.
    Lower,
}

impl Better {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
        }
    }
}

/// What a metric is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It decides.
    #[default]
    Primary,
    /// It explains.
    Secondary,
    /// It must not get worse by more than its margin.
    Guardrail,
}

impl Role {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Guardrail => "guardrail",
        }
    }
}

/// What a comparison says in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A difference the good way that chance does not explain.
    Better,
    /// A difference the bad way that chance does not explain.
    Worse,
    /// Within the margin both ways.
    Equivalent,
    /// None of these is shown.
    Inconclusive,
}

impl Verdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Equivalent => "equivalent",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One question about the experiment itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// A stable word, such as `sample_ratio` or `units_in_several_arms`.
    pub check: String,
    /// The answer.
    pub verdict: CheckVerdict,
    /// The metric, arm or segment in question; null for the whole experiment.
    pub subject: Option<String>,
    /// The number that was looked at: a p-value, a share, a count.
    pub observed: Option<f64>,
    /// Its bound.
    pub bound: Option<f64>,
    /// What it means, in one sentence.
    pub meaning: String,
    /// What to do, in one sentence; empty where nothing is to be done.
    pub advice: String,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// Nothing is wrong.
    Ok,
    /// Look at it before believing the numbers.
    Warning,
    /// The numbers cannot be believed.
    Failure,
    /// Too little to tell.
    Unknown,
}

impl CheckVerdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

/// The comparisons among the units that share the values of the segment's columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Column → value; null for missing.
    pub segment: BTreeMap<String, Option<String>>,
    /// Its arms.
    pub arms: Vec<Arm>,
    /// Whether units were dealt out as planned within it.
    pub srm: Srm,
    /// One entry a metric and an arm that is not the control.
    pub comparisons: Vec<Comparison>,
}
