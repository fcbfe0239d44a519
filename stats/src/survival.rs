//! Upper tails of the distributions that p-values come from, without `1 - cdf`, and the points that they belong to.

use statrs::function::{
    beta::beta_reg,
    erf::{erfc, erfc_inv},
    gamma::{gamma_ur, ln_gamma},
};

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
    if df > HILL_FROM {
        return normal_two_sided(hill(t, df));
    }
    let x = df / (df + t * t);
    if x >= 1.0 { 1.0 } else { beta_reg(df / 2.0, 0.5, x) }
}

/// P(T > t) for Student's T with `df` degrees of freedom, `df` above 0; infinite `df` is the normal distribution.
#[must_use]
pub fn student(t: f64, df: f64) -> f64 {
    let half = 0.5 * student_two_sided(t, df);
    if t >= 0.0 { half } else { 1.0 - half }
}

/// The x with P(X > x) = p for a standard normal X; infinite where p is 0 or 1.
#[must_use]
pub fn normal_exceeded(p: f64) -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
}

/// The t with P(T > t) = p for Student's T with `df` degrees of freedom; infinite where p is 0 or 1.
///
/// Newton's steps on the logarithm of the tail, kept between bounds that every evaluation tightens.
#[must_use]
pub fn student_exceeded(p: f64, df: f64) -> f64 {
    if p > 0.5 {
        return -student_exceeded(1.0 - p, df);
    }
    if p <= 0.0 {
        return f64::INFINITY;
    }
    let z = normal_exceeded(p);
    if df.is_infinite() {
        return z;
    }
    let (mut low, mut high) = (0.0_f64, f64::INFINITY);
    let mut t = z * (1.0 + (z * z + 1.0) / (4.0 * df));
    for _ in 0..STEPS {
        let tail = student(t, df);
        if tail > p {
            low = t;
        } else {
            high = t;
        }
        let step = (tail / p).ln() * tail / student_density(t, df);
        let mut next = t + step;
        if !(next > low && next < high) {
            next = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * t.max(1.0) };
        }
        if (next - t).abs() <= 4.0 * f64::EPSILON * t.abs() {
            return next;
        }
        t = next;
    }
    t
}

/// The normal deviate with the tail of `t` for Student's T with `df` degrees of freedom; it does not underflow as the tail does.
#[must_use]
pub fn normal_deviate(t: f64, df: f64) -> f64 {
    let size = t.abs().min(DEVIATE_MAX);
    let tail = student(size, df);
    let exact = df < EXPANDED_FROM && tail > TAIL_MIN;
    let deviate = if exact { normal_exceeded(tail) } else { hill(size, df) };
    deviate.copysign(t)
}

/// The t with this [`normal_deviate`], of `z` above 0; infinite where there is none.
#[must_use]
pub fn student_deviate(z: f64, df: f64) -> f64 {
    let (mut low, mut high) = (0.0, z.max(1.0));
    while normal_deviate(high, df) < z {
        (low, high) = (high, 2.0 * high);
        if high > DEVIATE_MAX {
            return f64::INFINITY;
        }
    }
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if normal_deviate(middle, df) < z { low = middle } else { high = middle }
    }
    high
}

/// A t whose square is a double.
const DEVIATE_MAX: f64 = 1e150;
/// A tail that still has all its digits.
const TAIL_MIN: f64 = 1e-290;
/// Degrees of freedom from which Hill's expansion has eleven digits of a deviate.
const EXPANDED_FROM: f64 = 30.0;
/// Degrees of freedom from which Hill's expansion has more digits than the incomplete beta function.
const HILL_FROM: f64 = 1e4;
/// Enough to halve any interval of doubles; Newton's steps need some five.
const STEPS: usize = 200;

/// A normal deviate with the tail of `t`: Hill 1970, doi:10.1145/355598.355599.
fn hill(t: f64, df: f64) -> f64 {
    if df.is_infinite() {
        return t;
    }
    let a = df - 0.5;
    let b = 48.0 * a * a;
    let y = a * (t * t / df).ln_1p();
    let third = (((0.4 * y + 3.3) * y + 24.0) * y + 85.5) / (0.8 * y * y + 100.0 + b);
    y.sqrt() * (1.0 + (y + 3.0 - third) / b)
}

