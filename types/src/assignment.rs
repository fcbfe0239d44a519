//! Who gets which arm: a deterministic function of the experiment's definition and the unit, the same in every language.
//!
//! docs/ASSIGNMENT.md is its contract, bit for bit; `sdk/vectors/assignment.json` holds what every implementation must answer.
//! Four independent points in [0, 2⁵³) are hashed for a unit: one against the holdout, one for the place in the layer, one against
//! the ramp, one for the arm. So a wider ramp lets units in and moves none, and layers do not know of each other.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Points are below it; doubles hold all of them.
const POINTS: f64 = 9_007_199_254_740_992.0;
/// The first field of every hash, so that another rule can never answer for this one.
const RULE: &str = "windvane.assignment/1";

/// An experiment as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What the ramp's and the arm's points depend on: the experiment's name, or another text to deal units out anew.
    pub salt: String,
    /// The part of a layer that the experiment takes; without one it takes everybody.
    #[serde(default)]
    pub layer: Option<Slot>,
    /// The units that are kept out; without one nobody is.
    #[serde(default)]
    pub holdout: Option<Holdout>,
    /// The share of its units that the experiment lets in so far, 0 to 1.
    #[serde(default = "everybody")]
    pub ramp: f64,
    /// The arms in order. Their order is part of the rule.
    pub arms: Vec<WeightedArm>,
}

/// The half-open part `[from, to)` of a layer, as shares of 0 to 1. Experiments with parts that do not overlap never share a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// The layer's name.
    pub name: String,
    /// Where the part begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
}

/// Units that no experiment with this holdout gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holdout {
    /// The holdout's name; experiments that name the same one keep the same units out.
    pub name: String,
    /// The share of all units, 0 to 1.
    pub share: f64,
}

/// An arm and its weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedArm {
    /// The arm's name.
    pub arm: String,
    /// Its weight, 0 or more, in any unit.
    pub weight: f64,
}

/// Where a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment<'a> {
    /// In this arm.
    Arm(&'a str),
    /// Kept out of experiments.
    HeldOut,
    /// In another part of the layer.
    OtherSlot,
    /// Not let in yet.
    NotRamped,
}

/// Why a definition is none.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum AssignmentError {
    /// A salt or a name is empty: every experiment would deal out alike.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// No arm has a weight above 0.
    #[error("no arm has a weight above 0")]
    NoArms,
    /// Two arms have one name.
    #[error("arm `{0}` is there twice")]
    TwiceTheSameArm(String),
    /// A weight is negative or no number.
    #[error("weight {weight} of arm `{arm}` is not a number of 0 or more")]
    Weight {
        /// The arm.
        arm: String,
        /// Its weight.
        weight: f64,
    },
    /// A share is outside of 0 to 1.
    #[error("{what} {share} is not between 0 and 1")]
    Share {
        /// Which share.
        what: &'static str,
        /// What it is.
        share: f64,
    },
    /// A part of a layer ends before it begins.
    #[error("layer slot {from} to {to} is empty")]
    EmptySlot {
        /// Its begin.
        from: f64,
        /// Its end.
        to: f64,
    },
}

/// A checked definition that assigns units.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigner {
    definition: Definition,
    /// The first point beyond each arm.
    ends: Vec<u64>,
}

/// The four points of a unit, each below 2⁵³.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Points {
    /// Against the holdout's share; `None` without a holdout.
    pub holdout: Option<u64>,
    /// The place in the layer; `None` without a layer.
    pub layer: Option<u64>,
    /// Against the ramp.
    pub ramp: u64,
    /// Among the arms.
    pub arm: u64,
}

