//! What a kernel says of two populations.

/// The result of one kernel. A field is `None` where the quantity is not defined on the input; it is never NaN.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Comparison {
    /// The statistic by its published definition.
    pub statistic: Option<f64>,
    /// The chance of at least this statistic under no change.
    pub p_value: Option<f64>,
    /// How the p-value was computed.
    pub p_method: Option<PMethod>,
    /// The size of the change on a scale that does not depend on the sample sizes.
    pub effect: Option<f64>,
}

/// How a p-value was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PMethod {
    /// From the null distribution at these sample sizes.
    Exact,
    /// From the limiting null distribution.
    Asymptotic,
    /// From relabelled samples; seeded.
    Permutation,
}

impl PMethod {
    /// The word of the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Asymptotic => "asymptotic",
            Self::Permutation => "permutation",
        }
    }
}

impl Comparison {
    /// No difference at all between two samples that leave none possible.
    pub const SAME: Self =
        Self { statistic: Some(0.0), p_value: Some(1.0), p_method: Some(PMethod::Exact), effect: Some(0.0) };

    /// Nothing is defined on this input.
    pub const UNDEFINED: Self = Self { statistic: None, p_value: None, p_method: None, effect: None };

    /// A statistic with its effect; non-finite numbers become `None`.
    #[must_use]
    pub fn of(statistic: f64, effect: f64) -> Self {
        Self { statistic: finite(statistic), effect: finite(effect), ..Self::UNDEFINED }
    }

    /// The same with a p-value, which is kept only beside a statistic.
    #[must_use]
    pub fn with_p(mut self, p_value: f64, method: PMethod) -> Self {
        if self.statistic.is_some() && p_value.is_finite() {
            // An empty sum is a negative zero.
            self.p_value = Some(p_value.clamp(0.0, 1.0) + 0.0);
            self.p_method = Some(method);
        }
        self
    }
}

fn finite(value: f64) -> Option<f64> {
    // Adding zero turns a negative zero into a positive one, so that equal documents read equal.
    value.is_finite().then_some(value + 0.0)
}
