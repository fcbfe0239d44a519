//! A gate from beginning to end: opens both models, asks them the traffic, compares, times, and judges.
//!
//! It runs in a process of its own, because models are not to be trusted: whoever started it bounds its time and memory.

mod error;
mod fed;
mod opened;
mod provenance;
mod skips;
mod sweep;
mod twice;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use error::{Blame, RunError};
pub(crate) use provenance::resident;
use serde::{Deserialize, Serialize};
use windvane_types::gate::{
    BatchRates, Document, Latencies, Latency, Placement, Provenance, SCHEMA, Throughput,
};

use crate::compare::{Asked, Comparison};
use crate::device::{Device, SessionOptions};
use crate::gpu::GpuMemory;
use crate::judge::{self, Evidence};
use crate::pace::{Batching, Pace};
use crate::policy::Policy;
use crate::quality::{Outcomes, Predictions, truth_of};
use crate::replay::{Outcome, Player};
use crate::runtime::Runtime;
use crate::session::Session;
use crate::timings::Timings;
use crate::traffic::{Chunk, Sample, Traffic, Wanted};
use opened::{Hashed, Look, Opened, open};
use skips::Skips;
use twice::Twice;

/// Everything that a gate needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The native library.
    pub library: PathBuf,
    /// The model in place.
    pub champion: PathBuf,
    /// The model that is to take its place.
    pub candidate: PathBuf,
    /// The recorded requests.
    pub traffic: PathBuf,
    /// What the traffic is called in the document, where that is not its path.
    pub traffic_name: Option<String>,
    /// What is asked in its place, where it lacks an input that a model takes.
    pub instead: Option<Instead>,
    /// The text of the policy.
    pub policy: String,
    /// How models are opened.
    pub session: SessionOptions,
    /// How requests are paced.
    pub pace: Pace,
    /// Which of them go together.
    pub batching: Batching,
    /// Which are drawn; all without it.
    pub sample: Option<Sample>,
    /// Columns whose values make segments.
    pub segment_by: Vec<String>,
    /// The column with outcomes, in place of the policy's.
    pub target: Option<String>,
    /// The column with instants, for the original pace.
    pub time: Option<String>,
    /// Of random instants.
    pub seed: u64,
}

/// Traffic in the place of other traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instead {
    /// The recorded requests.
    pub traffic: PathBuf,
    /// What they are called in the document.
    pub traffic_name: String,
    /// What a reader should know where they are asked, and where they are not.
    pub notes: (String, String),
}

/// What a gate is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Loading the library and looking for the device.
    Start,
    /// Opening the champion.
    OpenChampion,
    /// Opening the candidate.
    OpenCandidate,
    /// Asking both models and comparing.
    Compare,
    /// Asking the champion at the pace.
    ReplayChampion,
    /// Asking the candidate at the pace.
    ReplayCandidate,
    /// Judging.
    Judge,
}

/// What is told on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// A phase begins.
    Begins(Phase),
    /// Requests of the phase so far, and in all.
    Requests(u64, u64),
}

/// Runs a gate.
///
/// # Errors
/// [`RunError`] where there is nothing to judge: a model or the traffic that cannot be read or do not fit, a device that is not there.
pub fn run(job: &Job, tell: &mut dyn FnMut(Progress)) -> Result<Document, RunError> {
    let policy = Policy::parse(&job.policy)?;
    if matches!(job.pace, Pace::Original(_)) && job.time.is_none() {
        return Err(RunError::NoInstants);
    }
    tell(Progress::Begins(Phase::Start));
    let gpu = GpuMemory::before(job.session.device);
    let runtime = Runtime::load(&job.library)?;
    Session::probe(&runtime, &job.session)?;
    let looked = Look::at(&job.traffic);
    let traffic = Traffic::open(&job.traffic)?;
    let profiles = tempfile::tempdir().map_err(RunError::Folder)?;
    tell(Progress::Begins(Phase::OpenChampion));
    let champion = open(&runtime, job, &job.champion, &profiles.path().join("champion"))?;
    tell(Progress::Begins(Phase::OpenCandidate));
    let candidate = open(&runtime, job, &job.candidate, &profiles.path().join("candidate"))?;
    let sessions = (&champion.session, &candidate.session);
    let wanted = fed::wanted(job, sessions, fed::target(job, &policy).as_ref());
    let fed = fed::choose(job, traffic, &wanted)?;
    let mut gate = Gate::new(&fed.job, policy, (champion, candidate), fed.traffic)?;
    gate.notes.extend(fed.note);
    gate.gpu = gpu;
    // Traffic in the place of other traffic was written for this run.
    gate.looked = looked.filter(|_| gate.job.traffic == job.traffic);
    tell(Progress::Begins(Phase::Compare));
    gate.compare(tell)?;
    gate.replay(tell)?;
    tell(Progress::Begins(Phase::Judge));
    Ok(gate.document())
}

