//! The `experiment_findings` table: the document of one look at an experiment as rows, one metric of one arm each.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use windvane_types::experiment::{Comparison, Document, Segment, Srm};

use super::{experiment_looks, segment_key, segment_value};
use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Statement, Store, StoreError, native};

const TABLE: &str = "experiment_findings";

const COLUMNS: &[Column] = &[
    column("run_id", Wire::Text),
    column("computed_at", Wire::Micros),
    column("as_of", Wire::Micros),
    column("experiment", Wire::Word),
    column("metric", Wire::Word),
    column("metric_kind", Wire::Word),
    column("quantile", Wire::Number),
    column("role", Wire::Word),
    column("arm", Wire::Word),
    column("control", Wire::Word),
    column("segment_key", Wire::Word),
    column("segment_value", Wire::Text),
    column("n", Wire::Count),
    column("n_control", Wire::Count),
    column("mean", Wire::OptionalNumber),
    column("mean_control", Wire::OptionalNumber),
    column("absolute", Wire::OptionalNumber),
    column("absolute_low", Wire::OptionalNumber),
    column("absolute_high", Wire::OptionalNumber),
    column("relative", Wire::OptionalNumber),
    column("relative_low", Wire::OptionalNumber),
    column("relative_high", Wire::OptionalNumber),
    column("sequential_low", Wire::OptionalNumber),
    column("sequential_high", Wire::OptionalNumber),
    column("sequential_p_value", Wire::OptionalNumber),
    column("probability_better", Wire::OptionalNumber),
    column("p_value", Wire::OptionalNumber),
    column("p_adjusted", Wire::OptionalNumber),
    column("srm_p_value", Wire::OptionalNumber),
    column("srm_sequential_p_value", Wire::OptionalNumber),
    column("srm_verdict", Wire::Word),
    column("verdict", Wire::Word),
    column("detail", Wire::Text),
];

/// What a look was about; its document says what came out.
#[derive(Debug, Clone)]
pub struct Look {
    /// Unique among looks; inserting one twice under its id changes nothing.
    pub run_id: String,
    /// When it ended, microseconds since 1970 UTC; of two looks at the same time the later one wins.
    pub computed_at_us: i64,
    /// Exposures before this time were looked at, microseconds since 1970 UTC.
    pub as_of_us: i64,
    /// The experiment.
    pub experiment: String,
}

/// Writes the findings of a look, and the look as a whole after them: who sees the look sees its findings.
///
/// # Errors
/// As [`Store::insert`]; the same look may be written again.
pub async fn write(store: &Store, look: &Look, document: &Document) -> Result<u64, StoreError> {
    let rows = write_rows(store, look, document).await?;
    experiment_looks::write(store, look, document).await?;
    Ok(rows)
}

async fn write_rows(store: &Store, look: &Look, document: &Document) -> Result<u64, StoreError> {
    let mut body = Vec::new();
    let whole = document.comparisons.iter().map(|comparison| (None, &document.srm, comparison));
    let parts = document
        .segments
        .iter()
        .flat_map(|part| part.comparisons.iter().map(move |comparison| (Some(part), &part.srm, comparison)));
    let mut rows = 0;
    for (segment, srm, comparison) in whole.chain(parts) {
        encode_row(look, segment, (srm, comparison), &mut body);
        rows += 1;
    }
    if rows == 0 {
        return Ok(0);
    }
    let pieces = native::encode(COLUMNS, &[Bytes::from(body)], rows)
        .expect("these rows were encoded for these columns");
    let token = format!("experiment-{}", look.run_id);
    store.send(Insert { table: TABLE, columns: COLUMNS, token: &token, pieces }).await?;
    Ok(rows)
}

