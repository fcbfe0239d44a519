//! What planned looks cost: the chance of crossing boundaries under an effect, and the units it takes to keep the power.
//!
//! Question: how many more units than with one look does the same power take, when each look may end the experiment?
//! Input: for each look the fraction of the planned information and its boundary for z, ascending; the drift, which is the
//! expected z at the end.
//! Formula: the sum B(t) = z√t moves by normal steps with mean drift·Δt and variance Δt; its density inside the boundaries is
//! carried from look to look by Simpson's rule. Inflation: (drift for the power)²/(z_α + z_power)².
//! Valid when: estimates are about normal with independent increments.
//! Reference: Armitage, McPherson, Rowe 1969, doi:10.2307/2343787; Jennison, Turnbull 2000, Group Sequential Methods, chapter 19.
//! Oracle: Jennison, Turnbull 2000, tables 2.2 and 2.4 (inflation factors).
//! Cost: 160,000 exponentials a look and drift, some forty drifts an inflation.

use crate::{
    experiment::{
        effect::{Alternative, Level},
        group_sequential::Look,
    },
    survival,
};

/// Panels of Simpson's rule over the sums that have not crossed.
const PANELS: usize = 400;
/// Standard deviations beyond which a sum is not followed.
const REACH: f64 = 8.0;
/// Halvings of the drift.
const HALVINGS: u32 = 50;

/// One look and its boundary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Barrier {
    /// The fraction of the planned information, above that of the look before; at most 1.
    pub fraction: f64,
    /// The z that ends the experiment; both ways where two-sided.
    pub boundary: f64,
}

/// The looks of a schedule as barriers; those without a boundary never end the experiment and are left out.
#[must_use]
pub fn barriers(looks: &[Look]) -> Vec<Barrier> {
    let barrier = |look: &Look| Some(Barrier { fraction: look.fraction, boundary: look.boundary? });
    looks.iter().filter_map(barrier).collect()
}

/// The chance that a boundary is crossed at any look; `None` without looks or where fractions do not rise within (0, 1].
#[must_use]
pub fn crossing(looks: &[Barrier], drift: f64, alternative: Alternative) -> Option<f64> {
    let rising = looks.windows(2).all(|pair| pair[0].fraction < pair[1].fraction);
    let usable = |look: &Barrier| look.fraction > 0.0 && look.fraction <= 1.0 && look.boundary > 0.0;
    if looks.is_empty() || !rising || !looks.iter().all(usable) || !drift.is_finite() {
        return None;
    }
    let drift = if alternative == Alternative::Less { -drift } else { drift };
    let two_sided = alternative == Alternative::TwoSided;
    let mut inside = vec![Mass { at: 0.0, weight: 1.0 }];
    let (mut crossed, mut before) = (0.0, 0.0);
    for look in looks {
        let step = look.fraction - before;
        let (bound, deviation) = (look.boundary * look.fraction.sqrt(), step.sqrt());
        let mean = |mass: &Mass| mass.at + drift * step;
        crossed += inside
            .iter()
            .map(|mass| {
                let above = survival::normal((bound - mean(mass)) / deviation);
                let below = if two_sided { survival::normal((bound + mean(mass)) / deviation) } else { 0.0 };
                mass.weight * (above + below)
            })
            .sum::<f64>();
        let floor = drift * look.fraction - REACH * look.fraction.sqrt();
        let low = if two_sided { floor.max(-bound) } else { floor };
        inside = carry(
            &inside,
            (low, bound.min(drift * look.fraction + REACH * look.fraction.sqrt())),
            |mass, at| {
                let z = (at - mean(mass)) / deviation;
                (-0.5 * z * z).exp() / (deviation * std::f64::consts::TAU.sqrt())
            },
        );
        before = look.fraction;
    }
    Some(crossed.clamp(0.0, 1.0))
}

/// The units that the looks take for the wanted power, over those of one look; `None` for looks or powers that are none.
#[must_use]
pub fn inflation(looks: &[Barrier], level: Level, wanted: f64) -> Option<f64> {
    if !(wanted > level.alpha && wanted < 1.0) {
        return None;
    }
    let tail = if level.alternative == Alternative::TwoSided { level.alpha / 2.0 } else { level.alpha };
    let fixed = survival::normal_exceeded(tail) + survival::normal_exceeded(1.0 - wanted);
    let sign = if level.alternative == Alternative::Less { -1.0 } else { 1.0 };
    let power = |drift: f64| crossing(looks, sign * drift, level.alternative);
    let (mut low, mut high) = (0.0, 2.0 * fixed.max(1.0));
    while power(high)? < wanted {
        high *= 2.0;
        if high > 1e3 {
            return None;
        }
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if power(middle)? < wanted { low = middle } else { high = middle }
    }
    Some((high / fixed) * (high / fixed))
}

