//! Experiments over the store: a definition in, the same document as over a file out.

mod parts;

use std::collections::BTreeMap;
use std::time::Duration;

use windvane_store::{
    Reader,
    experiment::{
        ARM, Exposed, ExposedBy, FIRST, RecordColumn, RecordTable, Recorded, SEGMENT, UNIT, When, Without,
        alone, arms_of_units, stored, whole,
    },
};
use windvane_types::experiment::Document;
use windvane_types::span::in_words;

use super::{
    Cuts, ExperimentError, Metric,
    facts::{Facts, MetricFacts, Parts},
    gather,
    kept::{self, Answer},
    looks,
    metric::{Before, Measured},
    request::{ExperimentRequest, Rule},
    stored_timing,
};
use parts::StoredParts;

/// What is said of the option or key that asks for strata which an arm may have made.
const STRATUM_OF_THE_ARM: &str = "cannot be `version` or `environment` where predictions expose units: they may be \
     what the arm chose, and strata have to be known before; give a tag or a categorical feature";
/// What is said of the option or key that asks for strata beside a covariate.
const STRATIFY_OR_COVARIATE: &str =
    "and a covariate (`covariate_window`) both take out what was there before: give one of them";

/// How often an experiment is read, where units of new arms come while it is.
const TRIES: usize = 3;

/// An experiment as the configuration defines it.
#[derive(Debug, Clone)]
pub struct StoredExperiment {
    /// Whose exposures count, and for how long.
    pub exposed: Exposed,
    /// The metrics with where they are recorded, at least one.
    pub metrics: Vec<StoredMetric>,
    /// Means, proportions and ratios are adjusted by the unit's own value this long before its first exposure, microseconds; not at all
    /// where `None`.
    pub covariate_us: Option<i64>,
    /// The least units of a segment, where [`Exposed::segment_by`] names any.
    pub segment_units_min: u64,
    /// Within what means and proportions are compared (post-stratification), told as a segment is; not at all where `None`.
    pub stratify: Option<String>,
    /// Which checks are made that take another scan of the records.
    pub checks: StoredChecks,
    /// How answers become verdicts.
    pub rule: Rule,
}

/// Checks of an experiment over the store that are not made by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredChecks {
    /// Whether the effect lasts, by the day of a unit's first exposure.
    pub novelty: bool,
    /// Whether the extreme units of means carry their effect.
    pub outliers: bool,
    /// Whether units met an arm before the exposure that counts, and whether one arm's records come late more often: later than this
    /// after their time, microseconds.
    pub late_after_us: Option<i64>,
}

impl StoredExperiment {
    /// Why the strata that are asked for cannot be: what is to be said of the option or key.
    #[must_use]
    pub fn strata_refused(&self) -> Option<&'static str> {
        let stratify = self.stratify.as_deref()?;
        match () {
            () if self.covariate_us.is_some() => Some(STRATIFY_OR_COVARIATE),
            () if ["version", "environment"].contains(&stratify)
                && self.exposed.by == ExposedBy::Predictions =>
            {
                Some(STRATUM_OF_THE_ARM)
            }
            () => None,
        }
    }

    /// Whose exposures count, with everything that units are cut by.
    fn exposed(&self) -> Exposed {
        let mut exposed = self.exposed.clone();
        if let Some(stratify) = self.stratify.as_ref().filter(|name| !exposed.segment_by.contains(name)) {
            exposed.segment_by.push(stratify.clone());
        }
        exposed
    }

    /// The experiment as it was at a time: exposures and records before it, microseconds since 1970 UTC.
    #[must_use]
    pub fn as_of(&self, us: i64) -> Self {
        Self { exposed: Exposed { end_us: us, ..self.exposed.clone() }, ..self.clone() }
    }
}

/// A metric and where its numbers are.
#[derive(Debug, Clone)]
pub struct StoredMetric {
    /// The metric; a ratio's denominator is a column of the same table.
    pub metric: Metric,
    /// The table.
    pub table: RecordTable,
    /// The column of the value or of the numerator.
    pub column: String,
}

/// What a metric needs of a unit's records. Metrics of one table that need the same are read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// Their sums.
    Sums,
    /// Each of them.
    Records,
}

impl StoredMetric {
    fn source(&self) -> (&RecordTable, Needs) {
        let needs = match self.metric.measured {
            Measured::Quantile { .. } => Needs::Records,
            Measured::Mean | Measured::Proportion | Measured::Ratio { .. } => Needs::Sums,
        };
        (&self.table, needs)
    }

    /// The first of its columns that its table does not have.
    #[must_use]
    pub fn unknown_column(&self) -> Option<&str> {
        let denominator = match &self.metric.measured {
            Measured::Ratio { denominator } => Some(denominator.as_str()),
            _ => None,
        };
        [Some(self.column.as_str()), denominator]
            .into_iter()
            .flatten()
            .find(|column| self.table.expression(column).is_none())
    }
}

