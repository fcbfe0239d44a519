//! Over the store: whether records of one arm come late more often, and whether units met an arm before the exposure that counts.

use std::collections::BTreeMap;

use windvane_store::{
    Reader,
    experiment::{
        RecordColumn, RecordTable, Recorded, StoredTiming, When, Without, met_before_known, stored_timing,
    },
};

use super::{
    ExperimentError, StoredExperiment, StoredMetric,
    facts::{ArmFacts, Early, Timed},
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
