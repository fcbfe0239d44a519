//! Experiments: whether one arm's metric is better than the control's, by how much, and how sure that is.
//!
//! An *estimator* ([`mean`], [`proportion`], [`ratio`], [`cuped`], [`quantile`]) turns the sufficient statistics of two arms
//! into a [`effect::Contrast`]: the difference and its standard error, absolute and relative. An *inference mode* turns such an
//! estimate into an interval and a p-value: at a fixed horizon ([`effect`]), at any time ([`sequence`]), or with a prior
//! ([`bayes`]). Every estimator works with every mode. [`srm`] asks whether the units were dealt out as planned.

pub mod bayes;
pub mod cuped;
pub mod effect;
pub mod mean;
pub mod proportion;
pub mod quantile;
pub mod ratio;
pub mod sequence;
pub mod srm;
pub mod sums;
