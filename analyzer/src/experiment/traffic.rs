//! What an experiment would have to do with: the units that come, day after day, and what a metric is over them. Everything is
//! read as if an experiment had begun at the start of a span of the past, so that no exposure is needed.

use windvane_stats::experiment::plan::Baseline;
use windvane_store::{
    Reader,
    experiment::{ArrivalsRow, ExposedBy, RecordTable, UNIT, arrivals},
};

use super::{
    AaRequest, ExperimentError, ExperimentRequest, StoredExperiment, StoredMetric, aa, facts::ArmSums,
    gather, metric::Measured, stored,
};

/// The units of a span.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// The metric over them.
    pub baseline: Baseline,
    /// How many there were.
    pub units: u64,
    /// Units that came on each day of the span and on none before it.
    pub arrivals: Vec<u64>,
}

/// The units of the source of a metric, the `place`th one, as if an experiment without arms had begun at the start of the
/// experiment's span. Units whose window was not over at its end are left out.
fn asked(experiment: &StoredExperiment, place: usize) -> Result<ExperimentRequest, ExperimentError> {
    let mut experiment = experiment.clone();
    experiment.exposed.by = ExposedBy::Records;
    // A split has no arms, no covariates, no segments and no strata.
    experiment.covariate_us = None;
    experiment.stratify = None;
    experiment.exposed.segment_by.clear();
    let places = with_others(&experiment.metrics, place);
    let mut asked = stored::request(&experiment, &experiment.metrics[place].table, &places)?;
    // The others only tell which units came.
    asked.metrics.truncate(1);
    Ok(asked)
}

/// The place of a metric, and of those by whose records its units are known to have come as well. A measurement is of one metric: who
/// bought nothing has none of `revenue` and counts as 0, as in the experiment. Quantiles have no units without a record, and a count of
/// rows would have every unit of the table.
fn with_others(metrics: &[StoredMetric], place: usize) -> Vec<usize> {
    let own = &metrics[place];
    let is_summed = |metric: &StoredMetric| match &metric.metric.measured {
        Measured::Quantile { .. } => false,
        Measured::Ratio { denominator } => denominator != "rows" && metric.column != "rows",
        Measured::Mean | Measured::Proportion => metric.column != "rows",
    };
    let joins = own.table == RecordTable::Measurements && is_summed(own);
    let others = metrics
        .iter()
        .enumerate()
        .filter(|(at, other)| joins && *at != place && other.table == own.table && is_summed(other));
    std::iter::once(place).chain(others.map(|(at, _)| at)).collect()
}

/// The same as an A/A simulation asks for it.
///
/// # Errors
/// The metric names a column that its table does not have.
pub fn as_if(experiment: &StoredExperiment, place: usize) -> Result<AaRequest, ExperimentError> {
    let asked = asked(experiment, place)?;
    Ok(AaRequest {
        population: asked.population,
        unit: UNIT.to_owned(),
        metric: asked.metrics.into_iter().next().unwrap_or_else(|| experiment.metrics[place].metric.clone()),
        told: experiment.metrics[place].metric.name.clone(),
        alpha: experiment.rule.alpha,
        splits: aa::SPLITS_DEFAULT,
        seed: aa::SEED,
    })
}

