//! Populations out of the store or out of files, statistics over them, findings back.

pub mod drift;
