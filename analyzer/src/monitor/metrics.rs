//! What the scheduler tells Prometheus: one table of names.

use std::time::Duration;

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, core::Collector};

use super::{Job, Ran, RunError};

/// One metric as documents list it.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name; the last word is its unit or `total`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its labels; each is a closed set: kinds and states are words of this program, monitors those of the configuration.
    pub labels: &'static [&'static str],
}

const RUNS: Definition = Definition {
    name: "windvane_analyzer_runs_total",
    help: "Windows that this analyzer took up, by how they ended: done, failed, elsewhere, before, stopped, lost.",
    labels: &["kind", "state"],
};
const RUN_SECONDS: Definition = Definition {
    name: "windvane_analyzer_run_seconds",
    help: "How long a window took that was done or failed.",
    labels: &["kind"],
};
const WAITING: Definition = Definition {
    name: "windvane_analyzer_waiting_windows",
    help: "Windows that are due and neither done nor given up, by monitor.",
    labels: &["kind", "monitor"],
};
const LAG: Definition = Definition {
    name: "windvane_analyzer_lag_seconds",
    help: "How long the oldest of those windows has been due; 0 without any. It goes on growing while ClickHouse is away.",
    labels: &["kind", "monitor"],
};

/// Every metric of the analyzer.
pub const DEFINITIONS: &[Definition] = &[RUNS, RUN_SECONDS, WAITING, LAG];

/// How a window can end.
const STATES: [&str; 6] = ["done", "failed", "elsewhere", "before", "stopped", "lost"];
/// From a window without rows to the longest time that one may take.
const SECONDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0];

/// The metrics, ready to be counted up.
#[derive(Debug, Clone)]
pub struct Metrics {
    runs: IntCounterVec,
    run_seconds: HistogramVec,
    waiting: GaugeVec,
    lag: GaugeVec,
}

impl Metrics {
    /// Makes the metrics of these jobs and registers them; every series is there from the start, at zero.
    ///
    /// # Errors
    /// The registry has another metric of the same name.
    pub fn register(registry: &Registry, jobs: &[Job]) -> prometheus::Result<Self> {
        let options = |definition: Definition| Opts::new(definition.name, definition.help);
        let histogram = HistogramOpts::new(RUN_SECONDS.name, RUN_SECONDS.help).buckets(SECONDS.to_vec());
        let metrics = Self {
            runs: IntCounterVec::new(options(RUNS), RUNS.labels)?,
            run_seconds: HistogramVec::new(histogram, RUN_SECONDS.labels)?,
            waiting: GaugeVec::new(options(WAITING), WAITING.labels)?,
            lag: GaugeVec::new(options(LAG), LAG.labels)?,
        };
        let all: [Box<dyn Collector>; 4] = [
            Box::new(metrics.runs.clone()),
            Box::new(metrics.run_seconds.clone()),
            Box::new(metrics.waiting.clone()),
            Box::new(metrics.lag.clone()),
        ];
        for metric in all {
            registry.register(metric)?;
        }
        for job in jobs {
            metrics.waits(job, 0, 0);
            metrics.run_seconds.with_label_values(&[job.kind()]);
            for state in STATES {
                metrics.runs.with_label_values(&[job.kind(), state]);
            }
        }
        Ok(metrics)
    }

    pub(super) fn ran(&self, kind: &str, ran: &Result<Ran, RunError>, took: Duration) {
        let state = match ran {
            Ok(Ran::Done(_)) => "done",
            Ok(Ran::Elsewhere) => "elsewhere",
            Ok(Ran::Before) => "before",
            Ok(Ran::Stopped) => "stopped",
            Err(RunError::Job(_)) => "failed",
            Err(RunError::LeaseLost | RunError::Ledger(_)) => "lost",
        };
        self.runs.with_label_values(&[kind, state]).inc();
        if matches!(state, "done" | "failed") {
            self.run_seconds.with_label_values(&[kind]).observe(took.as_secs_f64());
        }
    }

    pub(super) fn waits(&self, job: &Job, windows: usize, oldest_us: i64) {
        let labels = [job.kind(), job.name()];
        self.waiting.with_label_values(&labels).set(windows as f64);
        self.lag.with_label_values(&labels).set(oldest_us as f64 / 1e6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::JobError;

    #[test]
    fn every_end_is_counted_and_those_of_runs_that_came_to_one_are_measured() {
        let metrics = Metrics::register(&Registry::new(), &[]).unwrap();
        let late = RunError::Job(JobError::TimedOut { limit: Duration::from_secs(1) });
        let ends = [
            ("done", Ok(Ran::Done(Box::default()))),
            ("failed", Err(late)),
            ("elsewhere", Ok(Ran::Elsewhere)),
            ("before", Ok(Ran::Before)),
            ("stopped", Ok(Ran::Stopped)),
            ("lost", Err(RunError::LeaseLost)),
        ];
        for (more, (_, ran)) in ends.iter().enumerate() {
            (0..=more).for_each(|_| metrics.ran("drift", ran, Duration::from_secs(2)));
        }
        let counts = ends.map(|(state, _)| metrics.runs.with_label_values(&["drift", state]).get());
        assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
        let took = metrics.run_seconds.with_label_values(&["drift"]);
        assert_eq!((took.get_sample_count(), took.get_sample_sum()), (3, 6.0));
    }

    #[test]
    fn every_definition_is_registered_once_and_says_what_it_is() {
        let registry = Registry::new();
        Metrics::register(&registry, &[]).unwrap();
        assert!(Metrics::register(&registry, &[]).is_err());
        for Definition { name, help, .. } in DEFINITIONS {
            assert!(name.starts_with("windvane_analyzer_"), "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }
}
