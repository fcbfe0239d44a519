//! Group sequential boundaries by alpha spending: a few looks, agreed how alpha is spent over them.
//!
//! Question: at this look, how large must the difference be, when earlier looks had their chance too?
//! Input: the information at each look so far (units, or 1/variance), ascending; the information at the planned end; how alpha
//! is spent. The number and the times of the looks need not be planned.
//! Formula: at the fraction t of the plan the spent alpha is f(t): O'Brien-Fleming-type 2(1 - Φ(z_{α/2}/√t)), Pocock-type
//! α ln(1 + (e-1)t), power αtʳ, two-sided half of alpha on each side. The boundary of look k gives the chance f(tₖ) - f(tₖ₋₁) of
//! crossing there first, by recursive integration of the density of the sum that has not crossed yet.
//! A look beyond the plan spends what is left (t = min(1, information/planned)); the correlation between looks is that of the
//! information they really had. Looks after that spend nothing and have no boundary.
//! Valid when: estimates at the looks are about normal with independent increments, as means, proportions and ratios are.
//! Reference: Lan, DeMets 1983, doi:10.1093/biomet/70.3.659; Armitage, McPherson, Rowe 1969, doi:10.2307/2343787; Jennison,
//! Turnbull 2000, Group Sequential Methods, chapters 7, 9 (repeated intervals and p-values) and 19 (quadrature).
//! Oracle: SciPy 1.17 `multivariate_normal.cdf` of all looks; tables of Lan and DeMets.
//! Cost: some 10,000 exponentials a look, more where looks are close.

use thiserror::Error;

use super::{
    effect::{Alternative, Estimate, Interval, Level, defined, never_zero},
    quadrature::panel,
};
use crate::survival;

/// How alpha is spent over the information.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spending {
    /// Nearly nothing at first: the last boundary is close to that of a single look.
    ObrienFleming,
    /// About the same boundary at each look.
    Pocock,
    /// αtʳ; 2 and 3 lie between the two others.
    Power {
        /// The exponent, above 0.
        rho: f64,
    },
}

impl Spending {
    /// What one side has spent of its `alpha` at the fraction `t` of the planned information.
    #[must_use]
    pub fn spent(self, alpha: f64, t: f64) -> f64 {
        let t = t.clamp(0.0, 1.0);
        match self {
            Self::ObrienFleming => 2.0 * survival::normal(survival::normal_exceeded(alpha / 2.0) / t.sqrt()),
            Self::Pocock => alpha * ((std::f64::consts::E - 1.0) * t).ln_1p(),
            Self::Power { rho } => alpha * t.powf(rho),
        }
        .min(alpha)
    }
}

/// What was agreed before the first look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The information at the planned end, above 0.
    pub planned: f64,
    /// How alpha is spent.
    pub spending: Spending,
    /// The level of all looks together.
    pub level: Level,
}

/// One look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// The fraction of the planned information, at most 1.
    pub fraction: f64,
    /// What all looks up to this one have spent, of the schedule's alpha.
    pub alpha_spent: f64,
    /// How many standard errors the difference must exceed; `None` where nothing is left to spend, or where the information has
    /// grown by less than a hundredth of a per cent.
    pub boundary: Option<f64>,
}

/// Why information is none of consecutive looks.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum LooksError {
    /// Information is not positive or does not grow.
    #[error("the information of look {look} is not above that of the look before")]
    NotGrowing {
        /// The look, from 1.
        look: usize,
    },
    /// The planned information is not a positive number.
    #[error("the planned information is not above 0")]
    NoPlan,
    /// More looks than are computed.
    #[error("{looks} looks are more than {LOOKS_MAX}")]
    TooMany {
        /// How many.
        looks: usize,
    },
}

/// Beyond that many looks a confidence sequence is the better tool.
pub const LOOKS_MAX: usize = 1_000;
/// The least growth of the information that is a look of its own, as a share of it.
pub const GROWTH_MIN: f64 = 1e-4;

/// The boundaries of the looks so far.
///
/// # Errors
/// Where the information does not grow, the plan is not above 0, or there are more than [`LOOKS_MAX`] looks.
pub fn boundaries(information: &[f64], schedule: &Schedule) -> Result<Vec<Look>, LooksError> {
    check(information, schedule)?;
    Ok(Walk::new(schedule).run(information))
}

