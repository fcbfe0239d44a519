//! How far two distributions lie apart, as a number that has a size and not only a p-value.

pub mod cramers_v;
pub mod divergence;
pub mod energy;
pub mod mmd;
pub mod peers;
pub mod psi_threshold;
pub mod wasserstein;
