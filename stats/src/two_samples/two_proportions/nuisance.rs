//! The largest chance of a set of 2×2 tables over the share that both groups have.
//!
//! Question: how likely are these tables at worst, whatever the common share π is?
//! Input: for each number of successes in the control, the treatments' numbers that belong to the set, as at most two runs: up
//! to one number, and from another one on.
//! Formula: P(π) = Σ b(x; n, π)·[P(Y ≤ low(x)) + P(Y ≥ high(x))]. With cos t = 1 - 2π it is a trigonometric polynomial of degree
//! n + m in t, so a grid of 8(n+m) points in t comes within 1/cos(π/16), that is 2 %, of its maximum; every peak of the grid that
//! could hold the maximum is then refined by golden sections.
//! Valid when: the groups' trials are independent.
//! Reference: Ehlich, Zeller 1964, doi:10.1007/BF01111276 (grid bound); Barnard 1947, doi:10.1093/biomet/34.1-2.123.
//! Oracle: the same sum in mpmath on a grid of 10⁵ points.
//! Cost: 8(n+m)² terms and a few refinements.

use crate::binomial::probability;

/// Grid points a trial.
const POINTS_PER_TRIAL: usize = 8;
/// Peaks below this share of the highest one cannot hold the maximum: the grid is within 1/cos(π/16) = 1.0196 of it, with room.
const PEAK_MIN: f64 = 0.95;
/// Golden sections: an interval shrinks by 0.618⁴⁰ = 4e-9, and the maximum is flat.
const SECTIONS: usize = 40;

/// Tables of two groups of fixed sizes.
#[derive(Debug, Clone)]
pub(super) struct Region {
    /// Trials of the control.
    pub(super) n: u64,
    /// Trials of the treatment.
    pub(super) m: u64,
    /// For each number of successes of the control the treatment's numbers: up to the first, and from the second on.
    pub(super) runs: Vec<Runs>,
}

/// The treatment's numbers at one number of the control; a run that is empty is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) up_to: Option<usize>,
    pub(super) from: Option<usize>,
}

impl Region {
    /// The largest probability over the common share.
    pub(super) fn supremum(&self) -> f64 {
        let points = POINTS_PER_TRIAL * usize::try_from(self.n + self.m).expect("bounded by TABLES_MAX");
        let step = std::f64::consts::PI / points as f64;
        let grid: Vec<f64> = (0..=points).map(|i| self.chance(i as f64 * step)).collect();
        let highest = grid.iter().copied().fold(0.0, f64::max);
        let mut best = highest;
        for i in 0..=points {
            let (left, right) = (i.saturating_sub(1), (i + 1).min(points));
            if grid[i] >= grid[left] && grid[i] >= grid[right] && grid[i] >= PEAK_MIN * highest {
                best = best.max(self.refine(left as f64 * step, right as f64 * step));
            }
        }
        best.clamp(f64::MIN_POSITIVE, 1.0)
    }

    /// P at the share (1 - cos t)/2.
    fn chance(&self, t: f64) -> f64 {
        let share = (t / 2.0).sin().powi(2);
        let tails = Cumulated::of(self.m, share);
        probabilities(self.n, share)
            .iter()
            .zip(&self.runs)
            .map(|(weight, runs)| {
                let low = runs.up_to.map_or(0.0, |at| tails.below[at]);
                weight * (low + runs.from.map_or(0.0, |at| tails.above[at]))
            })
            .sum()
    }

    fn refine(&self, mut low: f64, mut high: f64) -> f64 {
        let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
        let (mut at_left, mut at_right) = (self.chance(left), self.chance(right));
        for _ in 0..SECTIONS {
            if at_left >= at_right {
                (high, right, at_right) = (right, left, at_left);
                left = high - ratio * (high - low);
                at_left = self.chance(left);
            } else {
                (low, left, at_left) = (left, right, at_right);
                right = low + ratio * (high - low);
                at_right = self.chance(right);
            }
        }
        at_left.max(at_right)
    }
}

/// P(Y ≤ y) and P(Y ≥ y), each summed from its own end.
struct Cumulated {
    below: Vec<f64>,
    above: Vec<f64>,
}

impl Cumulated {
    fn of(m: u64, share: f64) -> Self {
        let each = probabilities(m, share);
        let mut below = each.clone();
        for at in 1..below.len() {
            below[at] += below[at - 1];
        }
        let mut above = each;
        for at in (1..above.len()).rev() {
            above[at - 1] += above[at];
        }
        Self { below, above }
    }
}

/// All binomial probabilities, by recurrence from the mode outwards.
#[expect(clippy::cast_sign_loss, reason = "clamped to the range of the counts")]
fn probabilities(n: u64, share: f64) -> Vec<f64> {
    let size = usize::try_from(n).expect("bounded by TABLES_MAX");
    let mut each = vec![0.0; size + 1];
    let mode = ((n as f64 + 1.0) * share).floor().clamp(0.0, n as f64) as usize;
    each[mode] = probability(mode as u64, n, share);
    let odds = share / (1.0 - share);
    for k in mode..size {
        each[k + 1] = each[k] * odds * (size - k) as f64 / (k + 1) as f64;
    }
    for k in (1..=mode).rev() {
        each[k - 1] = each[k] / odds * k as f64 / (size - k + 1) as f64;
    }
    each
}
