//! How the service itself does: monitors and their runs, the collector's counters, the tables.

use maud::{Markup, html};
use prometheus::Registry;
use prometheus::proto::{Metric, MetricType};
use serde::Deserialize;
use windvane_store::views::{Asked, MONITORS, RUNS, TABLES};
use windvane_store::{Store, StoreError};
use windvane_types::span;

use crate::address;
use crate::listed::full;
use crate::numbers::{bytes, number, thousands};
use crate::page::{Part, card, empty, page, time, window};

/// Below this every whole number is a double: 2⁵³.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Monitors that the page shows at once; the read API pages through all.
const MONITORS_MAX: u64 = 200;

/// A monitor or a scheduled experiment.
#[derive(Debug, Clone, Deserialize)]
struct Monitor {
    kind: String,
    monitor: String,
    model: String,
    state: String,
    next_due: String,
    window_end: String,
    verdict: String,
    error: String,
    note: String,
}

/// A run of one.
#[derive(Debug, Clone, Deserialize)]
struct Run {
    kind: String,
    monitor: String,
    state: String,
    attempt: u64,
    window_start: String,
    window_end: String,
    started_at: String,
    took_ms: Option<i64>,
    rows_reference: u64,
    rows_current: u64,
    findings: u64,
    verdict: String,
    error: String,
}

impl Run {
    /// The rows of the window; of an experiment the units of all arms, the control's too, as `windvane monitor` tells them.
    fn looked_at(&self) -> u64 {
        let control = if self.kind == "experiment" { self.rows_reference } else { 0 };
        control + self.rows_current
    }
}

/// A table of the store.
#[derive(Debug, Clone, Deserialize)]
struct Table {
    table: String,
    rows: u64,
    bytes: u64,
    parts: u64,
    changed_at: String,
}

/// A number of this process.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    name: String,
    labels: String,
    help: String,
    value: f64,
}

impl Reading {
    /// Its value for a person: an instant as a time, and what is counted with all of its digits.
    fn shown(&self) -> Markup {
        let is_whole = self.value.fract() == 0.0 && (0.0..WHOLE_MAX).contains(&self.value);
        let whole = is_whole.then_some(self.value as i64);
        html! {
            @match whole {
                Some(at_s) if self.name.ends_with("_timestamp_seconds") => { (time(&span::shown(at_s.saturating_mul(1_000_000)))) }
                Some(count) => { (thousands(count.unsigned_abs())) }
                None => { (number(self.value)) }
            }
        }
    }
}

/// What the page shows.
#[derive(Debug)]
pub struct Pipeline {
    monitors: Vec<Monitor>,
    runs: Vec<Run>,
    tables: Vec<Table>,
    readings: Vec<Reading>,
}

/// Everything for the page.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store, registry: &Registry) -> Result<Pipeline, StoreError> {
    let none = Asked::new();
    let first = Asked::from([("limit", MONITORS_MAX.to_string())]);
    let (monitors, runs, tables) = tokio::try_join!(
        MONITORS.rows::<Monitor>(store, &first),
        RUNS.rows::<Run>(store, &none),
        TABLES.rows::<Table>(store, &none),
    )?;
    Ok(Pipeline { monitors, runs, tables, readings: readings(registry) })
}

/// The counters and gauges that are not nought, and the means of histograms.
fn readings(registry: &Registry) -> Vec<Reading> {
    let mut readings = Vec::new();
    for family in registry.gather() {
        for metric in family.get_metric() {
            let (value, of) = match family.get_field_type() {
                MetricType::COUNTER => (metric.get_counter().get_value(), String::new()),
                MetricType::GAUGE => (metric.get_gauge().get_value(), String::new()),
                MetricType::HISTOGRAM => {
                    let histogram = metric.get_histogram();
                    let n = histogram.get_sample_count();
                    (histogram.get_sample_sum() / n.max(1) as f64, format!(", mean of {}", thousands(n)))
                }
                _ => continue,
            };
            if value != 0.0 {
                let (name, help) = (family.name().to_owned(), family.help().to_owned());
                readings.push(Reading { name, labels: labels(metric) + &of, help, value });
            }
        }
    }
    readings
}

fn labels(metric: &Metric) -> String {
    let parts = metric.get_label().iter().map(|label| format!("{} {}", label.name(), label.value()));
    parts.collect::<Vec<_>>().join(", ")
}

