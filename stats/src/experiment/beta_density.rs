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
    fn at(&self, theta: f64) -> f64 {
        let step = theta - self.mode;
        let (rest, sine) = (-2.0 * (step / 2.0).sin().powi(2), step.sin());
        let tangent = self.mode.tan();
        let part =
            |power: f64, slope: f64| if power > 0.0 { power * (rest + slope * sine).ln_1p() } else { 0.0 };
        (part(self.p, 1.0 / tangent) + part(self.q, -tangent)).exp()
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
    use super::mass_below;

    // Oracle: SciPy 1.17 `scipy.special.betainc(a, b, x)`.
    #[test]
    fn huge_parameters_agree_with_scipy() {
        for (a, b, x, expected) in CASES {
            let mass = mass_below(a, b, x);
            assert!((mass / expected - 1.0).abs() < 1e-9, "{a} {b} {x}: {mass:e} instead of {expected:e}");
        }
    }

    const CASES: [(f64, f64, f64, f64); 5] = [
        (400.0, 700.0, 0.35, 0.1737291125101848),
        (3000.0, 5000.0, 0.36, 0.002677492064739208),
        (1000000.0, 3000000.0, 0.2499, 0.3221379074226443),
        (500000.0, 500000.0, 0.5, 0.49999999999999967),
        (990000.0, 10000.0, 0.9905, 0.9999998366123335),
    ];
}