impl Look {
    /// The repeated confidence interval: all of them together hold the difference with probability 1 - alpha. `None` without a
    /// boundary or a standard error.
    #[must_use]
    pub fn interval(&self, estimate: Estimate, alternative: Alternative) -> Option<Interval> {
        defined(Interval::around(estimate.value, self.boundary? * estimate.se?, alternative))
    }

    /// Whether the experiment may stop here with a difference; never without a positive standard error.
    #[must_use]
    pub fn crossed(&self, estimate: Estimate, alternative: Alternative) -> bool {
        let Some((boundary, se)) = self.boundary.zip(estimate.se).filter(|(_, se)| *se > 0.0) else {
            return false;
        };
        directed(estimate.value / se, alternative) >= boundary
    }
}

/// The repeated p-value of the last look: the smallest alpha at which its boundary is crossed, 1 where ½ a side is not enough. Over
/// all looks the smallest counts. `None` without a positive standard error.
///
/// # Errors
/// As [`boundaries`].
pub fn repeated_p_value(
    estimate: Estimate,
    information: &[f64],
    schedule: &Schedule,
) -> Result<Option<f64>, LooksError> {
    check(information, schedule)?;
    let Some(se) = estimate.se.filter(|se| *se > 0.0) else { return Ok(None) };
    let z = directed(estimate.value / se, schedule.level.alternative);
    let crossed_at = |log_alpha: f64| {
        let level = Level { alpha: log_alpha.exp(), ..schedule.level };
        let looks = Walk::new(&Schedule { level, ..*schedule }).run(information);
        looks.last().and_then(|look| look.boundary).is_some_and(|boundary| z >= boundary)
    };
    // Above ½ a side has no boundary, and nobody asks which p-value it is.
    let half: f64 = if schedule.level.alternative == Alternative::TwoSided { 1.0 } else { 0.5 };
    let (mut low, mut high) = (P_MIN.ln(), half.ln());
    if !crossed_at(high) {
        return Ok(Some(1.0));
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if crossed_at(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(never_zero(f64::exp(high)))
}

/// The least repeated p-value that is told apart.
const P_MIN: f64 = 1e-15;
/// Halves the logarithm of [`P_MIN`] to nine digits.
const HALVINGS: usize = 36;

fn check(information: &[f64], schedule: &Schedule) -> Result<(), LooksError> {
    if !(schedule.planned > 0.0 && schedule.planned.is_finite()) {
        return Err(LooksError::NoPlan);
    }
    if information.len() > LOOKS_MAX {
        return Err(LooksError::TooMany { looks: information.len() });
    }
    let before = std::iter::once(&0.0).chain(information);
    match information.iter().zip(before).position(|(now, before)| !(now > before && now.is_finite())) {
        Some(index) => Err(LooksError::NotGrowing { look: index + 1 }),
        None => Ok(()),
    }
}

/// z in the direction in which a boundary is crossed.
fn directed(z: f64, alternative: Alternative) -> f64 {
    match alternative {
        Alternative::TwoSided => z.abs(),
        Alternative::Greater => z,
        Alternative::Less => -z,
    }
}

/// Beyond that many deviations a normal density adds nothing.
const REACH: f64 = 9.0;
/// Width of a panel in the smaller of the deviations of the increments on its two sides.
const PANEL: f64 = 4.0;

/// The sum of increments that has not crossed yet, on the scale where the plan has information 1.
struct Walk<'a> {
    schedule: &'a Schedule,
    /// Sides on which a boundary is crossed.
    sides: f64,
    /// Where the last look with a boundary was, and its increment's deviation.
    at: f64,
    deviation: f64,
    /// Points of the sum with density times weight.
    density: Vec<(f64, f64)>,
    spent: f64,
}

impl<'a> Walk<'a> {
    fn new(schedule: &'a Schedule) -> Self {
        let sides = if schedule.level.alternative == Alternative::TwoSided { 2.0 } else { 1.0 };
        Self { schedule, sides, at: 0.0, deviation: 0.0, density: vec![(0.0, 1.0)], spent: 0.0 }
    }

    fn run(mut self, information: &[f64]) -> Vec<Look> {
        let times: Vec<f64> = information.iter().map(|one| one / self.schedule.planned).collect();
        (0..times.len()).map(|k| self.look(times[k], times.get(k + 1).copied())).collect()
    }

    fn look(&mut self, time: f64, next: Option<f64>) -> Look {
        let fraction = time.min(1.0);
        let alpha = self.schedule.level.alpha / self.sides;
        let spend = self.schedule.spending.spent(alpha, fraction) - self.spent;
        let mut look = Look { fraction, alpha_spent: self.spent * self.sides, boundary: None };
        if time - self.at < GROWTH_MIN * time || spend <= 0.0 {
            return look;
        }
        let deviation = (time - self.at).sqrt();
        let boundary = self.solve(time, deviation, spend);
        self.spent += spend;
        look.alpha_spent = self.spent * self.sides;
        look.boundary = Some(boundary);
        if let Some(next) = next {
            self.advance((time, deviation), boundary, next);
        }
        look
    }

    /// The z whose crossing upwards has the probability `spend`.
    fn solve(&self, time: f64, deviation: f64, spend: f64) -> f64 {
        if self.at == 0.0 {
            return survival::normal_exceeded(spend);
        }
        let crossing = |z: f64| -> f64 {
            let bound = z * time.sqrt();
            self.density.iter().map(|(sum, mass)| mass * survival::normal((bound - sum) / deviation)).sum()
        };
        let (mut low, mut high) = (-REACH, survival::normal_exceeded(spend));
        while high - low > 1e-13 * high.abs().max(1.0) {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                break;
            }
            if crossing(middle) > spend {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }

    /// The density of the sum at this look where it has not crossed.
    fn advance(&mut self, (time, deviation): (f64, f64), boundary: f64, next: f64) {
        let root = time.sqrt();
        let high = boundary * root;
        let low = if self.sides > 1.0 { -high } else { -REACH.max(boundary) * root };
        let following = (next - time).sqrt().max((GROWTH_MIN * next).sqrt());
        let width = PANEL * deviation.min(following);
        let panels = ((high - low) / width).ceil().max(1.0);
        let mut density = Vec::new();
        let mut edge = low;
        let step = (high - low) / panels;
        while edge < high - 0.5 * step {
            for point in panel(edge, edge + step) {
                density.push((point.x, point.weight * self.at_sum(point.x, deviation)));
            }
            edge += step;
        }
        (self.at, self.deviation, self.density) = (time, deviation, density);
    }

    fn at_sum(&self, sum: f64, deviation: f64) -> f64 {
        let first = self.density.partition_point(|(before, _)| *before < sum - REACH * deviation);
        let near = self.density[first..].iter().take_while(|(before, _)| *before <= sum + REACH * deviation);
        let scale = 1.0 / (deviation * (2.0 * std::f64::consts::PI).sqrt());
        let kernel = |before: f64| (-0.5 * ((sum - before) / deviation).powi(2)).exp();
        scale * near.map(|(before, mass)| mass * kernel(*before)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, LooksError, Schedule, Spending, boundaries, repeated_p_value};
    use crate::experiment::effect::{Alternative, Estimate, Level};

    const ONE_SIDED: Level = Level { alpha: 0.025, alternative: Alternative::Greater };

    fn of(information: &[f64], spending: Spending, level: Level) -> Vec<Look> {
        boundaries(information, &Schedule { planned: 1.0, spending, level }).unwrap()
    }

    fn check(information: &[f64], spending: Spending, expected: &[f64]) {
        // Two sides of 0.025 cross each other's boundary so rarely that tables of both agree to four digits.
        for level in [ONE_SIDED, Level { alpha: 0.05, alternative: Alternative::TwoSided }] {
            for (look, expected) in of(information, spending, level).iter().zip(expected) {
                let boundary = look.boundary.unwrap();
                assert!(
                    (boundary - expected).abs() < 1.5e-4,
                    "{spending:?}: {boundary} instead of {expected}"
                );
            }
        }
    }

    // Tables of Lan and DeMets' program for five equal looks at 0.025 one-sided (Reboussin, DeMets, Kim, Lan 2000,
    // doi:10.1016/S0197-2456(00)00057-X), printed to four digits.
    #[test]
    fn agrees_with_published_tables() {
        let five = [0.2, 0.4, 0.6, 0.8, 1.0];
        check(&five, Spending::ObrienFleming, &[4.8769, 3.3569, 2.6803, 2.2898, 2.0310]);
        check(&five, Spending::Pocock, &[2.4380, 2.4268, 2.4101, 2.3966, 2.3859]);
    }

    #[test]
    fn one_look_is_the_fixed_test() {
        let looks = of(&[1.0], Spending::ObrienFleming, ONE_SIDED);
        assert!((looks[0].boundary.unwrap() - 1.959_963_984_540_054).abs() < 1e-9);
        assert!((looks[0].alpha_spent - 0.025).abs() < 1e-10);
    }

    #[test]
    fn a_look_beyond_the_plan_spends_what_is_left() {
        let looks = of(&[0.5, 1.4, 2.0], Spending::Power { rho: 2.0 }, ONE_SIDED);
        assert_eq!(looks[1].fraction, 1.0);
        assert!((looks[1].alpha_spent - 0.025).abs() < 1e-12);
        assert_eq!(looks[2].boundary, None);
        // The later the look, the less it is correlated with the first, and the higher its boundary.
        let on_time = of(&[0.5, 1.0], Spending::Power { rho: 2.0 }, ONE_SIDED);
        assert!(looks[1].boundary > on_time[1].boundary);
    }

    #[test]
    fn a_look_without_news_spends_nothing() {
        let looks = of(&[0.5, 0.500_001, 1.0], Spending::Pocock, ONE_SIDED);
        assert_eq!(looks[1].boundary, None);
        assert_eq!(looks[1].alpha_spent, looks[0].alpha_spent);
        let without = of(&[0.5, 1.0], Spending::Pocock, ONE_SIDED);
        assert!((looks[2].boundary.unwrap() - without[1].boundary.unwrap()).abs() < 1e-9);
    }

    #[test]
    fn the_repeated_p_value_is_alpha_on_the_boundary() {
        let information = [0.3, 0.7, 1.0];
        for level in [ONE_SIDED, Level { alpha: 0.05, alternative: Alternative::TwoSided }] {
            let schedule = Schedule { planned: 1.0, spending: Spending::ObrienFleming, level };
            let looks = boundaries(&information, &schedule).unwrap();
            let estimate = Estimate { value: looks[2].boundary.unwrap(), se: Some(1.0) };
            let p = repeated_p_value(estimate, &information, &schedule).unwrap().unwrap();
            assert!((p / level.alpha - 1.0).abs() < 1e-6, "{p}");
            assert!(looks[2].crossed(estimate, level.alternative));
            assert_eq!(looks[2].interval(estimate, level.alternative).unwrap().lo, 0.0);
            let none = repeated_p_value(Estimate { value: 0.0, se: Some(1.0) }, &information, &schedule);
            assert_eq!(none, Ok(Some(1.0)));
        }
    }

    #[test]
    fn a_standard_error_of_zero_never_crosses() {
        let look = of(&[1.0], Spending::Pocock, ONE_SIDED)[0];
        let estimate = Estimate { value: 3.0, se: Some(0.0) };
        assert!(!look.crossed(estimate, Alternative::Greater));
        let schedule = Schedule { planned: 1.0, spending: Spending::Pocock, level: ONE_SIDED };
        assert_eq!(repeated_p_value(estimate, &[1.0], &schedule), Ok(None));
    }

    #[test]
    fn information_must_grow() {
        let schedule = Schedule { planned: 1.0, spending: Spending::Pocock, level: ONE_SIDED };
        assert_eq!(boundaries(&[0.5, 0.5], &schedule), Err(LooksError::NotGrowing { look: 2 }));
        assert_eq!(boundaries(&[0.0], &schedule), Err(LooksError::NotGrowing { look: 1 }));
        assert_eq!(boundaries(&[f64::NAN], &schedule), Err(LooksError::NotGrowing { look: 1 }));
        assert_eq!(boundaries(&[0.5], &Schedule { planned: 0.0, ..schedule }), Err(LooksError::NoPlan));
        assert_eq!(boundaries(&[], &schedule), Ok(Vec::new()));
    }
}