/// A gate under way.
struct Gate<'j> {
    job: &'j Job,
    policy: Policy,
    wanted: Wanted,
    traffic: Option<Traffic>,
    picked: Option<Vec<u64>>,
    total: u64,
    target: Option<String>,
    players: (Player, Player),
    files: (Hashed, Hashed),
    /// The traffic's file before it was read.
    looked: Option<Look>,
    placements: (Placement, Placement),
    gpu: Option<GpuMemory>,
    comparison: Comparison,
    twice: Twice,
    outcomes: Outcomes,
    skips: Skips,
    throughput: Throughput,
    by_batch: Vec<BatchRates>,
    notes: Vec<String>,
    /// Requests that got an error when they were asked at the pace, and the first.
    timed_errors: (u64, Option<String>),
}

impl<'j> Gate<'j> {
    fn new(
        job: &'j Job,
        policy: Policy,
        opened: (Opened, Opened),
        traffic: Traffic,
    ) -> Result<Self, RunError> {
        let (champion, candidate) = opened;
        let bounds = policy.quality.clone().unwrap_or_default();
        let target = fed::target(job, &policy);
        let wanted = fed::wanted(job, (&champion.session, &candidate.session), target.as_ref());
        traffic.check(&wanted)?;
        let rows = traffic.rows(&wanted)?;
        let (traffic, picked) = match &job.sample {
            Some(sample) if sample.requests < rows => {
                (Traffic::open(&job.traffic)?, Some(sample.draw(traffic, rows)?))
            }
            _ => (traffic, None),
        };
        let total = picked.as_ref().map_or(rows, |picked| picked.len() as u64);
        let comparison = Comparison::new(champion.session.outputs(), candidate.session.outputs(), &policy);
        let twice = Twice::new(champion.session.outputs(), &policy);
        let outcomes =
            Outcomes::new(Predictions::find(champion.session.outputs(), &bounds), policy.gate.seed);
        let bound = policy.latency.as_ref().and_then(|latency| latency.p99_us_max);
        let player = |opened: Opened| {
            let timings = Timings::new(bound).after(opened.start);
            let player = Player::new(opened.session, (Pace::Max, job.batching, job.seed), total);
            (player.timed(timings), opened.file)
        };
        let (champion, candidate) = (player(champion), player(candidate));
        Ok(Self {
            job,
            wanted,
            traffic: Some(traffic),
            picked,
            total,
            target,
            files: (champion.1, candidate.1),
            looked: None,
            players: (champion.0, candidate.0),
            placements: Default::default(),
            gpu: None,
            comparison,
            twice,
            outcomes,
            skips: Skips::default(),
            throughput: Throughput { champion: None, candidate: None },
            by_batch: Vec::new(),
            notes: Vec::new(),
            timed_errors: (0, None),
            policy,
        })
    }

    /// Asks both models everything, chunk by chunk in turns, and compares their answers.
    fn compare(&mut self, tell: &mut dyn FnMut(Progress)) -> Result<(), RunError> {
        let Some(traffic) = self.traffic.take() else { return Ok(()) };
        let chunks = traffic.read(self.wanted.clone(), self.picked.clone())?;
        let mut turn = 0;
        for chunk in chunks {
            let mut chunk = self.usable(chunk?);
            self.instants(&chunk)?;
            self.skips.push(std::mem::take(&mut chunk.skipped));
            if chunk.requests == 0 {
                continue;
            }
            if turn == 0 {
                self.begin(&chunk)?;
            }
            self.chunk(&chunk, turn)?;
            turn += 1;
            let counts = self.comparison.counts();
            tell(Progress::Requests(counts.0, self.total));
            let lost =
                || self.comparison.is_broken() || judge::is_lost(&self.policy, swapped(counts), self.total);
            if self.policy.gate.stop_when_lost && lost() {
                break;
            }
        }
        self.skips.check(self.comparison.counts().0)
    }

    /// A chunk without the requests that the champion does not take. What the candidate alone does not take is asked: where it takes over it
    /// would have to answer that, and so it is an error.
    fn usable(&self, chunk: Chunk) -> Chunk {
        let champion = self.players.0.session();
        chunk.leave_out(|batch| champion.accepts(batch))
    }

