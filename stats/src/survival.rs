//! Upper tails of the distributions that p-values come from, without `1 - cdf`.

use statrs::function::{beta::beta_reg, erf::erfc, gamma::gamma_ur};

/// P(X > x) for a standard normal X.
#[must_use]
pub fn normal(x: f64) -> f64 {
    0.5 * erfc(x / std::f64::consts::SQRT_2)
}

/// P(|X| > |x|) for a standard normal X.
#[must_use]
pub fn normal_two_sided(x: f64) -> f64 {
    erfc(x.abs() / std::f64::consts::SQRT_2)
}

/// P(X > x) for a chi-square X with `df` degrees of freedom, `df` above 0.
#[must_use]
pub fn chi_square(x: f64, df: f64) -> f64 {
    match x {
        x if x <= 0.0 => 1.0,
        x if x.is_infinite() => 0.0,
        x => gamma_ur(df / 2.0, x / 2.0),
    }
}

/// P(|T| > |t|) for Student's T with `df` degrees of freedom, `df` above 0.
#[must_use]
pub fn student_two_sided(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    let x = df / (df + t * t);
    if x >= 1.0 { 1.0 } else { beta_reg(df / 2.0, 0.5, x) }
}

#[cfg(test)]
mod tests {
    use super::{chi_square, normal_two_sided, student_two_sided};

    /// A relative difference that two good double-precision libraries may have in a far tail.
    const RELATIVE: f64 = 1e-9;

    fn check(actual: f64, expected: f64) {
        assert!((actual / expected - 1.0).abs() < RELATIVE, "{actual:e} instead of {expected:e}");
    }

    // Oracle: SciPy 1.17 `scipy.stats.norm.sf(x) * 2`, `chi2.sf(x, df)`, `t.sf(x, df) * 2`.
    #[test]
    fn tails_agree_with_scipy() {
        check(normal_two_sided(-1.959963984540054), 0.05);
        check(normal_two_sided(30.0), 9.813427854295816e-198);
        check(chi_square(18.307038053275146, 10.0), 0.05);
        check(chi_square(500.0, 4.0), 6.69966744100855e-107);
        check(student_two_sided(2.2281388519649385, 10.0), 0.05);
    }

    #[test]
    fn edges_are_defined() {
        assert_eq!(chi_square(0.0, 3.0), 1.0);
        assert_eq!(chi_square(f64::INFINITY, 3.0), 0.0);
        assert_eq!(student_two_sided(0.0, 3.0), 1.0);
        assert_eq!(student_two_sided(f64::INFINITY, 3.0), 0.0);
    }
}
