//! Populations out of the store or out of files, statistics over them, findings back.

pub mod baseline;
pub mod drift;
pub mod experiment;
pub mod monitor;
pub mod performance;
