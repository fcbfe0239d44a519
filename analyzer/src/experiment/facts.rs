//! What is known of an experiment once its rows are sums: arms with their units, metrics with their sums by arm.

use std::collections::BTreeMap;

use windvane_stats::experiment::{
    cuped::Laws,
    effect,
    proportion::Proportion,
    quantile::QuantileArm,
    sums::{PairSums, RatioSums, Sums},
};
use windvane_store::{experiment::TimingRow, findings::looks_taken::LooksByAnother};
use windvane_types::experiment::Comparison;

use super::{Metric, anytime::AnytimeQuantile, looks::Looked};

/// An experiment without its rows.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// A file name, or the name of an experiment.
    pub(super) source: String,
    /// Rows that were read; `None` where sums were given.
    pub(super) rows: Option<u64>,
    /// Rows without a unit or without an arm.
    pub(super) unassigned: u64,
    /// Units of all arms.
    pub(super) units: u64,
    /// Units that were seen in several arms and belong to none.
    pub(super) several: u64,
    /// The arms by name.
    pub(super) arms: Vec<ArmFacts>,
    /// The metrics as asked for.
    pub(super) metrics: Vec<MetricFacts>,
    /// The same cut into parts, where that was asked for.
    pub(super) parts: Parts,
}

/// An experiment cut into parts, and what is known besides.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    /// The segments that are large enough, by their values.
    pub(super) segments: Vec<Part>,
    /// How many others there are.
    pub(super) segments_left_out: u64,
    /// For each metric, for each stratum, the sums by arm; empty where there are no strata.
    pub(super) strata: Vec<Vec<Vec<Sums>>>,
    /// For each stratum the units by arm.
    pub(super) strata_units: Vec<Vec<u64>>,
    /// The metrics by the day on which their units were first seen.
    pub(super) days: Vec<(i32, Vec<MetricFacts>)>,
    /// The extreme units of each mean.
    pub(super) extremes: Vec<Extremes>,
    /// Quantiles that may be looked at any time.
    pub(super) anytime: Vec<AnytimeQuantile>,
    /// When rows were seen, where that can be held against something.
    pub(super) timed: Option<Timed>,
    /// The looks that were taken, where they share alpha and are recorded.
    pub(super) looked: Option<Looked>,
    /// The looks that decided by another inference, where this one holds at any number of them.
    pub(super) looked_before: Vec<LooksByAnother>,
}

/// The values of the units farthest from their arm's mean.
#[derive(Debug, Clone)]
pub(super) struct Extremes {
    /// The metric's place.
    pub(super) metric: usize,
    /// For each arm, farthest first.
    pub(super) arms: Vec<Vec<f64>>,
}

/// Units by when their rows were seen.
#[derive(Debug, Clone)]
pub(super) struct Timed {
    pub(super) rows: Vec<TimingRow>,
    /// What [`TimingRow::early`] counts, where anything is known from before.
    pub(super) early: Option<Early>,
    /// Whether it is known when rows arrived.
    pub(super) received: bool,
}

/// What units may have from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Early {
    /// Rows that are counted and are from before the unit was assigned.
    Rows,
    /// A meeting with an arm before the exposure that counts.
    Exposures,
}

/// One segment.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Column → value.
    pub(super) values: BTreeMap<String, Option<String>>,
    pub(super) facts: Facts,
}

/// An arm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ArmFacts {
    pub(super) name: String,
    pub(super) units: u64,
    /// The share that it should get.
    pub(super) weight: f64,
}

impl ArmFacts {
    /// Whether it gets no units, by its weight of 0.
    pub(super) fn is_switched_off(&self) -> bool {
        self.weight <= 0.0
    }
}

/// A metric's sums, one entry an arm.
#[derive(Debug, Clone)]
pub(super) struct MetricFacts {
    pub(super) metric: Metric,
    /// The covariate that goes with it.
    pub(super) covariate: Option<String>,
    pub(super) arms: Vec<ArmMetric>,
    /// What was done to the values of this metric, for the ledger.
    pub(super) notes: Vec<String>,
    /// Why there is no estimate.
    pub(super) reason: Option<String>,
}

/// What one arm's units say of a metric.
#[derive(Debug, Clone)]
pub(super) struct ArmMetric {
    pub(super) sums: ArmSums,
    /// Units with a value.
    pub(super) n: u64,
    /// Units without one.
    pub(super) missing: u64,
    /// Rows without a value of units that have one in another row.
    pub(super) partial: u64,
    /// Units whose value was cut down to the cap.
    pub(super) capped: u64,
    /// Units whose value was raised to the floor.
    pub(super) floored: u64,
    /// Rows with a value.
    pub(super) values: u64,
}

/// The sufficient statistics of a metric in an arm.
#[derive(Debug, Clone)]
pub(super) enum ArmSums {
    Mean(Sums),
    Proportion(Proportion),
    /// A mean or proportion with its covariate.
    Adjusted(PairSums, Laws),
    Ratio(PairSums),
    /// A ratio with what it was before the experiment.
    AdjustedRatio(RatioSums),
    /// `None` without rows.
    Quantile(Option<QuantileArm>),
    /// An estimate whose sums are not known.
    Estimated(effect::Arm),
}

impl Facts {
    /// The place of an arm.
    pub(super) fn arm(&self, name: &str) -> Option<usize> {
        self.arms.iter().position(|arm| arm.name == name)
    }

    /// Units of the arms that get any. Those of an arm of weight 0 say nothing of how far the plan is: it is in no comparison.
    pub(super) fn units_dealt(&self) -> u64 {
        self.arms.iter().filter(|arm| !arm.is_switched_off()).map(|arm| arm.units).sum()
    }

    /// Whether others have the same arms in the same order.
    pub(super) fn has_arms_of(&self, other: &Self) -> bool {
        self.arms.iter().map(|arm| &arm.name).eq(other.arms.iter().map(|arm| &arm.name))
    }

    /// The places of the arms that are tested against the control: neither an arm of weight 0 nor, where the control's is 0, any.
    pub(super) fn tested(&self, control: usize) -> impl Iterator<Item = usize> {
        let is_off = move |arm: usize| self.arms[arm].is_switched_off();
        (0..self.arms.len()).filter(move |arm| *arm != control && !is_off(*arm) && !is_off(control))
    }

    /// The arm of a comparison that gets no units, by its weight of 0.
    pub(super) fn switched_off(&self, comparison: &Comparison) -> Option<&str> {
        let of = |arm: &ArmFacts| arm.name == comparison.arm || arm.name == comparison.control;
        self.arms.iter().find(|arm| arm.is_switched_off() && of(arm)).map(|arm| arm.name.as_str())
    }
}