/// Reads the traffic of a metric, the `place`th one.
///
/// # Errors
/// There are fewer than two units, too few rows for a quantile, or a statement fails.
pub async fn traffic(
    reader: &Reader,
    experiment: &StoredExperiment,
    place: usize,
) -> Result<Traffic, ExperimentError> {
    let asked = asked(experiment, place)?;
    let (sums, units) = match experiment.metrics[place].metric.measured {
        Measured::Quantile { .. } => {
            let arm = gather::quantile_of_all(reader, &asked).await?;
            (ArmSums::Quantile(arm), arm.map_or(0, |arm| arm.clusters.n()))
        }
        _ => aa::whole(reader, &as_if(experiment, place)?).await?,
    };
    let baseline = match &sums {
        ArmSums::Mean(sums) => Baseline::of_sums(sums),
        ArmSums::Proportion(sums) => sums.share().and_then(Baseline::of_share),
        ArmSums::Ratio(sums) => Baseline::of_ratio(sums),
        ArmSums::Quantile(arm) => arm.as_ref().and_then(Baseline::of_quantile),
        _ => None,
    };
    let start_us = experiment.exposed.start_us.unwrap_or_default();
    let rows: Vec<ArrivalsRow> = reader.rows(&arrivals(&asked.population, start_us)).await?;
    let days = (experiment.exposed.end_us - experiment.exposed.window_us - start_us).max(0) / DAY_US;
    let mut arrivals = vec![0; usize::try_from(days).unwrap_or(0).max(1)];
    for row in rows {
        // A part of a day at the end belongs to the day before it.
        let last = arrivals.len() - 1;
        arrivals[(row.day as usize).min(last)] += row.units;
    }
    match baseline {
        Some(baseline) => Ok(Traffic { baseline, units, arrivals }),
        None => Err(ExperimentError::Summary {
            problem: format!(
                "{units} units with records in the span, and a whole window after the first of them, are too few to plan with"
            ),
        }),
    }
}

const DAY_US: i64 = 86_400_000_000;

/// How many days it takes until so many units have come: as it was while the span lasts, and from then on at the pace of its
/// second half, because those who come often have come by then. `None` where nobody comes any more.
#[must_use]
pub fn days_until(arrivals: &[u64], needed: u64) -> Option<u64> {
    let mut come = 0;
    for (day, units) in arrivals.iter().enumerate() {
        come += units;
        if come >= needed {
            return Some(day as u64 + 1);
        }
    }
    let later = &arrivals[arrivals.len() / 2..];
    let pace = later.iter().sum::<u64>() as f64 / later.len().max(1) as f64;
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a count of days")]
    (pace > 0.0).then(|| arrivals.len() as u64 + ((needed - come) as f64 / pace).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use windvane_store::experiment::RecordTable;

    use super::super::{Measured, Metric, StoredMetric};
    use super::{days_until, with_others};

    #[test]
    fn units_come_by_the_measurements_of_all_metrics_that_are_summed() {
        let metric = |column: &str, measured: Measured, table: RecordTable| StoredMetric {
            metric: Metric::new(column, measured),
            table,
            column: column.to_owned(),
        };
        let measured = |column: &str, measured| metric(column, measured, RecordTable::Measurements);
        let ratio = |denominator: &str| Measured::Ratio { denominator: denominator.to_owned() };
        let metrics = [
            measured("revenue", Measured::Mean),
            measured("wait", Measured::Quantile { q: 0.9 }),
            measured("bought", Measured::Proportion),
            measured("clicks", ratio("views")),
            measured("lines", ratio("rows")),
            metric("score", Measured::Mean, RecordTable::Predictions { model: "m".to_owned() }),
        ];
        for (place, places) in
            [(0, &[0, 2, 3][..]), (1, &[1]), (2, &[2, 0, 3]), (3, &[3, 0, 2]), (4, &[4]), (5, &[5])]
        {
            assert_eq!(with_others(&metrics, place), places, "{place}");
        }
    }

    #[test]
    fn days_are_those_of_the_past_and_then_of_its_second_half() {
        for (arrivals, needed, days) in [
            (&[100, 50, 10, 10][..], 100, Some(1)),
            (&[100, 50, 10, 10], 151, Some(3)),
            (&[100, 50, 10, 10], 170, Some(4)),
            (&[100, 50, 10, 10], 190, Some(6)),
            (&[100, 50, 0, 0], 151, None),
            (&[5], 11, Some(3)),
            (&[], 1, None),
        ] {
            assert_eq!(days_until(arrivals, needed), days, "{arrivals:?} {needed}");
        }
    }
}
