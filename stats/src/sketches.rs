//! Streams in bounded memory: counts, moments and quantiles that can be merged.

pub mod log_sketch;
pub mod moments;
pub mod quantile_sketch;
