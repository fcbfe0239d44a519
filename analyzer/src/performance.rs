//! Performance: a reference with targets and a population in, the document `windvane.performance/1` out.
//!
//! The engine reduces, this decides: `side` surveys a population and cuts it into chunks, `measure` reads counts, sums and sorted
//! scores into the kernels of `stats`, `estimator` learns from the reference what stands for truth that is not known, and `judge`
//! makes thresholds, alerts and trust of it. Nothing here holds rows.

mod classes;
mod concept;
mod error;
mod estimator;
mod features;
mod judge;
mod measure;
mod part;
mod request;
mod side;
mod stored;
mod streamed;
#[cfg(test)]
mod tests;
mod walks;
mod weakest;

use std::collections::BTreeSet;

use windvane_store::Reader;
use windvane_store::findings::performance::Compared;
use windvane_store::populations::{self, Pair, SegmentKeys, SegmentRow};
use windvane_types::drift;
use windvane_types::performance::{
    Chunk, Document, SCHEMA, Segment, Task, TrustVerdict, Verdict, WeakestSegments,
};

pub use error::PerformanceError;
pub use request::{CHUNKS_MAX, CLASSES_MAX, Cut, PerformanceRequest, Question, Rule};
pub use stored::{Asked, Opened, open};

use crate::drift::SEGMENTS_MAX;
use error::WEIGHTS_SQUARED;
use judge::Judge;
pub(crate) use judge::main_metric;
use part::{Part, Parts};
use side::Side;

/// Measures a population against its reference.
///
/// # Errors
/// When a column or a class cannot serve, when there would be too many chunks, or when a statement fails.
pub async fn run(reader: &Reader, request: &PerformanceRequest) -> Result<Document, PerformanceError> {
    let PerformanceRequest { reference, current, question, past } = request;
    known_segments(request)?;
    let targets = streamed::targets(reader, request).await?;
    let names = &question.segment_by;
    let uncut = SegmentKeys { names: names.clone(), keys: Vec::new() };
    let streamed = streamed::walk(reader, request, (&uncut, targets)).await?;
    let (found, left_out) = match &streamed {
        Some(streamed) => (streamed.segments.clone(), streamed.left_out),
        None => find_segments(reader, request).await?,
    };
    let keys = found.iter().map(|segment| segment.key.clone()).collect();
    let segments = SegmentKeys { names: names.clone(), keys };
    let [reference, current] = match streamed {
        Some(streamed) => streamed.sides(&segments),
        None => [
            Side::open(reader, ("reference", reference), question, &segments).await?,
            Side::open(reader, ("current population", current), question, &segments).await?,
        ],
    };
    let classes = classes::classes(question, [&reference.survey, &current.survey])?;
    for side in [&reference, &current] {
        numeric(side).await?;
        weighable(side)?;
    }
    features::known(&reference)?;
    let can = estimable(question) && reference.survey.labelled > 0;
    let estimator = match question.estimate && can {
        true => Some(estimator::learn(&reference, &classes).await?),
        false => None,
    };
    let before = measure::measure(&reference, &classes, estimator.as_ref()).await?;
    let now = measure::measure(&current, &classes, estimator.as_ref()).await?;
    let weakest_segments = match question.weakest {
        0 => WeakestSegments::default(),
        _ if current.survey.labelled > 0 => weakest::weakest(&current, &classes).await?,
        _ => WeakestSegments::default(),
    };
    let concept_drift = match question.concept_drift {
        true => Some(concept::look(&reference, &current, &classes).await?),
        false => None,
    };
    let parts = Both { reference: &reference, current: &current, before: &before, now: &now, past };
    let document = parts.document(classes, (&found, left_out), weakest_segments);
    Ok(Document { concept_drift, ..document })
}

/// Whether there is something to estimate by: scores or probabilities.
fn estimable(question: &Question) -> bool {
    match question.task {
        Task::Binary => question.roles.score.is_some(),
        Task::Multiclass => !question.roles.probabilities.is_empty(),
        Task::Regression => true,
        Task::Ranking => false,
    }
}

