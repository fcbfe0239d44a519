//! An attribution monitor: whether one window's attributions rank features as its reference did; findings into
//! `attribution_findings`.

use serde_json::{Value, json};
use windvane_store::findings;
use windvane_store::{Reader, Store};
use windvane_types::span::ReferenceKind;

use super::job::{Answer, Attempt, Outcome};
use super::{JobError, Watched};
use crate::attribution::{self, AttributionError, AttributionRequest};
use crate::drift::{self, Asked, Opened, Wanted};

/// What the names of columns of attributions begin with.
const PREFIX: &str = "attribution.";
/// The seed of the draws that make the interval: the same window gives the same findings.
const SEED: u64 = 20_130_101;

/// What an attribution monitor compares, and when.
#[derive(Debug, Clone)]
pub struct AttributionMonitor {
    /// Whose predictions it watches, when, and within which bounds.
    pub watched: Watched,
    /// What each window is compared with.
    pub reference: ReferenceKind,
    /// The columns of attributions; those named `attribution.FEATURE` where `None`.
    pub columns: Option<Vec<String>>,
    /// Below this ranking quality it is drift.
    pub threshold: f64,
    /// Attributions that the most frequent feature needs on both sides.
    pub min_rows: u64,
}

impl AttributionMonitor {
    pub(super) fn settings(&self) -> Value {
        self.watched.settings(json!({
            "reference": self.reference.to_string(),
            "columns": self.columns,
            "threshold": self.threshold,
            "min_rows": self.min_rows,
        }))
    }

    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let bounded = store.bounded(self.watched.memory_bytes_max, self.watched.timeout);
        let asked = Asked {
            deployment: &self.watched.deployment,
            reference: &self.reference,
            window: attempt.window,
            stored_before_us: attempt.now_us,
            // A profile does not know mean absolute values: the reference's rows are needed.
            wanted: Wanted { columns: None, methods: None, segments: false, special: true },
        };
        let Opened { reference, current, .. } = drift::open(&bounded, asked).await?;
        let is_empty = reference.without_columns || current.without_columns;
        let request = AttributionRequest {
            reference,
            current,
            columns: self.columns.clone(),
            prefix: PREFIX.to_owned(),
            threshold: self.threshold,
            min_rows: self.min_rows,
            seed: SEED,
        };
        let run = self.watched.findings_of(attempt, (self.reference.as_str(), self.reference.name()));
        let document = match attribution::run(&Reader::Store(bounded), &request).await {
            Ok(document) => document,
            // A window, or its reference, may be without attributions; where it has predictions, a name may be misspelt.
            Err(error) => {
                let Some(absent) = absent(&error) else { return Err(error.into()) };
                findings::attribution::empty(store, &run).await.map_err(JobError::Write)?;
                return Ok(Outcome::insufficient_data(if is_empty { String::new() } else { absent }));
            }
        };
        let findings = findings::attribution::write(store, &run, &document).await.map_err(JobError::Write)?;
        Ok(Outcome {
            rows_reference: document.reference.rows,
            rows_current: document.current.rows,
            findings,
            verdict: document.verdict.as_str().to_owned(),
            note: String::new(),
            answer: Some(Answer::Attribution(Box::new(document))),
        })
    }
}

/// What a window with predictions may lack because a name is misspelt; `None` where something else is wrong.
fn absent(error: &AttributionError) -> Option<String> {
    match error {
        AttributionError::NoColumns { prefix } => {
            Some(format!("columns: no numeric feature begins with {prefix}"))
        }
        AttributionError::UnknownColumn { column, .. } => {
            Some(format!("columns: no prediction has {column}"))
        }
        _ => None,
    }
}
