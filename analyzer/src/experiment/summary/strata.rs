//! The strata of a summary: the sums of a metric again, within each value of something that was known before the experiment.

use windvane_stats::experiment::sums::{Sums, SumsError};
use windvane_types::{
    experiment::Kind,
    experiment_summary::{StratumArm, SummaryArm, SummaryMetric, SummaryStratum},
};

use super::{counted, successes};
use crate::experiment::{ExperimentError, cuts::STRATA_MAX, facts::Parts};

/// Sums of doubles in another order differ by less than this share of the sum of their sizes.
const ROUNDING: f64 = 1e-9;

/// The strata of all metrics, and the units of those of the first metric that has some; `names` are the arms in their order.
pub(super) fn parts(metrics: &[SummaryMetric], names: &[&str]) -> Result<Parts, ExperimentError> {
    let mut parts = Parts::default();
    for metric in metrics {
        let wrong = |problem: String| ExperimentError::Summary {
            problem: format!("metric `{}` {problem}", metric.metric),
        };
        let strata = of_metric(metric, names).map_err(wrong)?;
        if parts.strata_units.is_empty() {
            let units = |arms: &Vec<Sums>| arms.iter().map(Sums::n).collect();
            parts.strata_units = strata.iter().map(units).collect();
        }
        parts.strata.push(strata);
    }
    Ok(parts)
}

/// For each stratum the sums by arm; the error says what is wrong with the metric.
fn of_metric(metric: &SummaryMetric, names: &[&str]) -> Result<Vec<Vec<Sums>>, String> {
    let strata = &metric.strata;
    if strata.is_empty() {
        return Ok(Vec::new());
    }
    if !matches!(metric.kind, Kind::Mean | Kind::Proportion) {
        return Err("has `strata`, which go with a mean or a proportion".to_owned());
    }
    if metric.arms.iter().any(|arm| arm.cov_sum.is_some()) {
        return Err(
            "has `strata` and `cov_sum`, which both take out what was there before: give one of them"
                .to_owned(),
        );
    }
    if strata.len() > STRATA_MAX {
        return Err(format!("has {} strata; {STRATA_MAX} at most, or most have too few units", strata.len()));
    }
    let mut seen: Vec<&str> = strata.iter().map(|stratum| stratum.stratum.as_str()).collect();
    seen.sort_unstable();
    if let Some(twice) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("has the stratum `{}` twice", twice[0]));
    }
    for arm in &metric.arms {
        adds_up(arm, strata)?;
    }
    let of = |stratum: &SummaryStratum| of_stratum(metric.kind, stratum, names);
    strata.iter().map(of).collect()
}

/// The sums of a stratum by arm; an arm that it does not have has no units in it.
fn of_stratum(kind: Kind, stratum: &SummaryStratum, names: &[&str]) -> Result<Vec<Sums>, String> {
    let of_arm = |name: &&str| match stratum.arms.iter().find(|arm| arm.arm == **name) {
        Some(arm) => sums(kind, arm).map_err(|problem| {
            format!("has a stratum `{}` whose arm `{}` {problem}", stratum.stratum, arm.arm)
        }),
        None => Ok(Sums::default()),
    };
    for arm in &stratum.arms {
        let times = stratum.arms.iter().filter(|other| other.arm == arm.arm).count();
        if !names.contains(&arm.arm.as_str()) || times > 1 {
            return Err(format!(
                "has a stratum `{}` with the arm `{}`, which is there twice or not among the arms of the whole",
                stratum.stratum, arm.arm
            ));
        }
    }
    names.iter().map(of_arm).collect()
}

fn sums(kind: Kind, arm: &StratumArm) -> Result<Sums, String> {
    let n = counted(arm.n).ok_or_else(|| format!("has `n` {}; it counts units", arm.n))?;
    let impossible = |error: SumsError| format!("has sums that no units have: {error}");
    let sum_sq = match kind {
        // The squares of 0 and 1 are themselves.
        Kind::Proportion => {
            successes(n, arm.sum).map_err(impossible)?;
            arm.sum
        }
        _ => arm.sum_sq.ok_or("has no `sum_sq`")?,
    };
    Sums::of(n, arm.sum, sum_sq).map_err(impossible)
}

