//! What the process that serves models tells Prometheus.

use super::model::Model;

/// A metric: its name, type, labels, what it says, and where it is read.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    pub name: &'static str,
    kind: &'static str,
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
}

/// All of them, as in `docs/METRICS.md`.
pub const DEFINITIONS: [Definition; 5] = [
    Definition {
        name: "windvane_shadow_requests_total",
        kind: "counter",
        labels: &["model", "outcome"],
        help: "Requests of models that `windvane shadow serve` serves, by what became of them: answered, failed, shed, late, unavailable (there was no process with the model).",
        series: |served| served.by(|model| model.counts().to_vec()),
    },
    Definition {
        name: "windvane_shadow_calls_total",
        kind: "counter",
        labels: &["model"],
        help: "Calls of served models; requests that were put together are one.",
        series: |served| served.each(Model::calls),
    },
    Definition {
        name: "windvane_shadow_ready",
        kind: "gauge",
        labels: &["model"],
        help: "1 where a served model is open and warm, and was not lost again and again of late.",
        series: |served| served.each(|model| u64::from(model.ready().is_ok())),
    },
    Definition {
        name: "windvane_shadow_processes_lost_total",
        kind: "counter",
        labels: &["model", "cause"],
        help: "Processes of served models that ended or were ended, by cause: refused, crashed, hung, memory, garbled, not_started. Each is started again.",
        series: |served| served.by(|model| model.lost().collect()),
    },
    Definition {
        name: "windvane_shadow_records_dropped_total",
        kind: "counter",
        labels: &[],
        help: "Predictions of served models that were not recorded, because they were too large, or the collector did not keep up or refused them.",
        series: |served| served.dropped.map(|dropped| (Vec::new(), dropped)).into_iter().collect(),
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

/// The text of `/metrics`.
pub(super) fn text(served: &Served<'_>) -> String {
    let mut text = String::new();
    for Definition { name, kind, labels, help, series } in DEFINITIONS {
        let series = series(served);
        if series.is_empty() {
            continue;
        }
        text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (values, count) in series {
            let pairs = labels.iter().zip(&values).map(|(label, value)| format!("{label}={value:?}"));
            let pairs = pairs.collect::<Vec<_>>().join(",");
            text += &match pairs.as_str() {
                "" => format!("{name} {count}\n"),
                pairs => format!("{name}{{{pairs}}} {count}\n"),
            };
        }
    }
    text
}