/// Regressions and rankings need targets that are numbers.
async fn numeric(side: &Side<'_>) -> Result<(), PerformanceError> {
    let task = side.question.task;
    if !matches!(task, Task::Regression | Task::Ranking) {
        return Ok(());
    }
    let (name, task, survey) = (side.name, task.as_str(), &side.survey);
    if survey.targets_not_numeric > 0 {
        let rows = survey.targets_not_numeric;
        return Err(PerformanceError::TargetNotNumeric { rows, side: name, task });
    }
    let outcomes = if survey.labelled == 0 { side.outcomes().await? } else { 0 };
    match outcomes {
        0 => Ok(()),
        rows => Err(PerformanceError::OutcomesWithoutValue { rows, side: name, task }),
    }
}

/// Weights can be multiplied with each other. Where none counts there is nothing to multiply.
fn weighable(side: &Side<'_>) -> Result<(), PerformanceError> {
    let ([least, most], [weight, squares]) = (WEIGHTS_SQUARED, side.survey.weights);
    match &side.question.roles.weight {
        Some(column) if weight > 0.0 && !(least..=most).contains(&squares) => {
            Err(PerformanceError::Weights { side: side.name, column: column.clone(), squares })
        }
        _ => Ok(()),
    }
}

/// Both populations have the columns that are to cut segments.
fn known_segments(request: &PerformanceRequest) -> Result<(), PerformanceError> {
    let PerformanceRequest { reference, current, question, .. } = request;
    for (side, population) in [("reference", reference), ("current population", current)] {
        let unknown =
            |name: &&String| !population.without_columns && population.segment_expression(name).is_none();
        if let Some(column) = question.segment_by.iter().find(unknown) {
            let known = population.segment_names();
            return Err(PerformanceError::UnknownSegment { side, column: column.clone(), known });
        }
    }
    Ok(())
}

async fn find_segments(
    reader: &Reader,
    request: &PerformanceRequest,
) -> Result<(Vec<SegmentRow>, u64), PerformanceError> {
    let PerformanceRequest { reference, current, question, .. } = request;
    let names = question.segment_by.as_slice();
    if names.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let Some(statement) = populations::segments(Pair { reference, current }, names, SEGMENTS_MAX * 100)
    else {
        return Ok((Vec::new(), 0));
    };
    Ok(question.segments.chosen(reader.rows(&statement).await?))
}

/// Both sides with what was measured.
struct Both<'a> {
    reference: &'a Side<'a>,
    current: &'a Side<'a>,
    before: &'a Parts,
    now: &'a Parts,
    past: &'a [Compared],
}

