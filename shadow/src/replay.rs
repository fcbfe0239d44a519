//! Asks a model recorded requests at the pace that a [`Pacer`] says, and times the answers.

use std::time::{Duration, Instant};

use crate::answer::Answer;
use crate::batch::Batch;
use crate::error::SessionError;
use crate::pace::{Batching, Nanos, Pace, Pacer, Step};
use crate::session::{Session, sizes};
use crate::timings::Timings;
use crate::traffic::Chunk;

/// Below this a wait turns round instead of sleeping, because sleeping overshoots.
const SPIN: Duration = Duration::from_micros(200);
/// Calls before the first that counts.
const WARM_UP_CALLS: usize = 20;
/// How long warming up may take altogether.
const WARM_UP: Duration = Duration::from_secs(2);

/// What a model gave to one request: an answer, or the error in its place.
pub type Outcome = Result<Answer, String>;

/// A model that is asked the traffic from the first request to the last.
#[derive(Debug)]
pub struct Player {
    session: Session,
    pacer: Pacer,
    pace: Pace,
    /// When the replay began; each chunk of a replay without waiting begins anew.
    began: Option<Instant>,
    timings: Timings,
    /// Whether several requests go into one call, as far as was seen.
    batchable: Option<bool>,
    /// Requests so far, and in all.
    done: u64,
    total: u64,
}

impl Player {
    /// A model before its first request; `total` is how many there will be.
    #[must_use]
    pub fn new(session: Session, pace: (Pace, Batching, u64), total: u64) -> Self {
        let (pace, batching, seed) = pace;
        Self {
            session,
            pacer: Pacer::new(pace, batching, seed),
            pace,
            began: None,
            timings: Timings::default(),
            batchable: None,
            done: 0,
            total,
        }
    }

    /// Times from here on into these.
    #[must_use]
    pub fn timed(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// The model.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The model, to be asked otherwise.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// How long answers took.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// Whether several requests can go into one call.
    #[must_use]
    pub fn batchable(&self) -> bool {
        self.batchable == Some(true)
    }

    /// Begins again at another pace, with other timings; what was learnt about the model stays.
    pub fn again(&mut self, (pace, batching, seed): (Pace, Batching, u64), timings: Timings) {
        self.pacer = Pacer::new(pace, batching, seed);
        self.pace = pace;
        self.began = None;
        self.timings = timings;
        self.done = 0;
    }

    /// Asks the first request of a chunk a few times, so that what is set up once is not timed later. Errors are left to the
    /// replay, which counts them.
    pub fn warm_up(&mut self, chunk: &Chunk, rows_max: usize) {
        let Some(batch) = chunk.batches.first().filter(|batch| batch.rows() > 0) else { return };
        let began = Instant::now();
        self.learn(batch);
        // Each size of a call once more: runtimes plan memory and choose kernels by shape.
        let sizes = sizes(if self.batchable() { rows_max.min(batch.rows()) } else { 1 });
        for call in 0..WARM_UP_CALLS {
            let rows = sizes[call % sizes.len()];
            let first = Instant::now();
            if self.session.run(batch, 0..rows).is_err() || began.elapsed() > WARM_UP {
                return;
            }
            self.timings.first(first.elapsed());
        }
    }

    fn learn(&mut self, batch: &Batch) {
        if self.batchable.is_none() {
            self.batchable = Some(self.session.batches(batch));
        }
    }

    /// Asks all requests of a chunk. `each` gets what came of every one, in their order.
    ///
    /// # Errors
    /// The model does not take what the traffic holds. That it fails on a request is no error of the replay, nor that it does not take one
    /// where each brings its own types and shapes.
    pub fn play(&mut self, chunk: &Chunk, mut each: impl FnMut(Outcome)) -> Result<(), SessionError> {
        if self.pace == Pace::Max {
            // Reading traffic between chunks is not what is timed.
            self.began = None;
        }
        for batch in &chunk.batches {
            if !chunk.is_single {
                self.session.accepts(batch)?;
            }
            self.learn(batch);
            let mut next = 0;
            while next < batch.rows() {
                let most = if self.batchable() { batch.rows() - next } else { 1 };
                let now = self.now();
                match self.pacer.step(now, most) {
                    Step::Done => break,
                    Step::Wait(until) => self.wait(until),
                    Step::Ask(requests) => {
                        let due = self.pacer.ask(requests);
                        self.ask(batch, next..next + requests, (&due, &mut each));
                        next += requests;
                    }
                }
            }
        }
        Ok(())
    }

    fn ask(
        &mut self,
        batch: &Batch,
        rows: std::ops::Range<usize>,
        (due, each): (&[Nanos], &mut dyn FnMut(Outcome)),
    ) {
        let requests = rows.len();
        let began = self.now();
        let answered = self.session.run(batch, rows.clone());
        let ended = self.now();
        self.pacer.answered(requests, ended);
        let place = self.done as f64 / self.total.max(1) as f64;
        self.done += requests as u64;
        let answers = match answered.map(|outputs| Answer::split(outputs, requests)) {
            Ok(Some(answers)) => answers,
            Err(error) if requests == 1 => return each(Err(chain(&error))),
            // Not every model that declares an open axis can do with several rows on it.
            Ok(None) | Err(_) => {
                self.batchable = Some(false);
                return self.one_by_one(batch, rows, each);
            }
        };
        let since = |due: &Nanos| match self.pace {
            Pace::Max => Duration::from_nanos(ended - began),
            _ => Duration::from_nanos(ended.saturating_sub(*due)),
        };
        self.timings.push(Duration::from_nanos(ended - began), due.iter().map(since), place);
        answers.into_iter().for_each(|answer| each(Ok(answer)));
    }

    /// The rows of a call that did not work out, each alone.
    fn one_by_one(&mut self, batch: &Batch, rows: std::ops::Range<usize>, each: &mut dyn FnMut(Outcome)) {
        for row in rows {
            let began = Instant::now();
            let answered = self.session.run(batch, row..row + 1);
            let took = began.elapsed();
            let outcome = match answered.map(|outputs| Answer::split(outputs, 1)) {
                Ok(answers) => answers.and_then(|mut answers| answers.pop()).ok_or_else(String::new),
                Err(error) => Err(chain(&error)),
            };
            if outcome.is_ok() {
                self.timings.push(took, [took], self.done as f64 / self.total.max(1) as f64);
            }
            each(outcome);
        }
    }

    fn now(&mut self) -> Nanos {
        let began = *self.began.get_or_insert_with(Instant::now);
        u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn wait(&mut self, until: Nanos) {
        let left = Duration::from_nanos(until.saturating_sub(self.now()));
        if left > SPIN {
            std::thread::sleep(left - SPIN);
        } else {
            std::hint::spin_loop();
        }
    }

    /// Says when the next requests were recorded, for a replay at their own pace.
    pub fn record(&mut self, instants_us: impl IntoIterator<Item = i64>) {
        self.pacer.record(instants_us);
    }

    /// How long the replay has lasted.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.map(|began| began.elapsed()).unwrap_or_default()
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