/// Compares the arms of an experiment over the store.
///
/// # Errors
/// As [`super::run`]; strata that cannot be.
pub async fn run_stored(reader: &Reader, experiment: &StoredExperiment) -> Result<Document, ExperimentError> {
    if let Some(refused) = experiment.strata_refused() {
        return Err(ExperimentError::Summary { problem: format!("`stratify` {refused}") });
    }
    let mut gathered = None;
    for _ in 0..TRIES {
        gathered = gathered_once(reader, experiment).await?;
        if gathered.is_some() {
            break;
        }
    }
    let Some((facts, parts)) = gathered else {
        return Err(ExperimentError::Summary {
            problem: format!("new arms came each of the {TRIES} times that it was read; look again"),
        });
    };
    let timed = stored_timing::timed(reader, experiment, &facts.arms).await?;
    let looked = looks::looked(reader, experiment).await?;
    let looked_before = match looked {
        Some(_) => Vec::new(),
        None => looks::by_another(reader, experiment).await?,
    };
    let parts = stored_timing::followed(parts.whole(), &experiment.exposed);
    let facts = Facts { rows: None, parts: Parts { timed, looked, looked_before, ..parts }, ..facts };
    super::judged(&facts, &experiment.rule)
}

/// Reads each source once; `None` where the first unit of an arm came between two of them, so that metrics would not be of the same arms.
async fn gathered_once(
    reader: &Reader,
    experiment: &StoredExperiment,
) -> Result<Option<(Facts, StoredParts)>, ExperimentError> {
    let mut whole: Option<Facts> = None;
    let mut found = vec![None; experiment.metrics.len()];
    let mut parts = StoredParts::default();
    for (table, places) in by_source(experiment) {
        let asked = request(experiment, table, &places)?;
        let facts = gather::gather(reader, &asked).await;
        let facts = facts.map_err(|error| in_own_words(experiment, (&asked, &places), error))?;
        if whole.as_ref().is_some_and(|whole| !whole.has_arms_of(&facts)) {
            return Ok(None);
        }
        for (place, metric) in places.iter().zip(&facts.metrics) {
            let mut metric = named(experiment, *place, metric.clone());
            metric.notes.extend(strata_told(experiment, *place));
            found[*place] = Some(metric);
        }
        parts.add(&facts.parts, &places, experiment);
        // Every source's population has the same exposed units.
        whole.get_or_insert(facts);
    }
    match whole {
        Some(facts) => Ok(Some((Facts { metrics: found.into_iter().flatten().collect(), ..facts }, parts))),
        None => Err(ExperimentError::Summary { problem: "the experiment has no metrics".to_owned() }),
    }
}

/// The tables with the places of the metrics that are read together.
fn by_source(experiment: &StoredExperiment) -> Vec<(&RecordTable, Vec<usize>)> {
    let mut sources: BTreeMap<(&RecordTable, Needs), Vec<usize>> = BTreeMap::new();
    for (place, metric) in experiment.metrics.iter().enumerate() {
        sources.entry(metric.source()).or_default().push(place);
    }
    sources.into_iter().map(|((table, _), places)| (table, places)).collect()
}

/// Brings what is kept of an experiment's sums up to date, so that a look has little to read; says whether that is of use: it is in vain
/// where units come back, as far as is known.
///
/// # Errors
/// The definition is one that cannot be looked at.
pub async fn keep_stored(reader: &Reader, experiment: &StoredExperiment) -> Result<bool, ExperimentError> {
    let mut is_of_use = false;
    for (table, places) in by_source(experiment) {
        let asked = request(experiment, table, &places)?;
        if let Some(alone) = &asked.alone {
            let kept = kept::kept(reader, &asked, &alone.by_part).await;
            is_of_use |= !matches!(kept, Some(Answer::Repeated));
        }
    }
    Ok(is_of_use)
}

/// The error by the names of the configuration: of a metric, in place of that of a column of the population, and of the table of arms.
fn in_own_words(
    experiment: &StoredExperiment,
    (asked, places): (&ExperimentRequest, &[usize]),
    error: ExperimentError,
) -> ExperimentError {
    match error {
        ExperimentError::NotAProportion { metric, units } => {
            let found = asked.metrics.iter().zip(places).find(|(asked, _)| asked.name == metric);
            let own = found.map(|(_, place)| experiment.metrics[*place].metric.name.clone());
            ExperimentError::NotAProportion { metric: own.unwrap_or(metric), units }
        }
        ExperimentError::NoWeight { arm } => {
            ExperimentError::NoShare { experiment: experiment.exposed.experiment.clone(), arm }
        }
        ExperimentError::TooManyArms { max, .. } => {
            ExperimentError::TooManyArmsSent { experiment: experiment.exposed.experiment.clone(), max }
        }
        other => other,
    }
}

