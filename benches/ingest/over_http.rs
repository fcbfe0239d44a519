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

/// How the events are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Ndjson,
    Arrow,
}

impl Way {
    /// The model that this way's events are of.
    fn model(self) -> &'static str {
        match self {
            Self::Ndjson => "http",
            Self::Arrow => "arrow",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    fn body(self, templates: &Templates, batch: u64) -> Vec<u8> {
        match self {
            Self::Ndjson => templates.body(batch),
            Self::Arrow => templates.arrow(batch),
        }
    }
}

pub(crate) async fn run(
    way: Way,
    (service, store): (&Service, &Store),
    templates: &Templates,
    (events, processes): (u64, Processes),
) -> Measured {
    let stored_before = stored_rows(service).await.expect("the service tells its metrics");
    let url = format!("{}/v1/predictions", service.url());
    let next = Arc::new(AtomicU64::new(0));
    let before = processes.usage();
    let begun = Instant::now();
    let senders = (0..CONNECTIONS).map(|_| send(way, &url, templates, (&next, events / BATCH)));
    let times = futures_util::future::join_all(senders).await.concat();
    let acknowledged = begun.elapsed();
    eventually_async(SETTLE, async || {
        // Asked of the collector and not of the engine, which has enough to do.
        let stored = stored_rows(service).await? - stored_before;
        if stored == events { Ok(()) } else { Err(format!("{stored} are stored")) }
    })
    .await;
    let stored = begun.elapsed();
    let after = processes.usage();
    let counted = count(store, way.model()).await;
    assert_eq!(counted, (events, events), "rows and distinct ids in the store");
    let (p50, p99) = quantiles(times);
    Measured {
        name: match way {
            Way::Ndjson => "HTTP NDJSON",
            Way::Arrow => "HTTP Arrow",
        },
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

/// Rows of predictions that the collector has stored so far.
async fn stored_rows(service: &Service) -> Result<u64, String> {
    let metrics =
        reqwest::get(format!("{}/metrics", service.url())).await.map_err(|error| error.to_string())?;
    let text = metrics.text().await.map_err(|error| error.to_string())?;
    let line = text
        .lines()
        .find(|line| line.starts_with("windvane_collector_stored_rows_total{table=\"predictions\"}"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).ok_or_else(|| "no such metric".to_owned())
}

async fn send(
    way: Way,
    url: &str,
    templates: &Templates,
    (next, batches): (&AtomicU64, u64),
) -> Vec<std::time::Duration> {
    let client = reqwest::Client::new();
    let mut times = Vec::new();
    loop {
        let batch = next.fetch_add(1, Ordering::Relaxed);
        if batch >= batches {
            return times;
        }
        let request = client
            .post(url)
            .header("content-type", way.content_type())
            .header("idempotency-key", format!("{}-{batch}", way.model()))
            .body(way.body(templates, batch));
        let begun = Instant::now();
        let response = request.send().await.expect("the service answers");
        let status = response.status();
        let answer = response.text().await.expect("the answer arrives");
        times.push(begun.elapsed());
        assert!(status.is_success() && answer.contains("\"accepted\":1000,"), "{status}: {answer}");
    }
}
