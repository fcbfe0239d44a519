//! Health: whether an experiment's data can be trusted, apart from what they say.
//!
//! Each check gives numbers and a state; the sentence about it is the reader's side's. A check that cannot be made says so and is
//! never healthy by default.

pub mod carry_over;
pub mod imbalance;
pub mod lateness;
pub mod outliers;
pub mod strata;
pub mod trend;

/// The level of checks that are looked at often and must not cry wolf, as for sample ratios.
pub const ALPHA: f64 = 0.001;
