//! The client: logs events to one collector. Its methods never wait for the network and never fail.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::assignment::{Assignment, Experiment};
use crate::chunk::Kind;
use crate::clock;
use crate::disk::Disk;
use crate::event::{Exposure, Measurement, Outcome, Prediction};
use crate::id::EventId;
use crate::queue::Queue;
use crate::sampling;
use crate::sender::Sender;
use crate::settings::{Redact, Redacted, Settings, SettingsError};
use crate::stats::Stats;

/// Logs events. Clones share one queue; when the last one is dropped, what is queued is sent within `exit_timeout`.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    queue: Arc<Queue>,
    disk: Arc<Disk>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

thread_local! {
    /// Where a record is written before it is copied into the queue, so that no lock is held meanwhile.
    static RECORD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A record's buffer that grew beyond this is given back.
const RECORD_BYTES_KEPT: usize = 64 << 10;

impl Client {
    /// Starts a client and its thread.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let queue = Arc::new(Queue::new(&settings));
        let disk = Arc::new(Disk::default());
        let sender = Sender::new(settings.clone(), Arc::clone(&queue), Arc::clone(&disk));
        let thread = std::thread::Builder::new().name("windvane".to_owned()).spawn(move || sender.run()).ok();
        if thread.is_none() {
            // Nothing will ever be sent: what is logged is counted as lost, and costs nothing.
            queue.close(Instant::now());
        }
        Ok(Self(Arc::new(Inner { settings, queue, disk, thread: Mutex::new(thread) })))
    }

    /// Logs one answer of a model. Returns the event id that was made for it; one that has an `event_id` keeps that, and its outcome is
    /// logged under that.
    pub fn log_prediction(&self, prediction: &Prediction<'_>) -> EventId {
        let now = clock::unix_ns();
        let made = EventId::at(now);
        let Inner { settings, queue, .. } = &*self.0;
        let mut prediction = *prediction;
        if prediction.event_id.is_empty() {
            prediction.event_id = &made;
        }
        for (field, default) in [
            (&mut prediction.model, &settings.model),
            (&mut prediction.version, &settings.version),
            (&mut prediction.environment, &settings.environment),
        ] {
            if field.is_empty() {
                *field = default;
            }
        }
        if !sampling::keeps(prediction.event_id, settings.sample_rate) {
            queue.count(|stats| stats.sampled_out += 1);
        } else if settings.redact.is_some_and(|redact| redacted(redact, &mut prediction) == Redacted::Drop) {
            queue.count(|stats| {
                stats.logged += 1;
                stats.dropped_redacted += 1;
            });
        } else {
            let ts_us = prediction.ts_us.unwrap_or_else(|| clock::us(now));
            self.put(Kind::Predictions, |into| prediction.encode(into, ts_us));
        }
        made
    }

    /// Logs the truth of a prediction, when it becomes known.
    pub fn log_outcome(&self, outcome: &Outcome<'_>) {
        let mut outcome = *outcome;
        if outcome.model.is_empty() {
            outcome.model = &self.0.settings.model;
        }
        if !sampling::keeps(outcome.event_id, self.0.settings.sample_rate) {
            return self.0.queue.count(|stats| stats.sampled_out += 1);
        }
        let ts_us = outcome.ts_us.unwrap_or_else(clock::unix_us);
        self.put(Kind::Outcomes, |into| outcome.encode(into, ts_us));
    }

    /// Logs that a unit was assigned to an arm.
    pub fn log_exposure(&self, exposure: &Exposure<'_>) {
        let (made, mut exposure) = (EventId::make(), *exposure);
        if exposure.event_id.is_empty() {
            exposure.event_id = &made;
        }
        let ts_us = exposure.ts_us.unwrap_or_else(clock::unix_us);
        self.put(Kind::Exposures, |into| exposure.encode(into, ts_us));
    }

    /// Logs one value of a metric of a unit.
    pub fn log_measurement(&self, measurement: &Measurement<'_>) {
        let (made, mut measurement) = (EventId::make(), *measurement);
        if measurement.event_id.is_empty() {
            measurement.event_id = &made;
        }
        let ts_us = measurement.ts_us.unwrap_or_else(clock::unix_us);
        self.put(Kind::Measurements, |into| measurement.encode(into, ts_us));
    }

    /// The arm of a unit, by the rule that all languages share; logs the exposure of a unit that has one, under the salt as the
    /// experiment's name.
    pub fn assign<'e>(&self, experiment: &'e Experiment, unit_id: &str) -> Assignment<'e> {
        let assignment = experiment.assign(unit_id);
        if let Assignment::Arm(arm) = assignment {
            let experiment = &experiment.salt;
            self.log_exposure(&Exposure { experiment, unit_id, arm, ts_us: None, event_id: "" });
        }
        assignment
    }

    fn put(&self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        // A thread that ends has no buffer any more; what its destructors log is an allocation of its own.
        let mut record = RECORD.try_with(RefCell::take).unwrap_or_default();
        record.clear();
        write(&mut record);
        self.0.queue.put(kind, &record);
        if record.capacity() <= RECORD_BYTES_KEPT {
            // Gone where the thread is.
            let _ = RECORD.try_with(|kept| kept.replace(record));
        }
    }

    /// What became of the events so far.
    pub fn stats(&self) -> Stats {
        self.0.queue.stats()
    }

    /// Waits until what was logged before has a known fate; says whether that came in time.
    pub fn flush(&self, limit: Duration) -> bool {
        self.0.queue.flush(limit)
    }

    /// Sends what is queued within the time, and ends. What is logged afterwards is dropped.
    pub fn close(&self, limit: Duration) {
        self.0.close(limit);
    }
}

/// How often a client that closes looks whether its thread has ended.
const LOOK: Duration = Duration::from_millis(2);
/// How long a batch takes to be compressed and counted, at the very most.
const COUNTED: Duration = Duration::from_secs(1);

impl Inner {
    fn close(&self, limit: Duration) {
        let deadline = clock::after(limit);
        self.queue.close(deadline);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // A request that is under way may take longer than the caller has; the thread then ends by itself.
        while !thread.is_finished() && Instant::now() < deadline {
            // Not for the queue, which may be empty while the thread sends what is on disk.
            std::thread::park_timeout(LOOK);
        }
        if thread.is_finished() {
            // A panic of the thread is no reason for one here.
            drop(thread.join());
        }
        self.disk.close(&self.queue);
        // What the thread compresses at this moment, it counts next.
        self.queue.flush(COUNTED);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close(self.settings.exit_timeout);
    }
}

/// What a redaction panics over does not leave the process; the program goes on.
fn redacted(redact: Redact, prediction: &mut Prediction<'_>) -> Redacted {
    catch_unwind(AssertUnwindSafe(|| redact(prediction))).unwrap_or(Redacted::Drop)
}
