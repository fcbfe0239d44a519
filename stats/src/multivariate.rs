//! Samples whose values are vectors or texts.

pub mod centroid;
pub mod domain_classifier;
pub mod fourier_mmd;
pub mod ngrams;
pub mod ridge_logistic;
pub mod vectors;
