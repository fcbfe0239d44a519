//! The process that runs models. They are files of somebody else: one may crash the runtime, never answer, or want all memory.
//! So they run in a child that is bounded, and this process tells what became of it.
//!
//! The child gets its job on standard input and keeps reading it, so that it ends when its parent does. It answers in lines of
//! JSON. Once the document has come it counts, whatever the runtime does while the child leaves. A child with a model that is served
//! gets its job the same way, and goes on in `serve/host.rs`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use windvane_shadow::Device;
use windvane_shadow::bench::{self, BenchJob};
use windvane_shadow::run::{self, Blame, Job, Phase, Progress, RunError};
use windvane_types::gate::Document;

use super::arguments::Limits;
use super::progress::{self, Bar};
use super::serve::host;
use crate::arenas;
use crate::exit::{CommandResult, Exit, Failure, Reason};

/// How often the child's memory is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// How long opening a model may take.
const OPENING: Duration = Duration::from_secs(300);
/// Lines that wait to be read.
const LINES: usize = 64;
/// Bytes of the child's last words that are told.
const LAST_WORDS: usize = 400;
/// Memory of the child beside that of its models.
pub(super) const OWN_BYTES: u64 = 512 << 20;

/// What the child is to do.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    what: What,
    memory_bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Gate(Job),
    Bench(BenchJob),
    Serve(host::Job),
}

/// What the child tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Progress(Progress),
    Done(serde_json::Value),
    Failed { blame: Blame, message: String },
}

/// Runs a gate in a child.
///
/// # Errors
/// What the child says, or that it broke its bounds.
pub fn gate(job: &Job, limits: Limits, bar: &Bar) -> Result<Document, Failure> {
    let done = ask(What::Gate(job.clone()), limits, bar)?;
    Ok(serde_json::from_value(done).context("the worker's document cannot be read")?)
}

/// Runs a bench in a child.
///
/// # Errors
/// As [`gate`].
pub fn bench(job: &BenchJob, limits: Limits, bar: &Bar) -> Result<bench::Document, Failure> {
    let done = ask(What::Bench(job.clone()), limits, bar)?;
    Ok(serde_json::from_value(done).context("the worker's document cannot be read")?)
}

/// The line that makes a child the host of a served model.
///
/// # Errors
/// A path is not UTF-8.
pub(super) fn order(job: &host::Job, memory_bytes: u64) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Order { what: What::Serve(job.clone()), memory_bytes })?;
    line.push(b'\n');
    Ok(line)
}

