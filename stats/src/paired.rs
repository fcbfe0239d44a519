//! Paired designs: the same requests answered by two models, so that each pair is its own comparison.
//!
//! What both answers have in common cancels in the difference, and far fewer pairs are needed than in two independent samples.

pub mod bootstrap;
pub mod calibration;
pub mod delong;
pub mod mcnemar;
pub mod sign_test;
pub mod spearman;
pub mod t;
pub mod wilcoxon;