/// The page as HTML.
pub fn render(pipeline: &Pipeline) -> Markup {
    let none = Asked::new();
    let content = html! {
        h1 { "Pipeline" }
        (card("Monitors", &address::source(&MONITORS, &none), &monitors(&pipeline.monitors)))
        @if !pipeline.runs.is_empty() { (card("Latest runs", &address::source(&RUNS, &none), &runs(&pipeline.runs))) }
        (card("This process", &html! { span.source { a href="/metrics" { "all metrics" } } }, &counters(&pipeline.readings)))
        (card("Tables", &address::source(&TABLES, &none), &tables(&pipeline.tables)))
    };
    page(Part::Pipeline, "Pipeline", content)
}

fn monitors(monitors: &[Monitor]) -> Markup {
    if monitors.is_empty() {
        return empty(&html! {
            h2 { "No monitor runs" }
            p { "A monitor compares a model's windows by schedule and writes what it finds. Add one to the configuration and start the service again:" }
            pre tabindex="0" aria-label="Configuration" { "[monitors.daily]\nmodel = \"delay\"\nreference = \"previous\"\nwindow = \"1d\"" }
        });
    }
    html! {
        div.scroll tabindex="0" role="group" aria-label="Monitors" {
            table {
                thead { tr { th scope="col" { "monitor" } th scope="col" { "model" } th scope="col" { "state" } th scope="col" { "latest window until" } th scope="col" { "verdict" } th scope="col" { "next due" } } }
                tbody {
                    @for monitor in monitors {
                        tr {
                            th scope="row" { (monitor.monitor) " " span.quiet { (monitor.kind) } }
                            td { @if monitor.kind == "experiment" { a href=(address::experiment(&monitor.monitor)) { (monitor.monitor) } } @else { a href=(address::model(&monitor.model)) { (monitor.model) } } }
                            td { span class=(format!("badge {}", monitor.state)) { (monitor.state) } @if !monitor.error.is_empty() { br; span.quiet { (monitor.error) } } @if !monitor.note.is_empty() { br; span.quiet { (monitor.note) } } }
                            td { (time(&monitor.window_end)) }
                            td { span class=(format!("badge {}", monitor.verdict)) { (monitor.verdict.replace('_', " ")) } }
                            td { @if monitor.state == "disabled" { span.quiet { "–" } } @else { (time(&monitor.next_due)) } }
                        }
                    }
                }
            }
        }
        (full(monitors.len(), MONITORS_MAX, "first monitors, with those that fail before others", "/api/v1/monitors"))
    }
}

fn runs(runs: &[Run]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Runs" {
            table {
                thead { tr { th scope="col" { "monitor" } th scope="col" { "window" } th scope="col" { "state" } th scope="col" { "verdict" } th.number scope="col" { "rows" } th.number scope="col" { "findings" } th.number scope="col" { "took" } th scope="col" { "began" } } }
                tbody {
                    @for run in runs {
                        tr {
                            th scope="row" { (run.monitor) " " span.quiet { (run.kind) } }
                            td { (window(&run.window_start, &run.window_end)) }
                            td { span class=(format!("badge {}", if run.state == "failed" { "failing" } else { "quiet" })) { (run.state) } @if run.attempt > 1 { span.quiet { ", attempt " (run.attempt) } } @if !run.error.is_empty() { br; span.quiet { (run.error) } } }
                            td { span class=(format!("badge {}", run.verdict)) { (run.verdict.replace('_', " ")) } }
                            td.number { (thousands(run.looked_at())) } td.number { (thousands(run.findings)) }
                            td.number { (run.took_ms.map_or("–".to_owned(), |ms| crate::numbers::latency(Some(ms as f64 * 1e3)))) }
                            td { (time(&run.started_at)) }
                        }
                    }
                }
            }
        }
    }
}

fn counters(readings: &[Reading]) -> Markup {
    html! {
        @if readings.is_empty() { p.quiet { "Nothing has been counted since this process started." } }
        @else {
            div.scroll tabindex="0" role="group" aria-label="Counters" {
                table {
                    thead { tr { th scope="col" { "metric" } th scope="col" { "of" } th.number scope="col" { "value" } th scope="col" { "says" } } }
                    tbody {
                        @for reading in readings {
                            tr { th scope="row" { code { (reading.name) } } td { (reading.labels) } td.number { (reading.shown()) } td.quiet { (reading.help) } }
                        }
                    }
                }
            }
        }
    }
}

