//! Simulated null distributions: the pooled values are relabelled at random.
//!
//! Question: how often would a statistic be this large if the labels said nothing?
//! Input: the pooled counts of each cell, the size of the reference, a seeded generator.
//! Formula: labels fill the cells multivariate-hypergeometrically; p = (k + 1)/(N + 1) with k of N statistics at or above the
//! observed one. It stops early once k reaches [`EXCEEDANCES`]: then p = k/N. Where none of the first N is, N grows tenfold.
//! Valid when: rows are exchangeable under no change.
//! Reference: Phipson, Smyth 2010, doi:10.2202/1544-6115.1585; Besag, Clifford 1991, doi:10.1093/biomet/78.2.301 (stopping).
//! Oracle: SciPy 1.17 `scipy.stats.permutation_test`.
//! Cost: at most [`RELABELLINGS`] × cells, ten times that where none reaches the observed one; at most [`WORK_MAX`] cells in all.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use statrs::function::factorial::ln_factorial;

use crate::{
    cells::{Cell, Cells},
    comparison::{Comparison, PMethod},
    walk::{Step, Walked},
};

/// Relabellings at first; ten times as many where none reaches the observed statistic, so that the smallest p-value is one in
/// fifty thousand.
pub const RELABELLINGS: u64 = 4_999;
/// Statistics at or above the observed one after which more would not change the answer.
pub const EXCEEDANCES: u64 = 50;
/// Cells filled at most: more than half a second.
pub const WORK_MAX: u64 = 7_000_000;
/// Effects of relabellings that are kept: enough for levels up to one in eighty, in half a KiB.
const EFFECTS_KEPT: usize = 64;
/// Values of a cell up to which each is drawn by itself.
const ONE_BY_ONE: u64 = 16;
/// Variance of a cell's count from which on the normal limit is used: its error there is below that of the simulation.
const NORMAL_VARIANCE: f64 = 25.0;

/// Occurrences that each category must expect for a limiting distribution.
pub const EXPECTED_MIN: f64 = 5.0;
/// The same for distances: the limit of Hellinger's is too small at five (8 of 100 unchanged runs at 1,000 rows against 60), and so is
/// that of the G-test (.067 at level .05 for 50 equal categories of 500 rows a side, where chi-square has .045; .058 at 1,000).
const EXPECTED_MIN_OF_DISTANCES: f64 = 20.0;
/// Categories up to which labels are exchanged.
pub const CELLS_MAX: u64 = 100_000;

/// The pooled sample whose labels are exchanged.
#[derive(Debug, Clone)]
pub struct Relabelling {
    /// The pooled count of each cell.
    pub totals: Vec<u64>,
    /// How many of all values carry the label of the reference.
    pub size_a: u64,
}

impl Relabelling {
    /// The pooled categories, each for itself.
    fn of(cells: &Cells) -> Self {
        let times = |times: u64| usize::try_from(times).unwrap_or(usize::MAX);
        let totals = |cell: &Cell| std::iter::repeat_n(cell.a + cell.b, times(cell.times));
        Self { totals: cells.as_slice().iter().flat_map(totals).collect(), size_a: cells.sizes().a }
    }

    /// The pooled cells of a walk's grid.
    #[must_use]
    pub fn of_grid(walked: &Walked) -> Self {
        let totals = walked.grid.iter().map(|cell| cell.a + cell.b).collect();
        Self { totals, size_a: walked.sizes.a }
    }

    fn cells(&self, labels: &[u64]) -> Cells {
        self.totals.iter().zip(labels).map(|(all, a)| Cell::new(*a, all - a)).collect()
    }

    /// The p-value of `observed` for `statistic`, which is handed the reference's count in each cell.
    pub fn p_value(&self, rng: &mut impl Rng, observed: f64, statistic: impl FnMut(&[u64]) -> f64) -> f64 {
        self.p_value_of(rng, observed, RELABELLINGS, statistic)
    }

