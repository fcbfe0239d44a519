//! What the collector tells Prometheus: one table of names, and the invariant that ties them together:
//! received + recovered = stored + rejected + dead-lettered + damaged + pending, in records, for each table.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::Collector as PrometheusCollector,
};
use windvane_store::Table;
use windvane_types::rejection::Code;

use crate::limits::{ModelBytes, Word};

/// One metric as documents list it.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name; the last word is its unit or `total`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its labels; each is a closed set.
    pub labels: &'static [&'static str],
}

const TABLE: &[&str] = &["table"];

macro_rules! definitions {
    ($($constant:ident $name:literal $labels:expr, $help:literal;)*) => {
        $(const $constant: Definition = Definition { name: $name, help: $help, labels: $labels };)*

        /// Every metric of the collector.
        pub const DEFINITIONS: &[Definition] = &[$($constant),*];
    };
}

definitions! {
    RECEIVED "windvane_collector_received_records_total" TABLE, "Records of batches that were answered 200 or 400.";
    RECOVERED "windvane_collector_recovered_rows_total" TABLE, "Rows that a start found in the spool.";
    STORED "windvane_collector_stored_rows_total" TABLE, "Rows that ClickHouse has taken.";
    REJECTED "windvane_collector_rejected_records_total" &["table", "code"], "Records that were refused, by code.";
    DEDUPLICATED "windvane_collector_deduplicated_batches_total" TABLE, "Batches repeated under a known Idempotency-Key.";
    REFUSED "windvane_collector_refused_requests_total" &["table", "code"], "Requests that were refused whole, by code.";
    DEAD_LETTERED "windvane_collector_dead_lettered_rows_total" TABLE, "Rows that ClickHouse cannot take, laid aside in files.";
    DAMAGED "windvane_collector_damaged_rows_total" TABLE, "Rows that went bad on disk after they were acknowledged.";
    DAMAGED_BYTES "windvane_collector_damaged_bytes_total" TABLE, "Damaged bytes that a start found in the spool and laid aside.";
    TORN_BYTES "windvane_collector_torn_bytes_total" TABLE, "Bytes of unfinished writes that a start cut off; none was acknowledged.";
    PENDING_ROWS "windvane_collector_pending_rows" TABLE, "Rows in the spool that ClickHouse has not answered for.";
    PENDING_BYTES "windvane_collector_pending_bytes" TABLE, "Bytes of those rows.";
    PENDING_AGE "windvane_collector_pending_age_seconds" TABLE, "Age of the oldest of those rows.";
    SPOOL_BYTES "windvane_collector_spool_bytes" TABLE, "Bytes of the spool's segment files.";
    SPOOL_FAILED "windvane_collector_spool_failed" TABLE, "1 after the spool's disk has failed, until it can be written to again.";
    KEYS "windvane_collector_idempotency_keys" TABLE, "Idempotency keys that are remembered.";
    KEYS_FORGOTTEN "windvane_collector_idempotency_keys_forgotten_early" TABLE, "Idempotency keys forgotten before their time, since the start.";
    INSERT_SECONDS "windvane_collector_insert_seconds" TABLE, "How long ClickHouse took for an INSERT that succeeded.";
    INSERT_ROWS "windvane_collector_insert_rows" TABLE, "Rows of an INSERT that succeeded.";
    INSERT_FAILURES "windvane_collector_insert_failures_total" &["table", "fault"], "INSERTs that failed and were or will be tried again.";
    MODEL_ROWS "windvane_collector_model_rows_total" &["model"], "Rows that were acknowledged, by model; the first 200 models since the start have a series of their own, all others are `_other`.";
    MODEL_REJECTED "windvane_collector_model_rejected_records_total" &["model"], "Records of predictions, outcomes and payloads that were refused, by model; models without a series of their own in `windvane_collector_model_rows_total`, and records that name none, are `_other`.";
    MODEL_DEDUPLICATED "windvane_collector_model_deduplicated_rows_total" &["model"], "Rows of batches repeated under a known Idempotency-Key, by model as above.";
    MODEL_DEAD_LETTERED "windvane_collector_model_dead_lettered_rows_total" &["model"], "Rows that ClickHouse cannot take, laid aside in files since the start, by model as above.";
    MODELS "windvane_collector_models" &[], "Models seen since the start.";
    SERVICES "windvane_collector_services" &[], "Services that telemetry came from since the start.";
    NAMES "windvane_collector_names_remembered" &[], "Names of features, their categories, labels, and words of telemetry, which are remembered to bound them.";
    REPLACED "windvane_collector_replaced_words_total" &["word"], "Rows of telemetry in which a word beyond its bound was replaced by `_OTHER`, by what the word is.";
    ACKNOWLEDGE_SECONDS "windvane_collector_acknowledge_seconds" TABLE, "From the end of a request's body to its batch being durable.";
}

