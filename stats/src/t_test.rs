//! Student's and Welch's t: the difference of two means.
//!
//! Question: did the mean move?
//! Input: moments of both samples; a sample with infinite values has none; missing values are left out.
//! Formula: t = (mean of current - mean of reference)/√(s²(1/n+1/m)) with the pooled variance and n+m-2 degrees of freedom;
//! Welch: √(s₁²/n + s₂²/m) and Satterthwaite's degrees of freedom. Effect: the difference in pooled standard deviations.
//! Valid when: means are about normal, which holds from some dozens of values without heavy tails.
//! Reference: Student 1908, doi:10.1093/biomet/6.1.1; Welch 1947, doi:10.1093/biomet/34.1-2.28.
//! Oracle: SciPy 1.17 `scipy.stats.ttest_ind(current, reference, equal_var=True|False)`.
//! Cost: constant.

use crate::{
    comparison::{Comparison, PMethod},
    moments::Moments,
    survival,
};

/// Student's test: equal variances.
#[must_use]
pub fn t_test(reference: &Moments, current: &Moments) -> Comparison {
    compare(reference, current, |parts| {
        let df = parts.n + parts.m - 2.0;
        let pooled = ((parts.n - 1.0) * parts.variance_a + (parts.m - 1.0) * parts.variance_b) / df;
        ((pooled * (1.0 / parts.n + 1.0 / parts.m)).sqrt(), df)
    })
}

/// Welch's test: any variances.
#[must_use]
pub fn welch(reference: &Moments, current: &Moments) -> Comparison {
    compare(reference, current, |parts| {
        let (a, b) = (parts.variance_a / parts.n, parts.variance_b / parts.m);
        let df = (a + b) * (a + b) / (a * a / (parts.n - 1.0) + b * b / (parts.m - 1.0));
        ((a + b).sqrt(), df)
    })
}

struct Parts {
    n: f64,
    m: f64,
    variance_a: f64,
    variance_b: f64,
}

fn compare(reference: &Moments, current: &Moments, error: impl FnOnce(&Parts) -> (f64, f64)) -> Comparison {
    let Some(change) = reference.change_to(current) else { return Comparison::UNDEFINED };
    let (Some(variance_a), Some(variance_b)) = (reference.variance(1), current.variance(1)) else {
        return Comparison::UNDEFINED;
    };
    let parts = Parts { n: reference.n() as f64, m: current.n() as f64, variance_a, variance_b };
    let (standard_error, df) = error(&parts);
    if standard_error <= 0.0 || !df.is_finite() {
        return Comparison::UNDEFINED;
    }
    let weights = (parts.n - 1.0, parts.m - 1.0);
    let pooled = (weights.0 * variance_a + weights.1 * variance_b) / (weights.0 + weights.1);
    let t = change / standard_error;
    Comparison::of(t, change / pooled.sqrt()).with_p(survival::student_two_sided(t, df), PMethod::Asymptotic)
}
