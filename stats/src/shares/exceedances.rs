//! How many new values may lie outside the range of earlier ones.
//!
//! Question: the smallest and the largest of `n` values were seen; how many of `m` new ones lie beyond either by chance?
//! Input: both numbers of values, the chance of a false alarm.
//! Formula: the k lowest and highest of all n + m values are all new ones: with q(k) = Π (m-i)/(n+m-i) over i < k,
//! P(K ≥ k) = (k+1)·q(k) - k·q(k+1).
//! Valid when: values are exchangeable; whatever their distribution. Ties make exceedances rarer.
//! Reference: Gumbel, von Schelling 1950, doi:10.1214/aoms/1177729803 (exceedances of one end; both ends by the same argument).
//! Oracle: enumeration of all orders of n + m values for small n and m.
//! Cost: linear in the answer.

/// The chance of `k` or more of `m` new values outside the range of `n` earlier ones.
#[must_use]
pub fn at_least(k: u64, n: u64, m: u64) -> f64 {
    if n < 2 || k == 0 {
        return 1.0;
    }
    if k > m {
        return 0.0;
    }
    let all = n + m;
    let mut q = 1.0;
    for i in 0..k {
        q *= (m - i) as f64 / (all - i) as f64;
    }
    let next = q * (m - k) as f64 / (all - k) as f64;
    ((k + 1) as f64 * q - k as f64 * next).min(1.0)
}

/// The largest number of exceedances that is no surprise at this chance of a false alarm.
#[must_use]
pub fn highest(n: u64, m: u64, alpha: f64) -> u64 {
    if n < 2 {
        return m;
    }
    let all = n + m;
    let (mut q, mut k) = (1.0, 0);
    while k < m {
        // q belongs to k; the chance of k + 1 or more decides whether k is the last one.
        let one = q * (m - k) as f64 / (all - k) as f64;
        let two = if k + 1 < m { one * (m - k - 1) as f64 / (all - k - 1) as f64 } else { 0.0 };
        if (k + 2) as f64 * one - (k + 1) as f64 * two <= alpha {
            return k;
        }
        q = one;
        k += 1;
    }
    k
}

#[cfg(test)]
mod tests {
    use super::{at_least, highest};

    /// Which of `n + m` places the new values take, for all ways to choose them: the share with `k` or more outside.
    fn enumerated(k: usize, n: usize, m: usize) -> f64 {
        let (mut hits, mut all) = (0_u32, 0_u32);
        for mask in 0_u32..1 << (n + m) {
            if mask.count_ones() as usize != m {
                continue;
            }
            let old: Vec<usize> = (0..n + m).filter(|i| mask >> i & 1 == 0).collect();
            let outside = old[0] + (n + m - 1 - old[n - 1]);
            all += 1;
            hits += u32::from(outside >= k);
        }
        f64::from(hits) / f64::from(all)
    }

    #[test]
    fn the_formula_is_the_enumeration() {
        for (n, m) in [(2, 3), (4, 4), (6, 3), (3, 6)] {
            for k in 0..=m {
                let (formula, truth) = (at_least(k as u64, n as u64, m as u64), enumerated(k, n, m));
                assert!((formula - truth).abs() < 1e-12, "{k} of {m} beyond {n}: {formula}, {truth}");
            }
        }
    }

    #[test]
    fn the_bound_is_the_last_count_above_alpha() {
        for (n, m) in [(1_000, 1_000), (50, 2_000), (100_000, 30)] {
            let bound = highest(n, m, 0.001);
            assert!(at_least(bound, n, m) > 0.001 && at_least(bound + 1, n, m) <= 0.001, "{n} {m} {bound}");
        }
        assert_eq!((highest(0, 7, 0.001), highest(1, 7, 0.001)), (7, 7));
    }
}
