//! The histogram of one feature in a reference and in a window, for messages.

use serde::{Deserialize, Serialize};
use windvane_types::span::Span;

use crate::{Statement, Store, StoreError};

/// Bins of a numeric feature, and categories of a categorical one.
const BINS: u64 = 16;

/// Which feature, where.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The model.
    pub model: &'a str,
    /// Its version; empty for all.
    pub version: &'a str,
    /// Its environment; empty for all.
    pub environment: &'a str,
    /// The feature.
    pub column: &'a str,
    /// The reference.
    pub reference: Span,
    /// The window.
    pub window: Span,
}

/// Shares of the rows of both sides, bin by bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// What each bin holds: its lower end, or its category.
    pub bins: Vec<String>,
    /// Share of the reference's values in each bin, 0 to 1.
    pub reference: Vec<f64>,
    /// Share of the window's values in each bin.
    pub current: Vec<f64>,
}

/// A bin of a numeric feature; one that is empty on both sides is not there.
#[derive(Debug, Deserialize)]
struct Numeric {
    place: u64,
    low: f64,
    width: f64,
    reference: u64,
    current: u64,
}

/// A bin of either kind.
#[derive(Debug, Clone, Deserialize)]
struct Row {
    bin: String,
    reference: u64,
    current: u64,
}

/// The histogram of a numeric feature over bins of equal width from the 1st to the 99th percentile of both sides; what lies
/// beyond is in the outermost bins. `None` where one side has no value.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn numeric(store: &Store, asked: Asked<'_>) -> Result<Option<Histogram>, StoreError> {
    Ok(shares(filled(&store.rows::<Numeric>(&bound(NUMERIC, asked)).await?)))
}

/// That of a categorical feature over its most frequent categories; the rest is one bin.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn categorical(store: &Store, asked: Asked<'_>) -> Result<Option<Histogram>, StoreError> {
    Ok(shares(store.rows(&bound(CATEGORICAL, asked)).await?))
}

fn bound(sql: &'static str, asked: Asked<'_>) -> Statement {
    Statement::new(sql)
        .param("model", asked.model)
        .param("version", asked.version)
        .param("environment", asked.environment)
        .param("column", asked.column)
        .param("reference_start", asked.reference.start_us)
        .param("reference_end", asked.reference.end_us)
        .param("window_start", asked.window.start_us)
        .param("window_end", asked.window.end_us)
        .param("bins", BINS)
        .setting("max_execution_time", 30)
}

/// Every bin, in order, also those that are empty.
fn filled(rows: &[Numeric]) -> Vec<Row> {
    let Some(first) = rows.first() else { return Vec::new() };
    let (low, width) = (first.low, first.width);
    let bin = |place: u64| {
        let found = rows.iter().find(|row| row.place == place);
        Row {
            bin: short(low + width * place as f64),
            reference: found.map_or(0, |row| row.reference),
            current: found.map_or(0, |row| row.current),
        }
    };
    (0..BINS).map(bin).collect()
}

/// A number with four significant digits.
fn short(number: f64) -> String {
    format!("{number:.3e}").parse::<f64>().map_or_else(|_| number.to_string(), |rounded| rounded.to_string())
}

fn shares(rows: Vec<Row>) -> Option<Histogram> {
    let total = |side: fn(&Row) -> u64| rows.iter().map(side).sum::<u64>();
    let (reference, current) = (total(|row| row.reference), total(|row| row.current));
    if reference == 0 || current == 0 {
        return None;
    }
    Some(Histogram {
        reference: rows.iter().map(|row| row.reference as f64 / reference as f64).collect(),
        current: rows.iter().map(|row| row.current as f64 / current as f64).collect(),
        bins: rows.into_iter().map(|row| row.bin).collect(),
    })
}

macro_rules! sides {
    ($values:literal) => {
        concat!(
            "SELECT ",
            $values,
            " AS v,
             ts >= fromUnixTimestamp64Micro({window_start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({window_end:Int64}, 'UTC') AS is_now,
             ts >= fromUnixTimestamp64Micro({reference_start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({reference_end:Int64}, 'UTC') AS is_before
             FROM windvane.predictions
             WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
               AND (is_now OR is_before)"
        )
    };
}

const NUMERIC: &str = concat!(
    "WITH sides AS (",
    sides!("num[{column:String}]"),
    " AND mapContains(num, {column:String}) AND isFinite(v)),
     (SELECT quantile(0.01)(v) FROM sides) AS start,
     (SELECT greatest(quantile(0.99)(v) - quantile(0.01)(v), 1e-300) / {bins:UInt64} FROM sides) AS step
     SELECT toUInt64(least(greatest(floor((v - start) / step), 0), toFloat64({bins:UInt64} - 1))) AS place,
            any(toFloat64(start)) AS low, any(toFloat64(step)) AS width,
            countIf(is_before) AS reference, countIf(is_now) AS current
     FROM sides GROUP BY place ORDER BY place"
);

const CATEGORICAL: &str = concat!(
    "WITH sides AS (",
    sides!("toString(cat[{column:String}])"),
    " AND mapContains(cat, {column:String})),
     top AS (SELECT v FROM sides GROUP BY v ORDER BY count() DESC, v LIMIT {bins:UInt64} - 1)
     SELECT if(v IN (SELECT v FROM top), v, '(other)') AS bin, countIf(is_before) AS reference, countIf(is_now) AS current
     FROM sides GROUP BY bin ORDER BY bin = '(other)', reference DESC, bin"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_bins_are_bins_too() {
        let rows = [Numeric { place: 2, low: 10.0, width: 0.12345, reference: 1, current: 3 }];
        let bins = filled(&rows);
        assert_eq!((bins.len(), bins[2].current, bins[3].reference), (16, 3, 0));
        assert_eq!((bins[0].bin.as_str(), bins[1].bin.as_str()), ("10", "10.12"));
    }

    #[test]
    fn a_histogram_has_shares_of_each_side() {
        let row = |bin: &str, reference, current| Row { bin: bin.to_owned(), reference, current };
        let histogram = shares(vec![row("0", 3, 0), row("1", 1, 2)]).unwrap();
        assert_eq!((histogram.reference, histogram.current), (vec![0.75, 0.25], vec![0.0, 1.0]));
        assert_eq!(shares(vec![row("0", 3, 0)]), None);
        assert_eq!(shares(Vec::new()), None);
    }
}
