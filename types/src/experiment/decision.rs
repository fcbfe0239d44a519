//! What a verdict was made of: the number that decided, and the answers beside the fixed-horizon one.

use serde::{Deserialize, Serialize};

/// The number that the verdict was made of.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// `fixed`, `sequential`, `group_sequential` or `bayesian`.
    pub inference: String,
    /// Of which difference: `absolute` or `relative`.
    pub scale: String,
    /// The interval on this scale, at 1 - alpha without correction; an end is null where it is infinite (one-sided).
    pub ci: Option<[Option<f64>; 2]>,
    /// The p-value before correction; null with `bayesian`, which has none.
    pub p_value: Option<f64>,
    /// The same after correction over the family.
    pub p_adjusted: Option<f64>,
}

/// One of a few looks whose alpha was dealt out beforehand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupSequential {
    /// How alpha is spent: `obrien_fleming`, `pocock`, `power(2)`.
    pub spending: String,
    /// The fractions of the planned units at the looks that count, this one last; without this one where it has nothing to spend because
    /// of those before.
    pub fractions: Vec<f64>,
    /// The share of all error that these looks spend, of alpha.
    pub alpha_spent: f64,
    /// How many standard errors the absolute difference must exceed; null where nothing is left to spend.
    pub boundary: Option<f64>,
    /// How many it has, an error of few units counted as the normal deviate with its tail of Student's t.
    pub z: Option<f64>,
    /// The repeated p-value: valid at every look.
    pub p_value: Option<f64>,
    /// The repeated interval of the absolute difference.
    pub absolute_ci: Option<[Option<f64>; 2]>,
    /// That of the relative one.
    pub relative_ci: Option<[Option<f64>; 2]>,
    /// What is compared, over the store: looks at anything else do not count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub definition: Option<String>,
    /// How alpha is shared, over the store: `obrien_fleming, 1280 units, two_sided`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<String>,
}

/// The posterior of two proportions under a beta prior, exact at any number of units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BetaBinomial {
    /// The prior in words: `beta(1, 1)`.
    pub prior: String,
    /// The posterior mean of the arm's share.
    pub mean: f64,
    /// That of the control's.
    pub mean_control: f64,
    /// The probability that the arm is better.
    pub probability_better: f64,
    /// What is lost on average by choosing the arm, as a difference of shares.
    pub expected_loss: f64,
    /// What is gained on average by choosing it.
    pub expected_gain: f64,
    /// The two-sided credible interval of the relative difference; null in a document of before there was one.
    #[serde(default)]
    pub ci: Option<[f64; 2]>,
    /// The probability of the region of relative differences that do not matter, where one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probability_in_rope: Option<f64>,
}

/// The relative differences that both means allow, where the control's may be near 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fieller {
    /// `bounded`: from the first end to the second; `outside`: up to the first and from the second on; `everything`.
    pub kind: String,
    /// The ends; null where one is infinite, or there is none.
    pub ends: [Option<f64>; 2],
}

/// Whether a guardrail metric holds: that it is not worse by the margin has to be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guardrail {
    /// The answer.
    pub verdict: GuardrailVerdict,
    /// The loss that would still be acceptable, as a share of the control's value; 0 where none was given.
    pub margin: f64,
    /// The chance of data like these if the arm were worse by the margin: small means it is not. With `bayesian` the posterior
    /// probability that it is.
    pub p_value: Option<f64>,
}

/// What a guardrail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailVerdict {
    /// The arm is not worse by the margin.
    Held,
    /// It is worse by more than that.
    Broken,
    /// Neither is shown.
    Undecided,
}

impl GuardrailVerdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Undecided => "undecided",
        }
    }
}
