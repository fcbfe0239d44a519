//! Maximum mean discrepancy of vectors, linear in their number.
//!
//! Question: do two samples of vectors differ in any smooth function of the vector?
//! Input: two samples of one width, finite; a seeded generator draws frequencies and exchanges labels.
//! Formula: φ(x) = (cos wᵢ·x, sin wᵢ·x)/√[`FREQUENCIES`] with wᵢ normal of variance 2/median, median the median squared distance
//! of the pooled sample, so that φ(x)·φ(y) estimates k(x,y) = exp(-‖x-y‖²/median) and φ(x)·φ(x) = 1. With sums A and B of φ
//! over the samples: MMD² = (‖A‖²-n)/(n(n-1)) + (‖B‖²-m)/(m(m-1)) - 2A·B/(nm), unbiased. Effect: √max(0, MMD²).
//! Valid when: both sides have at least 2 vectors; the p-value holds for any sizes, because labels are exchanged.
//! Reference: Gretton et al. 2012, JMLR 13:723, eq. 3; Rahimi, Recht 2007, "Random features for large-scale kernel machines",
//! algorithm 1; Zhao, Meng 2015, doi:10.1162/NECO_a_00732 (both together).
//! Oracle: the exact kernel's MMD² in NumPy on small samples, to the error of the features.
//! Cost: (n+m) × width × [`FREQUENCIES`], and min(n,m) × [`FREQUENCIES`] a relabelling, at most [`RELABELLINGS`].

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{
    comparison::{Comparison, PMethod},
    permutation::EXCEEDANCES,
    vectors::Vectors,
};

/// Random frequencies: the kernel is estimated to about 1/√ of them.
pub const FREQUENCIES: usize = 128;
/// Relabellings at most: the smallest p-value is one in two thousand.
pub const RELABELLINGS: u64 = 1_999;
/// Vectors of each side whose distances give the width of the kernel.
const MEDIAN_OF: usize = 100;
/// Sums in single precision are carried over to double precision after so many terms.
const CARRY: usize = 64;

const WIDTH: usize = 2 * FREQUENCIES;

/// The test.
#[must_use]
pub fn fourier_mmd(a: &Vectors, b: &Vectors, rng: &mut impl Rng) -> Comparison {
    let (n, m) = (a.len(), b.len());
    if n < 2 || m < 2 || a.width() != b.width() {
        return Comparison::UNDEFINED;
    }
    let Some(median) = median_squared_distance(a, b) else { return Comparison::SAME };
    let frequencies = frequencies(a.width(), (2.0 / median).sqrt(), rng);
    let features: Vec<f32> = a.rows().chain(b.rows()).flat_map(|row| feature(row, &frequencies)).collect();
    let all = sum(&features, 0..n + m);
    // Whichever side is smaller is summed; the other is the rest.
    let squared = |chosen: &[f64], size: usize| {
        let rest: Vec<f64> = all.iter().zip(chosen).map(|(all, chosen)| all - chosen).collect();
        let (x, y) = (size as f64, (n + m - size) as f64);
        (dot(chosen, chosen) - x) / (x * (x - 1.0)) + (dot(&rest, &rest) - y) / (y * (y - 1.0))
            - 2.0 * dot(chosen, &rest) / (x * y)
    };
    let observed = squared(&sum(&features, 0..n), n);
    let p_value = exchanged((n + m, n.min(m)), observed, rng, |chosen| {
        squared(&sum(&features, chosen.iter().copied()), chosen.len())
    });
    Comparison::of(observed, observed.max(0.0).sqrt()).with_p(p_value, PMethod::Permutation)
}

/// The share of random choices of `size` rows out of `total` whose statistic reaches the observed one.
fn exchanged(
    (total, size): (usize, usize),
    observed: f64,
    rng: &mut impl Rng,
    statistic: impl Fn(&[usize]) -> f64,
) -> f64 {
    let least = observed - observed.abs() * 1e-9;
    let mut order: Vec<usize> = (0..total).collect();
    let mut exceeding = 0;
    for round in 1..=RELABELLINGS {
        for i in 0..size {
            let j = i + below(total - i, rng);
            order.swap(i, j);
        }
        if statistic(&order[..size]) >= least {
            exceeding += 1;
            if exceeding == EXCEEDANCES {
                return EXCEEDANCES as f64 / round as f64;
            }
        }
    }
    (exceeding + 1) as f64 / (RELABELLINGS + 1) as f64
}

/// A number below `bound`, by multiplication: the bias is below 2⁻³² of it.
fn below(bound: usize, rng: &mut impl Rng) -> usize {
    let product = u128::from(rng.next_u64()) * bound as u128;
    usize::try_from(product >> 64).expect("below a usize")
}

/// Half of it is the squared width of the kernel; `None` where all these vectors are one.
fn median_squared_distance(a: &Vectors, b: &Vectors) -> Option<f64> {
    let spread = |vectors: &Vectors| -> Vec<usize> {
        let wanted = vectors.len().min(MEDIAN_OF);
        (0..wanted).map(|i| i * vectors.len() / wanted).collect()
    };
    let some: Vec<&[f32]> =
        spread(a).into_iter().map(|i| a.row(i)).chain(spread(b).into_iter().map(|i| b.row(i))).collect();
    let mut squared = Vec::new();
    for (i, one) in some.iter().enumerate() {
        for other in &some[..i] {
            let distance: f64 = one.iter().zip(*other).map(|(x, y)| f64::from(x - y).powi(2)).sum();
            if distance > 0.0 && distance.is_finite() {
                squared.push(distance);
            }
        }
    }
    squared.sort_by(f64::total_cmp);
    squared.get(squared.len() / 2).copied()
}

