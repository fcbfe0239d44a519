//! Predictions joined with their outcomes: how good a binary model's scores were over a span of event time.

use serde::Deserialize;

use crate::{ReadError, Reader, Statement};

/// Scores nearer to 0 and 1 than this count as this, so that one sure mistake does not make the log loss infinite.
const SCORE_EPSILON: f64 = 1e-15;

/// Which predictions, and which label a high score stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredSpan {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The label that the score is the probability of.
    pub positive: String,
    /// Start of the span of event time, microseconds since 1970 UTC, included.
    pub start_us: i64,
    /// Its end, excluded.
    pub end_us: i64,
}

/// How good the scores were. The metrics are of labelled predictions with a score only, null where there is none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ScoredSummary {
    /// Predictions in the span.
    pub predictions: u64,
    /// Those with a score and an outcome.
    pub labelled: u64,
    /// Share of outcomes with the positive label.
    pub positive_rate: Option<f64>,
    /// Share of outcomes on the side of 0.5 that the score is on.
    pub accuracy: Option<f64>,
    /// Mean negative logarithm (natural) of the probability given to what came true.
    pub log_loss: Option<f64>,
    /// Area under the ROC curve.
    pub roc_auc: Option<f64>,
}

/// Joins and measures. A repeated prediction counts once; of several outcomes of one event the last taken counts.
///
/// # Errors
/// Where the store fails.
pub async fn summarize_scores(
    reader: &Reader,
    span: &ScoredSpan,
) -> Result<Option<ScoredSummary>, ReadError> {
    let statement = Statement::new(
        "SELECT count() AS predictions, countIf(known) AS labelled, \
         if(labelled = 0, NULL, avgIf(positive, known)) AS positive_rate, \
         if(labelled = 0, NULL, avgIf((p >= 0.5) = positive, known)) AS accuracy, \
         if(labelled = 0, NULL, avgIf(-log(greatest(if(positive, p, 1 - p), {epsilon:Float64})), known)) AS log_loss, \
         if(labelled = 0 OR positive_rate IN (0, 1), NULL, \
            arrayROCAUC(groupArrayIf(p, known), groupArrayIf(toUInt8(positive), known))) AS roc_auc \
         FROM (SELECT ifNull(any_score, 0) AS p, isNotNull(any_score) AND isNotNull(truth) AS known, \
                      ifNull(truth = {positive:String}, false) AS positive \
               FROM (SELECT event_id, any(score) AS any_score FROM predictions \
                     WHERE model = {model:String} AND version = {version:String} \
                       AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64}) \
                     GROUP BY event_id) AS predicted \
               LEFT JOIN (SELECT event_id, argMax(toNullable(toString(label)), ingested_at) AS truth FROM outcomes \
                          WHERE model = {model:String} AND isNotNull(label) GROUP BY event_id) AS known_later \
               USING event_id \
               SETTINGS join_use_nulls = 1)",
    )
    .param("model", span.model.as_str())
    .param("version", span.version.as_str())
    .param("positive", span.positive.as_str())
    .param("start", span.start_us)
    .param("end", span.end_us)
    .param("epsilon", SCORE_EPSILON);
    Ok(reader.rows(&statement).await?.into_iter().next())
}
