//! A drift monitor: one window of a model's predictions against its reference, findings into `drift_findings`.

use std::time::Duration;

use serde_json::{Value, json};
use windvane_store::drift_findings::{self, Run};
use windvane_store::{Reader, Store};
use windvane_types::span::ReferenceKind;

use super::job::{Answer, Attempt, Outcome};
use super::{JobError, Schedule};
use crate::drift::{self, Asked, Deployment, DriftRequest, Method, Opened, Rule, SegmentBounds, Wanted};

/// The seed of simulated null distributions: the same window gives the same findings.
const SEED: u64 = 20_130_101;

/// What a drift monitor compares, how, and when.
#[derive(Debug, Clone)]
pub struct DriftMonitor {
    /// Its name.
    pub name: String,
    /// Whose predictions.
    pub deployment: Deployment,
    /// What each window is compared with.
    pub reference: ReferenceKind,
    /// The columns; all of them where `None`.
    pub columns: Option<Vec<String>>,
    /// The methods; the default ones of each kind where `None`.
    pub methods: Option<Vec<Method>>,
    /// The columns that hold free text.
    pub text: Vec<String>,
    /// The columns or tags that cut segments.
    pub segment_by: Vec<String>,
    /// Which of the segments are looked at.
    pub segments: SegmentBounds,
    /// Bins between the reference's quantiles.
    pub bins: u32,
    /// How statistics become verdicts. Its alpha bounds the chance that a run without any change raises anything.
    pub rule: Rule,
    /// When it runs.
    pub schedule: Schedule,
    /// How long one window may take.
    pub timeout: Duration,
    /// Bytes that a statement of it may take in ClickHouse.
    pub memory_bytes_max: u64,
    /// Whether it runs by itself.
    pub enabled: bool,
}

impl DriftMonitor {
    pub(super) fn settings(&self) -> Value {
        let methods: Option<Vec<&str>> =
            self.methods.as_ref().map(|methods| methods.iter().map(|method| method.as_str()).collect());
        json!({
            "version": self.deployment.version,
            "environment": self.deployment.environment,
            "reference": self.reference.to_string(),
            "window": self.schedule.window.to_string(),
            "every": self.schedule.every.to_string(),
            "delay_s": self.schedule.delay_us / 1_000_000,
            "catch_up": self.schedule.catch_up,
            "columns": self.columns,
            "methods": methods,
            "text": self.text,
            "segment_by": self.segment_by,
            "segments_max": self.segments.number_max,
            "segment_rows_min": self.segments.rows_min,
            "bins": self.bins,
            "alpha": self.rule.alpha,
            "correction": self.rule.correction.as_str(),
            "min_rows": self.rule.min_rows,
        })
    }

    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let bounded = store.bounded(self.memory_bytes_max, self.timeout);
        let wanted = Wanted {
            columns: self.columns.as_deref(),
            methods: self.methods.as_deref(),
            segments: !self.segment_by.is_empty(),
            special: !self.text.is_empty(),
        };
        let asked = Asked {
            deployment: &self.deployment,
            reference: &self.reference,
            window: attempt.window,
            stored_before_us: attempt.now_us,
            wanted,
        };
        let Opened { mut reference, baseline, mut current, reference_span, .. } =
            drift::open(&bounded, asked).await?;
        for population in [&mut reference, &mut current] {
            population.allow_absent(&self.segment_by);
        }
        // A window without predictions has no columns, and none of them is unknown.
        let empty = reference.without_columns || current.without_columns;
        // Those that one side has are still text: counted as categories, each text would be one.
        let has = |name: &String| {
            reference.columns.iter().chain(&current.columns).any(|column| column.name == *name)
        };
        let text = self.text.iter().filter(|name| !empty || has(name)).cloned().collect();
        let request = DriftRequest {
            reference,
            current,
            baseline,
            columns: self.columns.clone().filter(|_| !empty),
            methods: self.methods.clone().filter(|_| !empty),
            bins: self.bins,
            text,
            embedding: Vec::new(),
            segment_by: if empty { Vec::new() } else { self.segment_by.clone() },
            segments: self.segments,
            rule: self.rule,
            seed: SEED,
        };
        let document = drift::run(&Reader::Store(bounded), &request).await?;
        let run = Run {
            run_id: attempt.run_id.to_owned(),
            computed_at_us: attempt.now_us,
            model: self.deployment.model.clone(),
            version: self.deployment.version.clone().unwrap_or_default(),
            environment: self.deployment.environment.clone().unwrap_or_default(),
            monitor: self.name.clone(),
            reference_kind: self.reference.as_str().to_owned(),
            reference_name: self.reference.name().to_owned(),
            reference: reference_span,
            window: attempt.window,
            granularity: self.schedule.every.to_string(),
        };
        let findings = drift_findings::write(store, &run, &document).await.map_err(JobError::Write)?;
        Ok(Outcome {
            rows_reference: document.reference.rows,
            rows_current: document.current.rows,
            findings,
            verdict: document.verdict.as_str().to_owned(),
            answer: Some(Answer::Drift(Box::new(document))),
        })
    }
}
