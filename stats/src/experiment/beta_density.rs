//! Beta distributions of millions of units: densities and tails by quadrature, where the incomplete beta function's continued
//! fraction does not converge in time.

use statrs::function::beta::beta_reg;

use super::quadrature::{ORDER, cumulative, panel};

/// Up to this sum of parameters the continued fraction converges.
const FRACTION_UP_TO: f64 = 1_000.0;

/// P(X ≤ x) for X of Beta(a, b), both above 0; at huge parameters both at least ½.
pub(super) fn mass_below(a: f64, b: f64, x: f64) -> f64 {
    if a + b <= FRACTION_UP_TO || a.min(b) < 0.5 {
        return beta_reg(a, b, x);
    }
    let density = Density::of(a, b);
    let end = x.sqrt().asin();
    let mass = |edges: Vec<f64>| -> f64 {
        let panels = edges.windows(2).flat_map(|pair| panel(pair[0], pair[1]));
        panels.map(|point| point.weight * density.at(point.x)).sum()
    };
    let edges: Vec<f64> = density.edges().collect();
    let below = mass(edges.iter().map(|edge| edge.min(end)).collect());
    below / (below + mass(edges.iter().map(|edge| edge.max(end)).collect()))
}

/// Terms of a continued fraction at most: where the mass is below 1e-12 there are some twenty, whatever the parameters are.
const TERMS_MAX: u32 = 200;

/// h in P(X ≤ x) = xᵃ(1-x)ᵇ·h/(a·B(a, b)) for X of Beta(a, b), where x lies far below the mean: it has digits where the mass itself is too small
/// for any. The continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, by Lentz's method.
pub(super) fn tail_fraction(a: f64, b: f64, x: f64) -> f64 {
    let nonzero = |value: f64| if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value };
    let mut above = 1.0;
    let mut below = nonzero(1.0 - (a + b) * x / (a + 1.0)).recip();
    let mut fraction = below;
    for term in 1..=TERMS_MAX {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for step in [even, odd] {
            below = nonzero(1.0 + step * below).recip();
            above = nonzero(1.0 + step / above);
            change = above * below;
            fraction *= change;
        }
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

/// A beta distribution of x = sin²θ as a density on θ: proportional to sinᵖθ cosᵍθ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Density {
    p: f64,
    q: f64,
    mode: f64,
    deviation: f64,
}

/// Density, mass below and mass above a point.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tail {
    pub(super) density: f64,
    pub(super) below: f64,
    pub(super) above: f64,
}

/// Half the width of the grid in deviations: what is beyond is below 1e-30.
const REACH: i32 = 20;

impl Density {
    /// Beta(a, b), both at least ½.
    pub(super) fn of(a: f64, b: f64) -> Self {
        let (p, q) = (2.0 * a - 1.0, 2.0 * b - 1.0);
        let mode = if p + q > 0.0 { p.sqrt().atan2(q.sqrt()) } else { std::f64::consts::FRAC_PI_4 };
        Self { p, q, mode, deviation: (2.0 * (p + q) + 1.0).sqrt().recip() }
    }

