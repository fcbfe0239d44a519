//! A performance monitor: one window of a model's predictions with the outcomes that are known, findings into `performance_findings`.
//!
//! Outcomes come late, so a window is measured more than once: see [`Reopen`].

use serde_json::{Value, json};
use windvane_store::findings::{self, performance::Against};
use windvane_store::performance::Period as ByCalendar;
use windvane_store::{Reader, Store};
use windvane_types::span::{ReferenceKind, Span};

use super::job::{Answer, Attempt, Outcome};
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
            note,
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
