//! From rows to sums: asks for the arms, for the sums of all metrics at once, and for quantiles.

use windvane_stats::experiment::{
    cuped::{Law, Laws},
    proportion::Proportion,
    quantile::QuantileArm,
    sums::{Joint, Sums, SumsError},
};
use windvane_store::{
    Reader,
    experiment::{
        self, ARMS_MAX, ColumnFault, Form, FormRow, Frame, FrameColumns, Measure, ProbeRow, Question,
        SumsRow, UnitQuantilesRow, UnitsAre,
    },
};

use super::{
    Cap, ExperimentError, Metric, cuts,
    facts::{ArmFacts, ArmMetric, ArmSums, Facts, MetricFacts},
    metric::Measured,
    quantiles,
    request::{ExperimentRequest, Rule},
};

/// Sums of squares are taken again, around the mean, where they are more than this many times the squared deviations: a sum
/// of 10⁷ doubles is good to some 3e-13 of itself, so that a variance keeps nine digits.
const CANCELLATION_MAX: f64 = 1e3;

/// Everything that the rows say.
pub(super) async fn gather(reader: &Reader, request: &ExperimentRequest) -> Result<Facts, ExperimentError> {
    let mut opened = open(request)?;
    let probe: Vec<ProbeRow> = reader.rows(&request.probe(&opened.frame, &opened.measures)).await?;
    let probe = probe.into_iter().next().ok_or(ExperimentError::OneArm { known: Vec::new() })?;
    for (measure, unreadable) in opened.measures.iter().zip(&probe.unreadable) {
        if unreadable.values > 0 {
            return Err(ExperimentError::NotNumbers {
                column: measure.name.clone(),
                values: unreadable.values,
                example: unreadable.example.chars().take(40).collect(),
            });
        }
    }
    if probe.unassigned == 0 {
        opened.frame.trust_assignment();
    }
    let found = arms_of(&probe, request)?;
    let scan = Scan {
        reader,
        opened: &opened,
        arms: &found,
        units_are: if probe.units == probe.rows - probe.unassigned {
            UnitsAre::Single
        } else {
            UnitsAre::Repeated
        },
    };
    let sums = scan.sums(&request.metrics).await?;
    let quantiles = quantiles::quantiles(&scan, &request.metrics, &sums.rows).await?;
    let arms = weighed(&sums, &found, &request.rule)?;
    let metrics = request
        .metrics
        .iter()
        .enumerate()
        .map(|(i, metric)| metric_facts(&sums, (i, metric), quantiles.get(&i), arms.len()))
        .collect::<Result<_, _>>()?;
    let several = sums.rows.iter().filter(|row| row.arm as usize >= found.len()).map(|row| row.units).sum();
    let parts = cuts::cut(&scan, request, &sums).await?;
    Ok(Facts {
        source: request.population.source.clone(),
        rows: Some(probe.rows),
        unassigned: probe.unassigned,
        units: arms.iter().map(|arm| arm.units).sum(),
        several,
        arms,
        metrics: with_covariate(metrics, request),
        parts,
    })
}

/// The fault of a column, with the columns that there are.
pub(super) fn column(request: &ExperimentRequest, fault: ColumnFault) -> ExperimentError {
    let known = request.population.columns.iter().map(|column| column.name.clone()).collect();
    ExperimentError::Column { fault, known }
}

/// The columns of a request, found.
pub(super) struct Opened {
    frame: Frame,
    pub(super) measures: Vec<Measure>,
    /// One entry a metric.
    pub(super) places: Vec<Places>,
}

/// Where the numbers of a metric are among the measures.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) value: usize,
    other: Option<usize>,
}

fn open(request: &ExperimentRequest) -> Result<Opened, ExperimentError> {
    let population = &request.population;
    let failed = |fault: ColumnFault| column(request, fault);
    let columns = FrameColumns { unit: &request.unit, arm: &request.arm, segment_by: &[], timestamp: None };
    // An empty file has no columns that could be missing, and no arms.
    if population.without_columns {
        return Err(ExperimentError::OneArm { known: Vec::new() });
    }
    let frame = experiment::frame(population, &columns).map_err(failed)?;
    let mut measures: Vec<Measure> = Vec::new();
    let mut place = |name: &str| -> Result<usize, ExperimentError> {
        if let Some(place) = measures.iter().position(|measure| measure.name == name) {
            return Ok(place);
        }
        measures.push(experiment::measure(population, name).map_err(failed)?);
        Ok(measures.len() - 1)
    };
    let mut places = Vec::new();
    for metric in &request.metrics {
        let other = match &metric.measured {
            Measured::Ratio { denominator } => Some(denominator),
            Measured::Mean | Measured::Proportion => metric.covariate.as_ref().or(request.covariate.as_ref()),
            Measured::Quantile { .. } => None,
        };
        let other = other.map(|name| place(name)).transpose()?;
        places.push(Places { value: place(&metric.name)?, other });
    }
    Ok(Opened { frame, measures, places })
}

