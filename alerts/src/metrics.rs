//! What alerts tell Prometheus: one table of names.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector};

/// One metric as documents list it.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name; the last word is its unit or `total`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its labels; receivers and rules are those of the configuration, the rest are words of this program.
    pub labels: &'static [&'static str],
}

macro_rules! definitions {
    ($($constant:ident $name:literal $labels:expr, $help:literal;)*) => {
        $(const $constant: Definition = Definition { name: $name, help: $help, labels: $labels };)*

        /// Every metric of alerts.
        pub const DEFINITIONS: &[Definition] = &[$($constant),*];
    };
}

definitions! {
    HELD "windvane_alerts_held" &[], "1 where this process judges and sends, 0 where another one does.";
    ALERTS "windvane_alerts_alerts" &["state"], "Alerts by state: pending, firing, recovering; of the process that judges, 0 in others.";
    LEFT_OUT "windvane_alerts_left_out_total" &[], "Alerts that were not begun because there are too many, again with each look.";
    EVALUATIONS "windvane_alerts_evaluations_total" &["rule", "outcome"], "Looks at a rule, by outcome: ok or failed.";
    EVALUATED "windvane_alerts_last_evaluation_timestamp_seconds" &[], "When rules were looked at last.";
    ATTEMPTS "windvane_alerts_attempts_total" &["receiver", "outcome"], "Attempts to deliver, by outcome: taken, later, refused.";
    UNDELIVERED "windvane_alerts_undelivered_total" &["receiver"], "Notifications that were given up.";
    WAITING "windvane_alerts_waiting_notifications" &[], "Notifications in the outbox.";
    ROWS_WAITING "windvane_alerts_waiting_rows" &[], "Rows that ClickHouse does not have yet.";
    ROWS_DROPPED "windvane_alerts_dropped_rows" &[], "Rows that were dropped because ClickHouse was away for too long.";
    STATE_FAILED "windvane_alerts_state_failed" &[], "1 after the file with the state could not be written, until it is.";
    HEARTBEATS "windvane_alerts_heartbeats_total" &["outcome"], "Heartbeats, by outcome: taken or failed.";
}

/// The metrics, ready to be counted up.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) held: IntGauge,
    pub(crate) alerts: IntGaugeVec,
    pub(crate) left_out: IntCounter,
    pub(crate) evaluations: IntCounterVec,
    pub(crate) evaluated: IntGauge,
    pub(crate) attempts: IntCounterVec,
    pub(crate) undelivered: IntCounterVec,
    pub(crate) waiting: IntGauge,
    pub(crate) rows_waiting: IntGauge,
    pub(crate) rows_dropped: IntGauge,
    pub(crate) state_failed: IntGauge,
    pub(crate) heartbeats: IntCounterVec,
}

impl Metrics {
    /// Makes the metrics and registers them; series of these receivers are there from the start, at zero.
    ///
    /// # Errors
    /// The registry has another metric of the same name.
    pub(crate) fn register<'a>(
        registry: &Registry,
        receivers: impl Iterator<Item = &'a str>,
    ) -> prometheus::Result<Self> {
        let options = |definition: Definition| Opts::new(definition.name, definition.help);
        let gauge = |definition| registered(registry, IntGauge::with_opts(options(definition))?);
        let counters = |definition: Definition| {
            registered(registry, IntCounterVec::new(options(definition), definition.labels)?)
        };
        let metrics = Self {
            held: gauge(HELD)?,
            alerts: registered(registry, IntGaugeVec::new(options(ALERTS), ALERTS.labels)?)?,
            left_out: registered(registry, IntCounter::with_opts(options(LEFT_OUT))?)?,
            evaluations: counters(EVALUATIONS)?,
            evaluated: gauge(EVALUATED)?,
            attempts: counters(ATTEMPTS)?,
            undelivered: counters(UNDELIVERED)?,
            waiting: gauge(WAITING)?,
            rows_waiting: gauge(ROWS_WAITING)?,
            rows_dropped: gauge(ROWS_DROPPED)?,
            state_failed: gauge(STATE_FAILED)?,
            heartbeats: counters(HEARTBEATS)?,
        };
        for state in ["pending", "firing", "recovering"] {
            metrics.alerts.with_label_values(&[state]).set(0);
        }
        for receiver in receivers {
            metrics.undelivered.with_label_values(&[receiver]);
            for outcome in ["taken", "later", "refused"] {
                metrics.attempts.with_label_values(&[receiver, outcome]);
            }
        }
        for outcome in ["taken", "failed"] {
            metrics.heartbeats.with_label_values(&[outcome]);
        }
        Ok(metrics)
    }
}

fn registered<M: Collector + Clone + 'static>(registry: &Registry, metric: M) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_registered_once() {
        let registry = Registry::new();
        Metrics::register(&registry, ["ops"].into_iter()).unwrap();
        assert!(Metrics::register(&registry, std::iter::empty()).is_err());
        let names: Vec<String> = registry.gather().iter().map(|family| family.name().to_owned()).collect();
        assert!(names.iter().all(|name| DEFINITIONS.iter().any(|definition| definition.name == name)));
    }
}