/// A point of the density with its weight in the integral.
struct Mass {
    at: f64,
    weight: f64,
}

fn carry(inside: &[Mass], (low, high): (f64, f64), density: impl Fn(&Mass, f64) -> f64) -> Vec<Mass> {
    if high <= low {
        return Vec::new();
    }
    let width = (high - low) / PANELS as f64;
    (0..=PANELS)
        .map(|i| {
            let at = low + width * i as f64;
            let simpson = match i {
                0 | PANELS => 1.0,
                i if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            let value: f64 = inside.iter().map(|mass| mass.weight * density(mass, at)).sum();
            Mass { at, weight: value * simpson * width / 3.0 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Barrier, barriers, crossing, inflation};
    use crate::experiment::{
        effect::{Alternative, Level},
        group_sequential::{Schedule, Spending, boundaries},
    };

    /// What rounding a boundary to three decimals may change in the error.
    const ROUNDED: f64 = 1e-4;
    const LEVEL: Level = Level { alpha: 0.05, alternative: Alternative::TwoSided };

    fn looks(count: u32, boundary: impl Fn(f64) -> f64) -> Vec<Barrier> {
        (1..=count)
            .map(|k| {
                let fraction = f64::from(k) / f64::from(count);
                Barrier { fraction, boundary: boundary(fraction) }
            })
            .collect()
    }

    // Jennison, Turnbull 2000, tables 2.1 to 2.4: Pocock's constants 2.178, 2.413 and O'Brien-Fleming's 1.977, 2.040 for 2 and 5
    // looks at .05, with inflation factors for a power of .8.
    #[test]
    fn published_designs_are_reproduced() {
        for (count, boundary, factor) in [(2, 2.178, 1.110), (5, 2.413, 1.229)] {
            let looks = looks(count, |_| boundary);
            let error = crossing(&looks, 0.0, Alternative::TwoSided).unwrap();
            assert!((error - 0.05).abs() < ROUNDED, "{count}: {error}");
            assert!((inflation(&looks, LEVEL, 0.8).unwrap() - factor).abs() < 1e-3);
        }
        for (count, constant, factor) in [(2, 1.977, 1.008), (5, 2.040, 1.028)] {
            let looks = looks(count, |fraction| constant / fraction.sqrt());
            let error = crossing(&looks, 0.0, Alternative::TwoSided).unwrap();
            assert!((error - 0.05).abs() < ROUNDED, "{count}: {error}");
            assert!((inflation(&looks, LEVEL, 0.8).unwrap() - factor).abs() < 1e-3);
        }
    }

    // The boundaries of alpha spending have just the chance that is spent, by this recursion too.
    #[test]
    fn spending_boundaries_spend_their_alpha() {
        for spending in [Spending::ObrienFleming, Spending::Pocock, Spending::Power { rho: 2.0 }] {
            let schedule = Schedule { planned: 1.0, spending, level: LEVEL };
            let looks = barriers(&boundaries(&[0.25, 0.5, 0.8, 1.0], &schedule).unwrap());
            let error = crossing(&looks, 0.0, Alternative::TwoSided).unwrap();
            assert!((error - 0.05).abs() < 1e-6, "{spending:?}: {error}");
            let factor = inflation(&looks, LEVEL, 0.8).unwrap();
            assert!(factor > 1.0 && factor < 1.25, "{spending:?}: {factor}");
        }
    }

    #[test]
    fn one_look_at_the_end_costs_nothing() {
        let look = [Barrier { fraction: 1.0, boundary: 1.959_963_984_540_054 }];
        assert!((inflation(&look, LEVEL, 0.8).unwrap() - 1.0).abs() < 1e-4);
    }

    #[test]
    fn looks_that_do_not_rise_are_refused() {
        let twice = [Barrier { fraction: 0.5, boundary: 2.0 }; 2];
        assert_eq!(crossing(&twice, 0.0, Alternative::TwoSided), None);
        assert_eq!(crossing(&[], 0.0, Alternative::TwoSided), None);
        let late = [Barrier { fraction: 1.5, boundary: 2.0 }];
        assert_eq!(crossing(&late, f64::NAN, Alternative::TwoSided), None);
    }

    #[test]
    fn directions_mirror_each_other() {
        let looks = looks(3, |_| 2.0);
        let up = crossing(&looks, 1.5, Alternative::Greater).unwrap();
        let down = crossing(&looks, -1.5, Alternative::Less).unwrap();
        assert!((up - down).abs() < 1e-12);
        assert!(crossing(&looks, -1.5, Alternative::Greater).unwrap() < 0.01);
    }
}