/// The arms that have rows, by name.
fn arms_of(probe: &ProbeRow, request: &ExperimentRequest) -> Result<Vec<String>, ExperimentError> {
    if probe.arms.len() > ARMS_MAX {
        return Err(ExperimentError::TooManyArms { column: request.arm.clone(), max: ARMS_MAX });
    }
    let mut known = probe.arms.clone();
    known.sort();
    if known.len() < 2 {
        return Err(ExperimentError::OneArm { known });
    }
    if !known.contains(&request.rule.control) {
        return Err(ExperimentError::NoControl { control: request.rule.control.clone(), known });
    }
    Ok(known)
}

/// The arms with units and weights; an arm that was planned and never came has no units.
pub(super) fn weighed(
    sums: &Summed,
    found: &[String],
    rule: &Rule,
) -> Result<Vec<ArmFacts>, ExperimentError> {
    let units =
        |arm: usize| sums.rows.iter().filter(|row| row.arm as usize == arm).map(|row| row.units).sum();
    let arms = found.iter().enumerate().map(|(arm, name)| (name.clone(), units(arm))).collect();
    share_out(arms, &rule.weights)
}

/// Gives each arm its share: equal ones where no weights are given.
pub(super) fn share_out(
    arms: Vec<(String, u64)>,
    weights: &[(String, f64)],
) -> Result<Vec<ArmFacts>, ExperimentError> {
    let mut arms: Vec<ArmFacts> =
        arms.into_iter().map(|(name, units)| ArmFacts { name, units, weight: 1.0 }).collect();
    if !weights.is_empty() {
        for arm in &mut arms {
            let (_, weight) = weights
                .iter()
                .find(|(name, _)| *name == arm.name)
                .ok_or_else(|| ExperimentError::NoWeight { arm: arm.name.clone() })?;
            arm.weight = *weight;
        }
        for (name, weight) in weights.iter().filter(|(_, weight)| *weight > 0.0) {
            if arms.iter().all(|arm| arm.name != *name) {
                arms.push(ArmFacts { name: name.clone(), units: 0, weight: *weight });
            }
        }
    }
    let total: f64 = arms.iter().map(|arm| arm.weight).sum();
    for arm in arms.iter_mut().filter(|_| total > 0.0) {
        arm.weight /= total;
    }
    Ok(arms)
}

/// The sums of all forms by arm, with the forms that they are sums of.
pub(super) struct Summed {
    pub(super) rows: Vec<SumsRow>,
    pub(super) forms: Vec<Form>,
}

/// One pass after another over the same rows.
pub(super) struct Scan<'a> {
    pub(super) reader: &'a Reader,
    pub(super) opened: &'a Opened,
    pub(super) arms: &'a [String],
    units_are: UnitsAre,
}

