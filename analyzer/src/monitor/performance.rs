//! A performance monitor: one window of a model's predictions with the outcomes that are known, findings into `performance_findings`.
//!
//! Outcomes come late, so a window is measured more than once: see [`Reopen`].

use serde_json::{Value, json};
use windvane_store::findings::{self, performance::Against};
use windvane_store::performance::Period as ByCalendar;
use windvane_store::{Reader, Store};
use windvane_types::performance::Document;
use windvane_types::span::{ReferenceKind, Span};

use super::job::{Answer, Attempt, Outcome};
use super::watched::together;
use super::{JobError, Period, Reopen, Watched};
use crate::performance::{self, Asked, Cut, Opened, PerformanceRequest, Question};

/// Earlier windows that say whether estimates can be trusted.
const PAST_MAX: u64 = 30;

/// What a performance monitor measures, how, and when.
#[derive(Debug, Clone)]
pub struct PerformanceMonitor {
    /// Whose predictions it watches, when, and within which bounds.
    pub watched: Watched,
    /// Where thresholds, calibrations and loss models come from.
    pub reference: ReferenceKind,
    /// What is measured; how rows are cut follows from the window.
    pub question: Question,
    /// How long and how often windows are measured again when outcomes come for them.
    pub reopen: Reopen,
}

impl PerformanceMonitor {
    pub(super) fn settings(&self) -> Value {
        let question = &self.question;
        self.watched.settings(json!({
            "reference": self.reference.to_string(),
            "reopen_for_s": self.reopen.for_us / 1_000_000,
            "reopen_every_s": self.reopen.every.as_secs(),
            "task": question.task.as_str(),
            "positive": question.positive,
            "threshold": question.threshold,
            "estimate": question.estimate,
            "concept_drift": question.concept_drift,
            "weakest": question.weakest,
            "segment_by": question.segment_by,
            "segments_max": question.segments.number_max,
            "segment_rows_min": question.segments.rows_min,
            "min_rows": question.rule.min_rows,
        }))
    }

    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let bounded = store.bounded(self.watched.memory_bytes_max, self.watched.timeout);
        let mut question = Question { cut: self.cut(attempt.window), ..self.question.clone() };
        let asked = Asked {
            deployment: &self.watched.deployment,
            reference: &self.reference,
            window: attempt.window,
            stored_before_us: attempt.now_us,
        };
        let model = &self.watched.deployment.model;
        let until_us =
            findings::outcomes::until(&bounded, model, attempt.window).await.map_err(JobError::Read)?;
        let opened = performance::open(&bounded, asked, &mut question).await?;
        let Opened { mut reference, mut current, reference_span } = opened;
        let note = self.watched.cut_by(&question.segment_by, &mut [&mut reference, &mut current]);
        // A window without predictions has no columns, and none of them is unknown.
        if reference.without_columns || current.without_columns {
            question.segment_by.clear();
        }
        let run = self.watched.findings_of(attempt, (self.reference.as_str(), self.reference.name()));
        let past = match question.estimate {
            true => {
                let asked = (performance::main_metric(question.task), PAST_MAX);
                findings::performance::compared(&bounded, &run, asked).await.map_err(JobError::Read)?
            }
            false => Vec::new(),
        };
        let request = PerformanceRequest { reference, current, question, past };
        let document = performance::run(&Reader::Store(bounded), &request).await?;
        let against = Against { reference: reference_span, outcomes_until_us: until_us };
        let written = findings::performance::write(store, (&run, against), &document).await;
        let findings = written.map_err(JobError::Write)?;
        Ok(Outcome {
            rows_reference: document.reference.rows,
            rows_current: document.current.rows,
            findings,
            verdict: document.verdict.as_str().to_owned(),
            note: together(vec![note, too_short(&document).to_owned()]),
            answer: Some(Answer::Performance(Box::new(document))),
        })
    }

    /// One chunk a window, and chunks of its length and phase of the reference.
    fn cut(&self, window: Span) -> Cut {
        match self.watched.schedule.window {
            Period::Months(1) => Cut::Period(ByCalendar::Month),
            Period::Fixed(_) | Period::Months(_) => {
                Cut::Length { anchor_us: window.start_us, length_us: window.end_us - window.start_us }
            }
        }
    }
}

/// What is said of a reference, such as `previous`, that is one chunk long: it makes no threshold, so that no metric can ever alert.
fn too_short(document: &Document) -> &'static str {
    match (document.reference.rows, document.reference_chunks.len()) {
        (1.., 0 | 1) => {
            "reference: it is one window long, and what is usual takes two or more: no metric can alert"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::too_short;

    #[test]
    fn a_reference_of_one_window_is_said_to_make_nothing_usual() {
        let chunk = json!({"chunk": 0, "start": null, "end": null, "n": 10, "labelled": 9, "coverage": 0.9, "unscored": 0, "groups": null,
            "groups_without_relevant": null, "insufficient_data": false, "metrics": [], "confusion_matrix": [], "calibration": [],
            "lift": []});
        let said = |rows: u64, chunks: usize| {
            let document = serde_json::from_value(json!({
                "schema": "windvane.performance/1", "task": "binary", "reference": {"source": "a", "rows": rows},
                "current": {"source": "b", "rows": 20}, "verdict": "no_alert", "classes": ["0", "1"], "confidence": 0.95,
                "threshold_rule": "", "chunks": [chunk], "reference_chunks": vec![chunk.clone(); chunks], "segments": [],
                "segments_left_out": 0,
                "weakest_segments": {"loss": null, "overall": null, "looked_at": 0, "columns_left_out": 0, "segments": []},
                "trust": {"metric": "roc_auc", "mean_absolute_error": null, "coverage_of_band": null, "verdict": "unknown",
                    "chunks": 0}
            }))
            .unwrap();
            too_short(&document)
        };
        assert!(said(10, 1).starts_with("reference: it is one window long"));
        assert_eq!((said(10, 2), said(0, 0)), ("", ""));
    }
}
