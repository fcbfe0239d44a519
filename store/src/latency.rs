//! What latencies are asked: counts by bucket of one relative width, whole and by group, and bad events by window.
//!
//! Counts by bucket add up over parts and over time, and there are about a hundred a factor of e: nothing grows with the rows.

use serde::Deserialize;

use crate::Statement;
use crate::local::quote;
use crate::populations::{Population, PopulationColumn, Sql};

/// The bucket of infinite values: there is none so high of finite ones.
pub const INFINITE: i32 = i32::MAX;

/// A bucket of a group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BucketRow {
    /// The group; null where its value is missing.
    pub group: Option<String>,
    /// Which one: values above γⁱ⁻¹ and up to γⁱ, or [`INFINITE`].
    pub bucket: i32,
    /// Its values.
    pub count: u64,
}

/// What is asked of latencies.
#[derive(Debug, Clone, Copy)]
pub struct LatencyAsk<'a> {
    /// The rows.
    pub population: &'a Population,
    /// The column of latencies.
    pub column: &'a PopulationColumn,
    /// ln γ of the buckets.
    pub ln_gamma: f64,
    /// The bucket of values that are 0 or below.
    pub zero: i32,
}

/// A cut into groups: all rows, or a column, a tag, `version`, `environment` or `arm:EXPERIMENT`.
fn cut(population: &Population, name: Option<&str>) -> Option<String> {
    match name {
        None => Some("CAST('', 'Nullable(String)')".to_owned()),
        Some(name) => population.segment_expression(name).map(|Sql(sql)| format!("toNullable({sql})")),
    }
}

/// A group of a cut.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GroupRow {
    /// Its value; null where it is missing.
    pub group: Option<String>,
    /// How many groups the cut has.
    pub groups: u64,
}

/// The groups of a cut, the largest first, at most `limit`; `None` where rows cannot be cut that way.
#[must_use]
pub fn groups(ask: LatencyAsk<'_>, name: &str, limit: usize) -> Option<Statement> {
    let LatencyAsk { population, column, .. } = ask;
    let Sql(x) = column.storage.as_number();
    Some(Statement::new(format!(
        "SELECT group, count() AS count, count() OVER () AS groups FROM (SELECT {} AS group, {x} AS x FROM {}) \
         WHERE isNotNull(x) GROUP BY group ORDER BY count DESC, group LIMIT {limit}",
        cut(population, Some(name))?,
        population.reading(&[column.name.clone(), name.to_owned()]),
    )))
}

/// Counts by bucket, of all rows or of these groups of a cut; `None` where rows cannot be cut that way.
#[must_use]
pub fn buckets(ask: LatencyAsk<'_>, name: Option<&str>, groups: &[Option<String>]) -> Option<Statement> {
    let LatencyAsk { population, column, ln_gamma, zero } = ask;
    let Sql(x) = column.storage.as_number();
    // Where no row has a latency it is a constant, whose logarithm would be taken before any row is looked at.
    let x = format!("materialize({x})");
    let known: Vec<String> = groups.iter().flatten().map(|group| quote(group)).collect();
    let within = match (name, groups.iter().any(Option::is_none)) {
        (None, _) => String::new(),
        (Some(_), true) if known.is_empty() => " AND isNull(group)".to_owned(),
        (Some(_), true) => format!(" AND (isNull(group) OR group IN ({}))", known.join(", ")),
        (Some(_), false) if known.is_empty() => " AND 0".to_owned(),
        (Some(_), false) => format!(" AND group IN ({})", known.join(", ")),
    };
    let mut columns = vec![column.name.clone()];
    columns.extend(name.map(str::to_owned));
    Some(Statement::new(format!(
        "SELECT group, multiIf(isInfinite(x), toInt32({INFINITE}), x > 0, toInt32(ceil(log(x) / {ln_gamma:?})), toInt32({zero})) AS bucket, \
         count() AS count FROM (SELECT {} AS group, {x} AS maybe, assumeNotNull(maybe) AS x FROM {}) \
         WHERE isNotNull(maybe){within} GROUP BY group, bucket ORDER BY group, bucket",
        cut(population, name)?,
        population.reading(&columns),
    )))
}

