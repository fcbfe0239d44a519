//! Maximum mean discrepancy with a Gaussian kernel.
//!
//! Question: do two samples differ in any smooth function of their values?
//! Input: the walk's grid of at most 128 pooled cells; infinite values leave nothing.
//! Formula: unbiased MMD² = Σ_{i≠j}k(x,x')/(n(n-1)) + Σ_{i≠j}k(y,y')/(m(m-1)) - 2Σk(x,y)/(nm), k = exp(-d²/(2σ²)), σ² half the
//! median squared distance of the pooled cells. Effect: √max(0, MMD²).
//! Valid when: both sides have at least 2 values; the p-value holds for any sizes, because labels are exchanged.
//! Reference: Gretton et al. 2012, JMLR 13:723, eq. 3.
//! Oracle: the same formula in NumPy on samples of at most 128 different values.
//! Cost: cells² a relabelling, [`RELABELLINGS`] of them and ten times as many where none reaches the observed one.

use rand::Rng;

use crate::{
    comparison::{Comparison, PMethod},
    permutation::Relabelling,
    walk::{GridCell, Walked},
};

/// The test; the generator exchanges labels.
#[must_use]
pub fn mmd(walked: &Walked, rng: &mut impl Rng) -> Comparison {
    let (n, m) = (walked.sizes.a as f64, walked.sizes.b as f64);
    let grid = &walked.grid;
    if grid.is_empty()
        || walked.sizes.a < 2
        || walked.sizes.b < 2
        || grid.iter().any(|cell| !cell.value.is_finite())
    {
        return Comparison::UNDEFINED;
    }
    if grid.len() == 1 {
        return Comparison::SAME;
    }
    let kernel = kernel(grid);
    let size = grid.len();
    let pooled = Relabelling::of_grid(walked);
    let totals = &pooled.totals;
    // K·t, and t'Kt: with a + b = t both other sums follow from a'Ka and a'Kt.
    let to_all: Vec<f64> = kernel
        .chunks_exact(size)
        .map(|row| row.iter().zip(totals).map(|(k, all)| k * *all as f64).sum())
        .collect();
    let all_all: f64 = to_all.iter().zip(totals).map(|(to, all)| to * *all as f64).sum();
    let mut a = vec![0.0; size];
    let mut statistic = |labels: &[u64]| {
        a.iter_mut().zip(labels).for_each(|(a, label)| *a = *label as f64);
        let (mut aa, mut a_all) = (0.0, 0.0);
        for ((row, here), to_all) in kernel.chunks_exact(size).zip(&a).zip(&to_all) {
            aa += here * row.iter().zip(&a).map(|(k, a)| k * a).sum::<f64>();
            a_all += here * to_all;
        }
        let (ab, bb) = (a_all - aa, all_all - 2.0 * a_all + aa);
        // A value with itself has kernel 1 and is left out.
        (aa - n) / (n * (n - 1.0)) + (bb - m) / (m * (m - 1.0)) - 2.0 * ab / (n * m)
    };
    let observed: Vec<u64> = grid.iter().map(|cell| cell.a).collect();
    let squared = statistic(&observed);
    let p_value = pooled.p_value_of(rng, squared, RELABELLINGS, statistic);
    Comparison::of(squared, squared.max(0.0).sqrt()).with_p(p_value, PMethod::Permutation)
}

/// Relabellings at first, fewer than usual: each goes over a matrix.
pub const RELABELLINGS: u64 = 1_999;

fn kernel(cells: &[GridCell]) -> Vec<f64> {
    let squared: Vec<f64> =
        cells.iter().flat_map(|one| cells.iter().map(|other| (one.value - other.value).powi(2))).collect();
    let mut sorted: Vec<f64> = squared.iter().copied().filter(|d| *d > 0.0).collect();
    sorted.sort_by(f64::total_cmp);
    // The median squared distance is twice σ², so that the exponent is -d²/median.
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
    squared.iter().map(|d| (-d / median).exp()).collect()
}
