//! How the centre, the length and the single dimensions of vectors moved.
//!
//! Question: which way did a cloud of vectors go, how far, and in which dimensions?
//! Input: count, mean and sample variance of each dimension and of the length, on both sides.
//! Formula: distance ‖ȳ-x̄‖; cosine x̄·ȳ/(‖x̄‖‖ȳ‖); of a dimension and of the length: the change in pooled standard deviations
//! √(½(s²+t²)) and Welch's test by the normal limit. A dimension moved where its p, corrected by Benjamini-Hochberg over
//! the dimensions, is below [`MOVED`] and its change at least [`CHANGE_MIN`].
//! Valid when: both sides have some 30 vectors; a dimension whose variance is 0 on both sides has no p.
//! Reference: Welch 1947, doi:10.1093/biomet/34.1-2.28; Benjamini, Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
//! Oracle: SciPy 1.17 `scipy.spatial.distance.cosine`, `scipy.stats.norm.sf`.
//! Cost: one sort of the dimensions.

use crate::{correction::Correction, survival};

/// The level at which a dimension counts as moved.
pub const MOVED: f64 = 0.01;
/// Standard deviations that a dimension must have moved to count.
pub const CHANGE_MIN: f64 = 0.1;

/// One side.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloud {
    /// How many vectors.
    pub n: u64,
    /// The mean of each dimension.
    pub means: Vec<f64>,
    /// The sample variance of each dimension.
    pub variances: Vec<f64>,
    /// The mean length.
    pub norm: f64,
    /// The sample variance of the length.
    pub norm_variance: f64,
}

/// What changed between two clouds. A field is `None` where it is not defined.
#[derive(Debug, Clone, PartialEq)]
pub struct CentroidChange {
    /// Between the centres, in the unit of the vectors.
    pub distance: f64,
    /// Of the angle between the centres.
    pub cosine: Option<f64>,
    /// The length of a vector.
    pub norm: Change,
    /// Dimensions that moved.
    pub dimensions_moved: u64,
    /// The dimension that moved furthest in standard deviations, from 0.
    pub largest: Option<(usize, Change)>,
}

/// The change of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// In the reference.
    pub mean_a: f64,
    /// In the current sample.
    pub mean_b: f64,
    /// In pooled standard deviations.
    pub effect: Option<f64>,
    /// Of no change.
    pub p_value: Option<f64>,
}

/// Compares two clouds; `None` where their widths differ or one side has fewer than two vectors.
#[must_use]
pub fn compare(a: &Cloud, b: &Cloud) -> Option<CentroidChange> {
    let width = a.means.len();
    let widths = [a.variances.len(), b.means.len(), b.variances.len()];
    if a.n < 2 || b.n < 2 || width == 0 || widths.iter().any(|other| *other != width) {
        return None;
    }
    let change = |i: usize| change((a.n, a.means[i], a.variances[i]), (b.n, b.means[i], b.variances[i]));
    let changes: Vec<Change> = (0..width).map(change).collect();
    let tested: Vec<(f64, f64)> =
        changes.iter().filter_map(|change| Some((change.p_value?, change.effect?))).collect();
    let p_values: Vec<f64> = tested.iter().map(|(p, _)| *p).collect();
    let adjusted = Correction::Bh.adjust(&p_values);
    let moved = adjusted
        .iter()
        .zip(&tested)
        .filter(|(p, (_, effect))| **p < MOVED && effect.abs() >= CHANGE_MIN)
        .count();
    let size = |change: &Change| change.effect.unwrap_or(0.0).abs();
    let largest = changes.iter().copied().enumerate().max_by(|x, y| size(&x.1).total_cmp(&size(&y.1)));
    let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
    let cosine = dot(&a.means, &b.means) / (dot(&a.means, &a.means) * dot(&b.means, &b.means)).sqrt();
    Some(CentroidChange {
        distance: changes.iter().map(|change| (change.mean_b - change.mean_a).powi(2)).sum::<f64>().sqrt(),
        cosine: cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0)),
        norm: self::change((a.n, a.norm, a.norm_variance), (b.n, b.norm, b.norm_variance)),
        dimensions_moved: moved as u64,
        largest: largest.filter(|(_, change)| size(change) > 0.0),
    })
}

/// The change of a mean, from count, mean and sample variance of both sides.
#[must_use]
pub fn change((n, mean_a, variance_a): (u64, f64, f64), (m, mean_b, variance_b): (u64, f64, f64)) -> Change {
    let off = mean_b - mean_a;
    let finite = |value: f64| value.is_finite().then_some(value + 0.0);
    let spread = (0.5 * (variance_a + variance_b)).sqrt();
    let error = (variance_a / n as f64 + variance_b / m as f64).sqrt();
    Change {
        mean_a,
        mean_b,
        effect: finite(off / spread),
        p_value: finite(survival::normal_two_sided(off / error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cloud, compare};

    fn cloud(n: u64, means: &[f64], variances: &[f64]) -> Cloud {
        Cloud { n, means: means.to_vec(), variances: variances.to_vec(), norm: 1.0, norm_variance: 0.25 }
    }

    #[test]
    fn the_dimension_that_moved_is_named() {
        let a = cloud(100, &[3.0, 0.0, 4.0, 1.0], &[1.0, 1.0, 1.0, 0.0]);
        let b = cloud(100, &[3.0, 0.05, 2.0, 1.0], &[1.0, 1.0, 1.0, 0.0]);
        let change = compare(&a, &b).unwrap();
        assert_eq!(change.dimensions_moved, 1);
        let (dimension, largest) = change.largest.unwrap();
        assert_eq!((dimension, largest.effect), (2, Some(-2.0)));
        assert!((change.distance - 4.0025_f64.sqrt()).abs() < 1e-12);
        // (9 + 8 + 1)/(√26·√(9 + .0025 + 4 + 1)).
        assert!((change.cosine.unwrap() - 18.0 / (26.0_f64 * 14.0025).sqrt()).abs() < 1e-12);
        assert_eq!((change.norm.effect, change.norm.p_value), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn constant_and_zero_vectors_have_no_p_and_no_angle() {
        let zero = cloud(50, &[0.0, 0.0], &[0.0, 0.0]);
        let change = compare(&zero, &zero).unwrap();
        assert_eq!(
            (change.cosine, change.largest, change.dimensions_moved, change.distance),
            (None, None, 0, 0.0)
        );
    }

    #[test]
    fn too_few_vectors_and_other_widths_are_not_compared() {
        let two = cloud(50, &[0.0, 0.0], &[1.0, 1.0]);
        assert_eq!(compare(&cloud(1, &[0.0, 0.0], &[1.0, 1.0]), &two), None);
        assert_eq!(compare(&cloud(50, &[0.0], &[1.0]), &two), None);
    }
}
