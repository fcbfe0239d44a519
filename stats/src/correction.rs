//! Multiple testing: adjusted p-values over a family.
//!
//! Question: which of many p-values are still remarkable when all of them are looked at?
//! Input: p-values of 0 to 1 in any order; which of them are of the primary metric.
//! Formula: Bonferroni min(1, m·p); Holm max over smaller ones of (m-i+1)·p₍ᵢ₎; Benjamini-Hochberg min over larger ones of
//! m/i·p₍ᵢ₎; Benjamini-Yekutieli the same times Σ 1/i. Preferential Bonferroni min(1, p·k/γ) for k primary p-values that share
//! γ of alpha, min(1, p·(m-k)/(1-γ)) for the others.
//! Valid when: Bonferroni in both forms, Holm and BY always; BH for independent or positively dependent tests.
//! Reference: Holm 1979, doi:10.2307/4615733; Benjamini, Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x;
//! Benjamini, Yekutieli 2001, doi:10.1214/aos/1013699998.
//! Oracle: statsmodels 0.14 `multipletests(p, method='bonferroni'|'holm'|'fdr_bh'|'fdr_by')`.
//! Cost: one sort.

/// How a family of p-values is adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Correction {
    /// Benjamini-Hochberg: the false discovery rate.
    #[default]
    Bh,
    /// Benjamini-Yekutieli: the same under any dependence.
    By,
    /// Holm: the chance of a single false alarm.
    Holm,
    /// Bonferroni: the same, simpler and weaker.
    Bonferroni,
    /// None: p-values are copied.
    None,
}

impl Correction {
    /// Every correction, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Bh, Self::By, Self::Holm, Self::Bonferroni, Self::None];

    /// The word of the command line and of the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bh => "bh",
            Self::By => "by",
            Self::Holm => "holm",
            Self::Bonferroni => "bonferroni",
            Self::None => "none",
        }
    }

    /// The adjusted p-values, in the order of `p_values`.
    #[must_use]
    pub fn adjust(self, p_values: &[f64]) -> Vec<f64> {
        let m = p_values.len() as f64;
        match self {
            Self::None => p_values.to_vec(),
            Self::Bonferroni => p_values.iter().map(|p| (p * m).min(1.0)).collect(),
            Self::Holm => step_down(p_values),
            Self::Bh => step_up(p_values, 1.0),
            Self::By => step_up(p_values, harmonic(p_values.len())),
        }
    }

    /// What the smallest of so many p-values is multiplied by, where no other one is small.
    #[must_use]
    pub fn of_smallest(self, p_values: usize) -> f64 {
        let m = p_values as f64;
        match self {
            Self::None => 1.0,
            Self::Bonferroni | Self::Holm | Self::Bh => m,
            Self::By => m * harmonic(p_values),
        }
    }
}

/// Σ 1/i.
fn harmonic(n: usize) -> f64 {
    (1..=n).map(|i| 1.0 / i as f64).sum()
}

/// A p-value and whether its metric is the one that decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The p-value.
    pub p_value: f64,
    /// Whether it is of a primary metric.
    pub primary: bool,
}

/// Bonferroni's correction that gives the primary p-values together `primary_share` of alpha, above 0 and below 1, and the others
/// the rest. Where all are of one sort, they get all of it.
#[must_use]
pub fn preferential_bonferroni(family: &[Ranked], primary_share: f64) -> Vec<f64> {
    let primary = family.iter().filter(|ranked| ranked.primary).count() as f64;
    let others = family.len() as f64 - primary;
    let (of_primary, of_others) =
        if primary > 0.0 && others > 0.0 { (primary_share, 1.0 - primary_share) } else { (1.0, 1.0) };
    let factor = |ranked: &Ranked| if ranked.primary { primary / of_primary } else { others / of_others };
    family.iter().map(|ranked| (ranked.p_value * factor(ranked)).min(1.0)).collect()
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    order
}