    /// The same with a bound on the relabellings at first.
    ///
    /// Where one of the first reaches the statistic the p-value comes from them alone, else from the further ones as well: at no
    /// level is the chance of a p-value at or below it larger than the level.
    #[expect(clippy::too_many_arguments, reason = "one more than `p_value`, which callers use")]
    pub fn p_value_of(
        &self,
        rng: &mut impl Rng,
        observed: f64,
        most: u64,
        mut statistic: impl FnMut(&[u64]) -> f64,
    ) -> f64 {
        let (first, further) = rounds(self.totals.len() as u64, most);
        // Sums of many small terms come out in another order; equal statistics must stay equal.
        let least = observed - observed.abs() * 1e-12;
        let mut labels = vec![0; self.totals.len()];
        let mut exceeding = 0;
        for round in 1..=further {
            relabel(&self.totals, self.size_a, rng, &mut labels);
            if statistic(&labels) >= least {
                exceeding += 1;
                if exceeding == EXCEEDANCES {
                    return EXCEEDANCES as f64 / round as f64;
                }
            }
            if round == first && exceeding > 0 {
                return (exceeding + 1) as f64 / (first + 1) as f64;
            }
        }
        (exceeding + 1) as f64 / (further + 1) as f64
    }

    /// The p-value of a statistic of a walk's grid, whose pooled cells these are.
    pub fn p_of_grid(
        &self,
        walked: &Walked,
        rng: &mut impl Rng,
        mut statistic: impl FnMut(&[u64]) -> f64,
    ) -> f64 {
        let labels: Vec<u64> = walked.grid.iter().map(|cell| cell.a).collect();
        let observed = statistic(&labels);
        self.p_value(rng, observed, statistic)
    }

    /// The p-value of a statistic of the steps of a walk, on its grid; `None` without values.
    pub fn p_of_steps(
        walked: &Walked,
        rng: &mut impl Rng,
        statistic: impl Fn(&mut dyn Iterator<Item = Step>) -> f64,
    ) -> Option<f64> {
        let pooled = Self::of_grid(walked);
        if pooled.totals.is_empty() {
            return None;
        }
        let of_labels = |labels: &[u64]| {
            let (mut below_a, mut below_b) = (0, 0);
            let mut steps = pooled.totals.iter().zip(labels).map(|(all, a)| {
                let step = Step { value: 0.0, a: *a, b: all - a, below_a, below_b };
                (below_a, below_b) = (below_a + step.a, below_b + step.b);
                step
            });
            statistic(&mut steps)
        };
        Some(pooled.p_of_grid(walked, rng, of_labels))
    }

    /// The largest of a statistic over the first relabellings: what labels reach that say nothing.
    fn largest(&self, rng: &mut impl Rng, mut statistic: impl FnMut(&[u64]) -> f64) -> NullEffects {
        let mut labels = vec![0; self.totals.len()];
        let (relabellings, _) = rounds(self.totals.len() as u64, RELABELLINGS);
        let mut largest: Vec<f64> = (0..relabellings)
            .map(|_| {
                relabel(&self.totals, self.size_a, rng, &mut labels);
                statistic(&labels)
            })
            .collect();
        largest.sort_by(|a, b| b.total_cmp(a));
        largest.truncate(EFFECTS_KEPT);
        largest.shrink_to_fit();
        NullEffects { largest, relabellings }
    }
}

/// The largest effects when labels are exchanged some thousand times.
#[derive(Debug, Clone, PartialEq)]
pub struct NullEffects {
    /// In descending order, at least one.
    largest: Vec<f64>,
    relabellings: u64,
}

impl NullEffects {
    /// Strictly above: an effect that labels reach by themselves is none.
    const ABOVE: f64 = 1.0 + 1e-9;

    /// The chance of an effect of this size where labels say nothing; `None` where no relabelling reached it, and 1 where more did than
    /// are kept.
    #[must_use]
    pub fn p_value(&self, effect: f64) -> Option<f64> {
        match self.largest.partition_point(|null| null * Self::ABOVE > effect) {
            0 => None,
            reached if reached == self.largest.len() => Some(1.0),
            reached => Some((reached + 1) as f64 / (self.relabellings + 1) as f64),
        }
    }