fn tables(tables: &[Table]) -> Markup {
    html! {
        @if tables.is_empty() { p.quiet { "The store has no rows yet." } }
        @else {
            div.scroll tabindex="0" role="group" aria-label="Tables" {
                table {
                    thead { tr { th scope="col" { "table" } th.number scope="col" { "rows" } th.number scope="col" { "size" } th.number scope="col" { "parts" } th scope="col" { "changed" } } }
                    tbody {
                        @for table in tables {
                            tr { th scope="row" { (table.table) } td.number { (thousands(table.rows)) } td.number { (bytes(table.bytes)) } td.number { (thousands(table.parts)) } td { (time(&table.changed_at)) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{IntCounterVec, Opts};

    use super::*;

    #[test]
    fn counters_of_this_process_are_shown_with_their_help() {
        let registry = Registry::new();
        let counter =
            IntCounterVec::new(Opts::new("windvane_made_total", "Made things."), &["table"]).unwrap();
        counter.with_label_values(&["predictions"]).inc_by(3);
        counter.with_label_values(&["outcomes"]).inc_by(0);
        registry.register(Box::new(counter)).unwrap();
        let readings = readings(&registry);
        assert_eq!(readings.len(), 1);
        let html = counters(&readings).into_string();
        for part in ["windvane_made_total", "table predictions", "Made things."] {
            assert!(html.contains(part), "no `{part}` in {html}");
        }
    }

    #[test]
    fn a_count_has_all_of_its_digits_and_an_instant_is_a_time() {
        let instant = "windvane_alerts_last_evaluation_timestamp_seconds";
        let at = "<time datetime=\"2026-11-29T18:20:00Z\">2026-11-29 18:20</time>";
        for (name, value, shown) in [
            ("windvane_collector_spool_bytes", 123_456_789.0, "123,456,789"),
            ("windvane_collector_acknowledge_seconds", 0.0125, "0.0125"),
            ("windvane_collector_acknowledge_seconds", 1.5e300, "1.50e300"),
            (instant, 1_795_976_400.0, at),
        ] {
            let (name, labels, help) = (name.to_owned(), String::new(), String::new());
            assert_eq!(Reading { name, labels, help, value }.shown().into_string(), shown);
        }
    }

    #[test]
    fn a_name_that_nothing_has_is_told_beside_the_state_of_its_monitor() {
        let monitor = serde_json::json!({"kind": "drift", "monitor": "daily", "model": "m", "state": "ok", "next_due": "", "window_end": "",
            "verdict": "no_drift", "error": "", "note": "segment_by: no prediction has <regoin>; there are region"});
        let html = monitors(&[serde_json::from_value(monitor).unwrap()]).into_string();
        assert!(html.contains("no prediction has &lt;regoin&gt;; there are region"), "{html}");
    }

    #[test]
    fn a_look_at_an_experiment_has_the_units_of_all_arms() {
        for (kind, rows) in [("experiment", "6,000"), ("drift", "3,021")] {
            let run = serde_json::json!({"kind": kind, "monitor": "m", "state": "done", "attempt": 1, "window_start": "", "window_end": "",
                "started_at": "", "took_ms": 7, "rows_reference": 2979, "rows_current": 3021, "findings": 8, "verdict": "worse", "error": ""});
            let html = runs(&[serde_json::from_value(run).unwrap()]).into_string();
            assert!(html.contains(&format!("<td class=\"number\">{rows}</td>")), "{html}");
        }
    }

    #[test]
    fn of_many_monitors_it_is_told_where_all_are() {
        let monitor = serde_json::json!({"kind": "drift", "monitor": "daily", "model": "m", "state": "ok", "next_due": "", "window_end": "",
            "verdict": "no_drift", "error": "", "note": ""});
        let monitor: Monitor = serde_json::from_value(monitor).unwrap();
        let told = |n: usize| monitors(&vec![monitor.clone(); n]).into_string();
        assert!(told(200).contains("Shown are the 200 first monitors") && !told(199).contains("Shown are"));
    }

    #[test]
    fn an_idle_service_says_what_to_do_next() {
        let none =
            Pipeline { monitors: Vec::new(), runs: Vec::new(), tables: Vec::new(), readings: Vec::new() };
        let html = render(&none).into_string();
        assert!(html.contains("[monitors.daily]") && html.contains("no rows yet"), "{html}");
    }
}
