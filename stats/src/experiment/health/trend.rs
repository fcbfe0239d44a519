//! Novelty: whether the effect of the first days is that of the later ones.
//!
//! Question: does the effect fade as users get used to it, or grow as they learn?
//! Input: the effect of each day with its standard error, its weight and the day's number, from units first seen that day or active
//! that day; how many days count as first.
//! Formula: least squares with the weights w: slope Σw(x-x̄)(y-ȳ)/Σw(x-x̄)² with standard error √(Σw²(x-x̄)²se²)/Σw(x-x̄)²; level of first
//! and later days Σwy/Σw with √(Σw²se²)/Σw, and their difference. Normal p-values, since errors of many days are summed.
//! Weights are of the days' units. Those of 1/se², which would be the best if errors were known, go with the estimate wherever values are
//! skewed: a day whose small arm met few large ones has a low effect and a small error.
//! A trend is told where slope *or* contrast is below the level halved.
//! Valid when: the days' estimates are independent and about normal. Days that share units are correlated, and the trend is
//! then told less often than the level.
//! Degenerate: days without a standard error above 0 are left out; below four days, or without both kinds of days, undecided.
//! Reference: Kohavi, Tang, Xu 2020, doi:10.1017/9781108653985, section 3.4; Seber, Lee 2003, doi:10.1002/9780471722199, section 3.10.
//! Oracle: statsmodels 0.15 `WLS(y, X, weights=1/se**2).fit(cov_type='fixed scale')`.
//! Cost: a few passes over the days.

use crate::{
    experiment::effect::{Effect, Estimate, Level},
    survival,
};

/// Days that a trend needs.
pub const DAYS_MIN: usize = 4;

/// The effect of one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// The day's number since the start.
    pub day: f64,
    /// The effect.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// How much it counts, above 0; must not depend on the estimate.
    pub weight: f64,
}

/// How the effect goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// No trend that chance would not make.
    Stable,
    /// The effect came nearer to 0: novelty.
    Fading,
    /// The effect went away from 0: users learn, or harm builds up.
    Growing,
    /// The effect changed its sign.
    Turning,
    /// Too few days to say.
    Undecided,
}

/// The check's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The change of the effect a day; `None` where undecided.
    pub slope: Option<Effect>,
    /// The level of the first days.
    pub first: Option<Effect>,
    /// The level of the later days.
    pub later: Option<Effect>,
    /// Later minus first.
    pub contrast: Option<Effect>,
    /// The chance that days vary this much around the line with the errors they have; small means that a line does not fit or errors
    /// are too small.
    pub fit_p_value: Option<f64>,
    /// What follows.
    pub course: Course,
}

/// The check; days below `first_days` are the first ones.
#[must_use]
pub fn trend(days: &[Day], first_days: f64, alpha: f64) -> Trend {
    let positive = |value: f64| value > 0.0 && value.is_finite();
    let usable = |day: &&Day| {
        day.day.is_finite() && day.estimate.is_finite() && positive(day.se) && positive(day.weight)
    };
    let days: Vec<Day> = days.iter().filter(usable).copied().collect();
    let (first, later): (Vec<Day>, Vec<Day>) = days.iter().partition(|day| day.day < first_days);
    let level = Level::two_sided(alpha);
    let undecided = Trend {
        slope: None,
        first: None,
        later: None,
        contrast: None,
        fit_p_value: None,
        course: Course::Undecided,
    };
    let (Some(one), Some(other)) = (pooled(&first), pooled(&later)) else { return undecided };
    let Some(line) = Line::of(&days).filter(|_| days.len() >= DAYS_MIN) else { return undecided };
    let contrast = Estimate { value: other.value - one.value, se: both(one, other) }.test(None, level);
    let slope = line.slope.test(None, level);
    let moved = [slope.p_value, contrast.p_value].iter().flatten().any(|p| *p < alpha / 2.0);
    let course = match moved {
        false => Course::Stable,
        true if one.value * other.value < 0.0 => Course::Turning,
        true if other.value.abs() < one.value.abs() => Course::Fading,
        true => Course::Growing,
    };
    Trend {
        slope: Some(slope),
        first: Some(one.test(None, level)),
        later: Some(other.test(None, level)),
        contrast: Some(contrast),
        fit_p_value: Some(survival::chi_square(line.residual, days.len() as f64 - 2.0)),
        course,
    }
}

fn both(one: Estimate, other: Estimate) -> Option<f64> {
    Some(one.se?.hypot(other.se?))
}

/// The weighed mean.
fn pooled(days: &[Day]) -> Option<Estimate> {
    let total: f64 = days.iter().map(|day| day.weight).sum();
    let value = days.iter().map(|day| day.weight / total * day.estimate).sum();
    let variance: f64 = days.iter().map(|day| (day.weight / total * day.se).powi(2)).sum();
    (total > 0.0 && total.is_finite()).then(|| Estimate { value, se: Some(variance.sqrt()) })
}

struct Line {
    slope: Estimate,
    /// Σ of squared residuals in standard errors.
    residual: f64,
}

impl Line {
    fn of(days: &[Day]) -> Option<Self> {
        let total: f64 = days.iter().map(|day| day.weight).sum();
        // Shares of all, so that nothing is as large as the square of a weight.
        let sum = |of: &dyn Fn(&Day) -> f64| days.iter().map(|day| day.weight / total * of(day)).sum::<f64>();
        let (x, y) = (sum(&|day| day.day), sum(&|day| day.estimate));
        let spread = sum(&|day| (day.day - x).powi(2));
        let slope = sum(&|day| (day.day - x) * (day.estimate - y)) / spread;
        let parts = days.iter().map(|day| (day.weight / total * (day.day - x) * day.se).powi(2));
        let se = parts.sum::<f64>().sqrt() / spread;
        let residuals = days.iter().map(|day| ((day.estimate - y - slope * (day.day - x)) / day.se).powi(2));
        let residual: f64 = residuals.sum();
        let usable = spread > 0.0 && slope.is_finite() && se.is_finite() && residual.is_finite();
        usable.then_some(Self { slope: Estimate { value: slope, se: Some(se) }, residual })
    }
}