    /// The largest effect alone, whatever the level: for cells that were chosen by looking at one side, where labels that say nothing
    /// reach less than chance does.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.largest.truncate(1);
        self
    }

    /// The smallest p-value that the relabellings can give.
    #[must_use]
    pub fn smallest_p(&self) -> f64 {
        1.0 / (self.relabellings + 1) as f64
    }

    /// The effect from which on the p-value is at or below this level; where they are too few for the level, an effect above all of them.
    #[must_use]
    #[expect(clippy::cast_sign_loss, reason = "below 0 is cut off")]
    pub fn floor(&self, level: f64) -> f64 {
        // A rounding error below a whole number must not cost a place.
        let ranks = (level * (self.relabellings + 1) as f64 * Self::ABOVE).floor();
        let place = (ranks - 1.0).max(0.0) as usize;
        let place = place.min(self.largest.len().saturating_sub(1));
        self.largest.get(place).map_or(0.0, |null| null * Self::ABOVE)
    }
}

/// How many relabellings of so many cells come first, and how many at most.
fn rounds(cells: u64, most: u64) -> (u64, u64) {
    let affordable = WORK_MAX / cells.max(1);
    let first = affordable.clamp(99, most);
    (first, affordable.clamp(first, 10 * (most + 1) - 1))
}

/// The smallest p-value that relabelling so many cells can give, with this bound on the first relabellings.
#[must_use]
pub fn smallest_p(cells: u64, most: u64) -> f64 {
    1.0 / (rounds(cells, most).1 + 1) as f64
}

/// Replaces an asymptotic p-value by a simulated one where a category expects fewer than twenty occurrences, or
/// gives one to a statistic that has none.
///
/// The p-value is that of the `tested` cells. They are the same, except where some cells were chosen by looking at one side:
/// what lies beyond the extremes of the reference has no reference values by construction, and exchanged labels would have.
pub fn on_cells(
    cells: &Cells,
    tested: &Cells,
    rng: &mut impl Rng,
    kernel: fn(&Cells) -> Comparison,
) -> Comparison {
    let comparison = kernel(cells);
    let tested = if tested.count() > 1 { tested } else { cells };
    if comparison.statistic.is_none() || tested.count() < 2 || tested.count() > CELLS_MAX {
        return comparison;
    }
    let on_tested = kernel(tested);
    let limit = on_tested
        .p_value
        .zip(on_tested.p_method)
        .filter(|_| tested.smallest_expected() >= EXPECTED_MIN_OF_DISTANCES);
    if let Some((p_value, method)) = limit {
        return comparison.with_p(p_value, method);
    }
    let pooled = Relabelling::of(tested);
    let observed = on_tested.statistic.unwrap_or(0.0);
    let p_value =
        pooled.p_value(rng, observed, |labels| kernel(&pooled.cells(labels)).statistic.unwrap_or(0.0));
    comparison.with_p(p_value, PMethod::Permutation)
}

/// The largest effects of `kernel` when labels are exchanged, some thousand times; `None` where every category expects
/// [`EXPECTED_MIN`] occurrences, so that the limiting distribution can be trusted, or where there are too many categories.
pub fn null_effects(
    cells: &Cells,
    rng: &mut impl Rng,
    kernel: fn(&Cells) -> Comparison,
) -> Option<NullEffects> {
    if cells.smallest_expected() >= EXPECTED_MIN || cells.count() > CELLS_MAX {
        return None;
    }
    let pooled = Relabelling::of(cells);
    Some(pooled.largest(rng, |labels| kernel(&pooled.cells(labels)).effect.unwrap_or(0.0).abs()))
}

/// Draws `wanted` of the values in these cells at random; answers how many come from each cell.
pub fn split(cells: &[u64], wanted: u64, rng: &mut impl Rng) -> Vec<u64> {
    let mut part = vec![0; cells.len()];
    relabel(cells, wanted, rng, &mut part);
    part
}

fn relabel(totals: &[u64], size_a: u64, rng: &mut impl Rng, labels: &mut [u64]) {
    let mut left: u64 = totals.iter().sum();
    let mut wanted = size_a;
    for (label, total) in labels.iter_mut().zip(totals) {
        *label = draw(left, *total, wanted, rng);
        left -= total;
        wanted -= *label;
    }
}