/// Appends the columns in the order of [`COLUMNS`].
fn encode_row(
    look: &Look,
    segment: Option<&Segment>,
    (srm, comparison): (&Srm, &Comparison),
    out: &mut Vec<u8>,
) {
    rb::string(out, &look.run_id);
    rb::i64(out, look.computed_at_us);
    rb::i64(out, look.as_of_us);
    for word in [look.experiment.as_str(), &comparison.metric, comparison.kind.as_str()] {
        rb::string(out, word);
    }
    rb::f64(out, comparison.quantile.unwrap_or(0.0));
    for word in [comparison.role.as_str(), &comparison.arm, &comparison.control] {
        rb::string(out, word);
    }
    let values = segment.map(|segment| &segment.segment);
    rb::string(out, &segment_key(values));
    rb::string(out, &segment_value(values));
    rb::u64(out, comparison.n);
    rb::u64(out, comparison.n_control);
    let end = |ci: Option<[Option<f64>; 2]>, at: usize| ci.and_then(|ends| ends[at]);
    let relative = comparison.relative.unwrap_or_default();
    let sequential = comparison.sequential;
    let always = sequential.and_then(|sequential| sequential.ci);
    for number in [
        comparison.mean,
        comparison.mean_control,
        comparison.absolute.estimate,
        end(comparison.absolute.ci, 0),
        end(comparison.absolute.ci, 1),
        relative.estimate,
        end(relative.ci, 0),
        end(relative.ci, 1),
        end(always, 0),
        end(always, 1),
        sequential.and_then(|sequential| sequential.p_value),
        comparison.bayesian.as_ref().map(|bayesian| bayesian.probability_better),
        comparison.p_value,
        comparison.p_adjusted,
        srm.p_value,
        srm.sequential_p_value,
    ] {
        rb::nullable(out, number, rb::f64);
    }
    rb::string(out, srm.verdict.as_str());
    rb::string(out, comparison.verdict.as_str());
    rb::string(out, &serde_json::to_string(comparison).unwrap_or_default());
}

/// One look at one metric of one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The metric.
    pub metric: String,
    /// Its kind.
    pub metric_kind: String,
    /// The level of a quantile; 0 for other kinds.
    pub quantile: f64,
    /// The arm.
    pub arm: String,
    /// Exposures before this time were looked at, microseconds since 1970 UTC.
    pub as_of_us: i64,
    /// Units of the arm with a value.
    pub n: u64,
    /// Units of the control with a value.
    pub n_control: u64,
    /// The relative difference.
    pub relative: Option<f64>,
    /// The lower end of its interval.
    pub relative_low: Option<f64>,
    /// The upper end of its interval.
    pub relative_high: Option<f64>,
    /// The lower end of the always-valid interval.
    pub sequential_low: Option<f64>,
    /// The upper end of the always-valid interval.
    pub sequential_high: Option<f64>,
    /// The always-valid p-value.
    pub sequential_p_value: Option<f64>,
    /// The p-value after correction.
    pub p_adjusted: Option<f64>,
    /// The p-value of the sample ratio.
    pub srm_p_value: Option<f64>,
    /// The verdict.
    pub verdict: String,
}

/// Which looks are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// The experiment.
    pub experiment: &'a str,
    /// One metric; all of them where it is empty.
    pub metric: &'a str,
    /// One arm; all of them where it is empty.
    pub arm: &'a str,
    /// Looks as of this time or later, microseconds since 1970 UTC.
    pub from_us: i64,
    /// Looks as of an earlier time.
    pub to_us: i64,
}

impl<'a> Series<'a> {
    /// Everything of an experiment.
    #[must_use]
    pub fn of(experiment: &'a str) -> Self {
        Self { experiment, metric: "", arm: "", from_us: 0, to_us: END_OF_TIME_US }
    }
}

/// The year 2200, beyond which DateTime64 does not go far.
const END_OF_TIME_US: i64 = 7_258_118_400_000_000;
/// Looks that one answer holds at most: hourly for a year, of one metric and arm.
const POINTS_MAX: u32 = 10_000;

/// The looks at an experiment over all units, by metric and arm in time; the latest ones where there are too many.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn over_time(store: &Store, asked: Series<'_>) -> Result<Vec<Point>, StoreError> {
    let statement = Statement::new(OVER_TIME)
        .param("experiment", asked.experiment)
        .param("metric", asked.metric)
        .param("arm", asked.arm)
        .param("from", asked.from_us)
        .param("to", asked.to_us)
        .param("limit", POINTS_MAX);
    store.rows(&statement).await
}

/// Of two looks as of one time the later one counts, also where it has not all that the earlier one has.
const OVER_TIME: &str = "
    SELECT * FROM (
        SELECT metric, metric_kind, quantile, arm, toUnixTimestamp64Micro(found.as_of) AS as_of_us, n, n_control,
               relative, relative_low, relative_high, sequential_low, sequential_high, sequential_p_value,
               p_adjusted, srm_p_value, verdict
        FROM windvane.experiment_findings AS found FINAL
        WHERE experiment = {experiment:String} AND segment_key = ''
          AND {metric:String} IN ('', metric) AND {arm:String} IN ('', arm)
          AND found.as_of >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND found.as_of < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
          AND (found.as_of, found.computed_at) IN (
            SELECT as_of, max(computed_at) FROM windvane.experiment_findings
            WHERE experiment = {experiment:String} GROUP BY as_of
          )
        ORDER BY as_of_us DESC, metric, arm
        LIMIT {limit:UInt32}
    )
    ORDER BY metric, metric_kind, quantile, arm, as_of_us";
