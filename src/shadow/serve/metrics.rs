//! What the process that serves models tells Prometheus.

use prometheus::TextEncoder;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::model::Model;

/// A metric: its name, type, labels, what it says, and where it is read.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    pub name: &'static str,
    kind: MetricType,
    pub labels: &'static [&'static str],
    pub help: &'static str,
    series: fn(&Served<'_>) -> Vec<Series>,
}

/// The values of labels, and the count.
type Series = (Vec<String>, u64);

/// What metrics are read from.
pub(super) struct Served<'s> {
    pub models: &'s [Model],
    /// Predictions that were not recorded, where any are.
    pub dropped: Option<u64>,
    /// Requests for whose bodies there was no room.
    pub refused: u64,
}

/// All of them, as in `docs/METRICS.md`.
pub const DEFINITIONS: [Definition; 6] = [
    Definition {
        name: "windvane_shadow_requests_total",
        kind: MetricType::COUNTER,
        labels: &["model", "outcome"],
        help: "Requests of models that `windvane shadow serve` serves, by what became of them: answered, failed, shed, late, unavailable (there was no process with the model).",
        series: |served| served.by(|model| model.counts().to_vec()),
    },
    Definition {
        name: "windvane_shadow_calls_total",
        kind: MetricType::COUNTER,
        labels: &["model"],
        help: "Calls of served models; requests that were put together are one.",
        series: |served| served.each(Model::calls),
    },
    Definition {
        name: "windvane_shadow_ready",
        kind: MetricType::GAUGE,
        labels: &["model"],
        help: "1 where a served model is open and warm, and was not lost again and again of late.",
        series: |served| served.each(|model| u64::from(model.ready().is_ok())),
    },
    Definition {
        name: "windvane_shadow_processes_lost_total",
        kind: MetricType::COUNTER,
        labels: &["model", "cause"],
        help: "Processes of served models that ended or were ended, by cause: refused, crashed, hung, memory, garbled, not_started. Each is started again.",
        series: |served| served.by(|model| model.lost().collect()),
    },
    Definition {
        name: "windvane_shadow_records_dropped_total",
        kind: MetricType::COUNTER,
        labels: &[],
        help: "Predictions of served models that were not recorded, because they were too large, or the collector did not keep up or refused them.",
        series: |served| served.dropped.map(|dropped| (Vec::new(), dropped)).into_iter().collect(),
    },
    Definition {
        name: "windvane_shadow_bodies_refused_total",
        kind: MetricType::COUNTER,
        labels: &[],
        help: "Requests of `windvane shadow serve` that were refused before they were read, because those under way take all the room for bodies.",
        series: |served| vec![(Vec::new(), served.refused)],
    },
];

impl Served<'_> {
    /// One count of each model.
    fn each(&self, count: fn(&Model) -> u64) -> Vec<Series> {
        self.models.iter().map(|model| (vec![model.name().to_owned()], count(model))).collect()
    }

    /// Several counts of each model, each under a word.
    fn by(&self, counts: fn(&Model) -> Vec<(&'static str, u64)>) -> Vec<Series> {
        let mut series = Vec::new();
        for model in self.models {
            let counts = counts(model).into_iter();
            series
                .extend(counts.map(|(word, count)| (vec![model.name().to_owned(), word.to_owned()], count)));
        }
        series
    }
}

impl Definition {
    /// The metric with its values, where there are any.
    fn family(&self, served: &Served<'_>) -> Option<MetricFamily> {
        let metrics: Vec<Metric> =
            (self.series)(served).into_iter().map(|series| self.metric(series)).collect();
        if metrics.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family.set_metric(metrics);
        Some(family)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts stay far below 2^53, and Prometheus knows no integers"
    )]
    fn metric(&self, (values, count): Series) -> Metric {
        let pair = |(label, value): (&&str, String)| {
            let mut pair = LabelPair::default();
            pair.set_name((*label).to_owned());
            pair.set_value(value);
            pair
        };
        let mut metric = Metric::from_label(self.labels.iter().zip(values).map(pair).collect());
        if self.kind == MetricType::GAUGE {
            let mut gauge = Gauge::default();
            gauge.set_value(count as f64);
            metric.set_gauge(gauge);
        } else {
            let mut counter = Counter::default();
            counter.set_value(count as f64);
            metric.set_counter(counter);
        }
        metric
    }
}

/// The text of `/metrics`, in Prometheus' own format.
///
/// # Errors
/// A definition has no name; none is such.
pub(super) fn text(served: &Served<'_>) -> prometheus::Result<String> {
    let families: Vec<_> = DEFINITIONS.iter().filter_map(|definition| definition.family(served)).collect();
    TextEncoder::new().encode_to_string(&families)
}