impl Assigner {
    /// Checks a definition.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(definition: Definition) -> Result<Self, AssignmentError> {
        let named =
            |what, name: &str| if name.is_empty() { Err(AssignmentError::Empty(what)) } else { Ok(()) };
        let share = |what, share: f64| {
            if (0.0..=1.0).contains(&share) { Ok(()) } else { Err(AssignmentError::Share { what, share }) }
        };
        named("salt", &definition.salt)?;
        share("ramp", definition.ramp)?;
        if let Some(holdout) = &definition.holdout {
            named("name of the holdout", &holdout.name)?;
            share("holdout", holdout.share)?;
        }
        if let Some(Slot { name, from, to }) = &definition.layer {
            named("name of the layer", name)?;
            share("begin of the layer slot", *from)?;
            share("end of the layer slot", *to)?;
            if from >= to {
                return Err(AssignmentError::EmptySlot { from: *from, to: *to });
            }
        }
        let ends = ends(&definition.arms)?;
        Ok(Self { definition, ends })
    }

    /// The definition.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Where a unit is. The unit is taken as its bytes are: no case is folded and no Unicode is normalised.
    #[must_use]
    pub fn assign(&self, unit: &str) -> Assignment<'_> {
        let points = self.points(unit);
        if let Some((holdout, at)) = self.definition.holdout.as_ref().zip(points.holdout)
            && at < point(holdout.share)
        {
            return Assignment::HeldOut;
        }
        if let Some((slot, at)) = self.definition.layer.as_ref().zip(points.layer)
            && !(point(slot.from)..point(slot.to)).contains(&at)
        {
            return Assignment::OtherSlot;
        }
        if points.ramp >= point(self.definition.ramp) {
            return Assignment::NotRamped;
        }
        let index = self.ends.partition_point(|end| *end <= points.arm);
        Assignment::Arm(&self.definition.arms[index].arm)
    }

    /// The points of a unit, for those who want to see why.
    #[must_use]
    pub fn points(&self, unit: &str) -> Points {
        let Definition { salt, layer, holdout, .. } = &self.definition;
        Points {
            holdout: holdout.as_ref().map(|holdout| hash("holdout", &holdout.name, unit)),
            layer: layer.as_ref().map(|layer| hash("layer", &layer.name, unit)),
            ramp: hash("ramp", salt, unit),
            arm: hash("arm", salt, unit),
        }
    }
}

fn everybody() -> f64 {
    1.0
}

/// The first 53 bits of SHA-256 over the rule, the purpose, the name and the unit, each behind its length in four bytes.
fn hash(purpose: &str, name: &str, unit: &str) -> u64 {
    let mut hasher = Sha256::new();
    for field in [RULE, purpose, name, unit] {
        // A field of 4 GiB or more has the length modulo 2³²; no event carries one.
        hasher.update((field.len() as u32).to_be_bytes());
        hasher.update(field.as_bytes());
    }
    let digest = hasher.finalize();
    let first: [u8; 8] = digest[..8].try_into().expect("a digest has 32 bytes");
    u64::from_be_bytes(first) >> 11
}

/// The first point beyond a share: ⌊share·2⁵³⌋, exact, since it only moves the exponent.
#[expect(clippy::cast_sign_loss, reason = "a share is not below 0")]
fn point(share: f64) -> u64 {
    (share * POINTS).floor() as u64
}

/// The first point beyond each arm: ⌊(w₁ + … + wᵢ)/(w₁ + … + wₖ)·2⁵³⌋ with sums from left to right.
fn ends(arms: &[WeightedArm]) -> Result<Vec<u64>, AssignmentError> {
    let mut names = HashSet::new();
    let mut sums = Vec::with_capacity(arms.len());
    let mut sum = 0.0_f64;
    for WeightedArm { arm, weight } in arms {
        if arm.is_empty() {
            return Err(AssignmentError::Empty("name of an arm"));
        }
        if !names.insert(arm) {
            return Err(AssignmentError::TwiceTheSameArm(arm.clone()));
        }
        sum += weight;
        if *weight < 0.0 || !sum.is_finite() {
            return Err(AssignmentError::Weight { arm: arm.clone(), weight: *weight });
        }
        sums.push(sum);
    }
    if sum <= 0.0 {
        return Err(AssignmentError::NoArms);
    }
    Ok(sums.iter().map(|cumulated| point(cumulated / sum)).collect())
}

#[cfg(test)]
mod tests;
