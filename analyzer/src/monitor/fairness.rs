//! A fairness monitor: how alike one window's predictions treat groups, by the outcomes that are known; findings into
//! `fairness_findings`.
//!
//! Outcomes come late, so a window is compared more than once: see [`Reopen`].

use serde_json::{Value, json};
use windvane_stats::correction::Correction;
use windvane_store::populations::{self, OUTCOME};
use windvane_store::{Reader, Store, findings};

use super::job::{Answer, Attempt, Outcome};
use super::watched::together;
use super::{JobError, Reopen, Watched};
use crate::drift::{self, OpenError};
use crate::fairness::{self, FairnessError, FairnessRequest};

/// The column of decisions.
const DECISION: &str = "prediction.label";

/// Which groups a fairness monitor compares, and when.
#[derive(Debug, Clone)]
pub struct FairnessMonitor {
    /// Whose predictions it watches, when, and within which bounds.
    pub watched: Watched,
    /// The columns or tags that cut groups.
    pub group_by: Vec<String>,
    /// The outcome and the label that count as positive.
    pub positive: Option<String>,
    /// The score from which a prediction without a label counts as positive.
    pub threshold: f64,
    /// The values of the group that others are compared with; the largest one where `None`.
    pub reference_group: Option<Vec<String>>,
    /// Predictions that a share needs on both sides.
    pub min_rows: u64,
    /// The gap up to which no difference is called one.
    pub max_gap: f64,
    /// The bound on the chance that groups that are treated alike fail.
    pub alpha: f64,
    /// How long and how often windows are compared again when outcomes come for them.
    pub reopen: Reopen,
}

impl FairnessMonitor {
    pub(super) fn settings(&self) -> Value {
        self.watched.settings(json!({
            "segment_by": self.group_by,
            "positive": self.positive,
            "threshold": self.threshold,
            "reference_group": self.reference_group,
            "min_rows": self.min_rows,
            "max_gap": self.max_gap,
            "alpha": self.alpha,
            "reopen_for_s": self.reopen.for_us / 1_000_000,
            "reopen_every_s": self.reopen.every.as_secs(),
        }))
    }

    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let reader = Reader::Store(store.bounded(self.watched.memory_bytes_max, self.watched.timeout));
        let deployment = &self.watched.deployment;
        let source = format!("{} {}", deployment.model, attempt.window);
        let filter = drift::filter(deployment, attempt.window, attempt.now_us);
        let until_us = findings::outcomes::until(store, &deployment.model, attempt.window)
            .await
            .map_err(JobError::Read)?;
        let opened = populations::open_labelled(&reader, source, &filter).await;
        let mut population = opened.map_err(OpenError::Read)?;
        let note = self.watched.cut_by(&self.group_by, &mut [&mut population]);
        let given = |name: &str| Some(name.to_owned()).filter(|name| population.role(name).is_some());
        let request = FairnessRequest {
            group_by: self.group_by.clone(),
            target: given(OUTCOME),
            label: given(DECISION),
            score: fairness::stored_score(&population, self.positive.as_deref()),
            positive: self.positive.clone(),
            threshold: self.threshold,
            reference_group: self.reference_group.clone(),
            min_rows: self.min_rows,
            max_gap: self.max_gap,
            alpha: self.alpha,
            correction: Correction::Holm,
            population,
        };
        let run = self.watched.findings_of(attempt, ("", ""));
        let document = match fairness::run(&reader, &request).await {
            Ok(document) => document,
            // A window without the group that others are compared with says nothing.
            Err(FairnessError::NoGroup { values, .. }) => {
                findings::fairness::empty(store, &run).await.map_err(JobError::Write)?;
                let absent = match request.population.without_columns {
                    true => String::new(),
                    false => format!("reference_group: no prediction is of {}", values.join(", ")),
                };
                return Ok(Outcome::insufficient_data(together(vec![note, absent])));
            }
            Err(error) => return Err(error.into()),
        };
        let written = findings::fairness::write(store, (&run, until_us), &document).await;
        let findings = written.map_err(JobError::Write)?;
        Ok(Outcome {
            rows_reference: 0,
            rows_current: document.rows,
            findings,
            verdict: document.verdict.as_str().to_owned(),
            note,
            answer: Some(Answer::Fairness(Box::new(document))),
        })
    }
}