    /// When the requests of a chunk were recorded, where the pace is that of the recording.
    fn instants(&self, chunk: &Chunk) -> Result<Vec<i64>, RunError> {
        match (&self.job.time, self.job.pace) {
            (Some(time), Pace::Original(_)) => Ok(chunk.instants(time, &self.job.traffic)?),
            _ => Ok(Vec::new()),
        }
    }

    /// Checks that both models take the traffic, warms them up, and sees where they run.
    fn begin(&mut self, chunk: &Chunk) -> Result<(), RunError> {
        let champion = chunk.first_taken(|batch| self.players.0.session().accepts(batch))?;
        let candidate = chunk.first_taken(|batch| self.players.1.session().accepts(batch))?;
        let (rows_max, mut sweeps) = (self.job.batching.rows_max, Vec::new());
        for (player, placement, (path, chunk)) in [
            (&mut self.players.0, &mut self.placements.0, (&self.files.0.path, &champion)),
            (&mut self.players.1, &mut self.placements.1, (&self.files.1.path, &candidate)),
        ] {
            player.warm_up(chunk, rows_max);
            *placement = player.session_mut().placement()?;
            let on_cpu = placement.nodes.get(Device::Cpu.provider()).copied().unwrap_or(0);
            let device = self.job.session.device;
            if device != Device::Cpu && on_cpu > 0 && !self.job.session.cpu_nodes_allowed {
                let operators = placement.on_cpu.join(", ");
                let device = device.as_str();
                return Err(RunError::Fallback { path: path.clone(), device, nodes: on_cpu, operators });
            }
            sweeps.push(sweep::sweep(player, chunk));
        }
        self.by_batch = sweep::joined(&sweeps[0], &sweeps[1]);
        let _ = self.gpu.as_mut().map(GpuMemory::look);
        Ok(())
    }

    fn chunk(&mut self, chunk: &Chunk, turn: u64) -> Result<(), RunError> {
        let mut answers: (Vec<Outcome>, Vec<Outcome>) = (Vec::new(), Vec::new());
        let (champion, candidate) = (&mut self.players.0, &mut self.players.1);
        // In turns, so that neither always finds the caches that the other has left.
        if turn.is_multiple_of(2) {
            champion.play(chunk, |answer| answers.0.push(answer))?;
            candidate.play(chunk, |answer| answers.1.push(answer))?;
        } else {
            candidate.play(chunk, |answer| answers.1.push(answer))?;
            champion.play(chunk, |answer| answers.0.push(answer))?;
        }
        let rows = chunk.batches.iter().flat_map(|batch| (0..batch.rows()).map(move |row| (row, batch)));
        let mut agreed = Vec::with_capacity(chunk.requests);
        for (at, (row, (a, b))) in rows.zip(answers.0.iter().zip(&answers.1)).enumerate() {
            let segment = self.segment(chunk, at);
            let request = chunk.number(at);
            let asked = Asked { request, row, segment: segment.as_ref() };
            let before = self.comparison.counts().1;
            self.comparison.push(
                asked,
                a.as_ref().map_err(String::as_str),
                b.as_ref().map_err(String::as_str),
            );
            agreed.push(self.comparison.counts().1 > before);
            let truth = truth_of(&chunk.extras, self.target.as_deref(), at);
            if let (Some(truth), Ok(a), Ok(b)) = (truth, a, b) {
                self.outcomes.push(truth, a, b);
            }
        }
        self.twice.push((&mut self.players.0, self.job.batching.rows_max), chunk, (&answers.0, &agreed));
        Ok(())
    }

    fn segment(&self, chunk: &Chunk, at: usize) -> Option<BTreeMap<String, Option<String>>> {
        let value = |name: &String| chunk.extras.get(name).and_then(|words| words.get(at).cloned()).flatten();
        let segment = || self.job.segment_by.iter().map(|name| (name.clone(), value(name))).collect();
        (!self.job.segment_by.is_empty()).then(segment)
    }

    /// Asks each model everything again at the pace, for latencies and throughput under load.
    fn replay(&mut self, tell: &mut dyn FnMut(Progress)) -> Result<(), RunError> {
        let done = self.comparison.counts().0 + self.skips.n();
        let lost = self.policy.gate.stop_when_lost && done < self.total;
        if self.job.pace == Pace::Max || lost || self.total == 0 {
            let rate = |player: &Player| player.timings().busy_rate();
            self.throughput =
                Throughput { champion: rate(&self.players.0), candidate: rate(&self.players.1) };
            return Ok(());
        }
        tell(Progress::Begins(Phase::ReplayChampion));
        self.throughput.champion = self.replay_one(true, tell)?;
        tell(Progress::Begins(Phase::ReplayCandidate));
        self.throughput.candidate = self.replay_one(false, tell)?;
        Ok(())
    }

