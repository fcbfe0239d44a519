//! The alerts of a service: its plan, what it measures of itself, its loop.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus::Registry;
use prometheus::proto::{Metric, MetricFamily};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use windvane_alerts::watch::Measured;
use windvane_alerts::{Alerter, Parts};
use windvane_collector::Gauges;
use windvane_store::Store;
use windvane_types::SystemClock;

use crate::config::Config;
use crate::exit::{Because, Failure, Reason};

/// Gauges of the collector and the measures that they are.
const GAUGES: &[(&str, &str)] = &[
    ("windvane_collector_pending_age_seconds", "spool_age_s"),
    ("windvane_collector_spool_failed", "spool_failed"),
];
/// Counters of the collector whose rise within the last hour is measured.
const COUNTERS: &[(&str, &str)] = &[
    ("windvane_collector_dead_lettered_rows_total", "dead_lettered_rows"),
    ("windvane_collector_damaged_rows_total", "damaged_rows"),
];
const HOUR: Duration = Duration::from_secs(3_600);

/// Starts the loop; what it measures of the process is read from the registry, after its gauges were brought up to date.
///
/// # Errors
/// The folder of the state cannot be made, or the metrics are registered already.
pub fn start(
    config: &Config,
    store: &Store,
    (registry, gauges): (&Registry, Option<Gauges>),
    (tasks, stop): (&TaskTracker, CancellationToken),
) -> Result<(), Failure> {
    let plan = config.alerts.clone();
    if plan.receivers.is_empty() {
        tracing::info!("no receiver is configured: alerts are judged and listed, and nobody is told");
    }
    let parts = Parts {
        plan,
        store: store.clone(),
        clock: Arc::new(SystemClock),
        own: Arc::new(own(registry.clone(), gauges)),
        holder: format!("alerts-{}-{}", std::process::id(), Uuid::new_v4().simple()),
    };
    let alerter = Alerter::open(parts, registry).because(Reason::Unavailable)?;
    tasks.spawn(alerter.run(stop));
    Ok(())
}

/// Measures this process. Nobody else may have asked for its metrics, so that gauges would be as they were at the start.
fn own(registry: Registry, gauges: Option<Gauges>) -> impl Fn() -> Vec<Measured> + Send + Sync {
    let rises = Mutex::new(Rises::default());
    move || {
        if let Some(gauges) = &gauges {
            gauges();
        }
        measured(&registry.gather(), &rises)
    }
}

/// What the collector of this process says of itself, table by table.
fn measured(families: &[MetricFamily], rises: &Mutex<Rises>) -> Vec<Measured> {
    let of = |name: &str| families.iter().find(|family| family.name() == name);
    let mut measured = Vec::new();
    for (name, measure) in GAUGES.iter().copied() {
        for metric in of(name).iter().flat_map(|family| family.get_metric()) {
            let value = metric.get_gauge().get_value();
            measured.push(Measured::new(measure, labels(metric), value));
        }
    }
    // A thread that panicked while it held the lock has left totals that are as good as any.
    let mut rises = rises.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (name, measure) in COUNTERS.iter().copied() {
        for metric in of(name).iter().flat_map(|family| family.get_metric()) {
            let labels = labels(metric);
            let value = rises.note((measure, &labels), metric.get_counter().get_value(), Instant::now());
            measured.push(Measured::new(measure, labels, value));
        }
    }
    measured
}

fn labels(metric: &Metric) -> BTreeMap<String, String> {
    metric.get_label().iter().map(|label| (label.name().to_owned(), label.value().to_owned())).collect()
}

/// Totals of the last hour, from which rises are made.
#[derive(Debug, Default)]
struct Rises(BTreeMap<String, VecDeque<(Instant, f64)>>);

impl Rises {
    /// Notes a total and says how far it has risen within the last hour; before the first one it was 0.
    fn note(
        &mut self,
        (measure, labels): (&str, &BTreeMap<String, String>),
        total: f64,
        now: Instant,
    ) -> f64 {
        let totals = self.0.entry(format!("{measure} {labels:?}")).or_insert_with(|| [(now, 0.0)].into());
        // Only changes are kept; the last one from before the hour is what is risen from.
        if totals.back().is_none_or(|(_, last)| *last != total) {
            totals.push_back((now, total));
        }
        while totals.get(1).is_some_and(|(at, _)| now.duration_since(*at) > HOUR) {
            totals.pop_front();
        }
        total - totals.front().map_or(0.0, |(_, total)| *total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_is_over_an_hour_after_it() {
        let (mut rises, start) = (Rises::default(), Instant::now());
        let labels = BTreeMap::new();
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        assert_eq!(rises.note(("dead", &labels), 0.0, at(0)), 0.0);
        assert_eq!(rises.note(("dead", &labels), 3.0, at(10)), 3.0);
        assert_eq!(rises.note(("dead", &labels), 5.0, at(40)), 5.0);
        assert_eq!(rises.note(("dead", &labels), 5.0, at(71)), 2.0);
        assert_eq!(rises.note(("dead", &labels), 5.0, at(101)), 0.0);
    }

    #[test]
    fn the_collectors_metrics_are_measured_by_table() {
        let registry = Registry::new();
        let gauge = prometheus::IntGaugeVec::new(
            prometheus::Opts::new("windvane_collector_pending_age_seconds", "age"),
            &["table"],
        )
        .unwrap();
        registry.register(Box::new(gauge.clone())).unwrap();
        // Nobody asks for `/metrics` in between.
        let refresh = move || gauge.with_label_values(&["predictions"]).set(90);
        let measured = own(registry, Some(Arc::new(refresh)))();
        let [one] = measured.as_slice() else { panic!("{measured:?}") };
        assert_eq!(
            (one.measure, one.value, one.labels["table"].as_str()),
            ("spool_age_s", 90.0, "predictions")
        );
    }

    #[test]
    fn every_metric_that_is_measured_is_one_of_the_collectors() {
        for (name, measure) in GAUGES.iter().chain(COUNTERS) {
            assert!(windvane_collector::DEFINITIONS.iter().any(|metric| metric.name == *name), "{name}");
            assert!(
                windvane_alerts::rule::OWN_MEASURES.iter().any(|(known, _)| known == measure),
                "{measure}"
            );
        }
    }
}
