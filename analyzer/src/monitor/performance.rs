//! A performance monitor: one window of a model's predictions with the outcomes that are known, findings into `performance_findings`.
//!
//! Outcomes come late, so a window is measured more than once: when it is due, and again after outcomes came for it, as long as
//! [`PerformanceMonitor::reopen_for_us`] says and no more often than [`PerformanceMonitor::reopen_every`]. Findings have a natural key,
//! so that the latest measurement takes the place of the earlier ones.

use std::time::Duration;

use serde_json::{Value, json};
use windvane_store::drift_findings::Run;
use windvane_store::monitor_runs::{MonitorRun, RunState};
use windvane_store::performance::Period as ByCalendar;
use windvane_store::performance_findings::{self, Seen};
use windvane_store::{Reader, Store, StoreError};
use windvane_types::span::{ReferenceKind, Span};

use super::job::{Answer, Attempt, Outcome};
use super::{JobError, Period, Watched};
use crate::performance::{self, Asked, Cut, Opened, PerformanceRequest, Question};

/// How long what was received may wait in a spool before it is stored.
const STORED_WITHIN_US: i64 = 86_400 * 1_000_000;

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
    /// How long after its end a window is measured again when outcomes come, microseconds.
    pub reopen_for_us: i64,
    /// The least time between two measurements of a window that was re-opened.
    pub reopen_every: Duration,
}

impl PerformanceMonitor {
    pub(super) fn settings(&self) -> Value {
        let question = &self.question;
        self.watched.settings(json!({
            "reference": self.reference.to_string(),
            "reopen_for_s": self.reopen_for_us / 1_000_000,
            "reopen_every_s": self.reopen_every.as_secs(),
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
        let until_us = performance_findings::outcomes_until(&bounded, model, attempt.window)
            .await
            .map_err(JobError::Read)?;
        let opened = performance::open(&bounded, asked, &mut question).await?;
        let Opened { mut reference, mut current, reference_span } = opened;
        for population in [&mut reference, &mut current] {
            population.allow_absent(&question.segment_by);
        }
        // A window without predictions has no columns, and none of them is unknown.
        if reference.without_columns || current.without_columns {
            question.segment_by.clear();
        }
        let run = Run {
            run_id: attempt.run_id.to_owned(),
            computed_at_us: attempt.now_us,
            model: self.watched.deployment.model.clone(),
            version: self.watched.deployment.version.clone().unwrap_or_default(),
            environment: self.watched.deployment.environment.clone().unwrap_or_default(),
            monitor: self.watched.name.clone(),
            reference_kind: self.reference.as_str().to_owned(),
            reference_name: self.reference.name().to_owned(),
            reference: reference_span,
            window: attempt.window,
            granularity: self.watched.schedule.every.to_string(),
        };
        let past = match question.estimate {
            true => {
                let asked = (performance::main_metric(question.task), PAST_MAX);
                performance_findings::compared(&bounded, &run, asked).await.map_err(JobError::Read)?
            }
            false => Vec::new(),
        };
        let request = PerformanceRequest { reference, current, question, past };
        let document = performance::run(&Reader::Store(bounded), &request).await?;
        let written = performance_findings::write(store, (&run, until_us), &document).await;
        let findings = written.map_err(JobError::Write)?;
        Ok(Outcome {
            rows_reference: document.reference.rows,
            rows_current: document.current.rows,
            findings,
            verdict: document.verdict.as_str().to_owned(),
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

    /// The windows that have had outcomes that their measurements have not seen: they are to be measured again. `since_us` is when
    /// this was asked last, 0 for never.
    pub(super) async fn reopened(
        &self,
        store: &Store,
        runs: &[MonitorRun],
        (now_us, since_us): (i64, i64),
    ) -> Result<Vec<Span>, StoreError> {
        let open = |run: &&MonitorRun| {
            run.state == RunState::Done && run.window_end_us.saturating_add(self.reopen_for_us) > now_us
        };
        let open: Vec<&MonitorRun> = runs.iter().filter(open).collect();
        let Some(first_us) = open.iter().map(|run| run.window_start_us).min() else { return Ok(Vec::new()) };
        let key = (self.watched.deployment.model.as_str(), self.watched.name.as_str());
        let seen = performance_findings::seen(store, key, first_us).await?;
        // A window that saw none was measured when it was: what was received before then has had time to be stored.
        let windows: Vec<Seen> = open
            .iter()
            .map(|run| {
                let found = seen
                    .iter()
                    .find(|seen| (seen.start_us, seen.end_us) == (run.window_start_us, run.window_end_us));
                let until_us = found.map_or(0, |seen| seen.until_us);
                Seen {
                    start_us: run.window_start_us,
                    end_us: run.window_end_us,
                    until_us: if until_us > 0 { until_us } else { run.started_us - STORED_WITHIN_US },
                }
            })
            .collect();
        let since_us = since_us.saturating_sub(STORED_WITHIN_US);
        performance_findings::late(store, &self.watched.deployment.model, (&windows, since_us)).await
    }
}
