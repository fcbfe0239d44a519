//! The invariant of the collector's metrics: every record is somewhere.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::eventually;

/// Where records come from.
const CAME: [&str; 2] = ["received_records_total", "recovered_rows_total"];
/// Where they are.
const ARE: [&str; 5] = [
    "stored_rows_total",
    "rejected_records_total",
    "dead_lettered_rows_total",
    "damaged_rows_total",
    "pending_rows",
];

/// What the collector writes.
const TABLES: [&str; 13] = [
    "predictions",
    "outcomes",
    "exposures",
    "measurements",
    "payloads",
    "spans",
    "llm_calls",
    "logs",
    "metrics_gauge",
    "metrics_sum",
    "metrics_histogram",
    "metrics_exponential_histogram",
    "metrics_summary",
];

/// Waits until received + recovered = stored + rejected + dead-lettered + damaged + pending at this service, for each table: a row
/// on its way from one place to the next is in neither for an instant.
///
/// # Panics
/// It does not become so; with the numbers.
pub fn nothing_is_lost(url: &str) {
    nothing_is_lost_as_told(|| metrics(url, "").map_err(|error| error.to_string()));
}

/// The same at a service that wants a token.
///
/// # Panics
/// It does not become so, or the token may not read metrics.
pub fn nothing_is_lost_with_token(url: &str, token: &str) {
    let header = format!("Authorization: Bearer {token}\r\n");
    nothing_is_lost_as_told(|| metrics(url, &header).map_err(|error| error.to_string()));
}

/// The same at a service whose metrics somebody else asks for.
///
/// # Panics
/// It does not become so, or what is told are no metrics of a collector.
pub fn nothing_is_lost_as_told(metrics: impl Fn() -> Result<String, String>) {
    eventually(Duration::from_secs(30), || {
        let text = metrics().map_err(|error| vec![error])?;
        if !text.contains("\nwindvane_collector_received_records_total{") {
            return Err(vec![format!("these are no metrics of a collector: {text}")]);
        }
        let wrong: Vec<String> = TABLES
            .iter()
            .map(|table| (table, sum(&text, &CAME, table), sum(&text, &ARE, table)))
            .filter(|(_, came, are)| came != are)
            .map(|(table, came, are)| format!("{came} records of {table} came and {are} are somewhere"))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    });
}

/// The same at the end of a service, whatever it was started for: one that tells no metrics to this test, because it has gone, wants a token
/// or speaks TLS, is left out.
pub(crate) fn nothing_is_lost_if_told(url: &str) {
    if url.starts_with("http://") && metrics(url, "").is_ok_and(|text| text.starts_with("HTTP/1.1 200")) {
        nothing_is_lost(url);
    }
}

fn sum(text: &str, names: &[&str], table: &str) -> u64 {
    let label = format!("table=\"{table}\"");
    let of = |name: &str| {
        let name = format!("windvane_collector_{name}{{");
        let series = text.lines().filter(|line| line.starts_with(&name) && line.contains(&label));
        series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    names.iter().map(|name| of(name)).sum()
}

/// `/metrics` of a service, asked with this header more.
fn metrics(url: &str, header: &str) -> std::io::Result<String> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
