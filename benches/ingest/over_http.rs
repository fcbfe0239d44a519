//! The events and spans over HTTP, as clients send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use windvane_kit::{Service, eventually_async};
use windvane_store::{Store, Table};

use crate::events::BATCH;
use crate::{Measured, Processes, SETTLE, Seeded, count, quantiles};

/// Connections that send at the same time.
const CONNECTIONS: usize = 4;

/// How the events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Ndjson,
    Arrow,
    /// Spans, in protobuf.
    Otlp,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Ndjson, Self::Arrow, Self::Otlp];

    /// The model or service that this way's rows are of.
    fn owner(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Otlp => "http",
            Self::Arrow => "arrow",
        }
    }

    pub(crate) fn table(self) -> Table {
        match self {
            Self::Ndjson | Self::Arrow => Table::Predictions,
            Self::Otlp => Table::Spans,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Arrow => "/v1/predictions",
            Self::Otlp => "/v1/traces",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Otlp => "application/x-protobuf",
        }
    }

    fn body(self, seeded: &Seeded, batch: u64) -> Vec<u8> {
        match self {
            Self::Ndjson => seeded.events.body(batch),
            Self::Arrow => seeded.events.arrow(batch),
            Self::Otlp => seeded.spans.message(batch),
        }
    }

    /// Whether an answer says that the whole batch is taken. Of OTLP an empty message does: nothing of it was refused.
    fn is_taken(self, answer: &str) -> bool {
        match self {
            Self::Ndjson | Self::Arrow => answer.contains("\"accepted\":1000,"),
            Self::Otlp => answer.is_empty(),
        }
    }
}

pub(crate) async fn run(
    way: Way,
    (service, store): (&Service, &Store),
    seeded: &Seeded,
    (events, processes): (u64, Processes),
) -> Measured {
    let stored_before = stored_rows(service, way.table()).await.expect("the service tells its metrics");
    let url = format!("{}{}", service.url(), way.path());
    let next = Arc::new(AtomicU64::new(0));
    let before = processes.usage();
    let begun = Instant::now();
    let senders = (0..CONNECTIONS).map(|_| send(way, &url, seeded, (&next, events / BATCH)));
    let times = futures_util::future::join_all(senders).await.concat();
    let acknowledged = begun.elapsed();
    eventually_async(SETTLE, async || {
        // Asked of the collector and not of the engine, which has enough to do.
        let stored = stored_rows(service, way.table()).await? - stored_before;
        if stored == events { Ok(()) } else { Err(format!("{stored} are stored")) }
    })
    .await;
    let stored = begun.elapsed();
    let after = processes.usage();
    let counted = count(store, way.table(), way.owner()).await;
    assert_eq!(counted, (events, events), "rows and distinct ids in the store");
    let (p50, p99) = quantiles(times);
    Measured {
        name: match way {
            Way::Ndjson => "HTTP NDJSON",
            Way::Arrow => "HTTP Arrow",
            Way::Otlp => "HTTP OTLP",
        },
        unit: if way == Way::Otlp { "span" } else { "event" },
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

/// Rows of a table that the collector has stored so far.
async fn stored_rows(service: &Service, table: Table) -> Result<u64, String> {
    let metrics =
        reqwest::get(format!("{}/metrics", service.url())).await.map_err(|error| error.to_string())?;
    let text = metrics.text().await.map_err(|error| error.to_string())?;
    let series = format!("windvane_collector_stored_rows_total{{table=\"{table}\"}}");
    let line = text.lines().find(|line| line.starts_with(&series));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).ok_or_else(|| "no such metric".to_owned())
}

async fn send(
    way: Way,
    url: &str,
    seeded: &Seeded,
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
            .header("idempotency-key", format!("{}-{batch}", way.owner()))
            .body(way.body(seeded, batch));
        let begun = Instant::now();
        let response = request.send().await.expect("the service answers");
        let status = response.status();
        let answer = response.text().await.expect("the answer arrives");
        times.push(begun.elapsed());
        assert!(status.is_success() && way.is_taken(&answer), "{status}: {answer}");
    }
}
