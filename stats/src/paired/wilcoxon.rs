//! Wilcoxon's signed ranks: whether differences of pairs lie around 0.
//!
//! Question: are the differences to one side larger or more frequent?
//! Input: differences, second minus first; ±inf are the largest; differences of 0 are left out.
//! Formula: R⁺ = Σ midranks of |d| with d > 0. Exact: the distribution of R⁺ over all signs; up to 50 differences without ties
//! or zeros, up to 13 with. Else z = (R⁺ - n(n+1)/4 ∓ ½)/σ, σ² = (n(n+1)(2n+1) - ½Σ(t³-t))/24.
//! Valid when: pairs are independent and differences symmetric around their middle if there is no change.
//! Degenerate: without a difference that is not 0, p is 1.
//! Reference: Wilcoxon 1945, doi:10.2307/3001968; Pratt, Gibbons 1981, chapter 3 (zeros, ties).
//! Oracle: SciPy 1.17 `scipy.stats.wilcoxon(differences, correction=True, alternative, method='auto')`; with zeros its rule of 13
//! counts them.
//! Cost: one sort; exact n³ additions.

use crate::{comparison::PMethod, experiment::effect::Alternative, survival};

/// Differences up to which the exact distribution is used without ties, as in SciPy.
const EXACT_MAX: usize = 50;
/// The same with ties or zeros, as in SciPy.
const TIED_EXACT_MAX: usize = 13;

/// The test's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wilcoxon {
    /// The sum of the ranks of positive differences.
    pub rank_sum_positive: f64,
    /// The sum of the ranks of negative ones.
    pub rank_sum_negative: f64,
    /// Differences that are not 0.
    pub n: u64,
    /// The p-value, never 0.
    pub p_value: f64,
    /// How it was computed.
    pub p_method: PMethod,
}

/// The test; `Greater`: differences tend to be above 0. `None` where a difference is NaN.
#[must_use]
pub fn wilcoxon(differences: &[f64], alternative: Alternative) -> Option<Wilcoxon> {
    if differences.iter().any(|difference| difference.is_nan()) {
        return None;
    }
    let mut kept: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    kept.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranks = Ranks::of(&kept);
    let regular = !ranks.tied && kept.len() == differences.len();
    let exact = if regular { kept.len() <= EXACT_MAX } else { differences.len() <= TIED_EXACT_MAX };
    let p_value = if kept.is_empty() {
        1.0
    } else if exact {
        ranks.exact(alternative)
    } else {
        ranks.asymptotic(alternative)
    };
    let all = (kept.len() * (kept.len() + 1)) as f64 / 2.0;
    let positive = ranks.twice_positive as f64 / 2.0;
    Some(Wilcoxon {
        rank_sum_positive: positive,
        rank_sum_negative: all - positive,
        n: kept.len() as u64,
        p_value: p_value.clamp(f64::MIN_POSITIVE, 1.0),
        p_method: if exact || kept.is_empty() { PMethod::Exact } else { PMethod::Asymptotic },
    })
}

/// Midranks, doubled to stay integers.
struct Ranks {
    twice: Vec<u64>,
    twice_positive: u64,
    ties: f64,
    tied: bool,
}

impl Ranks {
    fn of(sorted: &[f64]) -> Self {
        let mut ranks =
            Self { twice: Vec::with_capacity(sorted.len()), twice_positive: 0, ties: 0.0, tied: false };
        for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
            let (before, here) = (ranks.twice.len() as u64, group.len() as u64);
            let twice = 2 * before + here + 1;
            ranks.twice.extend(std::iter::repeat_n(twice, group.len()));
            ranks.twice_positive += twice * group.iter().filter(|d| **d > 0.0).count() as u64;
            if here > 1 {
                let t = here as f64;
                ranks.ties += t * t * t - t;
                ranks.tied = true;
            }
        }
        ranks
    }

    fn exact(&self, alternative: Alternative) -> f64 {
        let index = |at: u64| usize::try_from(at).expect("bounded by EXACT_MAX");
        let most = index(self.twice.iter().sum());
        // How likely each doubled sum is when every sign is a coin.
        let mut chance = vec![0.0; most + 1];
        chance[0] = 1.0;
        let mut reached = 0;
        for twice in &self.twice {
            let twice = index(*twice);
            for at in (0..=reached).rev() {
                chance[at] *= 0.5;
                chance[at + twice] += chance[at];
            }
            reached += twice;
        }
        let here = index(self.twice_positive);
        let (below, above) = (chance[..=here].iter().sum::<f64>(), chance[here..].iter().rev().sum::<f64>());
        match alternative {
            Alternative::TwoSided => 2.0 * below.min(above),
            Alternative::Less => below,
            Alternative::Greater => above,
        }
    }

    fn asymptotic(&self, alternative: Alternative) -> f64 {
        let n = self.twice.len() as f64;
        let off = self.twice_positive as f64 / 2.0 - n * (n + 1.0) / 4.0;
        let deviation = ((n * (n + 1.0) * (2.0 * n + 1.0) - self.ties / 2.0) / 24.0).sqrt();
        match alternative {
            Alternative::TwoSided if off == 0.0 => 1.0,
            Alternative::TwoSided => survival::normal_two_sided((off.abs() - 0.5) / deviation),
            Alternative::Greater => survival::normal((off - 0.5) / deviation),
            Alternative::Less => survival::normal((-off - 0.5) / deviation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::wilcoxon;
    use crate::{comparison::PMethod, experiment::effect::Alternative};

    // 3 of 2⁴: the sums 0, 1 and 2 of the ranks 1 to 4; twice that.
    #[test]
    fn four_differences_are_counted() {
        let test = wilcoxon(&[3.0, -2.0, 4.0, 5.0], Alternative::TwoSided).unwrap();
        assert_eq!((test.rank_sum_positive, test.rank_sum_negative), (9.0, 1.0));
        assert_eq!((test.p_value, test.p_method), (0.25, PMethod::Exact));
    }

    #[test]
    fn nothing_but_zeros_is_no_difference() {
        let test = wilcoxon(&[0.0; 30], Alternative::Greater).unwrap();
        assert_eq!((test.p_value, test.n), (1.0, 0));
        assert_eq!(wilcoxon(&[], Alternative::TwoSided).unwrap().p_value, 1.0);
    }

    #[test]
    fn infinite_differences_are_the_largest() {
        let infinite =
            wilcoxon(&[f64::INFINITY, -1.0, 2.0, f64::NEG_INFINITY], Alternative::TwoSided).unwrap();
        let finite = wilcoxon(&[9.0, -1.0, 2.0, -9.0], Alternative::TwoSided).unwrap();
        assert_eq!(infinite, finite);
        assert_eq!(wilcoxon(&[f64::NAN], Alternative::TwoSided), None);
    }

    #[test]
    fn directions_mirror_each_other() {
        let values: Vec<f64> = (1..80).map(|i| f64::from(i % 17) - 5.5).collect();
        let mirrored: Vec<f64> = values.iter().map(|d| -d).collect();
        let less = wilcoxon(&values, Alternative::Less).unwrap().p_value;
        assert_eq!(less, wilcoxon(&mirrored, Alternative::Greater).unwrap().p_value);
    }
}
