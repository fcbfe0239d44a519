//! Which arm a unit gets: the rule of `docs/ASSIGNMENT.md`, the same in every language, asked of nobody.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::sampling::{bound, first_53_bits};

const RULE: &str = "windvane.assignment/1";

/// An experiment as its services know it. The order of the arms and the numbers as they are written are part of the rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Experiment {
    /// The experiment's name, or another text to deal all units out anew.
    pub salt: String,
    /// Its arms, in order.
    pub arms: Vec<Arm>,
    /// The share of its units that it lets in so far.
    #[serde(default = "everybody")]
    pub ramp: f64,
    /// The part of a layer that it takes.
    #[serde(default)]
    pub layer: Option<Layer>,
    /// Units that it never touches.
    #[serde(default)]
    pub holdout: Option<Holdout>,
}

/// An arm and its weight.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Arm {
    /// Its name.
    pub arm: String,
    /// 0 or more.
    pub weight: f64,
}

/// The part `[from, to)` of a layer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Layer {
    /// The layer's name.
    pub name: String,
    /// Where the part begins, from 0.
    pub from: f64,
    /// Where it ends, up to 1.
    pub to: f64,
}

/// A share of units that is kept out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Holdout {
    /// The holdout's name.
    pub name: String,
    /// From 0 to 1.
    pub share: f64,
}

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment<'e> {
    /// It has this arm.
    Arm(&'e str),
    /// It is not let in yet.
    Ramp,
    /// It is in another slot of the layer.
    Layer,
    /// It is held out.
    Holdout,
    /// The definition cannot be dealt out: the salt or an arm's name is empty, a name is there twice, no weight is above 0, one is not a
    /// number of 0 or more, a share is not within 0 and 1, or the part of the layer ends before it begins.
    Undefined,
}

fn everybody() -> f64 {
    1.0
}

impl Experiment {
    /// An experiment whose arms have equal weights and take everybody.
    pub fn new(salt: &str, arms: &[&str]) -> Self {
        let arms = arms.iter().map(|arm| Arm { arm: (*arm).to_owned(), weight: 1.0 }).collect();
        Self { salt: salt.to_owned(), arms, ramp: 1.0, layer: None, holdout: None }
    }

    /// The arm of a unit, or why it has none.
    pub fn assign(&self, unit: &str) -> Assignment<'_> {
        if !self.is_defined() {
            return Assignment::Undefined;
        }
        if let Some(holdout) = &self.holdout
            && point("holdout", &holdout.name, unit) < bound(holdout.share)
        {
            return Assignment::Holdout;
        }
        if let Some(layer) = &self.layer
            && !(bound(layer.from)..bound(layer.to)).contains(&point("layer", &layer.name, unit))
        {
            return Assignment::Layer;
        }
        if point("ramp", &self.salt, unit) >= bound(self.ramp) {
            return Assignment::Ramp;
        }
        let total: f64 = self.arms.iter().map(|arm| arm.weight).sum();
        let point = point("arm", &self.salt, unit);
        let mut cumulated = 0.0;
        for arm in &self.arms {
            cumulated += arm.weight;
            if point < bound(cumulated / total) {
                return Assignment::Arm(&arm.arm);
            }
        }
        Assignment::Undefined
    }

    /// Whether it is a definition that the other languages take: a ramp of 25 was meant as per cent, and would let everybody in.
    fn is_defined(&self) -> bool {
        let share = |share: f64| (0.0..=1.0).contains(&share);
        let weighed = |arm: &Arm| arm.weight >= 0.0 && arm.weight.is_finite();
        let has_part = |layer: &Layer| share(layer.from) && share(layer.to) && layer.from < layer.to;
        !self.salt.is_empty()
            && share(self.ramp)
            && self.layer.as_ref().is_none_or(has_part)
            && self.holdout.as_ref().is_none_or(|holdout| share(holdout.share))
            && self.arms.iter().all(weighed)
            && self.arms.iter().any(|arm| arm.weight > 0.0)
            && self.has_names()
    }

    /// Whether each arm has a name of its own.
    fn has_names(&self) -> bool {
        let is_new = |at: usize, name: &str| self.arms[..at].iter().all(|before| before.arm != name);
        self.arms.iter().enumerate().all(|(at, arm)| !arm.arm.is_empty() && is_new(at, &arm.arm))
    }
}

/// One of the points of a unit.
pub fn point(purpose: &str, name: &str, unit: &str) -> u64 {
    let mut state = Sha256::new();
    for field in [RULE, purpose, name, unit] {
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        state.update(length.to_be_bytes());
        state.update(field);
    }
    first_53_bits(&state)
}