/// How many of `total` values are among `wanted` drawn from `left`: one by one where they are few, from the normal limit
/// where the count varies by more than a few, and by inversion between.
#[expect(clippy::cast_sign_loss, reason = "clamped to the range of the count")]
fn draw(left: u64, total: u64, wanted: u64, rng: &mut impl Rng) -> u64 {
    if total == 0 || wanted == 0 {
        return 0;
    }
    if total == left {
        return wanted;
    }
    if total <= ONE_BY_ONE {
        let (mut left, mut drawn) = (left, 0);
        for _ in 0..total {
            let chosen = uniform(rng) * (left as f64) < (wanted - drawn) as f64;
            drawn += u64::from(chosen);
            left -= 1;
        }
        return drawn;
    }
    let share = wanted as f64 / left as f64;
    let mean = total as f64 * share;
    let variance = mean * (1.0 - share) * (left - total) as f64 / (left - 1) as f64;
    if variance >= NORMAL_VARIANCE {
        let (low, high) = ((wanted + total).saturating_sub(left), total.min(wanted));
        let normal: f64 = StandardNormal.sample(rng);
        return (mean + normal * variance.sqrt()).round().clamp(low as f64, high as f64) as u64;
    }
    by_inversion(left, total, wanted, rng)
}

/// One hypergeometric count, searched outwards from the mode: the count varies by a few, so the search is short whatever the
/// sizes are.
fn by_inversion(left: u64, total: u64, wanted: u64, rng: &mut impl Rng) -> u64 {
    let (low, high) = ((wanted + total).saturating_sub(left), total.min(wanted));
    let mode = u128::from(total + 1) * u128::from(wanted + 1) / u128::from(left + 2);
    let mode = u64::try_from(mode).unwrap_or(u64::MAX).clamp(low, high);
    let others = left - total;
    let ln_choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let at_mode = (ln_choose(total, mode) + ln_choose(others, wanted - mode) - ln_choose(left, wanted)).exp();
    // P(k + 1)/P(k).
    let ratio = |k: u64| {
        (total - k) as f64 * (wanted - k) as f64 / ((k + 1) as f64 * (others + k + 1 - wanted) as f64)
    };
    let mut rest = uniform(rng) - at_mode;
    let (mut up, mut down) = ((mode, at_mode), (mode, at_mode));
    while rest > 0.0 && (up.0 < high || down.0 > low) {
        if up.0 < high {
            up = (up.0 + 1, up.1 * ratio(up.0));
            rest -= up.1;
            if rest <= 0.0 {
                return up.0;
            }
        }
        if down.0 > low {
            down = (down.0 - 1, down.1 / ratio(down.0 - 1));
            rest -= down.1;
            if rest <= 0.0 {
                return down.0;
            }
        }
        if up.1 + down.1 < 1e-18 {
            break;
        }
    }
    mode
}

