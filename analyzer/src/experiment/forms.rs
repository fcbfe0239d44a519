//! From the sums of forms by arm to what is known of a metric: its sufficient statistics in each arm, and what was left out. Pure.

use windvane_stats::experiment::{
    cuped::{Law, Laws},
    proportion::Proportion,
    quantile::QuantileArm,
    sums::{Joint, RatioSums, Sums, SumsError},
};
use windvane_store::experiment::{ArmTotal, Form, FormRow, SumsRow};

use super::{
    ExperimentError, Metric,
    facts::{ArmMetric, ArmSums, MetricFacts},
    metric::{Before, Cap, Measured},
    request::ExperimentRequest,
};

/// Sums of squares are taken again, around the mean, where they are more than this many times the squared deviations: a sum
/// of 10⁷ doubles is good to some 3e-13 of itself, so that a variance keeps nine digits.
const CANCELLATION_MAX: f64 = 1e3;

/// The sums of all forms by arm, with the forms that they are sums of.
pub(super) struct Summed {
    pub(super) rows: Vec<SumsRow>,
    pub(super) forms: Vec<Form>,
}

impl Summed {
    /// Whether all sums are numbers: a value that is none makes each sum that it is part of none.
    pub(super) fn are_finite(&self) -> bool {
        let of = |form: &FormRow| {
            let sums = [form.sum, form.other_sum].into_iter().chain(form.before.iter().copied());
            sums.map(f64::from).all(f64::is_finite)
        };
        self.rows.iter().flat_map(|row| &row.forms).all(of)
    }
}

/// The sums of arms by their place among the arms, in place of their names.
pub(super) fn sums_rows(totals: &[ArmTotal], arms: &[String]) -> Vec<SumsRow> {
    let row = |total: &ArmTotal| {
        let place = arms.iter().position(|arm| *arm == total.arm)?;
        Some(SumsRow {
            arm: u32::try_from(place).ok()?,
            segment: String::new(),
            day: None,
            units: total.units,
            rows: total.units,
            forms: total.forms.clone(),
        })
    };
    totals.iter().filter_map(row).collect()
}

pub(super) fn form_of(rows: &[SumsRow], form: usize, arm: usize) -> Option<&FormRow> {
    rows.iter().find(|row| row.arm as usize == arm)?.forms.get(form)
}

/// The means of the arms where plain sums are too poor for one of them; zeros where they will do.
pub(super) fn origins(rows: &[SumsRow], form: usize, arms: usize) -> Vec<[f64; 4]> {
    let poor = |n: f64, sum: f64, sum_sq: f64| {
        let mean_sq = sum / n * sum;
        mean_sq > CANCELLATION_MAX * (sum_sq - mean_sq) && sum != 0.0 && sum_sq.is_finite()
    };
    let found: Vec<Option<&FormRow>> = (0..arms).map(|arm| form_of(rows, form, arm)).collect();
    let of = |sum: fn(&FormRow) -> f64, sum_sq: fn(&FormRow) -> f64| -> Vec<f64> {
        let any = found.iter().flatten().any(|row| row.n > 0 && poor(row.n as f64, sum(row), sum_sq(row)));
        let mean = |row: &Option<&FormRow>| match row {
            Some(row) if any && row.n > 0 && sum(row).is_finite() => sum(row) / row.n as f64,
            _ => 0.0,
        };
        found.iter().map(mean).collect()
    };
    let means = [
        of(|row| row.sum.0, |row| row.sum_sq.0),
        of(|row| row.other_sum.0, |row| row.other_sum_sq.0),
        of(|row| before(row, 0), |row| before(row, 2)),
        of(|row| before(row, 1), |row| before(row, 3)),
    ];
    (0..arms).map(|arm| std::array::from_fn(|variable| means[variable][arm])).collect()
}

/// One of [`FormRow::before`]; 0 without them.
fn before(row: &FormRow, at: usize) -> f64 {
    row.before.get(at).map_or(0.0, |sum| sum.0)
}

/// What sums say of a metric in each of `arms` arms, of which the first `found` have units. A row after theirs is not of the arms that were
/// planned and never came, but of units in several.
pub(super) fn metric_facts(
    sums: &Summed,
    (i, metric): (usize, &Metric),
    quantiles: Option<&Vec<Option<QuantileArm>>>,
    (found, arms): (usize, usize),
) -> Result<MetricFacts, ExperimentError> {
    let of_arms = || sums.rows.iter().filter(|row| (row.arm as usize) < found);
    let fractional: u64 = of_arms().map(|row| row.forms[i].fractional).sum();
    if metric.measured == Measured::Proportion && fractional > 0 {
        return Err(ExperimentError::NotAProportion { metric: metric.name.clone(), units: fractional });
    }
    let (mut of_metric, mut reason) = (Vec::new(), None);
    for arm in 0..arms {
        let row = of_arms().find(|row| row.arm as usize == arm);
        let form = row.map(|row| &row.forms[i]);
        let sums = match (metric.measured.clone(), form) {
            (Measured::Quantile { .. }, _) => {
                Ok(ArmSums::Quantile(quantiles.and_then(|arms| arms.get(arm).copied().flatten())))
            }
            (measured, form) => arm_sums(&measured, form, (&sums.forms[i], arm)),
        };
        let sums = sums.unwrap_or_else(|_error| {
            reason = Some("a value is infinite, or too large to be squared".to_owned());
            ArmSums::Estimated(windvane_stats::experiment::effect::Arm {
                n: form.map_or(0, |form| form.n),
                mean: None,
                variance: None,
            })
        });
        of_metric.push(ArmMetric {
            sums,
            n: form.map_or(0, |form| form.n),
            missing: row.zip(form).map_or(0, |(row, form)| row.units - form.n),
            partial: form.map_or(0, |form| form.partial),
            capped: form.map_or(0, |form| form.capped),
            floored: form.map_or(0, |form| form.floored),
            values: form.map_or(0, |form| form.values),
        });
    }
    let notes = cut_down(metric, &sums.forms[i], &of_metric);
    Ok(MetricFacts { metric: metric.clone(), covariate: None, arms: of_metric, notes, reason })
}

