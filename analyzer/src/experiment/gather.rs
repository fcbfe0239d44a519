//! From rows to sums: asks for the arms, for the sums of all metrics at once, and for quantiles.

use windvane_stats::experiment::quantile::QuantileArm;
use windvane_store::{
    ReadError, Reader,
    experiment::{
        self, ARMS_MAX, Alone, Complete, DepthRow, Form, Frame, Measure, Question, Single, SumsRow,
        UnitQuantilesRow, UnitsAre,
    },
};

use super::{
    Cap, ExperimentError, Metric, cuts,
    facts::{ArmFacts, Facts, Parts},
    forms::{Summed, metric_facts, origins, sums_rows, with_covariate},
    kept::{self, Answer},
    metric::Measured,
    opened::{Opened, Places, Probed, open, probed},
    quantiles::{self, Quantiles},
    request::{ExperimentRequest, Rule},
};

/// Everything that the rows say, of the population that answers faster where that is enough.
pub(super) async fn gather(reader: &Reader, request: &ExperimentRequest) -> Result<Facts, ExperimentError> {
    match alone(reader, request).await {
        Ok(Some(facts)) => return Ok(facts),
        Ok(None) => {}
        Err(ExperimentError::Read(error)) if experiment::too_many_units(&error) => {}
        Err(error) => return Err(error),
    }
    if let Some(population) = &request.whole {
        let whole = ExperimentRequest { population: population.clone(), ..request.clone() };
        match gathered(reader, &whole).await {
            Ok(found) if found.untold == 0 => return Ok(found.facts),
            // What is wrong with some of the units may not be wrong with all of them, or be so with more.
            Ok(_) | Err(ExperimentError::NotAProportion { .. } | ExperimentError::Summary { .. }) => {}
            Err(ExperimentError::Read(error)) if experiment::too_many_units(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(gathered(reader, request).await?.facts)
}

/// The same where every unit has a single row; `None` where one has more.
async fn alone(reader: &Reader, request: &ExperimentRequest) -> Result<Option<Facts>, ExperimentError> {
    let Some(Alone { by_part, depth, unmerged, merged }) = &request.alone else { return Ok(None) };
    match kept::kept(reader, request, by_part).await {
        Some(Answer::Facts(facts)) => return Ok(Some(facts)),
        // An event may be there twice, which merging puts right.
        Some(Answer::Repeated) => return single(reader, request, merged).await,
        None => {}
    }
    // Who may not see the parts has his answer all the same.
    let depths: Vec<DepthRow> = reader.rows(depth).await.unwrap_or_default();
    if depths.into_iter().any(DepthRow::is_deep) {
        match single(reader, request, unmerged).await {
            Ok(Some(facts)) => return Ok(Some(facts)),
            // An event may be there twice, which merging puts right.
            Ok(None) => {}
            Err(ExperimentError::Read(error)) if experiment::too_many_units(&error) => {}
            Err(error) => return Err(error),
        }
    }
    single(reader, request, merged).await
}

/// The same over one population; `None` where it does not hold.
async fn single(
    reader: &Reader,
    request: &ExperimentRequest,
    Single { asked, population }: &Single,
) -> Result<Option<Facts>, ExperimentError> {
    let alone =
        ExperimentRequest { population: population.clone(), arms: Some(asked.clone()), ..request.clone() };
    let probed = probed(reader, &alone).await?;
    if probed.probe.units_are() == UnitsAre::Repeated {
        return Ok(None);
    }
    let found = summed_up(reader, &alone, &probed).await?;
    // Rows that came between the two statements may be those of units that have some already, also in an arm that was not there before.
    let same = found.facts.units == probed.probe.rows && found.facts.several == 0;
    Ok(same.then_some(found.facts))
}

/// What one population says.
struct Gathered {
    facts: Facts,
    /// Units that it cannot tell; where there are any, the facts are not whole.
    untold: u64,
}

async fn gathered(reader: &Reader, request: &ExperimentRequest) -> Result<Gathered, ExperimentError> {
    let probed = probed(reader, request).await?;
    summed_up(reader, request, &probed).await
}

async fn summed_up(
    reader: &Reader,
    request: &ExperimentRequest,
    probed: &Probed,
) -> Result<Gathered, ExperimentError> {
    let Probed { opened, probe, totals } = probed;
    let found = arms_of(probe.arms.clone(), request)?;
    let scan = Scan { reader, opened, frame: &opened.frame, arms: &found, units_are: probe.units_are() };
    let known = totals.as_deref().map(|totals| sums_rows(totals, &found));
    let sums = scan.sums(&request.metrics, known).await?;
    let quantiles = quantiles::quantiles(&scan, &request.metrics, &sums.rows).await?;
    let facts = facts(request, (found.as_slice(), &sums), &quantiles)?;
    let untold = units_of(&sums, found.len() + 1);
    let parts = match untold {
        0 => cuts::cut(&scan, request, &sums).await?,
        _ => Parts::default(),
    };
    let facts = Facts { rows: Some(probe.rows), unassigned: probe.unassigned, parts, ..facts };
    Ok(Gathered { facts, untold })
}

/// What sums and quantiles say of the arms, as if every row had a unit and an arm; not in parts.
pub(super) fn facts(
    request: &ExperimentRequest,
    (found, sums): (&[String], &Summed),
    quantiles: &Quantiles,
) -> Result<Facts, ExperimentError> {
    let arms = weighed(sums, found, &request.rule)?;
    let count = (found.len(), arms.len());
    let metrics = request
        .metrics
        .iter()
        .enumerate()
        .map(|(i, metric)| metric_facts(sums, (i, metric), quantiles.get(&i), count))
        .collect::<Result<_, _>>()?;
    Ok(Facts {
        source: request.population.source.clone(),
        rows: None,
        unassigned: 0,
        units: arms.iter().map(|arm| arm.units).sum(),
        several: units_of(sums, found.len()),
        arms,
        metrics: with_covariate(metrics, request),
        parts: Parts::default(),
    })
}

fn units_of(sums: &Summed, arm: usize) -> u64 {
    sums.rows.iter().filter(|row| row.arm as usize == arm).map(|row| row.units).sum()
}

/// The quantile over all units of rows that are in no arm; `None` without rows.
pub(super) async fn quantile_of_all(
    reader: &Reader,
    request: &ExperimentRequest,
) -> Result<Option<QuantileArm>, ExperimentError> {
    let opened = open(request)?;
    let arms = [String::new()];
    let scan =
        Scan { reader, opened: &opened, frame: &opened.frame, arms: &arms, units_are: UnitsAre::Repeated };
    let sums = scan.sums(&request.metrics, None).await?;
    let found = quantiles::quantiles(&scan, &request.metrics, &sums.rows).await?;
    Ok(found.into_values().flatten().next().flatten())
}

/// The arms that have rows, by name.
pub(super) fn arms_of(
    mut known: Vec<String>,
    request: &ExperimentRequest,
) -> Result<Vec<String>, ExperimentError> {
    if known.len() > ARMS_MAX {
        return Err(ExperimentError::TooManyArms { column: request.arm.clone(), max: ARMS_MAX });
    }
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
    let arms = found.iter().enumerate().map(|(arm, name)| (name.clone(), units_of(sums, arm))).collect();
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

/// What is summed for each metric, with its cap and its floor.
pub(super) fn forms_of(metrics: &[Metric], places: &[Places], limits: Vec<[Option<f64>; 2]>) -> Vec<Form> {
    metrics
        .iter()
        .zip(places)
        .zip(limits)
        .map(|((metric, places), [cap, floor])| Form {
            value: places.value,
            other: places.other,
            before: places.before,
            cap,
            floor,
            count_fractional: metric.measured == Measured::Proportion,
            ..Form::default()
        })
        .collect()
}

/// One pass after another over the same rows.
pub(super) struct Scan<'a> {
    pub(super) reader: &'a Reader,
    pub(super) opened: &'a Opened,
    /// The rows that are scanned: all of them, or those of a segment.
    frame: &'a Frame,
    pub(super) arms: &'a [String],
    units_are: UnitsAre,
}

impl Scan<'_> {
    /// The same over other rows.
    pub(super) fn over<'a>(&'a self, frame: &'a Frame) -> Scan<'a> {
        Scan { frame, ..*self }
    }

    pub(super) fn question<'a>(&'a self, measures: &'a [Measure], forms: &'a [Form]) -> Question<'a> {
        Question {
            frame: self.frame,
            measures,
            forms,
            arms: self.arms,
            units_are: self.units_are,
            by_segment: false,
            by_day: false,
        }
    }

    /// The sums of all metrics; those of complete numbers are known already where `known` has them.
    async fn sums(&self, metrics: &[Metric], known: Option<Vec<SumsRow>>) -> Result<Summed, ExperimentError> {
        let forms = forms_of(metrics, &self.opened.places, self.limits(metrics).await?);
        if let Some(Complete { frame, measures }) = &self.opened.complete {
            let question = Question { frame, ..self.question(measures, &[]) };
            match self.summed(question, forms.clone(), known).await {
                // NaN is missing, and no footer counts it.
                Ok(found) if found.are_finite() => return Ok(found),
                Ok(_) => {}
                Err(error) if experiment::value_is_missing(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.summed(self.question(&self.opened.measures, &[]), forms, None).await?)
    }

    /// The sums of forms; where plain sums lost too many digits they are taken again, around each arm's mean.
    async fn summed(
        &self,
        question: Question<'_>,
        mut forms: Vec<Form>,
        known: Option<Vec<SumsRow>>,
    ) -> Result<Summed, ReadError> {
        let rows = match known {
            Some(rows) => rows,
            None => self.reader.rows(&experiment::sums(Question { forms: &forms, ..question })).await?,
        };
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
        let asked = experiment::sums(Question { forms: &forms, ..question });
        Ok(Summed { rows: self.reader.rows(&asked).await?, forms })
    }

    /// The cap and the floor of each metric that has one; percentiles are those of the units of all arms.
    async fn limits(&self, metrics: &[Metric]) -> Result<Vec<[Option<f64>; 2]>, ExperimentError> {
        if let Some(limits) = told_limits(metrics) {
            return Ok(limits);
        }
        let asked: Vec<(usize, f64)> = metrics
            .iter()
            .zip(&self.opened.places)
            .flat_map(|(metric, places)| [metric.cap, metric.floor].map(|limit| (limit, places.value)))
            .filter_map(|(limit, value)| match limit {
                Some(Cap::Quantile(q)) => Some((value, q)),
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
        let mut limit = |asked: Option<Cap>| match asked {
            None => None,
            Some(Cap::Value(value)) => Some(value),
            Some(Cap::Quantile(_)) => found.next().and_then(|quantile| quantile.finite()),
        };
        metrics.iter().map(|metric| uncrossed(metric, [limit(metric.cap), limit(metric.floor)])).collect()
    }
}

/// The cap and the floor of each metric that has one; `None` where one is a percentile, or a floor is above its cap.
pub(super) fn told_limits(metrics: &[Metric]) -> Option<Vec<[Option<f64>; 2]>> {
    let value = |limit: Option<Cap>| match limit {
        None => Some(None),
        Some(Cap::Value(value)) => Some(Some(value)),
        Some(Cap::Quantile(_)) => None,
    };
    metrics.iter().map(|metric| uncrossed(metric, [value(metric.cap)?, value(metric.floor)?]).ok()).collect()
}

/// A metric's cap and floor, unless the floor is above the cap.
pub(super) fn uncrossed(
    metric: &Metric,
    limits: [Option<f64>; 2],
) -> Result<[Option<f64>; 2], ExperimentError> {
    match limits {
        [Some(cap), Some(floor)] if floor > cap => Err(ExperimentError::Summary {
            problem: format!("the floor {floor} of metric `{}` is above its cap {cap}", metric.name),
        }),
        limits => Ok(limits),
    }
}