/// The metrics, ready to be counted up.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) received: IntCounterVec,
    pub(crate) recovered: IntCounterVec,
    pub(crate) stored: IntCounterVec,
    pub(crate) rejected: IntCounterVec,
    pub(crate) deduplicated: IntCounterVec,
    pub(crate) refused: IntCounterVec,
    pub(crate) dead_lettered: IntCounterVec,
    pub(crate) damaged: IntCounterVec,
    pub(crate) damaged_bytes: IntCounterVec,
    pub(crate) torn_bytes: IntCounterVec,
    pub(crate) pending_rows: IntGaugeVec,
    pub(crate) pending_bytes: IntGaugeVec,
    pub(crate) pending_age_seconds: IntGaugeVec,
    pub(crate) spool_bytes: IntGaugeVec,
    pub(crate) spool_failed: IntGaugeVec,
    pub(crate) keys: IntGaugeVec,
    pub(crate) keys_forgotten: IntGaugeVec,
    pub(crate) insert_seconds: HistogramVec,
    pub(crate) insert_rows: HistogramVec,
    pub(crate) insert_failures: IntCounterVec,
    pub(crate) model_rows: IntCounterVec,
    model_rejected: IntCounterVec,
    model_deduplicated: IntCounterVec,
    model_dead_lettered: IntCounterVec,
    pub(crate) models: IntGauge,
    pub(crate) services: IntGauge,
    pub(crate) names: IntGauge,
    pub(crate) replaced: IntCounterVec,
    pub(crate) acknowledge_seconds: HistogramVec,
    labelled: Arc<Mutex<HashSet<String>>>,
}

/// Counts by model; beyond so many models, and of none, under the empty name.
#[derive(Debug, Default)]
pub(crate) struct ByModel(Vec<(String, u64)>);

/// Models of one batch whose refusals are told apart, so that looking one up stays cheap whatever names a batch brings.
const COUNTED_MODELS_MAX: usize = 100;

impl ByModel {
    /// Counts one. What comes next to each other is nearly always of one model.
    pub(crate) fn add(&mut self, model: &str) {
        let Self(counts) = self;
        let is_known = |(known, _): &(String, u64)| known == model;
        let at = match counts.last() {
            Some(last) if is_known(last) => Some(counts.len() - 1),
            _ => counts.iter().position(is_known),
        };
        match at {
            Some(at) => counts[at].1 += 1,
            None if counts.len() < COUNTED_MODELS_MAX || model.is_empty() => {
                counts.push((model.to_owned(), 1))
            }
            None => self.add(""),
        }
    }
}

/// Models with a series of their own; a series costs Prometheus a few KiB.
const MODELS_LABELLED_MAX: usize = 200;
/// The series of all other models. A model of this name shares it.
const OTHER_MODELS: &str = "_other";

/// From a commit of a fast disk to ten seconds.
const SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From one row to the largest block.
const ROWS: &[f64] = &[1.0, 10.0, 100.0, 1000.0, 10_000.0, 50_000.0, 100_000.0, 500_000.0, 1_000_000.0];