fn student_density(t: f64, df: f64) -> f64 {
    let scale = if df > HILL_FROM {
        (1.0 - 0.25 / df) / (2.0 * std::f64::consts::PI).sqrt()
    } else {
        (ln_gamma((df + 1.0) / 2.0) - ln_gamma(df / 2.0)).exp() / (df * std::f64::consts::PI).sqrt()
    };
    scale * (-(df + 1.0) / 2.0 * (t * t / df).ln_1p()).exp()
}

#[cfg(test)]
mod tests {
    use super::{
        chi_square, normal_deviate, normal_exceeded, normal_two_sided, student, student_deviate,
        student_exceeded, student_two_sided,
    };

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

    // Oracle: mpmath at 40 digits, `betainc(df/2, 1/2, 0, df/(df + t**2), regularized=True)`.
    #[test]
    fn tails_of_many_degrees_of_freedom_keep_their_digits() {
        check(student_two_sided(2.5, 1.5), 0.169_806_502_614_696_06);
        check(student_two_sided(5.0, 12_345.6), 5.811_739_432_339_356e-7);
        check(student_two_sided(5.0, 1e5), 5.742_701_678_641_673e-7);
        check(student_two_sided(30.0, 1e5), 7.378_536_872_222_234e-197);
        check(student_two_sided(37.0, 1e9), 1.145_651_685_755_514e-299);
        check(student(-2.5, 1.5), 1.0 - 0.084_903_251_307_348_03);
    }

    // Oracle: SciPy 1.17 `scipy.stats.t.isf(p, df)`, `norm.isf(p)`.
    #[test]
    fn exceeded_points_agree_with_scipy() {
        check(normal_exceeded(0.025), 1.959_963_984_540_054);
        check(student_exceeded(0.025, 5841.742), 1.960_370_156_956_713);
        check(student_exceeded(0.025, 10.0), 2.228_138_851_986_274);
        check(student_exceeded(0.025, 1.0), 12.706_204_736_174_705);
        check(student_exceeded(1e-12, 3.0), 10_331.108_244_292_487);
        check(student_exceeded(0.05, 0.7), 13.587_121_347_511_175);
        check(student_exceeded(0.025, 1e6), 1.959_966_356_814_107_2);
        check(student_exceeded(1e-10, 2e4), 6.364_639_661_371_595);
        check(student_exceeded(0.7, 2.0), -0.617_213_399_848_367_8);
        assert_eq!(student_exceeded(0.5, 4.0), 0.0);
        assert_eq!(student_exceeded(0.0, 4.0), f64::INFINITY);
    }

    // Oracle: SciPy 1.17 `norm.isf(t.sf(t, df))`.
    #[test]
    fn deviates_have_the_tail_of_student() {
        check(normal_deviate(2.2, 55.0), 2.144_080_758_977_935);
        // Of a tail of 3e-76 the inverse has eight digits.
        assert!((normal_deviate(-30.0, 200.0) / -18.444_959_773_731_93 - 1.0).abs() < 1e-8);
        check(normal_deviate(4.0, 3.0), 2.197_167_916_994_612);
        for (t, df) in [(0.3, 1.0), (2.0, 2.0), (30.0, 7.5), (5.0, 1e6), (3.0, f64::INFINITY)] {
            check(student_deviate(normal_deviate(t, df), df), t);
        }
        assert_eq!(normal_deviate(0.0, 3.0).abs(), 0.0);
        assert!(normal_deviate(f64::INFINITY, 3.0).is_finite());
        assert_eq!(student_deviate(400.0, 2.0), f64::INFINITY);
    }

    #[test]
    fn edges_are_defined() {
        assert_eq!(chi_square(0.0, 3.0), 1.0);
        assert_eq!(chi_square(f64::INFINITY, 3.0), 0.0);
        assert_eq!(student_two_sided(0.0, 3.0), 1.0);
        assert_eq!(student_two_sided(f64::INFINITY, 3.0), 0.0);
    }
}
