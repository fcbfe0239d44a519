//! The power of Student's test: the tail of the non-central t.
//!
//! Question: how often does t exceed its critical value c when its mean is shifted by δ standard errors?
//! Input: the shift, the degrees of freedom, the level.
//! Formula: P(T > c) = ∫ Φ(δ - cs)·f(s) ds, f the density of √(χ²/ν), by Simpson's rule over the ten standard deviations on both
//! sides of its mean that hold it.
//! Valid when: degrees of freedom of at least 1.
//! Reference: Johnson, Kotz, Balakrishnan 1995, Continuous Univariate Distributions 2, eq. 31.10.
//! Oracle: SciPy 1.17 `scipy.stats.nct.sf(c, df, shift)`.
//! Cost: 801 error functions a tail.

use statrs::function::gamma::ln_gamma;

use crate::{
    experiment::effect::{Alternative, Level},
    survival,
};

/// Panels of Simpson's rule; doubling them changes no digit of the twelfth.
const PANELS: u32 = 800;
/// Standard deviations of √(χ²/ν) on either side.
const REACH: f64 = 10.0;

pub(super) fn power(shift: f64, df: f64, level: Level) -> f64 {
    let df = df.max(1.0);
    let critical = |tail: f64| survival::student_exceeded(tail, df);
    match level.alternative {
        Alternative::TwoSided => {
            let critical = critical(level.alpha / 2.0);
            tail(critical, df, shift) + tail(critical, df, -shift)
        }
        Alternative::Greater => tail(critical(level.alpha), df, shift),
        Alternative::Less => tail(critical(level.alpha), df, -shift),
    }
}

/// P(T > c).
fn tail(critical: f64, df: f64, shift: f64) -> f64 {
    let reach = REACH / (2.0 * df).sqrt();
    let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let width = (high - low) / f64::from(PANELS);
    let ln_norm = std::f64::consts::LN_2 + 0.5 * df * (0.5 * df).ln() - ln_gamma(0.5 * df);
    let mut sum = 0.0;
    for i in 0..=PANELS {
        let s = low + width * f64::from(i);
        let weight = match i {
            0 | PANELS => 1.0,
            i if i % 2 == 1 => 4.0,
            _ => 2.0,
        };
        if s > 0.0 {
            let density = (ln_norm + (df - 1.0) * s.ln() - 0.5 * df * s * s).exp();
            sum += weight * density * survival::normal(critical * s - shift);
        } else if df <= 1.0 {
            sum += weight * ln_norm.exp() * survival::normal(-shift);
        }
    }
    sum * width / 3.0
}

#[cfg(test)]
mod tests {
    use super::tail;

    // Oracle: SciPy 1.17 `scipy.stats.nct.sf(c, df, shift)`.
    #[test]
    fn tails_agree_with_scipy() {
        for (critical, df, shift, expected) in [
            (2.1, 20.0, 1.5, 0.2930689984554237),
            (1.96, 1000.0, 2.8, 0.7994572587057683),
            (12.7, 1.0, 3.0, 0.18619678199239592),
            (3.18, 3.0, -1.0, 0.0031981323599159896),
            (2.0, 60000.0, 2.5, 0.6914624613290209),
            (4.3, 2.0, 10.0, 0.9927863696338638),
        ] {
            let actual = tail(critical, df, shift);
            assert!((actual - expected).abs() < 1e-8, "{critical} {df} {shift}: {actual}");
        }
    }
}