fn ask(what: What, limits: Limits, bar: &Bar) -> Result<serde_json::Value, Failure> {
    let order = Order { what, memory_bytes: limits.memory_bytes };
    let mut child = arenas::freed(&mut Command::new(own_binary()?))
        .args(["shadow", "worker"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start the process that runs models")?;
    let mut stdin = child.stdin.take().context("standard input is piped")?;
    let told = lines(child.stdout.take().context("standard output is piped")?);
    let words = last_words(child.stderr.take().context("standard error is piped")?);
    let mut line = serde_json::to_vec(&order)?;
    line.push(b'\n');
    // A child that is gone already is noticed below.
    let _ = stdin.write_all(&line);
    let mut watch = Watch { child, limits, began: Instant::now(), phase: (Phase::Start, Instant::now()) };
    let answer = watch.until_done(&told, bar);
    bar.finish();
    drop(stdin);
    answer.map_err(|end| watch.explain(end, &words))
}

/// The file that this process runs. Where another release took its place, this one is still there under the kernel's name for it.
pub(super) fn own_binary() -> io::Result<PathBuf> {
    let binary = std::env::current_exe()?;
    Ok(if binary.exists() { binary } else { PathBuf::from("/proc/self/exe") })
}

/// How a child ended without an answer.
enum End {
    /// It said why.
    Said(Blame, String),
    /// It took longer than all may take, or than opening a model may.
    Late(Duration),
    /// It took more memory than allowed.
    Large(u64),
    /// It is gone.
    Gone(Option<ExitStatus>),
}

struct Watch {
    child: Child,
    limits: Limits,
    began: Instant,
    phase: (Phase, Instant),
}

impl Watch {
    fn until_done(&mut self, told: &Receiver<Told>, bar: &Bar) -> Result<serde_json::Value, End> {
        loop {
            match told.recv_timeout(LOOK) {
                Ok(Told::Done(document)) => return Ok(document),
                Ok(Told::Failed { blame, message }) => return Err(End::Said(blame, message)),
                Ok(Told::Progress(progress)) => {
                    if let Progress::Begins(phase) = progress {
                        self.phase = (phase, Instant::now());
                    }
                    bar.tell(progress);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(End::Gone(self.child.wait().ok())),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.check()?;
        }
    }

    fn check(&self) -> Result<(), End> {
        let (phase, since) = self.phase;
        let opening = matches!(phase, Phase::OpenChampion | Phase::OpenCandidate);
        if opening && since.elapsed() > OPENING {
            return Err(End::Late(OPENING));
        }
        if self.began.elapsed() > self.limits.time {
            return Err(End::Late(self.limits.time));
        }
        match resident_bytes(self.child.id()) {
            Some(bytes) if bytes > self.limits.memory_bytes + OWN_BYTES => Err(End::Large(bytes)),
            _ => Ok(()),
        }
    }

    /// What became of the child, for a person, with the exit code of whose fault it is.
    fn explain(&self, end: End, words: &Receiver<String>) -> Failure {
        let phase = progress::words(self.phase.0);
        let said = || match words.recv_timeout(Duration::from_secs(1)) {
            Ok(words) if !words.is_empty() => format!(" ({words})"),
            _ => String::new(),
        };
        let (reason, message) = match end {
            End::Said(blame, message) => (reason(blame), message),
            End::Late(limit) => (
                Reason::Data,
                format!("the models took longer than {} s and were ended while {phase}", limit.as_secs()),
            ),
            End::Large(bytes) => (
                Reason::Data,
                format!(
                    "the models took {} MB, more than the {} MB that --memory-limit-bytes allows, and were ended while {phase}",
                    bytes >> 20,
                    self.limits.memory_bytes >> 20
                ),
            ),
            End::Gone(status) => {
                let how = status.map_or_else(String::new, |status| format!(", {status}"));
                (Reason::Data, format!("the runtime crashed while {phase}{how}{}", said()))
            }
        };
        Failure { reason, error: anyhow::anyhow!(message) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // What it was started for has come, or never will.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn reason(blame: Blame) -> Reason {
    match blame {
        Blame::Usage => Reason::Usage,
        Blame::Data => Reason::Data,
        Blame::Unavailable => Reason::Unavailable,
        Blame::Policy => Reason::Config,
        Blame::Ours => Reason::Software,
    }
}

/// What the child tells, line by line; the thread ends with the child.
fn lines(stdout: ChildStdout) -> Receiver<Told> {
    let (send, receive) = sync_channel(LINES);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // What a library prints in between is no message.
            if let Ok(told) = serde_json::from_str(&line)
                && send.send(told).is_err()
            {
                break;
            }
        }
    });
    receive
}

/// The end of what the child wrote to standard error; the thread ends with the child.
pub(super) fn last_words(mut stderr: ChildStderr) -> Receiver<String> {
    let (send, receive) = sync_channel(1);
    std::thread::spawn(move || {
        let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = stderr.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..read]);
            let surplus = kept.len().saturating_sub(LAST_WORDS);
            kept.drain(..surplus);
        }
        let words = String::from_utf8_lossy(&kept);
        let _ = send.send(words.split_whitespace().collect::<Vec<_>>().join(" "));
    });
    receive
}

/// Resident memory of a process; `None` where the system does not say.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// The child's side: reads the order, carries it out, and answers.
///
/// # Errors
/// There is no order, or nobody reads the answer.
pub fn serve() -> CommandResult {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the job")?;
    let order: Order = serde_json::from_str(&line)
        .context("the job cannot be read; `windvane shadow run` and `windvane shadow serve` start this command for themselves")?;
    let begin = |device| {
        end_with_parent();
        bound(device, order.memory_bytes);
    };
    let mut progress = |progress| tell(&Told::Progress(progress));
    let told = match &order.what {
        What::Gate(job) => {
            begin(job.session.device);
            answer(run::run(job, &mut progress))
        }
        What::Bench(job) => {
            begin(job.session.device);
            answer(bench::run(job, &mut progress))
        }
        What::Serve(job) => return host::run(job, order.memory_bytes),
    };
    tell(&told);
    Ok(Exit::Ok)
}

fn answer<D: Serialize>(result: Result<D, RunError>) -> Told {
    let failed = |blame, message| Told::Failed { blame, message };
    match result.map(|document| serde_json::to_value(document)) {
        Ok(Ok(document)) => Told::Done(document),
        Ok(Err(error)) => failed(Blame::Ours, error.to_string()),
        Err(error) => failed(error.blame(), format!("{:#}", anyhow::Error::new(error))),
    }
}

fn tell(told: &Told) {
    let Ok(mut line) = serde_json::to_vec(told) else { return };
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    // Nobody reads it once the parent is gone, and this process is about to end then.
    let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
}

/// Ends this process when its parent is gone. The thread ends with the process.
fn end_with_parent() {
    std::thread::spawn(|| {
        let mut bytes = [0; 64];
        while let Ok(1..) = std::io::stdin().lock().read(&mut bytes) {}
        windvane_store::chdb::exit_now(Reason::Software.code());
    });
}

/// Bounds the memory of this process, and makes it the first to go where the machine runs out.
pub fn bound(device: Device, memory_bytes: u64) {
    if device == Device::Cpu {
        let most = Some(memory_bytes + OWN_BYTES);
        let limit = rustix::process::Rlimit { current: most, maximum: most };
        // The drivers of graphics processors reserve far more than they use; there the parent's look has to do.
        if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Data, limit) {
            tracing::warn!(%error, "memory of the models is bounded by looking at it only");
        }
    }
    // Not every system has this file, and the bound above holds anyway.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}
