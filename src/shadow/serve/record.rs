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
use windvane_store::Secret;
use windvane_types::{Clock, SystemClock};

use crate::delivery::{Delivery, Events};
use crate::exit::Failure;

/// Predictions that wait to be sent; further ones are dropped and counted.
const WAITING_MAX: usize = 10_000;
/// Predictions of a batch, and how long the first of it waits.
const BATCH_MAX: usize = 500;
const BATCH_WAIT: Duration = Duration::from_millis(500);
/// Bytes of a prediction, of which a client gives the id and a model the label. A batch of such is what a collector takes by default.
const EVENT_BYTES_MAX: usize = 64 << 10;
/// How long one batch is tried.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way to the collector. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    queue: Sender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl Recorder {
    /// Starts the task that sends. It ends when it is told to stop, after what waits was sent.
    pub(super) fn start(
        (url, token): (&str, Option<Secret>),
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let delivery = Delivery::new(url, PATIENCE)?.with_token(token);
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
        let line = event.to_string().into_bytes();
        if line.len() > EVENT_BYTES_MAX || self.queue.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A prediction, of which a collector takes one: its score, which is the first float, or without one its label, which is the first of what
/// is none. Those are the outputs that a gate finds, too. An answer with neither is none.
fn event(model: &str, event_id: &str, (outputs, took): (&Outputs, Duration)) -> Option<Value> {
    let first = |is: fn(Element) -> bool| {
        outputs
            .iter()
            .map(|(_, tensor)| tensor)
            .find(|tensor: &&Tensor| is(tensor.values().element()) && !tensor.values().is_empty())
    };
    let score = first(Element::is_float).and_then(|tensor| tensor.values().number(0));
    let prediction = match score.filter(|score| score.is_finite()) {
        Some(score) => json!({ "score": score }),
        None => {
            let label = first(|element| !element.is_float())?.values().word(0)?;
            json!({ "label": label })
        }
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
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            read = queue.recv_many(&mut lines, BATCH_MAX) => read,
        };
        if read == 0 {
            return;
        }
        let full = lines.len() >= BATCH_MAX;
        send(&delivery, &lines, &dropped).await;
        if !full {
            tokio::select! {
                () = tokio::time::sleep(BATCH_WAIT) => {}
                () = stop.cancelled() => break,
            }
        }
    }
    // What waits is more than a collector takes at a time where it was slow: batches stay as large as ever.
    loop {
        let lines: Vec<Vec<u8>> = std::iter::from_fn(|| queue.try_recv().ok()).take(BATCH_MAX).collect();
        if lines.is_empty() {
            return;
        }
        send(&delivery, &lines, &dropped).await;
    }
}

/// Sends one batch; what the collector does not take is counted.
async fn send(delivery: &Delivery, lines: &[Vec<u8>], dropped: &AtomicU64) {
    let count = lines.len() as u64;
    let mut body = lines.join(&b'\n');
    body.push(b'\n');
    let key = uuid::Uuid::now_v7().to_string();
    match delivery.post(Events::Predictions, Bytes::from(body), &key).await {
        Ok(answer) => {
            let refused = count.saturating_sub(answer.accepted);
            dropped.fetch_add(refused, Ordering::Relaxed);
            if let Some(first) = answer.rejected.first() {
                let reason = first.message.as_str();
                tracing::warn!(reason, count = refused, "the collector refuses predictions");
            }
        }
        Err(error) => {
            dropped.fetch_add(count, Ordering::Relaxed);
            tracing::warn!(%error, count, "predictions are not recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use parking_lot::Mutex;
    use windvane_shadow::wire;

    use super::*;

    /// What a model's process sends of outputs of one element each: the number of the element's type, and its bytes.
    fn sent(outputs: &[(u8, Vec<u8>)]) -> Outputs {
        let one = 1_u64.to_le_bytes();
        let mut bytes = (outputs.len() as u64).to_le_bytes().to_vec();
        for (at, (element, value)) in outputs.iter().enumerate() {
            let name = [b'a' + at as u8];
            bytes.extend([&one[..], &name, &[*element], &one, &one, &one, &value[..]].concat());
        }
        wire::outputs(&bytes).unwrap()
    }

    #[test]
    fn a_prediction_is_a_score_or_a_label_and_never_both() {
        let word = |word: &str| (12, [&(word.len() as u64).to_le_bytes()[..], word.as_bytes()].concat());
        let float = |x: f32| (1, x.to_le_bytes().to_vec());
        let whole = |x: i64| (6, x.to_le_bytes().to_vec());
        for (outputs, prediction) in [
            (vec![float(0.5)], Some(json!({"score": 0.5}))),
            (vec![word("late"), float(0.25)], Some(json!({"score": 0.25}))),
            (vec![whole(1), float(0.75)], Some(json!({"score": 0.75}))),
            (vec![word("late"), float(f32::NAN)], Some(json!({"label": "late"}))),
            (vec![word("late")], Some(json!({"label": "late"}))),
            (vec![whole(3), word("late")], Some(json!({"label": "3"}))),
            (vec![float(f32::INFINITY)], None),
        ] {
            let event = event("m", "a", (&sent(&outputs), Duration::ZERO));
            assert_eq!(event.map(|event| event["prediction"].clone()), prediction, "{outputs:?}");
        }
    }

    #[test]
    fn a_prediction_that_is_too_large_or_finds_no_room_is_dropped_and_counted() {
        let outputs = sent(&[(1, 0.5_f32.to_le_bytes().to_vec())]);
        let (queue, mut receive) = mpsc::channel(1);
        let recorder = Recorder { queue, dropped: Arc::default() };
        for (id, dropped) in [("a".repeat(EVENT_BYTES_MAX), 1), ("a".to_owned(), 1), ("b".to_owned(), 2)] {
            recorder.record("m", &id, (&outputs, Duration::ZERO));
            assert_eq!(recorder.dropped(), dropped);
        }
        let line: Value = serde_json::from_slice(&receive.try_recv().unwrap()).unwrap();
        assert_eq!((&line["event_id"], &line["prediction"]), (&json!("a:m"), &json!({"score": 0.5})));
    }

    /// A collector that takes everything: its address, and how many records each batch had.
    async fn collector(tasks: &TaskTracker) -> (String, Arc<Mutex<Vec<usize>>>) {
        let batches: Arc<Mutex<Vec<usize>>> = Arc::default();
        let seen = Arc::clone(&batches);
        let taken = move |body: Bytes| {
            let records = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            seen.lock().push(records);
            async move { axum::Json(json!({ "accepted": records })) }
        };
        let router = Router::new().route("/v1/predictions", post(taken));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tasks.spawn(async move { axum::serve(listener, router).await });
        (address, batches)
    }

    #[tokio::test]
    async fn what_waits_at_the_end_goes_in_batches_as_large_as_ever() {
        let (address, batches) = collector(&TaskTracker::new()).await;
        let stop = CancellationToken::new();
        // Told to end before the first look at the queue, as where a slow collector held up the task.
        stop.cancel();
        let (queue, receive) = mpsc::channel(WAITING_MAX);
        for _ in 0..2 * BATCH_MAX + 3 {
            queue.try_send(b"{}".to_vec()).unwrap();
        }
        let dropped: Arc<AtomicU64> = Arc::default();
        deliver(Delivery::new(&address, PATIENCE).unwrap(), receive, (stop, Arc::clone(&dropped))).await;
        let batches = batches.lock().clone();
        assert_eq!(batches.iter().sum::<usize>(), 2 * BATCH_MAX + 3);
        assert!(batches.iter().all(|records| *records <= BATCH_MAX), "{batches:?}");
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
    }
}
