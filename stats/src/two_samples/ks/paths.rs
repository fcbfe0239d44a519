//! The exact two-sample distribution: lattice paths that touch the band |i/n - j/m| ≥ d.

use crate::walk::Sizes;

/// P(D ≥ h/n) for two samples of n values: the reflection principle.
///
/// 2·Σ (-1)^(k+1) C(2n, n-kh)/C(2n, n), evaluated from the last term to the first as nested products, so that nothing
/// cancels: each term is a product of factors below one times (1 - the rest).
pub(super) fn equal_sizes(n: u64, h: u64) -> f64 {
    if h == 0 {
        return 1.0;
    }
    let mut nested = 0.0;
    for k in (0..n / h).rev() {
        // C(2n, n-(k+1)h) / C(2n, n-kh) = Π (n-kh-j)/(n+kh+j+1) over j < h.
        let ratio: f64 = (0..h).map(|j| (n - k * h - j) as f64 / (n + k * h + j + 1) as f64).product();
        nested = ratio * (1.0 - nested);
    }
    (2.0 * nested).clamp(0.0, 1.0)
}

/// P(D ≥ largest/(n·m)): the probability of paths is carried along the lattice inside the band, and what leaves the band is
/// summed; only positive numbers are added.
pub(super) fn unequal_sizes(sizes: Sizes, largest: u64) -> f64 {
    let (n, m) = (sizes.a, sizes.b);
    let width = usize::try_from(m + 1).expect("bounded by the size limit of the exact distribution");
    let mut row = vec![0.0; width];
    row[0] = 1.0;
    let (mut absorbed, mut before) = (0.0, 0);
    for i in 0..=n {
        // The band: |i·m - j·n| < largest.
        let low = (i * m + 1).checked_sub(largest).map_or(0, |least| least.div_ceil(n));
        let high = ((i * m + largest).div_ceil(n) - 1).min(m);
        for j in before..low {
            absorbed += std::mem::take(&mut row[at(j)]);
        }
        before = low;
        for j in low..=high {
            let mass = row[at(j)];
            let left = (n - i + m - j) as f64;
            if mass == 0.0 || left == 0.0 {
                continue;
            }
            let right = mass * (m - j) as f64 / left;
            if j < high {
                row[at(j) + 1] += right;
            } else {
                absorbed += right;
            }
            // What stays here is the mass that steps to (i + 1, j).
            row[at(j)] = mass * (n - i) as f64 / left;
        }
    }
    absorbed.min(1.0)
}

fn at(j: u64) -> usize {
    usize::try_from(j).expect("below the width")
}