    pub(super) fn mean(&self) -> f64 {
        (self.p + 1.0) / (self.p + self.q + 2.0)
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = f64> {
        let (mode, deviation) = (self.mode, self.deviation);
        (-REACH..=REACH)
            .map(move |i| (mode + f64::from(i) * deviation).clamp(0.0, std::f64::consts::FRAC_PI_2))
    }

    /// The density over that at its mode. Both logarithms are of a ratio near 1 where the density is not tiny.
    pub(super) fn at(&self, theta: f64) -> f64 {
        let step = theta - self.mode;
        let (rest, sine) = (-2.0 * (step / 2.0).sin().powi(2), step.sin());
        let tangent = self.mode.tan();
        // The ratio is 0 at an end, and by rounding below it, of which there is no logarithm.
        let part = |power: f64, slope: f64| match power > 0.0 {
            true => power * (rest + slope * sine).max(-1.0).ln_1p(),
            false => 0.0,
        };
        (part(self.p, 1.0 / tangent) + part(self.q, -tangent)).exp()
    }

    /// The integral of [`Self::at`].
    pub(super) fn total(&self) -> f64 {
        let edges: Vec<f64> = self.edges().collect();
        let points = edges.windows(2).flat_map(|pair| panel(pair[0], pair[1]));
        points.map(|point| point.weight * self.at(point.x)).sum()
    }

    /// Density, mass below and mass above at every point of every panel.
    pub(super) fn tails(&self, panels: &[(f64, f64)]) -> Vec<[Tail; ORDER]> {
        let mut tails = Vec::with_capacity(panels.len());
        let mut masses = Vec::with_capacity(panels.len());
        for (from, to) in panels {
            let points = panel(*from, *to);
            let values: [f64; ORDER] = std::array::from_fn(|i| self.at(points[i].x));
            let parts = cumulative(&values, to - from);
            masses.push(points.iter().zip(values).map(|(point, value)| point.weight * value).sum::<f64>());
            tails.push(std::array::from_fn(|i| Tail {
                density: values[i],
                below: parts[i].0.max(0.0),
                above: parts[i].1.max(0.0),
            }));
        }
        let total: f64 = masses.iter().sum();
        let (mut before, mut after) = (0.0, 0.0);
        for (row, mass) in tails.iter_mut().zip(&masses) {
            row.iter_mut().for_each(|tail: &mut Tail| tail.below = (tail.below + before) / total);
            before += mass;
        }
        for (row, mass) in tails.iter_mut().zip(&masses).rev() {
            for tail in row.iter_mut() {
                tail.above = (tail.above + after) / total;
                tail.density /= total;
            }
            after += mass;
        }
        tails
    }
}

#[cfg(test)]
mod tests {
    use super::{Density, mass_below, tail_fraction};

    // Oracle: SciPy 1.17 `scipy.special.betainc(a, b, x)`.
    #[test]
    fn huge_parameters_agree_with_scipy() {
        for (a, b, x, expected) in CASES {
            let mass = mass_below(a, b, x);
            assert!((mass / expected - 1.0).abs() < 1e-9, "{a} {b} {x}: {mass:e} instead of {expected:e}");
        }
    }

    // At the ends of [0, π/2] a density is 0; by rounding sin θ/sin(mode) - 1 is below -1 there for one mode of some twenty.
    #[test]
    fn a_density_is_a_number_at_its_ends() {
        for s in 0..=1100 {
            let density = Density::of(15.75 + f64::from(s), 15.75 + 1100.0 - f64::from(s));
            for end in [0.0, std::f64::consts::FRAC_PI_2] {
                let found = density.at(end);
                assert!((0.0..1e-6).contains(&found), "{s} {end}: {found}");
            }
        }
    }

    // Oracle: SciPy 1.17 `betainc(a, b, x)*a*beta(a, b)/(x**a*(1-x)**b)` where none of these is 0.
    #[test]
    fn a_tail_without_its_powers_agrees_with_scipy() {
        for (a, b, x, expected) in TAILS {
            let found = tail_fraction(a, b, x);
            assert!((found / expected - 1.0).abs() < 1e-9, "{a} {b} {x}: {found} instead of {expected}");
        }
    }

    const TAILS: [(f64, f64, f64, f64); 3] = [
        (60.0, 20.0, 0.3, 1.6460681742183),
        (400.0, 30.0, 0.8, 6.9941029144471),
        (30.0, 300.0, 0.01, 1.1186903945926),
    ];

    const CASES: [(f64, f64, f64, f64); 5] = [
        (400.0, 700.0, 0.35, 0.1737291125101848),
        (3000.0, 5000.0, 0.36, 0.002677492064739208),
        (1000000.0, 3000000.0, 0.2499, 0.3221379074226443),
        (500000.0, 500000.0, 0.5, 0.49999999999999967),
        (990000.0, 10000.0, 0.9905, 0.9999998366123335),
    ];
}
