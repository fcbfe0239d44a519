//! A drift monitor: one window of a model's predictions against its reference, findings into `drift_findings`.

use serde_json::{Value, json};
use windvane_store::findings;
use windvane_store::{Reader, Store};
use windvane_types::span::ReferenceKind;

use super::job::{Answer, Attempt, Outcome};
use super::watched::together;
use super::{JobError, Watched};
use crate::drift::{self, Asked, DriftRequest, FixedReference, Method, Opened, Rule, SegmentBounds, Wanted};

/// The seed of simulated null distributions: the same window gives the same findings.
const SEED: u64 = 20_130_101;

/// What a drift monitor compares, how, and when.
#[derive(Debug, Clone)]
pub struct DriftMonitor {
    /// Whose predictions it watches, when, and within which bounds.
    pub watched: Watched,
    /// What each window is compared with.
    pub reference: ReferenceKind,
    /// What is kept of it in this process, where it is a fixed window.
    pub fixed: FixedReference,
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
}

impl DriftMonitor {
    pub(super) fn settings(&self) -> Value {
        let methods: Option<Vec<&str>> =
            self.methods.as_ref().map(|methods| methods.iter().map(|method| method.as_str()).collect());
        self.watched.settings(json!({
            "reference": self.reference.to_string(),
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
        }))
    }

    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let bounded = store.bounded(self.watched.memory_bytes_max, self.watched.timeout);
        let wanted = Wanted {
            columns: self.columns.as_deref(),
            methods: self.methods.as_deref(),
            segments: !self.segment_by.is_empty(),
            special: !self.text.is_empty(),
        };
        let asked = Asked {
            deployment: &self.watched.deployment,
            reference: &self.reference,
            window: attempt.window,
            stored_before_us: attempt.now_us,
            wanted,
        };
        let Opened { mut reference, baseline, answers, mut current, reference_span, .. } =
            self.fixed.open(&bounded, asked).await?;
        let mut notes = vec![self.watched.cut_by(&self.segment_by, &mut [&mut reference, &mut current])];
        // A window without predictions has no columns, and none of them is unknown.
        let empty = reference.without_columns || current.without_columns;
        // Those that one side has are still text: counted as categories, each text would be one.
        let has = |name: &String| {
            reference.columns.iter().chain(&current.columns).any(|column| column.name == *name)
        };
        if let Some(columns) = self.columns.as_deref().filter(|_| !empty) {
            let there = reference.columns.iter().chain(&current.columns).map(|column| column.name.clone());
            notes.push(self.watched.tell_absent(("columns", columns), there.collect()));
        }
        let text = self.text.iter().filter(|name| !empty || has(name)).cloned().collect();
        let request = DriftRequest {
            reference,
            current,
            baseline,
            answers,
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
        let run = self.watched.findings_of(attempt, (self.reference.as_str(), self.reference.name()));
        let findings = findings::drift::write(store, (&run, reference_span), &document)
            .await
            .map_err(JobError::Write)?;
        Ok(Outcome {
            rows_reference: document.reference.rows,
            rows_current: document.current.rows,
            findings,
            verdict: document.verdict.as_str().to_owned(),
            note: together(notes),
            answer: Some(Answer::Drift(Box::new(document))),
        })
    }
}
