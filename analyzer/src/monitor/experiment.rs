//! An experiment that is looked at by schedule: one look as of the end of each window, findings into `experiment_findings`.

use std::time::Duration;

use serde_json::{Value, json};
use windvane_store::findings::{self, experiment::Look};
use windvane_store::{Reader, Store};
use windvane_types::experiment::Verdict;

use super::job::{Answer, Attempt, Outcome};
use super::{JobError, Schedule};
use crate::experiment::{self, ExperimentError, Rule, StoredExperiment};

/// Which experiment, and when it is looked at.
#[derive(Debug, Clone)]
pub struct ExperimentMonitor {
    /// The experiment; each look sets its own end of exposures.
    pub experiment: StoredExperiment,
    /// When it is looked at: as of the end of each window, which is as long as the time between two looks.
    pub schedule: Schedule,
    /// How long one look may take.
    pub timeout: Duration,
    /// Bytes that a statement of it may take in ClickHouse.
    pub memory_bytes_max: u64,
    /// Whether it is looked at without being asked.
    pub enabled: bool,
}

impl ExperimentMonitor {
    pub(super) fn settings(&self) -> Value {
        let StoredExperiment { exposed, metrics, rule, .. } = &self.experiment;
        json!({
            "reference": format!("control {}", rule.control),
            "window": self.schedule.window.to_string(),
            "every": self.schedule.every.to_string(),
            "delay_s": self.schedule.delay_us / 1_000_000,
            "catch_up": self.schedule.catch_up,
            "attribution_s": exposed.window_us / 1_000_000,
            "metrics": metrics.iter().map(|metric| metric.metric.name.as_str()).collect::<Vec<_>>(),
            "alpha": rule.alpha,
            "correction": rule.correction.as_str(),
        })
    }

    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let as_of_us = attempt.window.end_us;
        let asked = self.experiment.as_of(as_of_us);
        let bounded = store.bounded(self.memory_bytes_max, self.timeout);
        let document = match experiment::run_stored(&Reader::Store(bounded), &asked).await {
            Ok(document) => document,
            Err(error) if is_early(&error, &asked.rule) => {
                return Ok(Outcome {
                    verdict: Verdict::Inconclusive.as_str().to_owned(),
                    ..Outcome::default()
                });
            }
            Err(error) => return Err(JobError::Experiment(error)),
        };
        let look = Look {
            run_id: attempt.run_id.to_owned(),
            computed_at_us: attempt.now_us,
            as_of_us,
            experiment: asked.exposed.experiment.clone(),
        };
        let findings = findings::experiment::write(store, &look, &document).await.map_err(JobError::Write)?;
        let of = |control: bool| {
            document.arms.iter().filter(|arm| (arm.arm == document.control) == control).map(|arm| arm.n).sum()
        };
        Ok(Outcome {
            rows_reference: of(true),
            rows_current: of(false),
            findings,
            verdict: document.overall().as_str().to_owned(),
            note: String::new(),
            answer: Some(Answer::Experiment(Box::new(document))),
        })
    }
}

/// Whether there is nothing to compare yet, and nothing is wrong: no units of two arms were exposed, or none of the control. A control that
/// has a share is no misspelt one.
fn is_early(error: &ExperimentError, rule: &Rule) -> bool {
    match error {
        ExperimentError::OneArm { .. } => true,
        ExperimentError::NoControl { control, .. } => rule.weights.iter().any(|(arm, _)| arm == control),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_that_has_a_share_may_come_last_and_one_that_has_none_may_be_misspelt() {
        let no_control = ExperimentError::NoControl {
            control: "A".to_owned(),
            known: ["B", "C"].map(str::to_owned).into(),
        };
        let one_arm = ExperimentError::OneArm { known: vec!["B".to_owned()] };
        let other = ExperimentError::NotAProportion { metric: "m".to_owned(), units: 1 };
        let shares = ["A", "B", "C"].map(|arm| (arm.to_owned(), 1.0)).into();
        let planned = Rule { weights: shares, ..Rule::against("A") };
        for (error, rule, expected) in [
            (&one_arm, &planned, true),
            (&one_arm, &Rule::against("A"), true),
            (&no_control, &planned, true),
            (&no_control, &Rule::against("A"), false),
            (&other, &planned, false),
        ] {
            assert_eq!(is_early(error, rule), expected, "{error}");
        }
    }
}
