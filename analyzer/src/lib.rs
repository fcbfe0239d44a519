//! Populations out of the store or out of files, statistics over them, findings back.

pub mod attribution;
pub mod baseline;
pub mod detect;
pub mod drift;
pub mod experiment;
pub mod fairness;
mod known_names;
pub mod latency;
pub mod monitor;
mod not_numbers;
mod numeric;
pub mod performance;
pub mod quality;
