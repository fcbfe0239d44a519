//! A served model: one thread owns the process that runs it, and a queue with a bound stands in front.
//!
//! While there is no process the thread answers in its place, so that nobody waits for one (`keeper.rs`). Else it takes what waits, up to the
//! largest call, and waits a little for more where it was told to. Requests of one shape go into one call; where that call fails each is
//! asked alone, so that one bad request is no fault of the others. That an axis is open does not say that it counts requests: it may be
//! time, or a model may look at all rows at once. So the first calls with several requests are held against one of them asked alone, and a
//! model that answers otherwise gets no such calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use windvane_shadow::pace::Batching;
use windvane_shadow::{Batch, Outputs, Stack};

use super::health::Health;
use super::host::{Job, Opened};
use super::keeper::Keeper;
use super::process::{Bounds, Cause, Ended, Process};
use super::record::Recorder;
use super::whole_body::Room;

/// Calls with several requests in which one of them is asked alone as well, until the model is trusted to answer row by row.
const CHECKED_CALLS: u32 = 16;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refused {
    /// The queue is full.
    Full,
    /// The deadline has passed.
    Late,
    /// There is no process with the model at present, or it was lost with the request.
    Gone(String),
    /// The request does not fit the model.
    Input(String),
    /// The model failed on it.
    Failed(String),
}

/// What a model says to a request, and how long it took.
pub(super) type Answer = Result<(Outputs, Duration), Refused>;

/// A request that waits.
pub(super) struct Waiting {
    batch: Arc<Batch>,
    /// The room that its body takes, until it is answered.
    _room: Option<Room>,
    /// Nobody wants the answer after this.
    until: Option<Instant>,
    to: To,
}

impl Waiting {
    /// Whether the client has gone, or was told that the deadline has passed.
    fn is_unwanted(&self) -> bool {
        matches!(&self.to, To::Client(client) if client.is_closed())
    }
}

/// Where an answer goes.
enum To {
    Client(oneshot::Sender<Answer>),
    Record(Option<Recorder>, String),
}

/// What became of requests and processes; the names are labels.
#[derive(Debug, Default)]
pub(super) struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
    shed: AtomicU64,
    late: AtomicU64,
    unavailable: AtomicU64,
    calls: AtomicU64,
    /// Processes that were lost, in the order of [`Cause::ALL`].
    lost: [AtomicU64; Cause::ALL.len()],
}

