//! A latency monitor: how fast the predictions of one window were, against its reference and against objectives; findings into
//! `latency_findings`.

use serde_json::{Value, json};
use windvane_store::findings;
use windvane_store::populations::{LATENCY, Population, TIME};
use windvane_store::{Reader, Store};
use windvane_types::span::ReferenceKind;

use super::job::{Answer, Attempt, Outcome};
use super::{JobError, Watched};
use crate::drift::{self, Asked, OpenError, Opened, Wanted};
use crate::latency::{self, LatencyRequest, Objective, STAGE};

/// The confidence of intervals.
const CONFIDENCE: f64 = 0.95;

/// What a latency monitor looks at, against what, and when.
#[derive(Debug, Clone)]
pub struct LatencyMonitor {
    /// Whose predictions it watches, when, and within which bounds.
    pub watched: Watched,
    /// What each window is compared with; nothing where `None`.
    pub reference: Option<ReferenceKind>,
    /// Cuts into groups, each for itself: columns, tags, `version`, `environment`, `arm:EXPERIMENT`, `stage`.
    pub by: Vec<String>,
    /// The levels of the quantiles, ascending.
    pub levels: Vec<f64>,
    /// The service level objectives; each looks back as far as its rules need.
    pub objectives: Vec<Objective>,
    /// The bound on the chance that a window without any change is called slower or faster.
    pub alpha: f64,
    /// Latencies that each side of a group needs before it is judged.
    pub rows_min: u64,
}

impl LatencyMonitor {
    pub(super) fn settings(&self) -> Value {
        let slo: Vec<String> = self.objectives.iter().map(Objective::to_string).collect();
        self.watched.settings(json!({
            "reference": self.reference.as_ref().map(ReferenceKind::to_string),
            "segment_by": self.by,
            "quantiles": self.levels.iter().copied().map(latency::name_of).collect::<Vec<_>>(),
            "slo": slo,
            "alpha": self.alpha,
            "min_rows": self.rows_min,
        }))
    }

    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let bounded = store.bounded(self.watched.memory_bytes_max, self.watched.timeout);
        let (mut reference, mut current) = self.open(&bounded, attempt).await?;
        let cuts: Vec<String> = self.by.iter().filter(|name| name.as_str() != STAGE).cloned().collect();
        let note = match current.without_columns {
            true => String::new(),
            false => {
                let there = reference.iter().chain([&current]).flat_map(Population::segment_names);
                self.watched.tell_absent(("segment_by", &cuts), there.collect())
            }
        };
        for population in reference.iter_mut().chain([&mut current]) {
            population.allow_absent(&self.by);
        }
        let reader = Reader::Store(bounded);
        let end_us = attempt.window.end_us;
        let objectives_over = match self.objectives.is_empty() {
            true => None,
            false => {
                let until = (end_us, attempt.now_us);
                let opened =
                    latency::objectives_over(&reader, &self.watched.deployment, LATENCY, until).await;
                Some(opened.map_err(OpenError::Read)?)
            }
        };
        let request = LatencyRequest {
            reference,
            current,
            column: LATENCY.to_owned(),
            unit_us: 1.0,
            by: self.by.clone(),
            levels: self.levels.clone(),
            confidence: CONFIDENCE,
            alpha: self.alpha,
            rows_min: self.rows_min,
            objectives: self.objectives.clone(),
            objectives_over,
            timestamp: TIME.to_owned(),
            end_us: Some(end_us),
        };
        let document = latency::run(&reader, &request).await?;
        let kind = self.reference.as_ref();
        let compared = (kind.map_or("", ReferenceKind::as_str), kind.map_or("", ReferenceKind::name));
        let run = self.watched.findings_of(attempt, compared);
        let findings = findings::latency::write(store, &run, &document).await;
        Ok(Outcome {
            rows_reference: document.reference.as_ref().map_or(0, |reference| reference.rows),
            rows_current: document.current.rows,
            findings: findings.map_err(JobError::Write)?,
            verdict: document.verdict.as_str().to_owned(),
            note,
            answer: Some(Answer::Latency(Box::new(document))),
        })
    }

    /// The reference, where there is one, and the window.
    async fn open(
        &self,
        store: &Store,
        attempt: Attempt<'_>,
    ) -> Result<(Option<Population>, Population), OpenError> {
        let Some(reference) = &self.reference else {
            let reader = Reader::Store(store.clone());
            let current =
                drift::side(&reader, &self.watched.deployment, attempt.window, attempt.now_us).await?;
            return Ok((None, current));
        };
        let asked = Asked {
            deployment: &self.watched.deployment,
            reference,
            window: attempt.window,
            stored_before_us: attempt.now_us,
            // A profile knows too little of latencies: the reference's rows are needed.
            wanted: Wanted { columns: None, methods: None, segments: !self.by.is_empty(), special: true },
        };
        let Opened { reference, current, .. } = drift::open(store, asked).await?;
        Ok((Some(reference), current))
    }
}
