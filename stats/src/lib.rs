//! Pure statistics: slices or mergeable summaries in, named structs out. No clock, no creation of random generators,
//! no word of models or ClickHouse.
//!
//! Two populations meet in one of two forms. Numbers arrive as a [`walk::Walk`]: the sorted merge of both sides, pushed
//! value by value, in constant memory. Categories and bins arrive as [`cells::Cell`]s: how often each occurs on each side.
//!
//! Methods stand in folders by what they are given; each is named at the top too, as `windvane_stats::ks`.

pub mod ascending;
pub mod beta;
pub mod bootstrap;
pub mod cells;
pub mod comparison;
pub mod correction;
pub mod edges;
pub mod survival;
pub mod walk;

pub mod distances;
pub mod multivariate;
pub mod shares;
pub mod sketches;
pub mod two_samples;

pub mod experiment;

pub mod detectors;
pub mod fairness;
pub mod ndcg;
pub mod no_worse;
pub mod paired;
pub mod performance;

pub use distances::{cramers_v, divergence, energy, mmd, peers, psi_threshold, wasserstein};
pub use multivariate::{centroid, domain_classifier, fourier_mmd, ngrams, ridge_logistic, vectors};
pub use shares::{binomial, burn_rate, count_band, exceedances};
pub use sketches::{log_sketch, moments, quantile_sketch};
pub use two_samples::{
    anderson_darling, chi_square, cramer_von_mises, epps_singleton, fisher_exact, g_test, hodges_lehmann, ks,
    mann_whitney, missing_rate, new_categories, permutation, t_test, two_proportions,
};
