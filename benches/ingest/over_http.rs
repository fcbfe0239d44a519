//! The events over HTTP, as clients send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use windvane_kit::{Service, eventually_async};
use windvane_store::Store;

use crate::events::{BATCH, Templates};
use crate::{Measured, Processes, SETTLE, count, quantiles};

/// Connections that send at the same time.
const CONNECTIONS: usize = 4;

pub(crate) async fn run(
    service: &Service,
    store: &Store,
    templates: &Templates,
    (events, processes): (u64, Processes),
) -> Measured {
    let url = format!("{}/v1/predictions", service.url());
    let next = Arc::new(AtomicU64::new(0));
    let before = processes.usage();
    let begun = Instant::now();
    let senders = (0..CONNECTIONS).map(|_| send(&url, templates, &next, events / BATCH));
    let times = futures_util::future::join_all(senders).await.concat();
    let acknowledged = begun.elapsed();
    eventually_async(SETTLE, async || {
        // Asked of the collector and not of the engine, which has enough to do.
        let metrics =
            reqwest::get(format!("{}/metrics", service.url())).await.map_err(|error| error.to_string())?;
        let text = metrics.text().await.map_err(|error| error.to_string())?;
        let line = text
            .lines()
            .find(|line| line.starts_with("windvane_collector_stored_rows_total{table=\"predictions\"}"));
        let stored = line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        if stored == Some(events) { Ok(()) } else { Err(format!("{stored:?}")) }
    })
    .await;
    let stored = begun.elapsed();
    let after = processes.usage();
    let counted = count(store, "http").await;
    assert_eq!(counted, (events, events), "rows and distinct ids in the store");
    let (p50, p99) = quantiles(times);
    Measured {
        name: "HTTP NDJSON",
        events,
        acknowledged,
        stored,
        service: after[0] - before[0],
        engine: after[1] - before[1],
        driver: after[2] - before[2],
        p50,
        p99,
    }
}

async fn send(url: &str, templates: &Templates, next: &AtomicU64, batches: u64) -> Vec<std::time::Duration> {
    let client = reqwest::Client::new();
    let mut times = Vec::new();
    loop {
        let batch = next.fetch_add(1, Ordering::Relaxed);
        if batch >= batches {
            return times;
        }
        let request = client
            .post(url)
            .header("content-type", "application/x-ndjson")
            .header("idempotency-key", format!("batch-{batch}"))
            .body(templates.body(batch));
        let begun = Instant::now();
        let response = request.send().await.expect("the service answers");
        let status = response.status();
        let answer = response.text().await.expect("the answer arrives");
        times.push(begun.elapsed());
        assert!(status.is_success() && answer.contains("\"accepted\":1000,"), "{status}: {answer}");
    }
}
