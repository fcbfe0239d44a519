//! How a model is best served: calls of several sizes in several sessions, each as fast as it goes, and the rate at which
//! requests at random instants are still answered in time.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use windvane_stats::quantile_sketch::QuantileSketch;

use crate::batch::Batch;
use crate::device::SessionOptions;
use crate::gpu::GpuMemory;
use crate::pace::{Batching, Pace};
use crate::port::Port;
use crate::replay::Player;
use crate::run::{Phase, Progress, RunError};
use crate::runtime::Runtime;
use crate::session::{Session, made_up};
use crate::timings::Timings;
use crate::traffic::sample::take_rows;
use crate::traffic::{Chunk, Traffic, Wanted};

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.bench/1";

/// Probes of the search for the rate; each halves what is left: 0.4 % of the peak at last.
const PROBES: u32 = 8;
/// Requests of a probe at least, so that its 99 % quantile means something.
const PROBE_REQUESTS_MIN: f64 = 400.0;

/// Elements of one made-up input at most: memory has a bound of its own.
const ELEMENTS_MAX: usize = 1 << 32;

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchJob {
    /// The native library.
    pub library: PathBuf,
    /// The model.
    pub model: PathBuf,
    /// Recorded requests; without them inputs are zeros and empty texts, and open dimensions are 1.
    pub traffic: Option<PathBuf>,
    /// How it is opened.
    pub session: SessionOptions,
    /// Requests in a call.
    pub batches: Vec<NonZeroUsize>,
    /// Sessions at work at once, each in a thread of its own.
    pub sessions: Vec<NonZeroUsize>,
    /// How long each setting is tried.
    pub duration: Duration,
    /// What 99 % of requests must be answered within, in microseconds.
    pub p99_us_max: Option<f64>,
    /// Of random instants.
    pub seed: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The model's file.
    pub model: String,
    /// The device.
    pub device: String,
    /// Threads inside an operator.
    pub threads: u64,
    /// One entry a setting that was tried.
    pub points: Vec<Point>,
    /// The fastest setting, or the fastest that keeps the bound where there is one; null where none does.
    pub recommended: Option<Point>,
    /// The highest rate at random instants, with the recommended size of calls and one session, at which 99 % of requests are
    /// answered within the bound; null without a bound.
    pub sustained_per_s: Option<f64>,
    /// The bound.
    pub p99_us_max: Option<f64>,
    /// Whether several requests can go into one call.
    pub batchable: bool,
}

/// A setting and what it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Requests in a call.
    pub batch: u64,
    /// Sessions at once.
    pub sessions: u64,
    /// Half of the calls took at most this.
    pub p50_us: f64,
    /// 99 % of them.
    pub p99_us: f64,
    /// Requests a second of all sessions together.
    pub requests_per_s: f64,
    /// Calls that were timed.
    pub calls: u64,
    /// Resident memory of the process with its sessions still open, in bytes.
    pub memory_bytes: Option<u64>,
    /// Memory of graphics processors that it holds then, in bytes; null without one, or where it is not told.
    #[serde(default)]
    pub gpu_memory_bytes: Option<u64>,
}

/// Tries all settings.
///
/// # Errors
/// The model or the traffic cannot be used, or the model fails.
pub fn run(job: &BenchJob, tell: &mut dyn FnMut(Progress)) -> Result<Document, RunError> {
    tell(Progress::Begins(Phase::Start));
    let mut gpu = GpuMemory::before(job.session.device);
    let runtime = Runtime::load(&job.library)?;
    Session::probe(&runtime, &job.session)?;
    tell(Progress::Begins(Phase::OpenCandidate));
    let session = Session::open(&runtime, &job.model, &job.session)?;
    let rows = job.batches.iter().map(|batch| batch.get()).max().unwrap_or(1);
    let batch = requests(job, &session, rows)?;
    session.accepts(&batch)?;
    let batchable = session.batches(&batch);
    drop(session);
    tell(Progress::Begins(Phase::ReplayCandidate));
    let sizes: Vec<usize> =
        job.batches.iter().map(|size| size.get()).filter(|size| batchable || *size == 1).collect();
    let sizes = if sizes.is_empty() { vec![1] } else { sizes };
    let total = (sizes.len() * job.sessions.len()) as u64;
    let mut points = Vec::new();
    for sessions in &job.sessions {
        for size in &sizes {
            points.push(point((&runtime, &mut gpu), job, &batch, (*size, *sessions))?);
            tell(Progress::Requests(points.len() as u64, total));
        }
    }
    let fits = |point: &&Point| job.p99_us_max.is_none_or(|bound| point.p99_us <= bound);
    let recommended =
        points.iter().filter(fits).max_by(|a, b| a.requests_per_s.total_cmp(&b.requests_per_s)).cloned();
    let sustained = match (job.p99_us_max, &recommended) {
        (Some(bound), Some(best)) => sustained(&runtime, job, &batch, (best, bound))?,
        _ => None,
    };
    Ok(Document {
        schema: SCHEMA.to_owned(),
        model: job.model.display().to_string(),
        device: job.session.device.as_str().to_owned(),
        threads: job.session.threads.get() as u64,
        points,
        recommended,
        sustained_per_s: sustained,
        p99_us_max: job.p99_us_max,
        batchable,
    })
}

