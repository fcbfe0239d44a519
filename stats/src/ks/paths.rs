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

/// P(D ≥ largest/(n·m)): the probability of paths is carried along the lattice, and what reaches the band is summed there;
/// only positive numbers are added.
pub(super) fn unequal_sizes(sizes: Sizes, largest: u64) -> f64 {
    let (n, m) = (sizes.a, sizes.b);
    let outside = |i: u64, j: u64| (i * m).abs_diff(j * n) >= largest;
    let width = usize::try_from(m + 1).expect("bounded by the size limit of the exact distribution");
    let mut row = vec![0.0; width];
    let mut absorbed = 0.0;
    row[0] = 1.0;
    for i in 0..=n {
        for j in 0..=m {
            let at = usize::try_from(j).expect("below the width");
            let mass = if i == 0 && j == 0 { 1.0 } else { row[at] };
            if mass == 0.0 {
                continue;
            }
            if outside(i, j) {
                absorbed += mass;
                row[at] = 0.0;
                continue;
            }
            let left = (n - i + m - j) as f64;
            if left == 0.0 {
                continue;
            }
            if j < m {
                row[at + 1] += mass * (m - j) as f64 / left;
            }
            // What stays in `row[at]` is the mass that steps to (i+1, j).
            row[at] = mass * (n - i) as f64 / left;
        }
    }
    absorbed.min(1.0)
}
