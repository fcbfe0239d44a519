//! Pure statistics: slices or mergeable summaries in, named structs out. No clock, no creation of random generators,
//! no word of models or ClickHouse.
//!
//! Two populations meet in one of two forms. Numbers arrive as a [`walk::Walk`]: the sorted merge of both sides, pushed
//! value by value, in constant memory. Categories and bins arrive as [`cells::Cell`]s: how often each occurs on each side.

pub mod beta;
pub mod bootstrap;
pub mod cells;
pub mod comparison;
pub mod correction;
pub mod edges;
pub mod log_sketch;
pub mod moments;
pub mod permutation;
pub mod quantile_sketch;
pub mod ridge_logistic;
pub mod survival;
pub mod vectors;
pub mod walk;

pub mod experiment;

pub mod anderson_darling;
pub mod binomial;
pub mod burn_rate;
pub mod centroid;
pub mod chi_square;
pub mod count_band;
pub mod cramer_von_mises;
pub mod cramers_v;
pub mod detectors;
pub mod divergence;
pub mod domain_classifier;
pub mod energy;
pub mod epps_singleton;
pub mod exceedances;
pub mod fairness;
pub mod fisher_exact;
pub mod fourier_mmd;
pub mod g_test;
pub mod hodges_lehmann;
pub mod ks;
pub mod mann_whitney;
pub mod missing_rate;
pub mod mmd;
pub mod ndcg;
pub mod new_categories;
pub mod ngrams;
pub mod no_worse;
pub mod paired;
pub mod peers;
pub mod performance;
pub mod psi_threshold;
pub mod t_test;
pub mod two_proportions;
pub mod wasserstein;
