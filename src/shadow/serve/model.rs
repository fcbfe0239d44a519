//! A served model: one thread owns its session, and a queue with a bound stands in front.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use windvane_shadow::{Batch, Outputs, Port, Runtime, Session, SessionError, SessionOptions};

use super::record::Recorder;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refused {
    /// The queue is full.
    Full,
    /// The deadline has passed.
    Late,
    /// The request does not fit the model.
    Input(String),
    /// The model failed on it.
    Failed(String),
}

type Answer = Result<(Outputs, Duration), Refused>;

/// A request that waits.
struct Waiting {
    batch: Arc<Batch>,
    /// Nobody wants the answer after this.
    until: Option<Instant>,
    to: To,
}

/// Where an answer goes.
enum To {
    Client(oneshot::Sender<Answer>),
    Record(Option<Recorder>, String),
}

/// What became of requests; the names are labels.
#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
    shed: AtomicU64,
    late: AtomicU64,
}

/// A model and the way to it.
pub(super) struct Model {
    name: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    queue: SyncSender<Waiting>,
    counts: Arc<Counts>,
}

impl Model {
    /// Opens a model and starts its thread, which ends when the model is dropped.
    pub(super) fn open(
        runtime: &Runtime,
        (name, path): (&str, &PathBuf),
        (options, queue): (&SessionOptions, usize),
    ) -> Result<Self, SessionError> {
        let session = Session::open(runtime, path, options)?;
        let (send, receive) = sync_channel(queue);
        let counts = Arc::new(Counts::default());
        let model = Self {
            name: name.to_owned(),
            inputs: session.inputs().to_vec(),
            outputs: session.outputs().to_vec(),
            queue: send,
            counts: Arc::clone(&counts),
        };
        let name = name.to_owned();
        std::thread::spawn(move || work(&name, session, &receive, &counts));
        Ok(model)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    pub(super) fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Asks, and waits no longer than the deadline.
    pub(super) async fn ask(&self, batch: Arc<Batch>, deadline: Duration) -> Answer {
        let (send, receive) = oneshot::channel();
        self.send(Waiting { batch, until: Some(Instant::now() + deadline), to: To::Client(send) })?;
        match tokio::time::timeout(deadline, receive).await {
            Ok(Ok(answer)) => answer,
            // The thread sends nothing where it saw that the deadline had passed.
            Ok(Err(_)) | Err(_) => Err(Refused::Late),
        }
    }

    /// Hands a request over without waiting for anything; a full queue loses it, and that is counted.
    pub(super) fn mirror(&self, batch: Arc<Batch>, (recorder, event_id): (Option<Recorder>, String)) {
        let _ = self.send(Waiting { batch, until: None, to: To::Record(recorder, event_id) });
    }

    fn send(&self, waiting: Waiting) -> Result<(), Refused> {
        self.queue.try_send(waiting).map_err(|error| {
            self.counts.shed.fetch_add(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => Refused::Full,
                TrySendError::Disconnected(_) => Refused::Failed("the model's thread has ended".to_owned()),
            }
        })
    }

    /// What became of requests so far.
    pub(super) fn counts(&self) -> [(&'static str, u64); 4] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        [
            ("answered", of(&counts.answered)),
            ("failed", of(&counts.failed)),
            ("shed", of(&counts.shed)),
            ("late", of(&counts.late)),
        ]
    }
}

fn work(name: &str, mut session: Session, queue: &Receiver<Waiting>, counts: &Counts) {
    for waiting in queue {
        if waiting.until.is_some_and(|until| until < Instant::now()) {
            counts.late.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let began = Instant::now();
        let answered = session.run(&waiting.batch, 0..1);
        let took = began.elapsed();
        let count = if answered.is_ok() { &counts.answered } else { &counts.failed };
        count.fetch_add(1, Ordering::Relaxed);
        match waiting.to {
            To::Client(client) => {
                let answer = answered.map(|outputs| (outputs, took)).map_err(refused);
                // A client that went away wants no answer.
                let _ = client.send(answer);
            }
            To::Record(recorder, event_id) => {
                if let (Some(recorder), Ok(outputs)) = (recorder, answered) {
                    recorder.record(name, &event_id, (&outputs, took));
                }
            }
        }
    }
}

fn refused(error: SessionError) -> Refused {
    let is_input = matches!(error, SessionError::MissingInput { .. } | SessionError::WrongInput { .. });
    let told = format!("{:#}", anyhow::Error::new(error));
    if is_input { Refused::Input(told) } else { Refused::Failed(told) }
}
