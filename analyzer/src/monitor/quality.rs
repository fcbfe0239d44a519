//! A quality monitor: one window of a model's predictions against what its reference, or a file, says it should be; findings into
//! `quality_findings`.

use std::sync::Arc;

use serde_json::{Value, json};
use windvane_store::populations::Population;
use windvane_store::{ReadError, Reader, Store, findings};
use windvane_types::quality::{Expectations, TimeExpectations};
use windvane_types::span::ReferenceKind;

use super::job::{Answer, Attempt, Outcome};
use super::{JobError, Watched};
use crate::drift::{self, Asked, OpenError, Opened, Wanted};
use crate::quality::{self, LearnOptions};

/// What a quality monitor checks, against what, and when.
#[derive(Debug, Clone)]
pub struct QualityMonitor {
    /// Whose predictions it watches, when, and within which bounds.
    pub watched: Watched,
    /// What is expected of each window.
    pub expected: Expected,
    /// The columns that are learnt about; all of them where `None`.
    pub columns: Option<Vec<String>>,
    /// The bound on the chance that a window without any change fails.
    pub alpha: f64,
    /// How far shares may move beyond chance, as a share of themselves.
    pub tolerance: f64,
    /// By how much a clock may be ahead, microseconds.
    pub ahead_us: i64,
}

/// Where it is written what a window should be.
#[derive(Debug, Clone)]
pub enum Expected {
    /// It is learnt from a reference each time.
    Reference(ReferenceKind),
    /// It stands in a file, which was read with the configuration.
    File {
        /// The file.
        path: String,
        /// What it says.
        expectations: Arc<Expectations>,
    },
}

impl Expected {
    /// The words by which findings tell what they were compared with: kind and name.
    fn words(&self) -> (&str, &str) {
        match self {
            Self::Reference(kind) => (kind.as_str(), kind.name()),
            Self::File { path, .. } => ("expectations", path),
        }
    }
}

impl QualityMonitor {
    pub(super) fn settings(&self) -> Value {
        let reference = match &self.expected {
            Expected::Reference(kind) => kind.to_string(),
            Expected::File { path, .. } => format!("expectations:{path}"),
        };
        self.watched.settings(json!({
            "reference": reference,
            "columns": self.columns,
            "alpha": self.alpha,
            "tolerance": self.tolerance,
        }))
    }

    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let bounded = store.bounded(self.watched.memory_bytes_max, self.watched.timeout);
        let reader = Reader::Store(bounded.clone());
        let (current, expectations) = self.open(&bounded, attempt).await?;
        let document = quality::check(&reader, &current, (&expectations, attempt.now_us)).await?;
        let run = self.watched.findings_of(attempt, self.expected.words());
        let learnt_from_nothing =
            matches!(self.expected, Expected::Reference(_)) && document.reference.rows == 0;
        // A window without rows fails, whatever it is compared with.
        if learnt_from_nothing && document.current.rows > 0 {
            findings::quality::empty(store, &run).await.map_err(JobError::Write)?;
            let rows_current = document.current.rows;
            return Ok(Outcome { rows_current, ..Outcome::insufficient_data(String::new()) });
        }
        let findings = findings::quality::write(store, &run, &document).await.map_err(JobError::Write)?;
        Ok(Outcome {
            rows_reference: document.reference.rows,
            rows_current: document.current.rows,
            findings,
            verdict: document.verdict.as_str().to_owned(),
            note: String::new(),
            answer: Some(Answer::Quality(Box::new(document))),
        })
    }

    /// The window, and what is expected of it.
    async fn open(
        &self,
        store: &Store,
        attempt: Attempt<'_>,
    ) -> Result<(Population, Arc<Expectations>), JobError> {
        let reader = Reader::Store(store.clone());
        let kind = match &self.expected {
            Expected::File { expectations, .. } => {
                let opened =
                    drift::side(&reader, &self.watched.deployment, attempt.window, attempt.now_us).await;
                let current = opened.map_err(|error: ReadError| OpenError::Read(error))?;
                return Ok((current, Arc::clone(expectations)));
            }
            Expected::Reference(kind) => kind,
        };
        // A profile knows too little of a reference: its rows are needed.
        let wanted = Wanted { columns: None, methods: None, segments: false, special: true };
        let asked = Asked {
            deployment: &self.watched.deployment,
            reference: kind,
            window: attempt.window,
            stored_before_us: attempt.now_us,
            wanted,
        };
        let Opened { reference, current, .. } = drift::open(store, asked).await?;
        let columns = self.columns.clone().filter(|_| !reference.without_columns);
        let options = LearnOptions { columns, ..self.options(attempt.now_us) };
        let learnt = quality::learn(&reader, &reference, &options).await?;
        Ok((current, Arc::new(learnt)))
    }

    fn options(&self, now_us: i64) -> LearnOptions {
        LearnOptions {
            columns: self.columns.clone(),
            key: vec!["event_id".to_owned()],
            times: Some(TimeExpectations {
                timestamp: "ts".to_owned(),
                arrival: Some("ingested_at".to_owned()),
                ahead_us: self.ahead_us,
                late_us: self.watched.schedule.delay_us,
                late: None,
                out_of_order: None,
            }),
            times_named: Vec::new(),
            now_us,
            alpha: self.alpha,
            tolerance: self.tolerance,
        }
    }
}
