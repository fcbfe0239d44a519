//! The distribution of the one-sample statistic D_n, by the regions of Simard and L'Ecuyer 2011, table 1.

use std::f64::consts::PI;

use statrs::function::{factorial::ln_factorial, gamma::ln_gamma};

/// P(D_n ≥ d).
pub(super) fn survival(n: f64, d: f64) -> f64 {
    let t = n * d;
    if d >= 1.0 || n < 1.0 {
        return if d >= 1.0 { 0.0 } else { 1.0 };
    }
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        // Ruben, Gambino 1982: P(D_n ≤ d) = n! (2d - 1/n)^n.
        return 1.0 - (ln_gamma(n + 1.0) + n * (2.0 * d - 1.0 / n).ln()).exp();
    }
    if t >= n - 1.0 {
        return 2.0 * (1.0 - d).powf(n);
    }
    let t_d = t * d;
    if d >= 0.5 || t_d >= if n <= 140.0 { 4.0 } else { 2.2 } {
        // Twice the one-sided tail: the error is the chance of leaving on both sides, below 1e-13 here.
        return (2.0 * one_sided(n, d)).min(1.0);
    }
    let cdf = if n <= 140.0 || (n <= 1e5 && n * d.powf(1.5) <= 1.4) { durbin(n, d) } else { pelz_good(n, d) };
    (1.0 - cdf).clamp(0.0, 1.0)
}

/// P(D_n⁺ ≥ d) = d Σ C(n,j) (d + j/n)^(j-1) (1 - d - j/n)^(n-j) over j ≤ n(1-d). Smirnov 1944; Birnbaum, Tingey 1951.
fn one_sided(n: f64, d: f64) -> f64 {
    let last = (n * (1.0 - d)).floor();
    let ln_n = ln_gamma(n + 1.0);
    let mut sum = 0.0;
    let mut j = 0.0;
    while j <= last {
        let up = d + j / n;
        let down = 1.0 - up;
        if down > 0.0 {
            let choose = ln_n - ln_gamma(j + 1.0) - ln_gamma(n - j + 1.0);
            sum += (choose + (j - 1.0) * up.ln() + (n - j) * down.ln_1p_of(up)).exp();
        }
        j += 1.0;
    }
    d * sum
}

trait LnOneMinus {
    fn ln_1p_of(self, up: f64) -> f64;
}

impl LnOneMinus for f64 {
    fn ln_1p_of(self, up: f64) -> f64 {
        if up < 0.5 { (-up).ln_1p() } else { self.ln() }
    }
}

/// Durbin's matrix in the form of Marsaglia, Tsang, Wang 2003, doi:10.18637/jss.v008.i18, eq. 1 to 3.
#[expect(clippy::cast_sign_loss, reason = "n and n·d are above 0")]
fn durbin(n: f64, d: f64) -> f64 {
    let k = (n * d).ceil();
    let h = k - n * d;
    let size = (2.0 * k - 1.0) as usize;
    let mut matrix = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..size {
            if i + 1 >= j {
                let below = (i + 1 - j) as u64;
                let corner = if i == size - 1 && j == 0 {
                    1.0 - 2.0 * h.powi(size as i32) + (2.0 * h - 1.0).max(0.0).powi(size as i32)
                } else if j == 0 {
                    1.0 - h.powi(i as i32 + 1)
                } else if i == size - 1 {
                    1.0 - h.powi((size - j) as i32)
                } else {
                    1.0
                };
                matrix[i * size + j] = corner * (-ln_factorial(below)).exp();
            }
        }
    }
    let (power, ln_scale) = matrix_power(&matrix, size, n as u64);
    let middle = k as usize - 1;
    let entry = power[middle * size + middle];
    // n!/n^n, with the scale of the powers put back.
    let ln_factor = ln_gamma(n + 1.0) - n * n.ln() + ln_scale;
    (entry.ln() + ln_factor).exp().clamp(0.0, 1.0)
}

fn matrix_power(matrix: &[f64], size: usize, power: u64) -> (Vec<f64>, f64) {
    let mut result: Vec<f64> =
        (0..size * size).map(|i| if i / size == i % size { 1.0 } else { 0.0 }).collect();
    let mut square = matrix.to_vec();
    let (mut ln_result, mut ln_square, mut left) = (0.0, 0.0, power);
    while left > 0 {
        if left & 1 == 1 {
            result = multiply(&result, &square, size);
            ln_result += ln_square + rescale(&mut result, size);
        }
        left >>= 1;
        if left > 0 {
            square = multiply(&square, &square, size);
            ln_square = 2.0 * ln_square + rescale(&mut square, size);
        }
    }
    (result, ln_result)
}

fn multiply(a: &[f64], b: &[f64], size: usize) -> Vec<f64> {
    let mut product = vec![0.0; size * size];
    for i in 0..size {
        for k in 0..size {
            let factor = a[i * size + k];
            if factor != 0.0 {
                for j in 0..size {
                    product[i * size + j] += factor * b[k * size + j];
                }
            }
        }
    }
    product
}

fn rescale(matrix: &mut [f64], size: usize) -> f64 {
    let largest = matrix[(size / 2) * size + size / 2];
    if !(largest > 1e100 || (largest > 0.0 && largest < 1e-100)) {
        return 0.0;
    }
    matrix.iter_mut().for_each(|entry| *entry /= largest);
    largest.ln()
}

/// Pelz, Good 1976, doi:10.1111/j.2517-6161.1976.tb01579.x: K₀ + K₁/√n + K₂/n + K₃/n^1.5 in theta functions of z = d·√n.
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = d * n.sqrt();
    let z2 = z * z;
    let (z4, z6) = (z2 * z2, z2 * z2 * z2);
    let (p2, p4, p6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    for k in 1..=(16.0 * z / PI).ceil().max(1.0) as i32 {
        let o2 = f64::from(2 * k - 1).powi(2);
        let weight = (-p2 * o2 / (8.0 * z2)).exp();
        k0 += weight;
        k1 += weight * (p2 / 4.0 * o2 - z2);
        k2 += weight
            * (6.0 * z6
                + 2.0 * z4
                + p2 / 4.0 * (2.0 * z4 - 5.0 * z2) * o2
                + p4 / 16.0 * (1.0 - 2.0 * z2) * o2 * o2);
        k3 += weight
            * (-30.0 * z6 - 90.0 * z4 * z4
                + p2 / 4.0 * (135.0 * z4 - 96.0 * z6) * o2
                + p4 / 16.0 * (212.0 * z4 - 60.0 * z2) * o2 * o2
                + p6 / 64.0 * (5.0 - 30.0 * z2) * o2 * o2 * o2);
    }
    let root = (2.0 * PI).sqrt();
    k0 *= root / z;
    k1 *= root / (6.0 * z4);
    k2 *= root / (72.0 * z4 * z2 * z);
    k3 *= root / (6480.0 * z6 * z4);
    for k in 1..=(16.0 * z / PI).ceil().max(1.0) as i32 {
        let e2 = f64::from(k).powi(2);
        let weight = (-p2 * e2 / (2.0 * z2)).exp();
        k2 -= root * p2 / (36.0 * z2 * z) * e2 * weight;
        k3 += root * p2 / (216.0 * z6) * (3.0 * z2 - p2 * e2) * e2 * weight;
    }
    (k0 + k1 / n.sqrt() + k2 / n + k3 / n.powf(1.5)).clamp(0.0, 1.0)
}
