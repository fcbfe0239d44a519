//! The analyzer of a service: its monitors, its scheduler, its metrics.

use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use windvane_analyzer::monitor::{Job, Metrics, Options, Runner, Scheduler, SumsKeeper};
use windvane_store::Store;

use crate::config::{Config, Experiment};
use crate::exit::Failure;

/// Everything of the configuration that runs by schedule.
pub fn jobs(config: &Config) -> Vec<Job> {
    let monitors = config.monitors.iter().cloned();
    let experiments = config.experiments.iter().map(|experiment| Job::Experiment(experiment.monitor()));
    monitors.chain(experiments).collect()
}

/// Runs windows on behalf of this process.
pub fn runner(config: &Config, store: &Store, what: &str) -> Runner {
    // A number of its own, because several processes on one machine may share a ClickHouse.
    let holder = format!("{what}-{}-{}", std::process::id(), Uuid::new_v4().simple());
    Runner::new(store.clone(), holder, config.analyzer.lease)
}

/// Starts the scheduler; without a monitor there is nothing to start.
///
/// # Errors
/// The metrics are registered already.
pub fn start(
    config: &Config,
    store: &Store,
    (registry, tasks, stop): (&Registry, &TaskTracker, CancellationToken),
) -> Result<(), Failure> {
    let jobs = jobs(config);
    let metrics = Metrics::register(registry, &jobs)?;
    if jobs.is_empty() {
        return Ok(());
    }
    let options = Options { runs_max: config.analyzer.runs_max, poll: config.analyzer.poll };
    let runner = runner(config, store, "serve");
    tracing::info!(monitors = jobs.len(), holder = runner.holder(), "the analyzer runs monitors");
    if !config.experiments.is_empty() {
        let experiments = config.experiments.iter().map(Experiment::monitor).collect();
        let leases = (runner.holder().to_owned(), config.analyzer.lease);
        let keeper = SumsKeeper::new(store.clone(), leases, config.analyzer.sums_every, experiments);
        tasks.spawn(keeper.run(stop.clone()));
    }
    tasks.spawn(Scheduler::new(runner, jobs, options, metrics).run(stop));
    Ok(())
}

#[cfg(test)]
mod tests {
    use windvane_analyzer::monitor;

    /// `docs/METRICS.md` as it has to be.
    fn document() -> String {
        let mut text = String::from(
            "# Metrics\n\n`/metrics` in Prometheus's text format. For each table, in records:\n\
             received + recovered = stored + rejected + dead-lettered + damaged + pending.\n\n\
             With tokens it takes one of the scope `read` (docs/SECURITY.md). What begins with `windvane_shadow` is told by\n\
             `windvane shadow serve` at its own address.\n\n\
             This file follows the tables of `collector/src/metrics.rs`, `collector/src/admission.rs`,\n\
             `src/service/ports.rs`, `analyzer/src/monitor/metrics.rs`, `alerts/src/metrics.rs` and\n\
             `src/shadow/serve/metrics.rs`; the test in `src/service/analyzer.rs` says how to write it anew.\n\n\
             | name | labels | says |\n|---|---|---|\n",
        );
        let collector =
            windvane_collector::DEFINITIONS.iter().map(|metric| (metric.name, metric.labels, metric.help));
        let analyzer = monitor::DEFINITIONS.iter().map(|metric| (metric.name, metric.labels, metric.help));
        let gate = windvane_collector::GATE_DEFINITIONS.iter();
        let gate = gate.chain(std::iter::once(&crate::service::ports::CONNECTIONS));
        let gate = gate.map(|metric| (metric.name, metric.labels, metric.help));
        let alerts =
            windvane_alerts::DEFINITIONS.iter().map(|metric| (metric.name, metric.labels, metric.help));
        let served = crate::shadow::SERVED_DEFINITIONS.iter();
        let served = served.map(|metric| (metric.name, metric.labels, metric.help));
        for (name, labels, help) in collector.chain(gate).chain(analyzer).chain(alerts).chain(served) {
            text.push_str(&format!("| `{name}` | {} | {help} |\n", labels.join(", ")));
        }
        text
    }

    #[test]
    fn the_document_lists_every_metric() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
        if std::env::var_os("WINDVANE_WRITE_DOCS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(found, document(), "write it anew with WINDVANE_WRITE_DOCS=1 cargo test --bin windvane");
    }
}