fn step_down(p_values: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (i, index) in ascending(p_values).into_iter().enumerate() {
        largest = largest.max((p_values[index] * (p_values.len() - i) as f64).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

fn step_up(p_values: &[f64], factor: f64) -> Vec<f64> {
    let mut adjusted = vec![0.0; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (i, index) in ascending(p_values).into_iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * factor * p_values.len() as f64 / (i + 1) as f64);
        adjusted[index] = smallest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Correction, Ranked, preferential_bonferroni};

    fn check(correction: Correction, p_values: &[f64], expected: &[f64], tolerance: f64) {
        for (actual, expected) in correction.adjust(p_values).iter().zip(expected) {
            assert!((actual - expected).abs() < tolerance, "{actual} instead of {expected}");
        }
    }

    // GrowthBook, packages/shared/test/experiments.test.ts; printed to four digits.
    #[test]
    fn case_18_agrees_with_published_examples() {
        let p = [0.01, 0.04, 0.03, 0.005, 0.55, 0.6];
        check(Correction::Holm, &p, &[0.05, 0.12, 0.12, 0.03, 1.0, 1.0], 1e-12);
        let p = [0.898, 0.138, 0.007, 0.964, 0.538, 0.006, 0.138];
        check(Correction::Bh, &p, &[0.964, 0.2415, 0.0245, 0.964, 0.7532, 0.0245, 0.2415], 5e-5);
    }

    // One primary metric with half of alpha and four others with an eighth each: exact multiples.
    #[test]
    fn the_primary_metric_keeps_its_share() {
        let family = [0.02, 0.02, 0.1, 0.2, 0.001].map(|p_value| Ranked { p_value, primary: false });
        let mut with_primary = family;
        with_primary[0].primary = true;
        assert_eq!(preferential_bonferroni(&with_primary, 0.5), [0.04, 0.16, 0.8, 1.0, 0.008]);
        assert_eq!(preferential_bonferroni(&family, 0.5), [0.1, 0.1, 0.5, 1.0, 0.005]);
        assert_eq!(preferential_bonferroni(&with_primary[..1], 0.5), [0.02]);
        assert!(preferential_bonferroni(&[], 0.5).is_empty());
    }

    #[test]
    fn an_empty_family_stays_empty() {
        for correction in Correction::ALL {
            assert!(correction.adjust(&[]).is_empty());
        }
    }

    #[test]
    fn the_smallest_of_a_family_is_multiplied_by_what_is_said() {
        for correction in Correction::ALL {
            for n in 1..=40 {
                let mut family = vec![1.0; n];
                family[n / 2] = 1e-6;
                let factor = correction.adjust(&family)[n / 2] / 1e-6;
                assert!((factor / correction.of_smallest(n) - 1.0).abs() < 1e-12, "{correction:?} of {n}");
            }
        }
    }

    proptest! {
        // No adjusted p-value is below its own or above 1, and the order is kept.
        #[test]
        fn adjusted_values_are_larger_and_ordered(p in prop::collection::vec(0.0_f64..=1.0, 1..60)) {
            for correction in Correction::ALL {
                let adjusted = correction.adjust(&p);
                for i in 0..p.len() {
                    prop_assert!(adjusted[i] >= p[i] * (1.0 - 1e-15) && adjusted[i] <= 1.0);
                    for j in 0..p.len() {
                        prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                    }
                }
            }
        }

        // BY is never less strict than BH, nor Bonferroni than Holm, nor Holm than BH.
        #[test]
        fn stricter_corrections_are_larger(p in prop::collection::vec(0.0_f64..=1.0, 1..60)) {
            let of = |correction: Correction| correction.adjust(&p);
            let (bh, by, holm, bonferroni) =
                (of(Correction::Bh), of(Correction::By), of(Correction::Holm), of(Correction::Bonferroni));
            for i in 0..p.len() {
                prop_assert!(bh[i] <= by[i] && bh[i] <= holm[i] * (1.0 + 1e-12) && holm[i] <= bonferroni[i]);
            }
        }
    }
}