/// One frequency after another.
fn frequencies(width: usize, scale: f64, rng: &mut impl Rng) -> Vectors {
    let mut frequencies = Vectors::new(width);
    for _ in 0..FREQUENCIES {
        let row: Vec<f32> = (0..width)
            .map(|_| {
                let normal: f64 = StandardNormal.sample(rng);
                (normal * scale) as f32
            })
            .collect();
        frequencies.push(&row);
    }
    frequencies
}

fn feature(row: &[f32], frequencies: &Vectors) -> [f32; WIDTH] {
    let mut feature = [0.0; WIDTH];
    let scale = (1.0 / FREQUENCIES as f64).sqrt() as f32;
    for (i, frequency) in frequencies.rows().enumerate() {
        let (sin, cos) = product(row, frequency).sin_cos();
        feature[2 * i] = cos * scale;
        feature[2 * i + 1] = sin * scale;
    }
    feature
}

/// A scalar product in eight sums, so that the processor can do them side by side.
fn product(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    for (x, y) in x.iter().zip(y) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f32>()
}

fn sum(features: &[f32], rows: impl Iterator<Item = usize>) -> Vec<f64> {
    let mut total = vec![0.0; WIDTH];
    let mut part = [0.0_f32; WIDTH];
    let mut terms = 0;
    for row in rows {
        for (sum, x) in part.iter_mut().zip(&features[row * WIDTH..(row + 1) * WIDTH]) {
            *sum += x;
        }
        terms += 1;
        if terms % CARRY == 0 {
            carry(&mut total, &mut part);
        }
    }
    carry(&mut total, &mut part);
    total
}

fn carry(total: &mut [f64], part: &mut [f32; WIDTH]) {
    for (total, part) in total.iter_mut().zip(part.iter_mut()) {
        *total += f64::from(std::mem::take(part));
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    use super::{fourier_mmd, median_squared_distance};
    use crate::{comparison::Comparison, vectors::Vectors};

    fn normal(count: usize, width: usize, shift: f64, rng: &mut ChaCha8Rng) -> Vectors {
        let mut vectors = Vectors::new(width);
        for _ in 0..count {
            let row: Vec<f32> = (0..width)
                .map(|_| {
                    let x: f64 = StandardNormal.sample(rng);
                    (x + shift) as f32
                })
                .collect();
            vectors.push(&row);
        }
        vectors
    }

    /// With the exact kernel, pair by pair.
    fn exact(a: &Vectors, b: &Vectors) -> f64 {
        let median = median_squared_distance(a, b).unwrap();
        let k = |x: &[f32], y: &[f32]| {
            (-x.iter().zip(y).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>() / median).exp()
        };
        let sum = |a: &Vectors, b: &Vectors| -> f64 {
            a.rows().map(|x| b.rows().map(|y| k(x, y)).sum::<f64>()).sum()
        };
        let (n, m) = (a.len() as f64, b.len() as f64);
        (sum(a, a) - n) / (n * (n - 1.0)) + (sum(b, b) - m) / (m * (m - 1.0)) - 2.0 * sum(a, b) / (n * m)
    }

    #[test]
    fn random_features_come_near_the_exact_kernel() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (width, shift) in [(3, 0.8), (40, 0.3), (200, 0.2)] {
            let (a, b) = (normal(150, width, 0.0, &mut rng), normal(120, width, shift, &mut rng));
            let test = fourier_mmd(&a, &b, &mut rng);
            let exact = exact(&a, &b);
            // The features' own error is about a tenth of a discrepancy at 128 frequencies.
            assert!(
                (test.statistic.unwrap() / exact - 1.0).abs() < 0.4,
                "{width}: {test:?} instead of {exact}"
            );
            assert!(test.p_value.unwrap() < 0.001, "{width}: {test:?}");
        }
    }

    #[test]
    fn without_change_small_p_values_are_rare() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let small = (0..300)
            .filter(|_| {
                let (a, b) = (normal(40, 8, 0.0, &mut rng), normal(25, 8, 0.0, &mut rng));
                fourier_mmd(&a, &b, &mut rng).p_value.unwrap() < 0.1
            })
            .count();
        // 30 are expected, with a standard error of 5.2.
        assert!((14..47).contains(&small), "{small} of 300");
    }

    #[test]
    fn one_same_vector_is_no_difference_and_too_few_are_none() {
        let mut same = Vectors::new(2);
        (0..5).for_each(|_| assert!(same.push(&[1.0, 2.0])));
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        assert_eq!(fourier_mmd(&same, &same, &mut rng), Comparison::SAME);
        let mut one = Vectors::new(2);
        one.push(&[1.0, 2.0]);
        assert_eq!(fourier_mmd(&one, &same, &mut rng), Comparison::UNDEFINED);
        assert_eq!(fourier_mmd(&same, &Vectors::new(2), &mut rng), Comparison::UNDEFINED);
    }
}