/// Strata are made of the units of the whole, each of which is in one.
fn adds_up(whole: &SummaryArm, strata: &[SummaryStratum]) -> Result<(), String> {
    let parts = strata.iter().flat_map(|stratum| &stratum.arms);
    let parts: Vec<&StratumArm> = parts.filter(|arm| arm.arm == whole.arm).collect();
    let differs = |whole: f64, parts: &[f64]| {
        let size: f64 = parts.iter().map(|part| part.abs()).sum();
        let sum: f64 = parts.iter().sum();
        (sum - whole).abs() > ROUNDING * size.max(whole.abs())
    };
    let units: Vec<f64> = parts.iter().map(|arm| arm.n).collect();
    let sums: Vec<f64> = parts.iter().map(|arm| arm.sum).collect();
    let squares: Option<Vec<f64>> = parts.iter().map(|arm| arm.sum_sq).collect();
    let squares_differ =
        whole.sum_sq.zip(squares).is_some_and(|(whole, parts)| !parts.is_empty() && differs(whole, &parts));
    if differs(whole.n, &units) || differs(whole.sum, &sums) || squares_differ {
        return Err(format!(
            "has strata that do not add up to its arm `{}`: every unit is in one stratum, and counts in `arms` too",
            whole.arm
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use windvane_types::experiment_summary::Summary;

    use crate::experiment::{ExperimentError, facts::Facts, summary};

    fn read(metric: &Value) -> Result<Facts, ExperimentError> {
        let summary: Summary =
            serde_json::from_value(json!({"schema": summary::SCHEMA, "control": "a", "metrics": [metric]}))
                .unwrap();
        summary::facts(&summary, "sums.json")
    }

    fn metric() -> Value {
        json!({
            "metric": "m", "type": "mean",
            "arms": [
                {"arm": "a", "n": 5, "sum": 9.0, "sum_sq": 27.0},
                {"arm": "b", "n": 3, "sum": 8.0, "sum_sq": 26.0},
            ],
            "strata": [
                {"stratum": "east", "arms": [
                    {"arm": "b", "n": 3, "sum": 8.0, "sum_sq": 26.0},
                    {"arm": "a", "n": 3, "sum": 2.0, "sum_sq": 2.0},
                ]},
                {"stratum": "west", "arms": [{"arm": "a", "n": 2, "sum": 7.0, "sum_sq": 25.0}]},
            ],
        })
    }

    #[test]
    fn strata_are_read_by_arm_and_an_arm_may_lack_one() {
        let parts = read(&metric()).unwrap().parts;
        assert_eq!(parts.strata_units, [[3, 3], [2, 0]]);
        let means: Vec<Vec<Option<f64>>> =
            parts.strata[0].iter().map(|arms| arms.iter().map(|sums| sums.mean(0)).collect()).collect();
        assert_eq!(means, [[Some(2.0 / 3.0), Some(8.0 / 3.0)], [Some(3.5), None]]);
        let mut without = metric();
        without["strata"] = json!([]);
        let parts = read(&without).unwrap().parts;
        assert!(parts.strata[0].is_empty() && parts.strata_units.is_empty());
    }

    #[test]
    fn strata_that_are_not_of_the_same_units_are_refused() {
        let changed = |pointer: &str, value: Value| {
            let mut metric = metric();
            *metric.pointer_mut(pointer).unwrap() = value;
            metric
        };
        let east = "/strata/0/arms/1";
        for (metric, part) in [
            (changed(&format!("{east}/n"), json!(4)), "do not add up to its arm `a`"),
            (changed(&format!("{east}/n"), json!(2.5)), "do not add up to its arm `a`"),
            (changed(&format!("{east}/sum"), json!(2.1)), "do not add up to its arm `a`"),
            (changed(&format!("{east}/sum_sq"), json!(2.1)), "do not add up to its arm `a`"),
            (changed(&format!("{east}/sum_sq"), Value::Null), "whose arm `a` has no `sum_sq`"),
            (changed("/strata/1/stratum", "east".into()), "the stratum `east` twice"),
            (changed("/strata/0/arms/0/arm", "c".into()), "do not add up to its arm `b`"),
        ] {
            let message = read(&metric).unwrap_err().to_string();
            assert!(message.contains(part), "{part} is not in: {message}");
        }
        for (kind, fields, part) in [
            (
                "ratio",
                [("den_sum", 3.0), ("den_sum_sq", 5.0), ("cross_sum", 6.0)],
                "go with a mean or a proportion",
            ),
            ("mean", [("cov_sum", 4.0), ("cov_sum_sq", 6.0), ("cross_sum", 10.0)], "give one of them"),
        ] {
            let mut metric = changed("/type", kind.into());
            for arm in metric["arms"].as_array_mut().unwrap() {
                fields.iter().for_each(|(field, value)| arm[*field] = (*value).into());
            }
            let message = read(&metric).unwrap_err().to_string();
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}