/// A number of [0, 1).
fn uniform(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{EFFECTS_KEPT, NullEffects, Relabelling, relabel};

    #[test]
    fn relabelling_keeps_the_margins() {
        let totals = [3, 1, 40, 0, 7];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut labels = [0; 5];
        for _ in 0..200 {
            relabel(&totals, 20, &mut rng, &mut labels);
            assert_eq!(labels.iter().sum::<u64>(), 20);
            assert!(labels.iter().zip(&totals).all(|(label, total)| label <= total));
        }
    }

    #[test]
    fn labels_have_the_hypergeometric_mean_and_variance() {
        let totals = [1000, 3000, 6000];
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut labels = [0; 3];
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..20_000 {
            relabel(&totals, 4000, &mut rng, &mut labels);
            let off = labels[1] as f64 - 1200.0;
            sum += off;
            squares += off * off;
        }
        // Variance n·K/N·(1-K/N)·(N-n)/(N-1) = 504.05; the mean of 20,000 has a standard error of 0.16.
        assert!((sum / 20_000.0).abs() < 0.8, "{}", sum / 20_000.0);
        assert!((squares / 20_000.0 / 504.05 - 1.0).abs() < 0.06);
    }

    // A cell of a large sample, too large for its own draws and too narrow for the normal limit: mean 20·0.1, variance by the
    // formula above.
    #[test]
    fn narrow_counts_of_large_samples_have_their_mean_and_variance() {
        for (left, total, wanted) in
            [(11_000_u64, 20_u64, 1_000_u64), (2_000_000, 400_000, 30), (110_000, 17, 10_000)]
        {
            let mut rng = ChaCha8Rng::seed_from_u64(4);
            let share = wanted as f64 / left as f64;
            let mean = total as f64 * share;
            let variance = mean * (1.0 - share) * (left - total) as f64 / (left - 1) as f64;
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..20_000 {
                let off = super::by_inversion(left, total, wanted, &mut rng) as f64 - mean;
                sum += off;
                squares += off * off;
            }
            let mean_error = (variance / 20_000.0).sqrt();
            assert!((sum / 20_000.0).abs() < 4.0 * mean_error, "{left} {total} {wanted}: mean {sum}");
            assert!((squares / 20_000.0 / variance - 1.0).abs() < 0.06, "{left} {total} {wanted}");
        }
    }

    #[test]
    fn an_extreme_statistic_has_the_smallest_p() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let pooled = Relabelling { totals: vec![500, 500], size_a: 500 };
        let p = pooled.p_value(&mut rng, 500.0, |labels| labels[0] as f64);
        assert!((p - 2e-5).abs() < 1e-12);
    }

    #[test]
    fn only_what_the_first_relabellings_do_not_reach_has_more_of_them() {
        // With 20 of 40 labels in one cell a count of 15 or more comes once in 350, and of 17 or more once in 85,000.
        for (observed, first) in [(15.0, true), (18.0, false)] {
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let pooled = Relabelling { totals: vec![20, 20], size_a: 20 };
            let mut rounds = 0;
            let p = pooled.p_value(&mut rng, observed, |labels| {
                rounds += 1;
                labels[0] as f64
            });
            assert_eq!(rounds == super::RELABELLINGS, first, "{observed}: {rounds} relabellings, p {p}");
            assert!(p >= super::smallest_p(2, super::RELABELLINGS));
        }
        assert_eq!(super::smallest_p(100_000, super::RELABELLINGS), 0.01, "cells cost work");
    }

    #[test]
    fn the_floor_of_a_level_is_what_so_many_relabellings_reach() {
        let of = |kept: usize, relabellings| NullEffects {
            largest: (0..kept).map(|i| 100.0 - i as f64).collect(),
            relabellings,
        };
        let nulls = of(EFFECTS_KEPT, 4_999);
        for (level, place) in
            [(1e-6, 0), (2e-4, 0), (4e-4, 1), (7.6e-4, 2), (0.001, 4), (0.05, EFFECTS_KEPT - 1)]
        {
            let floor = nulls.floor(level);
            assert_eq!(floor, nulls.largest[place] * NullEffects::ABOVE, "{level}");
            // Just as many reach an effect at the floor as its level allows, and one more what is below it.
            let at = nulls.p_value(floor).unwrap_or(nulls.smallest_p());
            assert!(at <= level.max(nulls.smallest_p()) * (1.0 + 1e-6), "{level}: {at}");
            let below = nulls.p_value(floor - 0.5).unwrap();
            assert!(below > level || place == EFFECTS_KEPT - 1, "{level}: {below}");
        }
        assert_eq!(nulls.p_value(100.5), None, "none reached it");
        assert_eq!(nulls.p_value(99.5), Some(2.0 / 5_000.0));
        assert_eq!(nulls.p_value(1.0), Some(1.0), "more than are kept");
        assert_eq!(of(EFFECTS_KEPT, 99).floor(0.001), 100.0 * NullEffects::ABOVE, "too few for the level");
        let strict = nulls.strict();
        assert_eq!((strict.floor(0.05), strict.p_value(99.5)), (100.0 * NullEffects::ABOVE, Some(1.0)));
        assert_eq!(strict.p_value(100.5), None);
    }

    #[test]
    fn effects_of_relabellings_have_the_p_values_of_their_distribution() {
        // 20 of 40 labels in one of two cells of 20: |count - 10| is 5 or more with chance .0038, 8 or more with 5.3e-7.
        let pooled = Relabelling { totals: vec![20, 20], size_a: 20 };
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let nulls = pooled.largest(&mut rng, |labels| (labels[0] as f64 - 10.0).abs());
        let p = nulls.p_value(5.0).unwrap();
        assert!((0.002..0.006).contains(&p), "{p}");
        assert!(nulls.p_value(8.0).is_none());
        assert!(nulls.floor(0.01) <= 5.0 * NullEffects::ABOVE && nulls.floor(1e-9) >= 5.0);
    }
}