/// A metric of the experiment under its own names, with what was attributed to units.
fn named(experiment: &StoredExperiment, place: usize, mut metric: MetricFacts) -> MetricFacts {
    let StoredMetric { metric: own, table, .. } = &experiment.metrics[place];
    metric.metric = own.clone();
    if let (Some(_), Some(us)) = (&metric.covariate, experiment.covariate_us) {
        let before = in_words(Duration::from_micros(us.unsigned_abs()));
        metric.covariate = Some(format!("{} in the {before} before", own.name));
    }
    metric.notes.insert(0, attributed(experiment, table));
    metric
}

/// Where the strata of a metric come from, for the ledger; segments have none.
fn strata_told(experiment: &StoredExperiment, place: usize) -> Option<String> {
    let stratify = experiment.stratify.as_ref().filter(|_| experiment.metrics[place].metric.has_strata())?;
    let told = match experiment.exposed.by {
        ExposedBy::Predictions => "of the prediction that first exposed a unit",
        ExposedBy::Exposures | ExposedBy::Records => {
            "of a unit's latest prediction before its first exposure"
        }
    };
    Some(format!("strata: `{stratify}` {told}"))
}

/// The request over one table: metrics under the names that its population gives them.
pub(super) fn request(
    experiment: &StoredExperiment,
    table: &RecordTable,
    places: &[usize],
) -> Result<ExperimentRequest, ExperimentError> {
    let strata = places.iter().any(|place| experiment.metrics[*place].metric.has_strata());
    let mut columns: Vec<RecordColumn> = Vec::new();
    let mut name_of = |column: &str, (without, when): (Without, When)| {
        let known = columns
            .iter()
            .find(|known| known.column == column && known.without == without && known.when == when);
        known.map(|known| known.name.clone()).unwrap_or_else(|| {
            let name = format!("{column} #{}", columns.len());
            columns.push(RecordColumn { name: name.clone(), column: column.to_owned(), without, when });
            name
        })
    };
    let metrics = places
        .iter()
        .map(|place| {
            let StoredMetric { metric, column, .. } = &experiment.metrics[*place];
            let without = match metric.measured {
                Measured::Quantile { .. } => Without::Nothing,
                _ => Without::Zero,
            };
            let measured = match &metric.measured {
                Measured::Ratio { denominator } => {
                    Measured::Ratio { denominator: name_of(denominator, (without, When::After)) }
                }
                other => other.clone(),
            };
            let before = experiment.covariate_us.map(|us| (Without::Zero, When::Before(us)));
            let (covariate, before) = match (&metric.measured, before) {
                (Measured::Mean | Measured::Proportion, Some(before)) => {
                    (Some(name_of(column, before)), None)
                }
                (Measured::Ratio { denominator }, Some(before)) => {
                    let numerator = name_of(column, before);
                    (None, Some(Before { numerator, denominator: name_of(denominator, before) }))
                }
                _ => (None, None),
            };
            let name = name_of(column, (without, When::After));
            Metric { name, measured, covariate, before, ..metric.clone() }
        })
        .collect();
    let recorded = Recorded { table: table.clone(), columns };
    let exposed = experiment.exposed();
    let population = stored(&exposed, &recorded).ok_or_else(|| ExperimentError::Summary {
        problem: "a metric names a column that its table does not have".to_owned(),
    })?;
    Ok(ExperimentRequest {
        population,
        whole: whole(&exposed, &recorded),
        alone: alone(&exposed, &recorded),
        arms: recorded.of_units().then(|| arms_of_units(&exposed, &recorded)),
        unit: UNIT.to_owned(),
        arm: ARM.to_owned(),
        metrics,
        covariate: None,
        cuts: Cuts {
            segment_by: experiment.exposed.segment_by.iter().map(|name| format!("{name}{SEGMENT}")).collect(),
            segment_units_min: experiment.segment_units_min,
            stratify: experiment.stratify.as_ref().filter(|_| strata).map(|name| format!("{name}{SEGMENT}")),
            timestamp: experiment.checks.novelty.then(|| FIRST.to_owned()),
            outliers: experiment.checks.outliers,
            ..Cuts::default()
        },
        rule: experiment.rule.clone(),
    })
}

/// What is read of units, in words.
pub(super) fn records(table: &RecordTable) -> String {
    match table {
        RecordTable::Measurements => "measurements".to_owned(),
        RecordTable::Predictions { model } => format!("predictions of `{model}`"),
        RecordTable::Outcomes { model } => format!("outcomes of `{model}`"),
    }
}

fn attributed(experiment: &StoredExperiment, table: &RecordTable) -> String {
    format!(
        "attributed: {} within {} after a unit's first exposure; none counts as 0 except in a quantile",
        records(table),
        in_words(Duration::from_micros(experiment.exposed.window_us.unsigned_abs()))
    )
}

#[cfg(test)]
mod tests;