/// The requests that are asked over and over: the first of the traffic, repeated until they fill the largest call.
fn requests(job: &BenchJob, session: &Session, rows: usize) -> Result<Batch, RunError> {
    let Some(path) = &job.traffic else { return zeros(session, rows) };
    let declared = |port: &Port| format!("model `{}` as {port}", session.model());
    let inputs = session.inputs().iter().map(|port| (port.name.clone(), (port.element, declared(port))));
    let wanted = Wanted { inputs: inputs.collect(), ..Wanted::default() };
    let mut refused = None;
    for chunk in Traffic::open(path)?.read(wanted, None)? {
        let chunk = chunk?;
        if let Some(batch) = chunk.batches.iter().find(|batch| batch.rows() > 0) {
            let repeated: Vec<usize> = (0..rows).map(|row| row % batch.rows()).collect();
            return Ok(take_rows(batch, &repeated));
        }
        refused = refused.or(chunk.skipped.into_iter().next());
    }
    // Traffic without requests says nothing; traffic of which none can be asked is no traffic of this model.
    match refused {
        None => zeros(session, rows),
        Some(refused) => Err(refused.error.into()),
    }
}

/// Inputs of the declared shapes. A model that takes one request at a time is asked one that has all its axes.
fn zeros(session: &Session, rows: usize) -> Result<Batch, RunError> {
    let rows = if session.stacks() { rows } else { 1 };
    let made = made_up((session.inputs(), rows), session.stacks(), ELEMENTS_MAX);
    made.ok_or_else(|| RunError::NoInputs { model: session.model().to_owned(), rows })
}

/// What one thread saw.
#[derive(Default)]
struct Seen {
    latency: QuantileSketch,
    calls: u64,
}

fn point(
    (runtime, gpu): (&Runtime, &mut Option<GpuMemory>),
    job: &BenchJob,
    batch: &Batch,
    (size, sessions): (usize, NonZeroUsize),
) -> Result<Point, RunError> {
    let opened: Result<Vec<Session>, _> =
        (0..sessions.get()).map(|_| Session::open(runtime, &job.model, &job.session)).collect();
    let work = |mut session: Session| -> Result<(Seen, Session), RunError> {
        // Memory and kernels for this size are set up by the first calls.
        for _ in 0..3 {
            session.run(batch, 0..size)?;
        }
        let (began, mut seen) = (Instant::now(), Seen::default());
        while began.elapsed() < job.duration || seen.calls == 0 {
            let first = (seen.calls as usize * size) % (batch.rows() - size + 1);
            let call = Instant::now();
            session.run(batch, first..first + size)?;
            seen.latency.push(call.elapsed().as_nanos() as f64 / 1e3, 1);
            seen.calls += 1;
        }
        Ok((seen, session))
    };
    let began = Instant::now();
    let found: Vec<Result<(Seen, Session), RunError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = opened?.into_iter().map(|session| scope.spawn(move || work(session))).collect();
        Ok::<_, RunError>(
            threads.into_iter().map(|thread| thread.join().expect("the thread does not panic")).collect(),
        )
    })?;
    let seconds = began.elapsed().as_secs_f64();
    // The sessions are still open: what they hold is what is asked about.
    let memory_bytes = crate::run::resident();
    let gpu_memory_bytes = gpu.as_mut().and_then(GpuMemory::look);
    let mut all = Seen::default();
    for seen in found {
        let (seen, _session) = seen?;
        all.latency.merge(&seen.latency);
        all.calls += seen.calls;
    }
    let quantile = |q| all.latency.quantile(q).map_or(0.0, |found| found.value);
    Ok(Point {
        batch: size as u64,
        sessions: sessions.get() as u64,
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
        requests_per_s: (all.calls * size as u64) as f64 / seconds,
        calls: all.calls,
        memory_bytes,
        gpu_memory_bytes,
    })
}

/// The highest rate at which the bound holds, by halving between nothing and the peak.
fn sustained(
    runtime: &Runtime,
    job: &BenchJob,
    batch: &Batch,
    (best, bound): (&Point, f64),
) -> Result<Option<f64>, RunError> {
    let session = Session::open(runtime, &job.model, &job.session)?;
    // Half of the bound may go into waiting for others.
    let wait = Duration::from_secs_f64((bound / 2.0 - best.p99_us).max(0.0) / 1e6);
    let batching = Batching { rows_max: usize::try_from(best.batch).unwrap_or(1), wait };
    let mut player = Player::new(session, (Pace::Max, batching, job.seed), 0);
    let chunk = Chunk { requests: batch.rows(), batches: vec![batch.clone()], ..Chunk::default() };
    player.warm_up(&chunk, batching.rows_max);
    let (mut holds, mut breaks) = (0.0, best.requests_per_s / best.sessions as f64);
    for probe in 0..PROBES {
        let rate = (holds + breaks) / 2.0;
        player.again((Pace::Poisson(rate), batching, job.seed + u64::from(probe)), Timings::new(Some(bound)));
        let wanted = rate * job.duration.as_secs_f64();
        let limit = Instant::now();
        while (player.timings().n() as f64) < wanted.max(PROBE_REQUESTS_MIN)
            && limit.elapsed() < job.duration * 4
        {
            player.play(&chunk, |_| {})?;
        }
        let timings = player.timings();
        if timings.over() * 100 <= timings.n() { holds = rate } else { breaks = rate }
    }
    Ok((holds > 0.0).then_some(holds))
}