    fn replay_one(
        &mut self,
        champion: bool,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Option<f64>, RunError> {
        let (job, total) = (self.job, self.total);
        let bound = self.policy.latency.as_ref().and_then(|latency| latency.p99_us_max);
        let player = self.player(champion);
        let timings = Timings::new(bound).after(player.timings().start());
        player.again((job.pace, job.batching, job.seed), timings);
        let chunks = Traffic::open(&self.job.traffic)?.read(self.wanted.clone(), self.picked.clone())?;
        for chunk in chunks {
            // What was skipped is counted already.
            let chunk = self.usable(chunk?);
            if chunk.requests == 0 {
                continue;
            }
            let instants = self.instants(&chunk)?;
            let player = self.player(champion);
            player.record(instants);
            let (mut errors, mut first) = (0_u64, None);
            player.play(&chunk, |outcome| {
                if let Err(error) = outcome {
                    errors += 1;
                    first.get_or_insert(error);
                }
            })?;
            tell(Progress::Requests(player.timings().n(), total));
            self.timed_errors.0 += errors;
            if let Some(first) = first {
                let name = if champion { "champion" } else { "candidate" };
                self.timed_errors.1.get_or_insert_with(|| format!("the {name}: {first}"));
            }
        }
        let player = self.player(champion);
        let seconds = player.elapsed().as_secs_f64();
        Ok((seconds > 0.0).then(|| player.timings().n() as f64 / seconds))
    }

    fn player(&mut self, champion: bool) -> &mut Player {
        if champion { &mut self.players.0 } else { &mut self.players.1 }
    }

    fn document(mut self) -> Document {
        let confidence = self.policy.gate.confidence;
        let mut agreement = self.comparison.finish();
        agreement.noise = self.twice.finish();
        let quality = match self.target {
            Some(_) => self.outcomes.finish(confidence),
            None => Default::default(),
        };
        let asked = self.comparison.counts().0;
        let skipped = std::mem::take(&mut self.skips).finish(asked);
        let timings = (self.players.0.timings(), self.players.1.timings());
        let segments = self.comparison.segments();
        let checks = judge::judge(
            &self.policy,
            &Evidence {
                agreement: &agreement,
                segments: (segments.as_slice(), self.comparison.segments_unknown()),
                differences: self.comparison.differences(),
                first_error: self.comparison.first_error(),
                timed_errors: (self.timed_errors.0, self.timed_errors.1.as_deref()),
                timings,
                quality: &quality,
                skipped: &skipped,
            },
        );
        self.notes.extend(skips::note(&skipped));
        self.notes.extend(provenance::notes(&agreement, &self.players));
        self.notes.extend(provenance::unknown_outputs(&self.policy, self.players.0.session()));
        let is_service = !self.job.pace.is_open() && !matches!(self.job.pace, Pace::Closed(_));
        let ratio = |q: f64| {
            timings.0.quantile(q).zip(timings.1.quantile(q)).map(|(a, b)| b / a).filter(|r| r.is_finite())
        };
        let latencies =
            |timings: &Timings| Latencies { ci: timings.intervals(confidence), ..timings.finish(is_service) };
        let done = asked + skipped.n;
        let (traffic_sha256, unknown) = provenance::traffic_hash(self.job, self.looked);
        self.notes.extend(unknown);
        let made_of = (&self.files, &self.placements);
        let provenance = provenance::gather(self.job, &self.policy, &self.players, made_of);
        let gpu_memory_peak_bytes = self.gpu.as_mut().and_then(GpuMemory::peak);
        Document {
            schema: SCHEMA.to_owned(),
            verdict: Document::worst(&checks),
            checks,
            requests: asked,
            agreement,
            latency_us: Latency {
                champion: latencies(timings.0),
                candidate: latencies(timings.1),
                ratio: [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)]
                    .map(|(name, q)| (name.to_owned(), ratio(q)))
                    .into(),
                clock: if is_service { "service" } else { "scheduled" }.to_owned(),
            },
            throughput_per_s: self.throughput,
            quality,
            provenance: Provenance { traffic_sha256, gpu_memory_peak_bytes, ..provenance },
            notes: self.notes,
            not_asked: (done < self.total).then(|| self.total - done),
            override_by: None,
            skipped,
            by_batch: self.by_batch,
        }
    }
}

fn swapped((n, agree): (u64, u64)) -> (u64, u64) {
    (agree, n)
}
