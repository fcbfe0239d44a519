//! The process that runs models. They are files of somebody else: one may crash the runtime, never answer, or want all memory.
//! So they run in a child that is bounded, and this process tells what became of it.
//!
//! The child gets its job on standard input and keeps reading it, so that it ends when its parent does. It answers in lines of
//! JSON. Once the document has come it counts, whatever the runtime does while the child leaves. A child with a model that is served
//! gets its job the same way, and goes on in `serve/host.rs`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
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
/// Lines that wait to be read, and bytes of one: a document with the most requests that a report keeps has some megabytes.
const LINES: usize = 64;
const LINE_BYTES_MAX: u64 = 256 << 20;
/// How long a child that says nothing any more may take to be gone.
const GOING: Duration = Duration::from_secs(1);
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

/// What is around a child.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// What bounds it.
    pub limits: Limits,
    /// Where its progress is shown.
    pub bar: &'a Bar,
    /// When it is to end before it has answered.
    pub stop: &'a CancellationToken,
    /// The folder of its temporary files, which is somebody else's to remove: a child that is ended removes nothing.
    pub scratch: Option<&'a Path>,
}

/// Runs a gate in a child.
///
/// # Errors
/// What the child says, or that it broke its bounds.
pub fn gate(job: &Job, around: Around<'_>) -> Result<Document, Failure> {
    let done = ask(What::Gate(job.clone()), around)?;
    Ok(serde_json::from_value(done).context("the worker's document cannot be read")?)
}

/// Runs a bench in a child.
///
/// # Errors
/// As [`gate`].
pub fn bench(job: &BenchJob, limits: Limits, bar: &Bar) -> Result<bench::Document, Failure> {
    let never = CancellationToken::new();
    let around = Around { limits, bar, stop: &never, scratch: None };
    let done = ask(What::Bench(job.clone()), around)?;
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

fn ask(what: What, around: Around<'_>) -> Result<serde_json::Value, Failure> {
    let Around { limits, bar, stop, scratch } = around;
    let order = Order { what, memory_bytes: limits.memory_bytes };
    let mut command = Command::new(own_binary()?);
    arenas::freed(&mut command)
        .args(["shadow", "worker"])
        .envs(scratch.map(|folder| ("TMPDIR", folder)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A key pressed in a terminal is for this process, which ends the child.
        .process_group(0);
    let mut child = command.spawn().context("cannot start the process that runs models")?;
    let mut stdin = child.stdin.take().context("standard input is piped")?;
    let told = lines(child.stdout.take().context("standard output is piped")?, LINE_BYTES_MAX);
    let words = last_words(child.stderr.take().context("standard error is piped")?);
    let mut line = serde_json::to_vec(&order)?;
    line.push(b'\n');
    // A child that is gone already is noticed below.
    let _ = stdin.write_all(&line);
    let mut watch = Watch::new(child, limits, stop);
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
    /// It is gone, or says nothing any more.
    Gone(Option<ExitStatus>),
    /// Nobody wants the answer any more.
    Stopped,
}

struct Watch<'s> {
    child: Child,
    limits: Limits,
    stop: &'s CancellationToken,
    began: Instant,
    phase: (Phase, Instant),
}

impl<'s> Watch<'s> {
    fn new(child: Child, limits: Limits, stop: &'s CancellationToken) -> Self {
        let now = Instant::now();
        Self { child, limits, stop, began: now, phase: (Phase::Start, now) }
    }

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
                Err(RecvTimeoutError::Disconnected) => return Err(self.gone()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.check()?;
        }
    }

    /// A child that says nothing any more is about to go. What it runs may keep it, and then it is not waited for.
    fn gone(&mut self) -> End {
        let until = Instant::now() + GOING;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
                status => return End::Gone(status.ok().flatten()),
            }
        }
    }

    fn check(&self) -> Result<(), End> {
        if self.stop.is_cancelled() {
            return Err(End::Stopped);
        }
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
            End::Stopped => {
                (Reason::Software, format!("ended by a signal while {phase}, before there was an answer"))
            }
        };
        Failure { reason, error: anyhow::anyhow!(message) }
    }
}

impl Drop for Watch<'_> {
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

/// What the child tells, line by line; the thread ends with the child, or with a line that is longer than any message.
fn lines(stdout: ChildStdout, bytes_max: u64) -> Receiver<Told> {
    let (send, receive) = sync_channel(LINES);
    std::thread::spawn(move || {
        let (mut from, mut line) = (BufReader::new(stdout), Vec::new());
        loop {
            line.clear();
            let read = from.by_ref().take(bytes_max).read_until(b'\n', &mut line);
            if read.is_err() || line.last() != Some(&b'\n') {
                break;
            }
            // What a library prints in between is no message.
            if let Ok(told) = serde_json::from_slice(&line)
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { time: Duration::from_secs(60), memory_bytes: 1 << 30 };

    fn child(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// How a child with this script ends.
    fn ended(script: &str, stop: &CancellationToken) -> Result<serde_json::Value, End> {
        let mut child = child(script);
        let told = lines(child.stdout.take().unwrap(), LINE_BYTES_MAX);
        Watch::new(child, LIMITS, stop).until_done(&told, &Bar::none())
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let told = |bytes_max| {
            let mut child = child("head -c 5000 /dev/zero; echo; echo '{\"done\":1}'");
            let told = lines(child.stdout.take().unwrap(), bytes_max).recv();
            child.wait().unwrap();
            matches!(told, Ok(Told::Done(_)))
        };
        assert_eq!((told(10_000), told(1_000)), (true, false));
    }

    #[test]
    fn a_child_that_says_nothing_any_more_is_not_waited_for() {
        let never = CancellationToken::new();
        assert!(matches!(ended("exec >&-; exec sleep 60", &never), Err(End::Gone(None))));
        let Err(End::Gone(Some(status))) = ended("exit 3", &never) else { panic!() };
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_child_whose_answer_nobody_wants_is_ended() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert!(matches!(ended("exec sleep 60", &stop), Err(End::Stopped)));
    }
}
