//! What all monitors of a model have: whose predictions they watch, when, and within which bounds.

use std::time::Duration;

use serde_json::{Value, json};
use windvane_store::findings::Run;

use super::Schedule;
use super::job::Attempt;
use crate::drift::Deployment;

/// Whose predictions a monitor watches, when, and within which bounds.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The monitor's name.
    pub name: String,
    /// Whose predictions.
    pub deployment: Deployment,
    /// When it runs. Of a quality monitor its delay is also after how long an event is late.
    pub schedule: Schedule,
    /// How long one window may take.
    pub timeout: Duration,
    /// Bytes that a statement of it may take in ClickHouse.
    pub memory_bytes_max: u64,
    /// Whether it runs by itself.
    pub enabled: bool,
}

impl Watched {
    /// What findings say of the run that they come from; kind and name are those of its reference, empty without one.
    pub(super) fn findings_of(&self, attempt: Attempt<'_>, (kind, name): (&str, &str)) -> Run {
        Run {
            run_id: attempt.run_id.to_owned(),
            computed_at_us: attempt.now_us,
            model: self.deployment.model.clone(),
            version: self.deployment.version.clone().unwrap_or_default(),
            environment: self.deployment.environment.clone().unwrap_or_default(),
            monitor: self.name.clone(),
            reference_kind: kind.to_owned(),
            reference_name: name.to_owned(),
            window: attempt.window,
            granularity: self.schedule.every.to_string(),
        }
    }

    /// The settings of a monitor, for people and pages: these, and those of its kind.
    pub(super) fn settings(&self, own: Value) -> Value {
        let mut all = json!({
            "version": self.deployment.version,
            "environment": self.deployment.environment,
            "window": self.schedule.window.to_string(),
            "every": self.schedule.every.to_string(),
            "delay_s": self.schedule.delay_us / 1_000_000,
            "catch_up": self.schedule.catch_up,
        });
        if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
            all.extend(own);
        }
        all
    }
}
