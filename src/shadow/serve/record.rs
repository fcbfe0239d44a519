//! Predictions of served models on their way to a collector, in batches, beside the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windvane_shadow::{Element, Outputs, Tensor};
use windvane_types::{Clock, SystemClock};

use crate::delivery::{Delivery, Events};
use crate::exit::Failure;

/// Predictions that wait to be sent; further ones are dropped and counted.
const WAITING_MAX: usize = 10_000;
/// Predictions of a batch, and how long the first of it waits.
const BATCH_MAX: usize = 500;
const BATCH_WAIT: Duration = Duration::from_millis(500);
/// How long one batch is tried.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way to the collector. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    queue: Sender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl Recorder {
    /// Starts the task that sends. It ends when it is told to stop, after what waits was tried once more.
    pub(super) fn start(url: &str, tasks: &TaskTracker, stop: CancellationToken) -> Result<Self, Failure> {
        let delivery = Delivery::new(url, PATIENCE)?;
        let (send, receive) = mpsc::channel(WAITING_MAX);
        let recorder = Self { queue: send, dropped: Arc::default() };
        let dropped = Arc::clone(&recorder.dropped);
        tasks.spawn(deliver(delivery, receive, (stop, dropped)));
        Ok(recorder)
    }

    /// Predictions that were not recorded.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Records an answer; never waits.
    pub(super) fn record(&self, model: &str, event_id: &str, (outputs, took): (&Outputs, Duration)) {
        let Some(event) = event(model, event_id, (outputs, took)) else { return };
        if self.queue.try_send(event.to_string().into_bytes()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A prediction: the first text is its label, the first number its score. An answer with neither is none.
fn event(model: &str, event_id: &str, (outputs, took): (&Outputs, Duration)) -> Option<Value> {
    let first = |is: fn(Element) -> bool| {
        outputs
            .iter()
            .map(|(_, tensor)| tensor)
            .find(|tensor: &&Tensor| is(tensor.values().element()) && !tensor.values().is_empty())
    };
    let label = first(|element| element == Element::Text).and_then(|tensor| tensor.values().word(0));
    let number = first(|element| element != Element::Text).and_then(|tensor| tensor.values().number(0));
    let prediction = match (label, number.filter(|number| number.is_finite())) {
        (Some(label), Some(score)) => json!({"label": label, "score": score}),
        (Some(label), None) => json!({"label": label}),
        (None, Some(score)) => json!({"score": score}),
        (None, None) => return None,
    };
    Some(json!({
        "model": model,
        "version": "shadow",
        "event_id": format!("{event_id}:{model}"),
        "ts": SystemClock.now().as_microsecond(),
        "features": {},
        "prediction": prediction,
        "latency_us": u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "tags": {"role": "shadow"},
    }))
}

async fn deliver(
    delivery: Delivery,
    mut queue: Receiver<Vec<u8>>,
    (stop, dropped): (CancellationToken, Arc<AtomicU64>),
) {
    loop {
        let mut lines = Vec::new();
        let stopped = tokio::select! {
            read = queue.recv_many(&mut lines, BATCH_MAX) => read == 0,
            () = stop.cancelled() => {
                while let Ok(line) = queue.try_recv() {
                    lines.push(line);
                }
                true
            }
        };
        let full = lines.len() >= BATCH_MAX;
        if !lines.is_empty() {
            let count = lines.len() as u64;
            let mut body = lines.join(&b'\n');
            body.push(b'\n');
            let key = uuid::Uuid::now_v7().to_string();
            if let Err(error) = delivery.post(Events::Predictions, Bytes::from(body), &key).await {
                dropped.fetch_add(count, Ordering::Relaxed);
                tracing::warn!(%error, count, "predictions are not recorded");
            }
        }
        if stopped {
            return;
        }
        if !full {
            tokio::time::sleep(BATCH_WAIT).await;
        }
    }
}
