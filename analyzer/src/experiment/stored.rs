//! Experiments over the store: a definition in, the same document as over a file out.

use windvane_store::{
    Reader,
    experiment::{ARM, Exposed, RecordColumn, RecordTable, Recorded, UNIT, When, Without, stored},
};
use windvane_types::experiment::Document;

use super::{
    ExperimentError, Metric,
    facts::Facts,
    gather,
    metric::Measured,
    request::{ExperimentRequest, Rule},
};

/// An experiment as the configuration defines it.
#[derive(Debug, Clone)]
pub struct StoredExperiment {
    /// Whose exposures count, and for how long.
    pub exposed: Exposed,
    /// The metrics with where they are recorded, at least one.
    pub metrics: Vec<StoredMetric>,
    /// Means and proportions are adjusted by the unit's own value this long before its first exposure, microseconds; not at all
    /// where `None`.
    pub covariate_us: Option<i64>,
    /// How answers become verdicts.
    pub rule: Rule,
}

impl StoredExperiment {
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

impl StoredMetric {
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
/// As [`super::run`].
pub async fn run_stored(reader: &Reader, experiment: &StoredExperiment) -> Result<Document, ExperimentError> {
    let mut tables: Vec<&RecordTable> = experiment.metrics.iter().map(|metric| &metric.table).collect();
    tables.sort();
    tables.dedup();
    let mut whole: Option<Facts> = None;
    let mut found = vec![None; experiment.metrics.len()];
    for table in tables {
        let places: Vec<usize> = (0..experiment.metrics.len())
            .filter(|place| experiment.metrics[*place].table == *table)
            .collect();
        let facts = gather::gather(reader, &request(experiment, table, &places)?).await?;
        for (place, mut metric) in places.iter().zip(facts.metrics.clone()) {
            metric.metric = experiment.metrics[*place].metric.clone();
            if let (Some(_), Some(us)) = (&metric.covariate, experiment.covariate_us) {
                metric.covariate = Some(format!("{} in the {} before", metric.metric.name, length(us)));
            }
            metric.notes.insert(0, attributed(experiment, table));
            found[*place] = Some(metric);
        }
        // Every table's population has the same exposed units.
        whole.get_or_insert(facts);
    }
    let Some(facts) = whole else {
        return Err(ExperimentError::Summary { problem: "the experiment has no metrics".to_owned() });
    };
    let facts = Facts { rows: None, metrics: found.into_iter().flatten().collect(), ..facts };
    super::judged(&facts, &experiment.rule)
}

/// The request over one table: metrics under the names that its population gives them.
pub(super) fn request(
    experiment: &StoredExperiment,
    table: &RecordTable,
    places: &[usize],
) -> Result<ExperimentRequest, ExperimentError> {
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
            let covariate = match metric.measured {
                Measured::Mean | Measured::Proportion => experiment.covariate_us,
                Measured::Ratio { .. } | Measured::Quantile { .. } => None,
            }
            .map(|us| name_of(column, (Without::Zero, When::Before(us))));
            Metric { name: name_of(column, (without, When::After)), measured, covariate, ..metric.clone() }
        })
        .collect();
    let recorded = Recorded { table: table.clone(), columns };
    let population = stored(&experiment.exposed, &recorded).ok_or_else(|| ExperimentError::Summary {
        problem: "a metric names a column that its table does not have".to_owned(),
    })?;
    Ok(ExperimentRequest {
        population,
        unit: UNIT.to_owned(),
        arm: ARM.to_owned(),
        metrics,
        covariate: None,
        cuts: super::Cuts::default(),
        rule: experiment.rule.clone(),
    })
}

fn attributed(experiment: &StoredExperiment, table: &RecordTable) -> String {
    let what = match table {
        RecordTable::Measurements => "measurements".to_owned(),
        RecordTable::Predictions { model } => format!("predictions of `{model}`"),
        RecordTable::Outcomes { model } => format!("outcomes of `{model}`"),
    };
    format!(
        "attributed: {what} within {} after a unit's first exposure; none counts as 0 except in a quantile",
        length(experiment.exposed.window_us)
    )
}

/// A length of time in days, or in hours where it is short.
fn length(us: i64) -> String {
    let hours = us as f64 / 3.6e9;
    if hours >= 48.0 { format!("{} days", hours / 24.0) } else { format!("{hours} hours") }
}