impl Both<'_> {
    fn document(
        &self,
        classes: Vec<String>,
        (found, left_out): (&[SegmentRow], u64),
        weakest_segments: WeakestSegments,
    ) -> Document {
        let question = self.current.question;
        let whole: Vec<&Part> =
            self.now.iter().filter(|(place, _)| place.segment.is_none()).map(|(_, part)| part).collect();
        let trust = judge::trust((&whole, self.past), judge::main_metric(question.task), &question.rule);
        let trusted = trust.verdict != TrustVerdict::Muted;
        let none = BTreeSet::new();
        let [reference_chunks, chunks] = self.chunks(None, (trusted, &none));
        let segments: Vec<Segment> = found
            .iter()
            .zip(0_u16..)
            .map(|(row, number)| {
                let muted = self.muted(number);
                let [reference_chunks, chunks] = self.chunks(Some(number), (trusted, &muted));
                Segment {
                    segment: values(&question.segment_by, &row.key),
                    rows_reference: row.reference,
                    rows_current: row.current,
                    verdict: judge::verdict(&chunks),
                    chunks,
                    reference_chunks,
                    muted: muted.iter().map(|name| (*name).to_owned()).collect(),
                }
            })
            .collect();
        let verdict = match judge::verdict(&chunks) {
            _ if segments.iter().any(|segment| segment.verdict == Verdict::Alert) => Verdict::Alert,
            verdict => verdict,
        };
        let side = |side: &Side<'_>| drift::Side {
            source: side.population.source.clone(),
            rows: side.survey.rows,
            stored_profile: false,
        };
        let telling: Vec<u64> = reference_chunks
            .iter()
            .map(|chunk| chunk.measured)
            .filter(|measured| judge::tells(*measured, self.reference.chunking, &question.rule))
            .collect();
        let small = judge::small(&chunks, judge::mean_rows(telling.iter().copied()), &question.rule);
        Document {
            schema: SCHEMA.to_owned(),
            task: question.task,
            reference: side(self.reference),
            current: side(self.current),
            verdict,
            positive: classes.get(1).filter(|_| question.task == Task::Binary).cloned(),
            classes,
            confidence: question.rule.confidence,
            threshold_rule: threshold_rule(question)
                + &judge::caution(telling.len())
                + &judge::left_out(reference_chunks.len() - telling.len(), &question.rule)
                + &small,
            chunks,
            reference_chunks,
            segments,
            segments_left_out: left_out,
            weakest_segments,
            trust,
            concept_drift: None,
        }
    }

    /// The metrics whose estimates have been wrong on the chunks of a segment. Calibrations and models are of the whole reference: a
    /// segment in which the relation is another one has other metrics than they say, all the time.
    fn muted(&self, segment: u16) -> BTreeSet<&'static str> {
        let own = self.before.iter().chain(self.now).filter(|(place, _)| place.segment == Some(segment));
        let parts: Vec<&Part> = own.map(|(_, part)| part).collect();
        let estimated: BTreeSet<&'static str> =
            parts.iter().flat_map(|part| part.estimates.keys().copied()).collect();
        let rule = &self.current.question.rule;
        let is_wrong =
            |name: &&'static str| judge::trust((&parts, &[]), name, rule).verdict == TrustVerdict::Muted;
        estimated.into_iter().filter(is_wrong).collect()
    }

    /// The chunks of the reference and of the current population, of one segment or of the whole. A segment's chunks have the
    /// numbers of the chunks of the whole that they are parts of.
    fn chunks(
        &self,
        segment: Option<u16>,
        (estimates_alert, muted): (bool, &BTreeSet<&'static str>),
    ) -> [Vec<Chunk>; 2] {
        let question = self.current.question;
        let own = |parts: &'_ Parts| -> Vec<Part> {
            parts.iter().filter(|(place, _)| place.segment == segment).map(|(_, part)| part.clone()).collect()
        };
        let before = own(self.before);
        let names: Vec<&'static str> = self
            .now
            .values()
            .chain(self.before.values())
            .next()
            .map(|part| part.metrics.iter().map(|named| named.name).collect())
            .unwrap_or_default();
        let tells = |part: &&Part| judge::tells(part.measured, self.reference.chunking, &question.rule);
        let telling: Vec<&Part> = before.iter().filter(tells).collect();
        let thresholds = judge::thresholds(&telling, &names, &question.rule);
        [(self.reference, self.before), (self.current, self.now)].map(|(side, parts)| {
            let judge = Judge {
                thresholds: &thresholds,
                rule: &question.rule,
                chunking: side.chunking,
                estimates_alert,
                muted,
            };
            let keys: BTreeSet<i32> = parts.keys().map(|place| place.chunk).collect();
            let chunk = |(number, key): (u64, &i32)| {
                let part = parts.get(&part::Place { segment, chunk: *key })?;
                Some(judge.chunk(number, *key, part))
            };
            (0..).zip(&keys).filter_map(chunk).collect()
        })
    }
}

fn threshold_rule(question: &Question) -> String {
    use windvane_stats::performance::threshold::Offset;
    let deviations = question.rule.deviations;
    let offset = match deviations.offset {
        Offset::Mean => "mean",
        Offset::Median => "median",
        Offset::Min => "min",
        Offset::Max => "max",
    };
    let fixed = if question.rule.fixed.is_empty() { "" } else { ", ends as given" };
    format!(
        "{offset} of the reference's chunks - {} and + {} standard deviations{fixed}",
        deviations.below, deviations.above
    )
}

fn values(names: &[String], key: &str) -> std::collections::BTreeMap<String, Option<String>> {
    let values: Vec<Option<String>> = serde_json::from_str(key).unwrap_or_default();
    names.iter().cloned().zip(values).collect()
}
