//! Claims about the collector through its routes, over a real spool and a sink that does as it is told.

mod by_model;
mod damage;
mod dead_letters;
mod fairness;
mod grpc;
mod ingestion;
mod limits;
mod metrics;
mod mutations;
#[cfg(target_os = "linux")]
mod opening;
mod refusals;
mod service;
mod told_sink;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http::HeaderMap;
use prometheus::Registry;
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;
use windvane_types::SystemClock;

use self::told_sink::ToldSink;
use crate::{Collector, CollectorOptions, SpoolOptions};

/// Headers of a request.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// A collector in a folder, over a sink.
struct Service {
    collector: Collector,
    sink: Arc<ToldSink>,
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

fn options(folder: &Path) -> CollectorOptions {
    let spool = SpoolOptions::new(folder.join("spool"));
    CollectorOptions { block_age: Duration::from_millis(5), ..CollectorOptions::new(spool, Uuid::new_v4()) }
}

fn start_with(options: CollectorOptions, sink: &Arc<ToldSink>) -> Service {
    let sink = Arc::clone(sink);
    let collector =
        Collector::start(options, Arc::clone(&sink) as Arc<_>, Arc::new(SystemClock), Registry::new())
            .unwrap();
    Service { collector, sink }
}

fn start(folder: &Path, sink: &Arc<ToldSink>) -> Service {
    start_with(options(folder), sink)
}

impl Service {
    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.collector.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body)
            .unwrap_or(Value::String(String::from_utf8_lossy(&body).into_owned()));
        Reply { status: parts.status, headers: parts.headers, body }
    }

    async fn post(&self, path: &str, headers: Headers<'_>, body: impl Into<Body>) -> Reply {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Waits until the sink has these rows of predictions.
    async fn stored(&self, rows: u64) {
        until(rows, async || self.sink.rows("predictions")).await;
    }

    /// Waits until so many rows are laid aside. The metric follows the good rows and the checkpoint, so that the sink is ahead of it.
    async fn dead_lettered(&self, rows: u64) {
        until(rows, async || self.metric("windvane_collector_dead_lettered_rows_total").await).await;
    }

    /// A series of `/metrics`, summed over its labels.
    async fn metric(&self, name: &str) -> u64 {
        let Value::String(text) = self.get("/metrics").await.body else { panic!("metrics are text") };
        let series = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// One series of `/metrics`, which has these labels in the order of their names.
    async fn series(&self, series: &str) -> u64 {
        let Value::String(text) = self.get("/metrics").await.body else { panic!("metrics are text") };
        let name = format!("windvane_collector_{series} ");
        let value = text.lines().find_map(|line| line.strip_prefix(name.as_str()));
        value.unwrap_or_else(|| panic!("no {name}in\n{text}")).parse().unwrap()
    }

    /// The invariant of the metrics: every record is somewhere. A row on its way from one place to the next is in neither
    /// for an instant, so this waits for the instant to pass.
    async fn assert_nothing_is_lost(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let came = self.sum(&["received_records_total", "recovered_rows_total"]).await;
            let places = [
                "stored_rows_total",
                "rejected_records_total",
                "dead_lettered_rows_total",
                "damaged_rows_total",
                "pending_rows",
            ];
            let are = self.sum(&places).await;
            if came == are {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{came} records came and {are} are somewhere");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn sum(&self, names: &[&str]) -> u64 {
        let mut sum = 0;
        for name in names {
            sum += self.metric(&format!("windvane_collector_{name}")).await;
        }
        sum
    }
}

/// Waits until this is seen.
async fn until<T: PartialEq + std::fmt::Debug>(wanted: T, mut seen: impl AsyncFnMut() -> T) {
    let look = async || {
        let seen = seen().await;
        if seen == wanted { Ok(()) } else { Err(seen) }
    };
    windvane_kit::eventually_async(Duration::from_secs(20), look).await;
}

/// Lines of predictions with these ids.
fn predictions(ids: std::ops::Range<u64>) -> String {
    ids.map(|id| format!("{{\"model\":\"m\",\"event_id\":\"{id}\",\"features\":{{\"a\":{id}}}}}\n")).collect()
}
