//! One share: its distribution, its interval, and how large it may become by chance.

pub mod binomial;
pub mod burn_rate;
pub mod count_band;
pub mod exceedances;