#[cfg(test)]
mod tests {
    use super::{Course, Day, trend};

    fn days(effects: &[f64], se: f64) -> Vec<Day> {
        let day = |(i, estimate): (usize, &f64)| Day { day: i as f64, estimate: *estimate, se, weight: 1.0 };
        effects.iter().enumerate().map(day).collect()
    }

    // Oracle: statsmodels 0.15 `WLS(y, X, weights=1/se**2).fit(cov_type='fixed scale')`.
    #[test]
    fn the_line_agrees_with_statsmodels() {
        let series =
            [(0.0, 0.30, 0.05), (1.0, 0.22, 0.04), (2.0, 0.25, 0.06), (3.0, 0.10, 0.05), (5.0, 0.08, 0.03)];
        let day = |(day, estimate, se): (f64, f64, f64)| Day { day, estimate, se, weight: 1.0 / (se * se) };
        let series: Vec<Day> = series.map(day).to_vec();
        let slope = trend(&series, 2.0, 0.05).slope.unwrap();
        assert!((slope.estimate - -0.04144566380581801).abs() < 1e-12, "{slope:?}");
        assert!((slope.se.unwrap() - 0.009653214849800466).abs() < 1e-12, "{slope:?}");
        assert!((slope.p_value.unwrap() / 1.759123197594796e-05 - 1.0).abs() < 1e-9, "{slope:?}");
    }

    // By hand: days 0 to 3 weigh 1, 1, 2, 4, so that x̄ = 17/8; the first two are the mean of 1 and 2 and the others (2·4 + 4·5)/6.
    #[test]
    fn weights_need_not_be_those_of_the_errors() {
        let series = [(1.0, 0.1, 1.0), (2.0, 0.3, 1.0), (4.0, 0.2, 2.0), (5.0, 0.4, 4.0)];
        let day = |(i, (estimate, se, weight)): (usize, (f64, f64, f64))| Day {
            day: i as f64,
            estimate,
            se,
            weight,
        };
        let series: Vec<Day> = series.into_iter().enumerate().map(day).collect();
        let found = trend(&series, 2.0, 0.05);
        let (first, later) = (found.first.unwrap(), found.later.unwrap());
        assert!((first.estimate - 1.5).abs() < 1e-12 && (later.estimate - 14.0 / 3.0).abs() < 1e-12);
        assert!((first.se.unwrap() - 0.025_f64.sqrt()).abs() < 1e-12, "{first:?}");
        assert!((later.se.unwrap() - (0.16_f64 + 2.56).sqrt() / 6.0).abs() < 1e-12, "{later:?}");
        let away = [0.0_f64, 1.0, 2.0, 3.0].map(|x| x - 17.0 / 8.0);
        let weights = [1.0_f64, 1.0, 2.0, 4.0];
        let spread: f64 = (0..4).map(|i| weights[i] * away[i] * away[i]).sum();
        let slope: f64 = (0..4).map(|i| weights[i] * away[i] * series[i].estimate).sum::<f64>() / spread;
        let variance: f64 = (0..4).map(|i| (weights[i] * away[i] * series[i].se).powi(2)).sum();
        let line = found.slope.unwrap();
        assert!((line.estimate - slope).abs() < 1e-12, "{line:?}");
        assert!((line.se.unwrap() - variance.sqrt() / spread).abs() < 1e-12, "{line:?}");
    }

    #[test]
    fn effects_fade_grow_turn_or_stay() {
        for (effects, course) in [
            ([0.9, 0.8, 0.5, 0.3, 0.2, 0.1], Course::Fading),
            ([0.1, 0.2, 0.4, 0.6, 0.7, 0.9], Course::Growing),
            ([-0.1, -0.2, -0.4, -0.6, -0.7, -0.9], Course::Growing),
            ([0.5, 0.4, 0.2, -0.2, -0.4, -0.5], Course::Turning),
            ([0.5, 0.6, 0.4, 0.5, 0.55, 0.45], Course::Stable),
        ] {
            assert_eq!(trend(&days(&effects, 0.1), 3.0, 0.05).course, course, "{effects:?}");
        }
    }

    #[test]
    fn days_that_say_nothing_are_left_out() {
        let mut series = days(&[0.9, 0.8, 0.5, 0.3, 0.2, 0.1], 0.1);
        let without = trend(&series, 3.0, 0.05);
        series.push(Day { day: 6.0, estimate: 100.0, se: 0.0, weight: 1.0 });
        series.push(Day { day: 7.0, estimate: f64::NAN, se: 0.1, weight: 1.0 });
        series.push(Day { day: 8.0, estimate: 0.1, se: 0.1, weight: 0.0 });
        assert_eq!(trend(&series, 3.0, 0.05), without);
    }

    #[test]
    fn too_few_days_are_undecided() {
        assert_eq!(trend(&[], 3.0, 0.05).course, Course::Undecided);
        assert_eq!(trend(&days(&[0.9, 0.1, 0.2], 0.1), 1.0, 0.05).course, Course::Undecided);
        // No later days, and all on one day.
        assert_eq!(trend(&days(&[0.9; 6], 0.1), 9.0, 0.05).course, Course::Undecided);
    }
}