impl Metrics {
    /// Makes the metrics and registers them. Every table's series are there from the start, at zero.
    ///
    /// # Errors
    /// The registry has another metric of the same name.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |definition| counter(registry, definition);
        let gauge = |definition| gauge(registry, definition);
        let metrics = Self {
            received: counter(RECEIVED)?,
            recovered: counter(RECOVERED)?,
            stored: counter(STORED)?,
            rejected: counter(REJECTED)?,
            deduplicated: counter(DEDUPLICATED)?,
            refused: counter(REFUSED)?,
            dead_lettered: counter(DEAD_LETTERED)?,
            damaged: counter(DAMAGED)?,
            damaged_bytes: counter(DAMAGED_BYTES)?,
            torn_bytes: counter(TORN_BYTES)?,
            pending_rows: gauge(PENDING_ROWS)?,
            pending_bytes: gauge(PENDING_BYTES)?,
            pending_age_seconds: gauge(PENDING_AGE)?,
            spool_bytes: gauge(SPOOL_BYTES)?,
            spool_failed: gauge(SPOOL_FAILED)?,
            keys: gauge(KEYS)?,
            keys_forgotten: gauge(KEYS_FORGOTTEN)?,
            insert_seconds: histogram(registry, INSERT_SECONDS, SECONDS)?,
            insert_rows: histogram(registry, INSERT_ROWS, ROWS)?,
            insert_failures: counter(INSERT_FAILURES)?,
            model_rows: counter(MODEL_ROWS)?,
            model_rejected: counter(MODEL_REJECTED)?,
            model_deduplicated: counter(MODEL_DEDUPLICATED)?,
            model_dead_lettered: counter(MODEL_DEAD_LETTERED)?,
            models: registered(registry, IntGauge::new(MODELS.name, MODELS.help)?)?,
            services: registered(registry, IntGauge::new(SERVICES.name, SERVICES.help)?)?,
            names: registered(registry, IntGauge::new(NAMES.name, NAMES.help)?)?,
            replaced: counter(REPLACED)?,
            acknowledge_seconds: histogram(registry, ACKNOWLEDGE_SECONDS, SECONDS)?,
            labelled: Arc::default(),
        };
        for table in Table::ALL {
            metrics.begin(table.name());
        }
        for word in Word::ALL {
            metrics.replaced.with_label_values(&[word.as_str()]);
        }
        Ok(metrics)
    }

    /// Counts what was acknowledged, by model.
    pub(crate) fn accepted_by_model(&self, batch: &[ModelBytes]) {
        self.by_model(&self.model_rows, rows(batch), true);
    }

    /// Counts what came again, by model.
    pub(crate) fn deduplicated_by_model(&self, batch: &[ModelBytes]) {
        self.by_model(&self.model_deduplicated, rows(batch), true);
    }

    /// Counts what was laid aside, by model.
    pub(crate) fn dead_lettered_by_model(&self, ByModel(counts): &ByModel) {
        let counts = counts.iter().map(|(model, n)| (model.as_str(), *n));
        self.by_model(&self.model_dead_lettered, counts, true);
    }

    /// Counts what was refused, by model. It gives no model a series: what is refused may bear any name, and there are only so many.
    pub(crate) fn rejected_by_model(&self, ByModel(counts): &ByModel) {
        let counts = counts.iter().map(|(model, n)| (model.as_str(), *n));
        self.by_model(&self.model_rejected, counts, false);
    }

    fn by_model<'m>(
        &self,
        counter: &IntCounterVec,
        counts: impl Iterator<Item = (&'m str, u64)>,
        may_begin: bool,
    ) {
        let mut labelled = self.labelled.lock();
        for (model, n) in counts {
            let begins = may_begin && !model.is_empty() && labelled.len() < MODELS_LABELLED_MAX;
            let has_own = labelled.contains(model) || (begins && labelled.insert(model.to_owned()));
            let label = if has_own { model } else { OTHER_MODELS };
            counter.with_label_values(&[label]).inc_by(n);
        }
    }

    /// Touches every series of a table, so that it is zero and not absent.
    fn begin(&self, table: &str) {
        let counters = [
            &self.received,
            &self.recovered,
            &self.stored,
            &self.deduplicated,
            &self.dead_lettered,
            &self.damaged,
            &self.damaged_bytes,
            &self.torn_bytes,
        ];
        for counter in counters {
            counter.with_label_values(&[table]);
        }
        for code in Code::ALL {
            self.rejected.with_label_values(&[table, code.as_str()]);
        }
    }
}

fn rows(batch: &[ModelBytes]) -> impl Iterator<Item = (&str, u64)> {
    batch.iter().map(|share| (share.model.as_str(), share.rows))
}

fn registered<M: PrometheusCollector + Clone + 'static>(
    registry: &Registry,
    metric: M,
) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counter(registry: &Registry, definition: Definition) -> prometheus::Result<IntCounterVec> {
    let Definition { name, help, labels } = definition;
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauge(registry: &Registry, definition: Definition) -> prometheus::Result<IntGaugeVec> {
    let Definition { name, help, labels } = definition;
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn histogram(
    registry: &Registry,
    definition: Definition,
    buckets: &[f64],
) -> prometheus::Result<HistogramVec> {
    let Definition { name, help, labels } = definition;
    registered(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_registered_once_and_ends_in_its_unit() {
        let registry = Registry::new();
        Metrics::register(&registry).unwrap();
        assert!(Metrics::register(&registry).is_err());
        for Definition { name, help, .. } in DEFINITIONS {
            assert!(name.starts_with("windvane_collector_"), "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }
}
