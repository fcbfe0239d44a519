//! Whether a few units have most of the rows of a quantile, or of what is below the line of a ratio. Pure.

use windvane_stats::experiment::{clustered, sums::PairSums};
use windvane_types::experiment::{Check, CheckVerdict};

use super::check;
use crate::experiment::facts::{ArmSums, Facts};

/// Effective units below which the standard error comes out too small: of experiments without an effect 7 % are significant at .05 with 35,
/// 8 % with 23 and 92 % with 1.2.
const EFFECTIVE_MIN: f64 = 30.0;

/// One warning for each metric and arm whose rows are not spread, the control among them where any arm is tested against it.
pub(super) fn checks(facts: &Facts, control: usize) -> Vec<Check> {
    let tested: Vec<usize> = facts.tested(control).collect();
    let counts = |arm: usize| tested.contains(&arm) || (arm == control && !tested.is_empty());
    let mut checks = Vec::new();
    for metric in &facts.metrics {
        for (place, (side, arm)) in metric.arms.iter().zip(&facts.arms).enumerate() {
            if !counts(place) {
                continue;
            }
            let Some(sums) = clusters(&side.sums) else { continue };
            let Some(effective) = clustered::effective_units(&sums) else { continue };
            // Few units that are alike are no concentration.
            if effective < EFFECTIVE_MIN && effective < sums.n() as f64 / 2.0 {
                checks.push(told(effective, sums.n(), format!("{} of {}", metric.metric.label(), arm.name)));
            }
        }
    }
    checks
}

/// Each unit's part above the line and below it.
fn clusters(sums: &ArmSums) -> Option<PairSums> {
    match sums {
        ArmSums::Ratio(sums) => Some(*sums),
        ArmSums::AdjustedRatio(sums) => Some(sums.select([0, 1])),
        ArmSums::Quantile(arm) => arm.as_ref().map(|arm| arm.clusters),
        ArmSums::Mean(_) | ArmSums::Proportion(_) | ArmSums::Adjusted(..) | ArmSums::Estimated(_) => None,
    }
}

fn told(effective: f64, units: u64, subject: String) -> Check {
    let meaning = format!(
        "A few units have most of what is counted: the arm's {units} units say as much as {effective:.1} of one size, and the error that is told is \
         too small."
    );
    let advice = "Look at the largest units: bots, a shared identifier, one large customer? Leave them out in all arms, or compare a mean over units (NAME:mean).";
    let numbers = (Some(subject), Some(effective), Some(EFFECTIVE_MIN));
    check("unit_concentration", CheckVerdict::Warning, numbers, (&meaning, advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{
        Metric,
        facts::{ArmFacts, ArmMetric, MetricFacts, Parts},
        metric::Measured,
    };

    /// An arm whose units have so many rows each.
    fn arm(rows: &[u32]) -> ArmMetric {
        let mut sums = PairSums::default();
        rows.iter().for_each(|rows| sums.push([f64::from(rows % 5), f64::from(*rows)]));
        let n = sums.n();
        ArmMetric { sums: ArmSums::Ratio(sums), n, missing: 0, partial: 0, capped: 0, floored: 0, values: n }
    }

    fn warnings(control: &[u32], of_b: &[u32]) -> Vec<Check> {
        let metric = MetricFacts {
            metric: Metric::new("clicks", Measured::Ratio { denominator: "views".to_owned() }),
            covariate: None,
            arms: vec![arm(control), arm(of_b)],
            notes: Vec::new(),
            reason: None,
        };
        let arms = ["A", "B"].map(|name| ArmFacts { name: name.to_owned(), units: 200, weight: 0.5 });
        let facts = Facts {
            source: "e".to_owned(),
            rows: None,
            unassigned: 0,
            units: 400,
            several: 0,
            arms: arms.to_vec(),
            metrics: vec![metric],
            parts: Parts::default(),
        };
        checks(&facts, 0)
    }

    // 2199²/(199 + 2000²) is 1.2.
    #[test]
    fn a_unit_with_nearly_all_rows_is_told_in_its_arm() {
        let (spread, mut heavy) = ([1; 200], [1; 200]);
        heavy[7] = 2000;
        let found = warnings(&spread, &heavy);
        let [check] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((check.check.as_str(), check.verdict), ("unit_concentration", CheckVerdict::Warning));
        assert_eq!(check.subject.as_deref(), Some("clicks/views of B"));
        assert!(check.meaning.contains("200 units say as much as 1.2 of one size"), "{}", check.meaning);
    }

    #[test]
    fn few_units_that_are_alike_are_no_concentration() {
        assert!(warnings(&[3, 4, 3, 4, 3, 4], &[1, 2, 3, 4]).is_empty());
        assert_eq!(clusters(&ArmSums::Quantile(None)), None);
    }
}
