//! The sample of flights that the binary carries: data/flights.parquet, read into columns.

use anyhow::{Context, bail};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The sample; data/README.md says where it comes from.
static SAMPLE: &[u8] = include_bytes!("../../data/flights.parquet");

/// All flights in order of `ts_us`, column by column.
#[derive(Debug)]
pub struct Flights {
    /// The id of each prediction.
    pub event_id: Vec<String>,
    /// When each is made, microseconds since 1970 UTC.
    pub ts_us: Vec<i64>,
    /// The aeroplane, where known.
    pub unit_id: Vec<Option<String>>,
    /// What was true, where it ever became known.
    pub outcome: Vec<Option<Truth>>,
    table: RecordBatch,
}

/// An outcome and when it became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    pub label: String,
    pub ts_us: i64,
}

impl Flights {
    /// Reads the sample.
    ///
    /// # Errors
    /// The sample is not what this binary was built for.
    pub fn load() -> anyhow::Result<Self> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(SAMPLE))?;
        let schema = reader.schema().clone();
        let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
        let table = concat_batches(&schema, &batches)?;
        let label = texts(&table, "outcome_label")?;
        let known = instants(&table, "outcome_ts")?;
        let outcome = label.into_iter().zip(known).map(|(label, ts_us)| {
            let (label, ts_us) = (label?, ts_us?);
            Some(Truth { label, ts_us })
        });
        let flights = Self {
            event_id: texts(&table, "event_id")?.into_iter().map(Option::unwrap_or_default).collect(),
            ts_us: instants(&table, "ts")?.into_iter().map(Option::unwrap_or_default).collect(),
            unit_id: texts(&table, "unit_id")?,
            outcome: outcome.collect(),
            table,
        };
        match flights.ts_us.is_sorted() {
            true => Ok(flights),
            false => bail!("the sample of flights is not in order of time"),
        }
    }

    /// How many flights.
    pub fn len(&self) -> usize {
        self.event_id.len()
    }

    /// A numeric feature; missing values are `None`.
    ///
    /// # Errors
    /// The sample has no such column.
    pub fn numbers(&self, name: &str) -> anyhow::Result<Vec<Option<f64>>> {
        let column = cast(column(&self.table, name)?, &DataType::Float64)?;
        Ok(column.as_primitive::<Float64Type>().iter().collect())
    }

    /// A categorical feature; missing values are `None`.
    ///
    /// # Errors
    /// The sample has no such column.
    pub fn texts(&self, name: &str) -> anyhow::Result<Vec<Option<String>>> {
        texts(&self.table, name)
    }
}

fn column<'t>(table: &'t RecordBatch, name: &str) -> anyhow::Result<&'t dyn Array> {
    let column = table.column_by_name(name).with_context(|| format!("the sample has no column `{name}`"))?;
    Ok(column.as_ref())
}

fn texts(table: &RecordBatch, name: &str) -> anyhow::Result<Vec<Option<String>>> {
    let column = cast(column(table, name)?, &DataType::Utf8)?;
    Ok(column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
}

fn instants(table: &RecordBatch, name: &str) -> anyhow::Result<Vec<Option<i64>>> {
    let column = column(table, name)?;
    let column = column.as_primitive_opt::<TimestampMicrosecondType>();
    Ok(column.with_context(|| format!("column `{name}` of the sample holds no times"))?.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_holds_a_year_of_flights_with_outcomes_known_after_the_prediction() {
        let flights = Flights::load().unwrap();
        assert_eq!(flights.len(), 72_000);
        let known: Vec<(usize, &Truth)> =
            flights.outcome.iter().enumerate().filter_map(|(i, truth)| Some((i, truth.as_ref()?))).collect();
        assert!(known.len() > 69_000 && known.len() < flights.len(), "{}", known.len());
        assert!(known.iter().all(|(i, truth)| truth.ts_us > flights.ts_us[*i]));
        assert!(known.iter().all(|(_, truth)| ["late", "on_time"].contains(&truth.label.as_str())));
        assert!(flights.numbers("wind_gust").unwrap().contains(&None), "missing stays missing");
        assert!(flights.numbers("no such column").is_err());
    }
}