impl Counts {
    /// Counts a process that was lost.
    pub(super) fn lost(&self, cause: Cause) {
        let places = Cause::ALL.iter().zip(&self.lost);
        places.filter(|(one, _)| **one == cause).for_each(|(_, count)| {
            count.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Answers a request for which there is no process.
    pub(super) fn refuse(&self, waiting: Waiting, reason: String) {
        self.unavailable.fetch_add(1, Ordering::Relaxed);
        if let To::Client(client) = waiting.to {
            // A client that went away wants no answer.
            let _ = client.send(Err(Refused::Gone(reason)));
        }
    }
}

/// A model and the way to it.
pub(super) struct Model {
    name: String,
    /// What it declares, once it was open.
    opened: Arc<OnceLock<Opened>>,
    queue: SyncSender<Waiting>,
    counts: Arc<Counts>,
    health: Arc<Health>,
}

impl Model {
    /// Starts a model's thread, which keeps a process with it and ends when the model is dropped. What comes of opening it for the first time
    /// is told once.
    pub(super) fn start(
        (name, job): (&str, Job),
        (bounds, batching, queue): (Bounds, Batching, usize),
    ) -> (Self, oneshot::Receiver<Result<(), Ended>>) {
        let (send, receive) = sync_channel(queue);
        let (first, told) = oneshot::channel();
        let model = Self {
            name: name.to_owned(),
            opened: Arc::default(),
            queue: send,
            counts: Arc::default(),
            health: Arc::new(Health::new()),
        };
        let keeper = Keeper {
            name: name.to_owned(),
            job,
            bounds,
            batching,
            opened: Arc::clone(&model.opened),
            counts: Arc::clone(&model.counts),
            health: Arc::clone(&model.health),
            first: Some(first),
        };
        std::thread::spawn(move || keeper.keep(&receive));
        (model, told)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the model declares.
    ///
    /// # Errors
    /// It was never open: why.
    pub(super) fn declared(&self) -> Result<&Opened, String> {
        match self.opened.get() {
            Some(opened) => Ok(opened),
            // Between the two looks it may have been opened; whoever asks again finds that.
            None => {
                Err(self.health.answers().err().unwrap_or_else(|| "the model is being opened".to_owned()))
            }
        }
    }

    /// Counts a request for which there was no process, where it was refused before it was sent.
    pub(super) fn count_unavailable(&self) {
        self.counts.unavailable.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether traffic should be sent to it.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn ready(&self) -> Result<(), String> {
        self.health.ready()
    }

    /// Asks, and waits no longer than the deadline.
    pub(super) async fn ask(&self, (batch, room): (Arc<Batch>, Room), deadline: Duration) -> Answer {
        let (send, receive) = oneshot::channel();
        let (until, to) = (Some(Instant::now() + deadline), To::Client(send));
        self.send(Waiting { batch, _room: Some(room), until, to })?;
        match tokio::time::timeout(deadline, receive).await {
            Ok(Ok(answer)) => answer,
            // The thread sends nothing where it saw that the deadline had passed, or where it has ended.
            Ok(Err(_)) | Err(_) => Err(Refused::Late),
        }
    }

    /// Hands a request over without waiting for anything; a full queue loses it, and that is counted.
    pub(super) fn mirror(
        &self,
        (batch, room): (Arc<Batch>, Room),
        (recorder, event_id): (Option<Recorder>, String),
    ) {
        let to = To::Record(recorder, event_id);
        let _ = self.send(Waiting { batch, _room: Some(room), until: None, to });
    }

    fn send(&self, waiting: Waiting) -> Result<(), Refused> {
        if let Err(reason) = self.health.answers() {
            self.count_unavailable();
            return Err(Refused::Gone(reason));
        }
        self.queue.try_send(waiting).map_err(|error| {
            self.counts.shed.fetch_add(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => Refused::Full,
                TrySendError::Disconnected(_) => Refused::Failed("the model's thread has ended".to_owned()),
            }
        })
    }

    /// Calls of the model so far: with requests put together they are fewer than answers.
    pub(super) fn calls(&self) -> u64 {
        self.counts.calls.load(Ordering::Relaxed)
    }

    /// What became of requests so far.
    pub(super) fn counts(&self) -> [(&'static str, u64); 5] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        [
            ("answered", of(&counts.answered)),
            ("failed", of(&counts.failed)),
            ("shed", of(&counts.shed)),
            ("late", of(&counts.late)),
            ("unavailable", of(&counts.unavailable)),
        ]
    }

    /// Processes that were lost so far, by cause.
    pub(super) fn lost(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let places = Cause::ALL.iter().zip(&self.counts.lost);
        places.map(|(cause, count)| (cause.as_str(), count.load(Ordering::Relaxed)))
    }
}

/// How often a process that nobody asks is looked at.
const IDLE: Duration = Duration::from_millis(250);

/// What the model's thread owns while there is a process.
pub(super) struct Worker {
    name: String,
    process: Process,
    opened: Opened,
    batching: Batching,
    counts: Arc<Counts>,
    /// Calls with several requests that have still to be held against one of them.
    unchecked: u32,
    /// Why the process is no more.
    ended: Option<Ended>,
}

impl Worker {
    /// A process whose model is open.
    pub(super) fn new(
        name: &str,
        (process, opened): (Process, Opened),
        (batching, counts): (Batching, Arc<Counts>),
    ) -> Self {
        let batching = if opened.stacks { batching } else { Batching::NONE };
        let name = name.to_owned();
        Self { name, process, opened, batching, counts, unchecked: CHECKED_CALLS, ended: None }
    }

    /// Answers what comes, until the process is lost; `None` where nothing will come any more.
    pub(super) fn work(mut self, queue: &Receiver<Waiting>) -> Option<Ended> {
        while self.ended.is_none() {
            match queue.recv_timeout(IDLE) {
                Ok(first) => self.ask(gather(first, queue, self.batching)),
                Err(RecvTimeoutError::Timeout) => self.ended = self.process.look().err(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        self.ended
    }

    fn ask(&mut self, gathered: Vec<Waiting>) {
        for group in self.groups(gathered) {
            for waiting in self.together(group) {
                self.alone(waiting);
            }
        }
    }

    /// Requests that go into one call, together.
    fn groups(&self, gathered: Vec<Waiting>) -> Vec<Vec<Waiting>> {
        let mut groups: Vec<Vec<Waiting>> = Vec::new();
        for waiting in gathered {
            let goes = |group: &&mut Vec<Waiting>| {
                let pair = (&*group[0].batch, &*waiting.batch);
                self.batching.rows_max > 1 && Stack::goes(&self.opened.inputs, pair)
            };
            match groups.iter_mut().find(goes) {
                Some(group) => group.push(waiting),
                None => groups.push(vec![waiting]),
            }
        }
        groups
    }

    /// Asks all in one call; gives back those that have to be asked alone.
    fn together(&mut self, mut group: Vec<Waiting>) -> Vec<Waiting> {
        group.retain(|waiting| !self.is_late(waiting));
        if group.len() < 2 || self.batching.rows_max < 2 {
            return group;
        }
        let batches: Vec<&Batch> = group.iter().map(|waiting| &*waiting.batch).collect();
        let Some(stack) = Stack::of(&self.opened.inputs, &batches) else { return group };
        let Ok((outputs, took)) = self.call(stack.batch()) else { return group };
        let answers = stack.cut(&outputs).filter(|answers| self.are_by_row(&group, answers));
        let Some(answers) = answers else {
            if self.ended.is_some() {
                return group;
            }
            self.batching = Batching::NONE;
            let model = self.name.as_str();
            tracing::warn!(
                model,
                "a model answers requests together otherwise than alone; each has a call of its own now"
            );
            return group;
        };
        for (waiting, outputs) in group.into_iter().zip(answers) {
            self.answer(waiting, Ok((outputs, took)));
        }
        Vec::new()
    }

    /// Whether the last of the requests gets the same answer alone; where that was seen often enough, nobody looks.
    fn are_by_row(&mut self, group: &[Waiting], answers: &[Outputs]) -> bool {
        let (Some(last), Some(answer)) = (group.last(), answers.last()) else { return true };
        if self.unchecked == 0 {
            return true;
        }
        // Requests that are all alike do not tell whether one gets what belongs to another.
        if group.iter().any(|waiting| *waiting.batch != *last.batch) {
            self.unchecked -= 1;
        }
        self.call(&last.batch).is_ok_and(|(alone, _)| alone.is_near(answer))
    }

    fn alone(&mut self, waiting: Waiting) {
        if self.is_late(&waiting) {
            return;
        }
        let answered = self.call(&waiting.batch);
        self.answer(waiting, answered);
    }

    /// Whether nobody wants the answer any more. It counts that, and whoever asks drops the request.
    fn is_late(&self, waiting: &Waiting) -> bool {
        let is_late = waiting.is_unwanted() || waiting.until.is_some_and(|until| until < Instant::now());
        if is_late {
            self.counts.late.fetch_add(1, Ordering::Relaxed);
        }
        is_late
    }

    /// Asks the process; once it is lost there is no further answer.
    fn call(&mut self, batch: &Batch) -> Answer {
        let gone = |ended: &Ended| Refused::Gone(format!("{}; it is started again", ended.reason));
        if let Some(ended) = &self.ended {
            return Err(gone(ended));
        }
        self.counts.calls.fetch_add(1, Ordering::Relaxed);
        match self.process.call(batch) {
            Ok(answer) => answer,
            Err(ended) => {
                let refused = gone(&ended);
                self.ended = Some(ended);
                Err(refused)
            }
        }
    }

    fn answer(&self, waiting: Waiting, answered: Answer) {
        let count = match &answered {
            _ if waiting.is_unwanted() => &self.counts.late,
            Ok(_) => &self.counts.answered,
            Err(Refused::Gone(_)) => &self.counts.unavailable,
            Err(_) => &self.counts.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        match waiting.to {
            To::Client(client) => {
                // A client that went away wants no answer.
                let _ = client.send(answered);
            }
            To::Record(recorder, event_id) => {
                if let (Some(recorder), Ok((outputs, took))) = (recorder, answered) {
                    recorder.record(&self.name, &event_id, (&outputs, took));
                }
            }
        }
    }
}

/// The first request and those that come within the wait, at most as many as go into one call. What waits already is taken whatever the
/// time, so that a busy model has full calls.
fn gather(first: Waiting, queue: &Receiver<Waiting>, batching: Batching) -> Vec<Waiting> {
    let until = Instant::now() + batching.wait;
    let mut gathered = vec![first];
    while gathered.len() < batching.rows_max {
        match queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(waiting) => gathered.push(waiting),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Waiting {
        let to = To::Record(None, String::new());
        Waiting { batch: Arc::new(Batch::new(1)), _room: None, until: None, to }
    }

    fn gathered(waiting_already: usize, rows_max: usize) -> usize {
        let (send, receive) = sync_channel(16);
        for _ in 0..waiting_already {
            assert!(send.try_send(waiting()).is_ok());
        }
        gather(waiting(), &receive, Batching { rows_max, wait: Duration::ZERO }).len()
    }

    #[test]
    fn a_call_takes_what_waits_already_up_to_its_size() {
        assert_eq!((gathered(0, 8), gathered(3, 8), gathered(9, 8), gathered(9, 1)), (1, 4, 8, 1));
    }

    #[test]
    fn a_call_that_is_not_full_waits_for_more_no_longer_than_allowed() {
        let (send, receive) = sync_channel(16);
        let later = std::thread::spawn(move || send.send(waiting()).is_ok());
        let wait = Duration::from_secs(60);
        let found = gather(waiting(), &receive, Batching { rows_max: 2, wait });
        assert_eq!((found.len(), later.join().unwrap()), (2, true));
    }
}
