//! Over the store: whether records of one arm come late more often, whether units met an arm before the exposure that counts, and which days
//! have been followed to their end.

use std::collections::BTreeMap;

use windvane_store::{
    Reader,
    experiment::{
        Exposed, RecordColumn, RecordTable, Recorded, StoredTiming, When, Without, met_before_known,
        stored_timing,
    },
};

use super::{
    ExperimentError, StoredExperiment, StoredMetric,
    facts::{ArmFacts, Early, MetricFacts, Parts, Timed},
};

/// Counts the units of each arm, in one statement over the tables of all metrics; `None` where it is not asked for.
pub(super) async fn timed(
    reader: &Reader,
    experiment: &StoredExperiment,
    arms: &[ArmFacts],
) -> Result<Option<Timed>, ExperimentError> {
    let Some(late_after_us) = experiment.checks.late_after_us else { return Ok(None) };
    let arms: Vec<String> = arms.iter().map(|arm| arm.name.clone()).collect();
    let recorded = tables(&experiment.metrics);
    let exposed = &experiment.exposed;
    let asked = StoredTiming { exposed, recorded: &recorded, arms: &arms, late_after_us };
    let rows = reader.rows(&stored_timing(asked)).await?;
    let early = met_before_known(exposed).then_some(Early::Exposures);
    Ok(Some(Timed { rows, early, received: true }))
}

/// The parts with those days alone whose units have all been followed for their whole window. Those of later days have less of it behind
/// them, and a sum that is not whole looks like an effect that fades. Where no day is over, days keep no numbers.
pub(super) fn followed(parts: Parts, exposed: &Exposed) -> Parts {
    let over = |day: i32| {
        let end_us = (i64::from(day) + 1).saturating_mul(DAY_US);
        end_us.saturating_add(exposed.window_us) <= exposed.end_us
    };
    let any = parts.days.iter().any(|(day, _)| over(*day));
    let kept = |(day, metrics): (i32, Vec<MetricFacts>)| match over(day) {
        true => Some((day, metrics)),
        false => (!any).then(|| (day, Vec::new())),
    };
    Parts { days: parts.days.into_iter().filter_map(kept).collect(), ..parts }
}

const DAY_US: i64 = 86_400_000_000;

/// Each table of the metrics with the columns that they are made of.
fn tables(metrics: &[StoredMetric]) -> Vec<Recorded> {
    let mut columns: BTreeMap<RecordTable, Vec<RecordColumn>> = BTreeMap::new();
    for metric in metrics {
        let of_table = columns.entry(metric.table.clone()).or_default();
        for column in [Some(metric.column.as_str()), metric.metric.denominator()].into_iter().flatten() {
            if of_table.iter().all(|known| known.column != column) {
                of_table.push(RecordColumn {
                    name: column.to_owned(),
                    column: column.to_owned(),
                    without: Without::Zero,
                    when: When::After,
                });
            }
        }
    }
    columns.into_iter().map(|(table, columns)| Recorded { table, columns }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Measured, Metric};

    // 2013-01-01 is day 15706 since 1970. At midnight before the fifth a window of two days is over for those who came on the first two.
    #[test]
    fn days_count_once_the_window_of_all_their_units_is_over() {
        let metric = MetricFacts {
            metric: Metric::new("revenue", Measured::Mean),
            covariate: None,
            arms: Vec::new(),
            notes: Vec::new(),
            reason: None,
        };
        let days = |window_us: i64| -> Vec<(i32, usize)> {
            let exposed = Exposed {
                experiment: "e".to_owned(),
                by: windvane_store::experiment::ExposedBy::Predictions,
                start_us: None,
                end_us: 15_710 * DAY_US,
                window_us,
                segment_by: Vec::new(),
            };
            let days = (15_706..15_710).map(|day| (day, vec![metric.clone()])).collect();
            let parts = followed(Parts { days, ..Parts::default() }, &exposed);
            parts.days.into_iter().map(|(day, metrics)| (day, metrics.len())).collect()
        };
        assert_eq!(days(2 * DAY_US), [(15_706, 1), (15_707, 1)]);
        assert_eq!(days(2 * DAY_US + 1), [(15_706, 1)]);
        for far in [30 * DAY_US, i64::MAX] {
            assert_eq!(days(far), [(15_706, 0), (15_707, 0), (15_708, 0), (15_709, 0)]);
        }
    }

    #[test]
    fn each_table_is_read_once_for_the_columns_of_all_its_metrics() {
        let metric = |name: &str, measured, table| StoredMetric {
            metric: Metric::new(name, measured),
            table,
            column: name.to_owned(),
        };
        let model = || RecordTable::Outcomes { model: "m".to_owned() };
        let ratio = Measured::Ratio { denominator: "visits".to_owned() };
        let found = tables(&[
            metric("revenue", Measured::Mean, RecordTable::Measurements),
            metric("value", Measured::Mean, model()),
            metric("revenue", Measured::Mean, RecordTable::Measurements),
            metric("clicks", ratio, RecordTable::Measurements),
        ]);
        let names = |table: &RecordTable| -> Vec<&str> {
            let of_table = found.iter().filter(|recorded| recorded.table == *table);
            of_table.flat_map(|recorded| &recorded.columns).map(|column| column.column.as_str()).collect()
        };
        assert_eq!(found.len(), 2);
        assert_eq!(names(&RecordTable::Measurements), ["revenue", "clicks", "visits"]);
        assert_eq!(names(&model()), ["value"]);
    }
}