/// Counts by bucket of the spans of these predictions, by the name of the span: the stages of a request.
///
/// Spans are found by the trace of a prediction, and by time so that few parts are read; on a cluster traces are gathered first, as a
/// prediction and its spans lie on different shards. `None` for files.
#[must_use]
pub fn stages(ask: LatencyAsk<'_>, limit: usize) -> Option<Statement> {
    let LatencyAsk { population, ln_gamma, zero, .. } = ask;
    if !population.is_events() {
        return None;
    }
    let from = population.reading(&[]);
    Some(Statement::new(format!(
        "SELECT toNullable(toString(SpanName)) AS group, \
         if(Duration > 0, toInt32(ceil(log(Duration / 1000) / {ln_gamma:?})), toInt32({zero})) AS bucket, count() AS count \
         FROM spans WHERE TraceId GLOBAL IN (SELECT trace_id FROM {from} WHERE trace_id != '') \
         AND Timestamp >= (SELECT min(ts) - INTERVAL 1 HOUR FROM {from}) AND Timestamp <= (SELECT max(ts) + INTERVAL 1 HOUR FROM {from}) \
         AND SpanName GLOBAL IN (SELECT SpanName FROM spans WHERE TraceId GLOBAL IN (SELECT trace_id FROM {from} WHERE trace_id != '') \
         GROUP BY SpanName ORDER BY count() DESC, SpanName LIMIT {limit}) GROUP BY group, bucket ORDER BY group, bucket",
    )))
}

/// Whether the store has spans.
#[must_use]
pub fn has_spans() -> Statement {
    Statement::new(
        "SELECT toNullable('') AS group, toInt32(0) AS bucket, count() AS count FROM system.tables \
         WHERE database = currentDatabase() AND name = 'spans'",
    )
}

/// Bad and all events of windows that end at one time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BurnRow {
    /// The time of the latest event, microseconds since 1970 UTC; 0 without events.
    pub latest_us: i64,
    /// Events of each window.
    pub events: Vec<u64>,
    /// Those that were too slow, or failed.
    pub bad: Vec<u64>,
}

/// Asks for bad events in windows of these lengths before `end_us`, or before the latest event where that is `None`.
///
/// An event is bad whose latency is above the threshold (in the unit of the column) or, of predictions, whose status is not ok. `None`
/// where the column of times does not say when.
#[must_use]
pub fn burns(
    ask: LatencyAsk<'_>,
    (timestamp, end_us): (&str, Option<i64>),
    (threshold, windows_s): (f64, &[u64]),
) -> Option<Statement> {
    let LatencyAsk { population, column, .. } = ask;
    let Sql(at) = population.micros(timestamp)?;
    let Sql(x) = column.storage.as_number();
    let from = population.reading(&[column.name.clone(), timestamp.to_owned()]);
    let failed = if population.is_events() { "status != 'ok' AND status != ''" } else { "0" };
    let end = match end_us {
        Some(end_us) => format!("toInt64({end_us})"),
        None => format!("(SELECT ifNull(max({at}), toInt64(0)) + 1 FROM {from})"),
    };
    let of = |condition: &str| -> String {
        let counts = windows_s.iter().map(|s| format!("countIf({condition}at >= until - {})", s * 1_000_000));
        counts.collect::<Vec<_>>().join(", ")
    };
    Some(Statement::new(format!(
        "WITH {end} AS until SELECT toInt64(ifNull(max(at), 0)) AS latest_us, [{}] AS events, [{}] AS bad FROM \
         (SELECT {at} AS at, {x} AS x, {failed} AS failed FROM {from}) \
         WHERE isNotNull(at) AND at < until AND (isNotNull(x) OR failed)",
        of(""),
        of(&format!("(failed OR ifNull(x > {threshold:?}, 0)) AND ")),
    )))
}
