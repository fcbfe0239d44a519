//! The document `windvane.experiment_plan/1`: how many units an experiment needs, and what it would find.

use serde::{Deserialize, Serialize};

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.experiment_plan/1";

/// The plan of one comparison with the control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The metric's mean, share or quantile before the experiment.
    pub mean: f64,
    /// The variance of one unit.
    pub variance: f64,
    /// The level of a quantile; none for other metrics.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quantile: Option<f64>,
    /// The arms, the control among them.
    pub arms: u32,
    /// The shares of all units that the control and the smallest other arm get; none where every arm has as many.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shares: Option<[f64; 2]>,
    /// The accepted chance of a false verdict of one comparison.
    pub alpha: f64,
    /// The chance of finding the effect that is wanted.
    pub power: f64,
    /// How it ends: `fixed` after the planned units, `sequential` at any time, or `group_sequential` at planned looks.
    pub stopping: String,
    /// The units of the control and the compared arm at which the always-valid interval is taken to be narrowest, where the plan chose them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tuning: Option<f64>,
    /// The looks, where they are planned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub looks: Option<u32>,
    /// The side of the test, `greater` or `less`; none where it has both.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alternative: Option<String>,
    /// The relative difference by which the arm may be on the wrong side and is still no worse, where one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub margin: Option<f64>,
    /// The relative effect that is to be found; null where it was not given.
    pub effect: Option<f64>,
    /// Units over all arms that find it; null where no number does.
    pub units_needed: Option<u64>,
    /// The units that there will be, where they were given.
    pub units: Option<f64>,
    /// The chance that these units find the effect.
    pub power_with_units: Option<f64>,
    /// The smallest relative effect that these units find with the power that is wanted.
    pub minimum_detectable_effect: Option<f64>,
    /// New units a day, where they were given.
    pub units_per_day: Option<f64>,
    /// Days until the units that are needed have come.
    pub days: Option<f64>,
    /// What the plan takes from the experiment of the configuration, because no option says otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub from_experiment: Vec<String>,
    /// What was read, where the figures are those of real traffic.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traffic: Option<Traffic>,
}

/// The traffic of the past that a plan is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// The experiment of the configuration.
    pub experiment: String,
    /// Its metric.
    pub metric: String,
    /// The span that was read, `START/END`.
    pub span: String,
    /// Units that came in it, and whose window was over at its end.
    pub units: u64,
    /// How long units are followed after their exposure, days; the last one for so long after it came.
    pub window_days: f64,
}