/// What was cut to limits, for the ledger.
fn cut_down(metric: &Metric, form: &Form, arms: &[ArmMetric]) -> Vec<String> {
    let capped: u64 = arms.iter().map(|arm| arm.capped).sum();
    let floored: u64 = arms.iter().map(|arm| arm.floored).sum();
    let of = |limit: Option<(Cap, f64)>, (word, side): (&str, &str), units: u64| {
        limit.map(|(limit, bound)| {
            let name = limit.name();
            format!("{word}: values of units {side} {bound} count as that ({name}; {units} in all arms)")
        })
    };
    let notes = [
        of(metric.cap.zip(form.cap), ("capped", "above"), capped),
        of(metric.floor.zip(form.floor), ("floored", "below"), floored),
    ];
    notes.into_iter().flatten().collect()
}

/// The sums of a metric's values in an arm, whatever else goes with them; `None` where no units have them.
pub(super) fn value_sums(sums: &Summed, form: usize, arm: usize) -> Option<Sums> {
    let row = form_of(&sums.rows, form, arm)?;
    let origin = sums.forms[form].origins.get(arm).copied().unwrap_or_default();
    Sums::of_shifted(row.n, [origin[0]], [row.sum.0], [[row.sum_sq.0]]).ok()
}

fn arm_sums(
    measured: &Measured,
    row: Option<&FormRow>,
    (form, arm): (&Form, usize),
) -> Result<ArmSums, SumsError> {
    let origin = form.origins.get(arm).copied().unwrap_or_default();
    let one = || {
        let row = row.map_or((0, 0.0, 0.0), |row| (row.n, row.sum.0, row.sum_sq.0));
        Joint::of_shifted(row.0, [origin[0]], [row.1], [[row.2]])
    };
    let two = || {
        let Some(row) = row else { return Ok(Joint::default()) };
        let products = [[row.sum_sq.0, row.cross_sum.0], [row.cross_sum.0, row.other_sum_sq.0]];
        Joint::of_shifted(row.n, [origin[0], origin[1]], [row.sum.0, row.other_sum.0], products)
    };
    Ok(match (measured, form.other) {
        (Measured::Ratio { .. }, _) if form.before.is_some() => {
            ArmSums::AdjustedRatio(row.map_or(Ok(Joint::default()), |row| four(row, origin))?)
        }
        (Measured::Ratio { .. }, _) => ArmSums::Ratio(two()?),
        (Measured::Mean, None) => ArmSums::Mean(one()?),
        (Measured::Mean, Some(_)) => ArmSums::Adjusted(two()?, Laws::default()),
        (Measured::Proportion, None) => {
            let successes = row.map_or(0.0, |row| row.sum.0 + origin[0] * row.n as f64);
            ArmSums::Proportion(Proportion::of(row.map_or(0, |row| row.n), successes.round())?)
        }
        (Measured::Proportion, Some(_)) => {
            ArmSums::Adjusted(two()?, Laws { value: Law::Proportion, covariate: Law::Mean })
        }
        (Measured::Quantile { .. }, _) => ArmSums::Quantile(None),
    })
}

/// Numerator, denominator, and the same two before the experiment.
fn four(row: &FormRow, origin: [f64; 4]) -> Result<RatioSums, SumsError> {
    let [u, v, uu, vv, uv, xu, xv, yu, yv] = std::array::from_fn(|at| before(row, at));
    let (xx, yy, xy) = (row.sum_sq.0, row.other_sum_sq.0, row.cross_sum.0);
    let products = [[xx, xy, xu, xv], [xy, yy, yu, yv], [xu, yu, uu, uv], [xv, yv, uv, vv]];
    Joint::of_shifted(row.n, origin, [row.sum.0, row.other_sum.0, u, v], products)
}

pub(super) fn with_covariate(metrics: Vec<MetricFacts>, request: &ExperimentRequest) -> Vec<MetricFacts> {
    metrics
        .into_iter()
        .map(|facts| match facts.metric.measured {
            Measured::Mean | Measured::Proportion => {
                let covariate = facts.metric.covariate.clone().or_else(|| request.covariate.clone());
                MetricFacts { covariate, ..facts }
            }
            Measured::Ratio { .. } => {
                let named = |before: &Before| format!("{}/{}", before.numerator, before.denominator);
                MetricFacts { covariate: facts.metric.before.as_ref().map(named), ..facts }
            }
            Measured::Quantile { .. } => facts,
        })
        .collect()
}
