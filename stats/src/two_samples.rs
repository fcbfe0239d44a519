//! Tests of two samples, of numbers or of counts: whether what is seen may be chance.

pub mod anderson_darling;
pub mod chi_square;
pub mod cramer_von_mises;
pub mod epps_singleton;
pub mod fisher_exact;
pub mod g_test;
pub mod hodges_lehmann;
pub mod ks;
pub mod mann_whitney;
pub mod missing_rate;
pub mod new_categories;
pub mod permutation;
pub mod t_test;
pub mod two_proportions;
