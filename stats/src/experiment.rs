//! Experiments: whether one arm's metric is better than the control's, by how much, and how sure that is.
//!
//! An *estimator* ([`mean`], [`proportion`], [`ratio`], [`clustered`], [`cuped`], [`quantile`]) turns the sufficient statistics
//! of two arms into a [`effect::Contrast`]: the difference and its standard error, absolute and relative. An *inference mode*
//! turns such an estimate into an interval and a p-value: at a fixed horizon ([`effect`]), at any time ([`sequence`],
//! [`mixture`]), at some planned looks ([`group_sequential`]), or with a prior ([`bayes`]). Every estimator works with every
//! mode, and [`hypothesis`] makes a verdict of it. [`srm`] asks whether the units were dealt out as planned, [`health`] whether the
//! data can be trusted otherwise, [`plan`] says beforehand how many units it takes, [`bandit`] who would get them next.

pub mod bandit;
pub mod bayes;
pub mod beta_binomial;
mod beta_density;
pub mod beta_relative;
pub mod capping;
pub mod clustered;
pub mod cuped;
mod dirichlet;
pub mod effect;
pub mod fieller;
pub mod group_sequential;
pub mod health;
pub mod hypothesis;
pub mod mean;
pub mod mixture;
pub mod plan;
pub mod post_stratified;
pub mod proportion;
mod quadrature;
pub mod quantile;
pub mod quantile_sequence;
pub mod ratio;
pub mod sequence;
pub mod srm;
pub mod sums;
