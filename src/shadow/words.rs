//! Words that the table and the Markdown of a gate share.

use windvane_types::gate::{Document, Latencies, Verdict};

use crate::drift::words::{counted, number};

/// The answer in one sentence.
pub fn headline(document: &Document) -> String {
    let requests = counted(document.requests, "request", "requests");
    if let Some(by) = &document.override_by {
        return format!("The gate said {} and was overridden by {}: {}", by.verdict.as_str(), by.who, by.why);
    }
    let named = |verdict| {
        let checks = document.checks.iter().filter(|check| check.verdict == verdict);
        checks.map(|check| check.check.as_str()).collect::<Vec<_>>().join(", ")
    };
    match document.verdict {
        Verdict::Pass => {
            format!("The candidate may take the champion's place: every check passes on {requests}")
        }
        Verdict::Fail => {
            format!("The candidate may not take the champion's place: {} on {requests}", named(Verdict::Fail))
        }
        Verdict::Inconclusive => {
            format!("Not enough is known to say: {} on {requests}", named(Verdict::Inconclusive))
        }
    }
}

/// A number or a dash.
pub fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}

/// An interval or a dash.
pub fn interval(ci: Option<[f64; 2]>) -> String {
    ci.map_or_else(|| "-".to_owned(), |[lo, hi]| format!("{} to {}", number(lo), number(hi)))
}

/// One row a model and one for their ratio: p50, p95, p99, throughput.
pub fn latencies(document: &Document) -> Vec<[String; 5]> {
    let latency = &document.latency_us;
    let row = |name: &str, of: &Latencies, rate: Option<f64>| {
        [name.to_owned(), maybe(of.p50), maybe(of.p95), maybe(of.p99), maybe(rate)]
    };
    let ratio = |name: &str| maybe(latency.ratio.get(name).copied().flatten());
    let rates = &document.throughput_per_s;
    let rate = rates.champion.zip(rates.candidate).map(|(a, b)| b / a);
    vec![
        row("champion", &latency.champion, rates.champion),
        row("candidate", &latency.candidate, rates.candidate),
        ["ratio".to_owned(), ratio("p50"), ratio("p95"), ratio("p99"), maybe(rate)],
    ]
}

/// The column heads of [`latencies`].
pub fn latency_heads(document: &Document) -> [String; 5] {
    let clock = &document.latency_us.clock;
    [
        format!("latency, {clock}"),
        "p50 µs".to_owned(),
        "p95 µs".to_owned(),
        "p99 µs".to_owned(),
        "requests/s".to_owned(),
    ]
}