impl Scan<'_> {
    pub(super) fn question<'a>(&'a self, measures: &'a [Measure], forms: &'a [Form]) -> Question<'a> {
        Question {
            frame: &self.opened.frame,
            measures,
            forms,
            arms: self.arms,
            units_are: self.units_are,
            by_segment: false,
            by_day: false,
        }
    }

    /// The sums of all metrics; where plain sums lost too many digits they are taken again, around each arm's mean.
    async fn sums(&self, metrics: &[Metric]) -> Result<Summed, ExperimentError> {
        let caps = self.caps(metrics).await?;
        let mut forms: Vec<Form> = metrics
            .iter()
            .zip(&self.opened.places)
            .zip(caps)
            .map(|((metric, places), cap)| Form {
                value: places.value,
                other: places.other,
                cap,
                count_fractional: metric.measured == Measured::Proportion,
                ..Form::default()
            })
            .collect();
        let measures = &self.opened.measures;
        let rows: Vec<SumsRow> = self.reader.rows(&experiment::sums(self.question(measures, &forms))).await?;
        let mut again = false;
        for (i, form) in forms.iter_mut().enumerate() {
            let origins = origins(&rows, i, self.arms.len());
            if origins.iter().flatten().any(|origin| *origin != 0.0) {
                form.origins = origins;
                again = true;
            }
        }
        if !again {
            return Ok(Summed { rows, forms });
        }
        let rows = self.reader.rows(&experiment::sums(self.question(measures, &forms))).await?;
        Ok(Summed { rows, forms })
    }

    /// The bound of each metric that has one; percentiles are those of the units of all arms.
    async fn caps(&self, metrics: &[Metric]) -> Result<Vec<Option<f64>>, ExperimentError> {
        let asked: Vec<(usize, f64)> = metrics
            .iter()
            .zip(&self.opened.places)
            .filter_map(|(metric, places)| match metric.cap {
                Some(Cap::Quantile(q)) => Some((places.value, q)),
                _ => None,
            })
            .collect();
        let mut found = match asked.as_slice() {
            [] => Vec::new(),
            asked => {
                let question = self.question(&self.opened.measures, &[]);
                let rows: Vec<UnitQuantilesRow> =
                    self.reader.rows(&experiment::unit_quantiles(question, asked)).await?;
                rows.into_iter().next().map(|row| row.quantiles).unwrap_or_default()
            }
        }
        .into_iter();
        Ok(metrics
            .iter()
            .map(|metric| match metric.cap {
                None => None,
                Some(Cap::Value(value)) => Some(value),
                Some(Cap::Quantile(_)) => found.next().and_then(|quantile| quantile.finite()),
            })
            .collect())
    }
}

pub(super) fn form_of(rows: &[SumsRow], form: usize, arm: usize) -> Option<&FormRow> {
    rows.iter().find(|row| row.arm as usize == arm)?.forms.get(form)
}

/// The means of the arms where plain sums are too poor for one of them; zeros where they will do.
pub(super) fn origins(rows: &[SumsRow], form: usize, arms: usize) -> Vec<[f64; 2]> {
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
    let values = of(|row| row.sum.0, |row| row.sum_sq.0);
    let others = of(|row| row.other_sum.0, |row| row.other_sum_sq.0);
    values.into_iter().zip(others).map(|(value, other)| [value, other]).collect()
}

pub(super) fn metric_facts(
    sums: &Summed,
    (i, metric): (usize, &Metric),
    quantiles: Option<&Vec<Option<QuantileArm>>>,
    arms: usize,
) -> Result<MetricFacts, ExperimentError> {
    let of_arms = sums.rows.iter().filter(|row| (row.arm as usize) < arms);
    let fractional: u64 = of_arms.map(|row| row.forms[i].fractional).sum();
    if metric.measured == Measured::Proportion && fractional > 0 {
        return Err(ExperimentError::NotAProportion { metric: metric.name.clone(), units: fractional });
    }
    let (mut found, mut reason) = (Vec::new(), None);
    for arm in 0..arms {
        let row = sums.rows.iter().find(|row| row.arm as usize == arm);
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
        found.push(ArmMetric {
            sums,
            n: form.map_or(0, |form| form.n),
            missing: row.zip(form).map_or(0, |(row, form)| row.units - form.n),
            partial: form.map_or(0, |form| form.partial),
            capped: form.map_or(0, |form| form.capped),
            values: form.map_or(0, |form| form.values),
        });
    }
    let notes = match (metric.cap, sums.forms[i].cap) {
        (Some(cap), Some(bound)) => {
            let capped: u64 = found.iter().map(|arm| arm.capped).sum();
            vec![format!(
                "capped: values of units above {bound} count as that ({}; {capped} in all arms)",
                cap.name()
            )]
        }
        _ => Vec::new(),
    };
    Ok(MetricFacts { metric: metric.clone(), covariate: None, arms: found, notes, reason })
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
        Joint::of_shifted(row.n, origin, [row.sum.0, row.other_sum.0], products)
    };
    Ok(match (measured, form.other) {
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

pub(super) fn with_covariate(metrics: Vec<MetricFacts>, request: &ExperimentRequest) -> Vec<MetricFacts> {
    metrics
        .into_iter()
        .map(|facts| match facts.metric.measured {
            Measured::Mean | Measured::Proportion => {
                let covariate = facts.metric.covariate.clone().or_else(|| request.covariate.clone());
                MetricFacts { covariate, ..facts }
            }
            _ => facts,
        })
        .collect()
}
