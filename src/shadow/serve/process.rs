//! The process with one model, as the process that serves sees it: started, asked, and ended where it breaks a bound.
//!
//! It has a group of its own, so that a key pressed in a terminal does not end it before this process has answered what it was asked. What
//! comes from it is not trusted more than the model is.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use windvane_shadow::run::Blame;
use windvane_shadow::{Batch, wire};

use super::frame::{self, Broken, Kind};
use super::host::{ANSWER_BYTES_MAX, CALL_BYTES_MAX, Job, Opened, Refusal};
use super::model::{Answer, Refused};
use crate::arenas;
use crate::shadow::worker::{self, LOOK, OWN_BYTES};

/// How much longer than a call may take until the process is ended: it breaks off by itself what it can.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes of what a model declares.
const OPENED_BYTES_MAX: u64 = 16 << 20;
/// Characters that are told of what a process says about a fault: clients, logs and readiness repeat them.
const TOLD_MAX: usize = 16 << 10;
/// How often memory is looked at where calls are short; while one takes long, every [`LOOK`].
const LOOK_BETWEEN: Duration = Duration::from_secs(1);
/// How long a process that is gone may take to be quite gone.
const GOING: Duration = Duration::from_secs(1);

/// What bounds the process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How long opening the model and warming it up may take.
    pub open: Duration,
    /// How long a call may take.
    pub call: Duration,
    /// Bytes that it may hold.
    pub memory_bytes: u64,
}

/// What ended a process; the names are labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The runtime refuses the model, or the device is not there.
    Refused,
    /// It ended by itself, or somebody ended it.
    Crashed,
    /// It took too long to open the model, or to answer.
    Hung,
    /// It took too much memory.
    Memory,
    /// What it said was no answer.
    Garbled,
    /// It could not be started.
    NotStarted,
}

impl Cause {
    /// All, in the order of metrics.
    pub(super) const ALL: [Self; 6] =
        [Self::Refused, Self::Crashed, Self::Hung, Self::Memory, Self::Garbled, Self::NotStarted];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Crashed => "crashed",
            Self::Hung => "hung",
            Self::Memory => "memory",
            Self::Garbled => "garbled",
            Self::NotStarted => "not_started",
        }
    }
}

/// Why there is no process any more.
#[derive(Debug)]
pub(super) struct Ended {
    pub cause: Cause,
    /// Whose fault it is.
    pub blame: Blame,
    /// For whoever asked: `the process with the model crashed (signal: 11 (SIGSEGV))`.
    pub reason: String,
    /// The last it wrote to standard error, for the log.
    pub words: String,
}

/// Why the process is of no more use.
enum Lost {
    Gone,
    Hung(Duration),
    Large(u64),
    Garbled(String),
    Refused(Refusal),
}

impl From<Broken> for Lost {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Ended => Self::Gone,
            Broken::TooLong(_) | Broken::NoMessage => Self::Garbled(broken.to_string()),
        }
    }
}

/// A process with a model.
#[derive(Debug)]
pub(super) struct Process {
    id: u32,
    /// Until it is ended.
    child: Option<Child>,
    socket: UnixStream,
    words: Receiver<String>,
    bounds: Bounds,
    /// When its memory was looked at last.
    looked: Instant,
    /// The buffers of messages.
    sent: Vec<u8>,
    came: Vec<u8>,
}

impl Process {
    /// Starts a process, which begins to open the model.
    pub(super) fn start(job: &Job, bounds: Bounds) -> Result<Self, Ended> {
        let started = Self::spawn(job, bounds);
        started.map_err(|error| Ended {
            cause: Cause::NotStarted,
            blame: Blame::Ours,
            reason: format!("the process with the model cannot be started ({error:#})"),
            words: String::new(),
        })
    }

    fn spawn(job: &Job, bounds: Bounds) -> anyhow::Result<Self> {
        let (socket, theirs) = UnixStream::pair().context("no socket")?;
        // Where nothing comes for that long, bounds are looked at.
        socket.set_read_timeout(Some(LOOK))?;
        socket.set_write_timeout(Some(LOOK))?;
        let order = worker::order(job, bounds.memory_bytes)?;
        let mut child = arenas::freed(&mut Command::new(worker::own_binary()?))
            .args(["shadow", "worker"])
            // A model has no business with the collector.
            .env_remove("WINDVANE_TOKEN")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // What a library prints goes nowhere.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let words = worker::last_words(child.stderr.take().context("standard error is piped")?);
        // A child that is gone already is noticed by whoever waits for it to open the model.
        let _ = frame::send::<Broken>(&socket, &order, &mut || Ok(()));
        Ok(Self {
            id: child.id(),
            child: Some(child),
            socket,
            words,
            bounds,
            looked: Instant::now(),
            sent: Vec::new(),
            came: Vec::new(),
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Waits until the model is open and warm; `meanwhile` runs now and then.
    pub(super) fn opened(&mut self, meanwhile: &mut dyn FnMut()) -> Result<Opened, Ended> {
        let watch = self.watch(self.bounds.open);
        let came = frame::receive(&self.socket, (&mut self.came, OPENED_BYTES_MAX), &mut || {
            meanwhile();
            watch.look()
        });
        let opened = came.and_then(|(kind, content)| opened(kind, content));
        opened.map_err(|lost| self.end(lost))
    }

    /// Asks the model. An error of the model is an answer; where the process is gone there is none.
    pub(super) fn call(&mut self, batch: &Batch) -> Result<Answer, Ended> {
        match too_large(wire::batch_bytes(batch)) {
            Some(refused) => Ok(Err(refused)),
            None => self.exchange(batch).map_err(|lost| self.end(lost)),
        }
    }

    /// Looks at a process that nobody asks at present.
    pub(super) fn look(&mut self) -> Result<(), Ended> {
        let lives = match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => self.watch(Duration::MAX).look_at_memory(),
            _ => Err(Lost::Gone),
        };
        lives.map_err(|lost| self.end(lost))
    }

    fn exchange(&mut self, batch: &Batch) -> Result<Answer, Lost> {
        let watch = self.watch(self.bounds.call + GRACE);
        frame::begin(Kind::Call, &mut self.sent);
        wire::put_batch(batch, &mut self.sent);
        frame::end(&mut self.sent);
        // With names and shapes it may be more than was known before.
        if let Some(refused) = too_large(self.sent.len()) {
            frame::spare(&mut self.sent);
            return Ok(Err(refused));
        }
        frame::send(&self.socket, &self.sent, &mut || watch.look())?;
        frame::spare(&mut self.sent);
        let (kind, content) =
            frame::receive(&self.socket, (&mut self.came, ANSWER_BYTES_MAX + (1 << 20)), &mut || {
                watch.look()
            })?;
        let answer = answered(kind, content)?;
        frame::spare(&mut self.came);
        if self.looked.elapsed() > LOOK_BETWEEN {
            self.looked = Instant::now();
            watch.look_at_memory()?;
        }
        Ok(answer)
    }

    fn watch(&self, bound: Duration) -> Watch {
        let (memory_bytes, began) = (self.bounds.memory_bytes + OWN_BYTES, Instant::now());
        Watch { process: self.id, began, bound, memory_bytes, looked: Cell::new(began) }
    }

    /// Ends the process, and says what became of it.
    fn end(&mut self, lost: Lost) -> Ended {
        // Its last words are whole once it is gone.
        let patience = if matches!(lost, Lost::Gone) { GOING } else { Duration::ZERO };
        let mut words = self.words.recv_timeout(patience).unwrap_or_default();
        let status = self.kill();
        if words.is_empty() {
            words = self.words.recv_timeout(GOING).unwrap_or_default();
        }
        let (cause, blame, reason) = match lost {
            Lost::Gone => {
                let how = status.map_or_else(|| "how is not known".to_owned(), |status| status.to_string());
                (Cause::Crashed, Blame::Data, format!("the process with the model crashed ({how})"))
            }
            Lost::Hung(bound) => {
                let told = format!(
                    "the process with the model did not answer within {} s and was ended",
                    bound.as_secs_f64()
                );
                (Cause::Hung, Blame::Data, told)
            }
            Lost::Large(bytes) => {
                let (took, allowed) = (bytes >> 20, self.bounds.memory_bytes >> 20);
                let told = format!(
                    "the process with the model took {took} MB, more than the {allowed} MB that --memory-limit-bytes allows, and was ended"
                );
                (Cause::Memory, Blame::Data, told)
            }
            Lost::Garbled(what) => {
                let told = format!("the process with the model gave no answer ({what}) and was ended");
                (Cause::Garbled, Blame::Data, told)
            }
            Lost::Refused(refusal) => (Cause::Refused, refusal.blame, refusal.message),
        };
        Ended { cause, blame, reason: shortened(&reason), words }
    }

    /// Kills the process and says how it ended, where it has by then. One that hangs in the kernel, as a driver may make it, is left to a
    /// thread that waits for it: requests are to be refused meanwhile, and others served.
    fn kill(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        // One that is gone cannot be killed.
        let _ = child.kill();
        let (send, receive) = sync_channel(1);
        std::thread::spawn(move || {
            // Whoever asked may have gone on.
            let _ = send.send(child.wait());
        });
        receive.recv_timeout(GOING).ok()?.ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The bounds of one wait.
struct Watch {
    process: u32,
    began: Instant,
    bound: Duration,
    memory_bytes: u64,
    /// When memory was looked at last.
    looked: Cell<Instant>,
}

impl Watch {
    fn look(&self) -> Result<(), Lost> {
        if self.began.elapsed() > self.bound {
            return Err(Lost::Hung(self.bound));
        }
        // A long message gives an occasion with each of its parts.
        if self.looked.get().elapsed() < LOOK {
            return Ok(());
        }
        self.looked.set(Instant::now());
        self.look_at_memory()
    }

    fn look_at_memory(&self) -> Result<(), Lost> {
        match worker::resident_bytes(self.process) {
            Some(bytes) if bytes > self.memory_bytes => Err(Lost::Large(bytes)),
            _ => Ok(()),
        }
    }
}

fn shortened(told: &str) -> String {
    told.chars().take(TOLD_MAX).collect()
}

fn too_large(bytes: usize) -> Option<Refused> {
    let told = || format!("the request takes {bytes} bytes; at most {CALL_BYTES_MAX} are handed on");
    (bytes as u64 > CALL_BYTES_MAX).then(|| Refused::Input(told()))
}

fn opened(kind: Kind, content: &[u8]) -> Result<Opened, Lost> {
    let garbled = |error: serde_json::Error| Lost::Garbled(error.to_string());
    match kind {
        Kind::Open => serde_json::from_slice(content).map_err(garbled),
        Kind::Refused => Err(serde_json::from_slice(content).map_or_else(garbled, Lost::Refused)),
        other => Err(Lost::Garbled(format!("{other:?} before the model was open"))),
    }
}

fn answered(kind: Kind, content: &[u8]) -> Result<Answer, Lost> {
    let text = || shortened(&String::from_utf8_lossy(content));
    match kind {
        Kind::Answer => {
            let (took, outputs) =
                content.split_first_chunk().ok_or_else(|| Lost::Garbled("no time".to_owned()))?;
            let outputs = wire::outputs(outputs).map_err(|error| Lost::Garbled(error.to_string()))?;
            Ok(Ok((outputs, Duration::from_nanos(u64::from_le_bytes(*took)))))
        }
        Kind::WrongInput => Ok(Err(Refused::Input(text()))),
        Kind::Failed => Ok(Err(Refused::Failed(text()))),
        other => Err(Lost::Garbled(format!("{other:?} in place of an answer"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_without_end_is_cut() {
        let told = "ä".repeat(2 * TOLD_MAX);
        let Ok(Err(Refused::Failed(what))) = answered(Kind::Failed, told.as_bytes()) else { panic!() };
        assert_eq!(what, "ä".repeat(TOLD_MAX));
        let Ok(Err(Refused::Input(what))) = answered(Kind::WrongInput, b"no \xff") else { panic!() };
        assert_eq!(what, "no \u{fffd}");
    }

    #[test]
    fn what_is_no_answer_is_garbled() {
        let contents: [(Kind, &[u8]); 4] =
            [(Kind::Answer, b"short"), (Kind::Answer, &[0; 9]), (Kind::Open, b"{}"), (Kind::Call, b"")];
        for (kind, content) in contents {
            let found = answered(kind, content);
            assert!(matches!(found, Err(Lost::Garbled(_))), "{kind:?} {content:?}");
        }
        assert!(matches!(opened(Kind::Answer, b""), Err(Lost::Garbled(_))));
        assert!(matches!(opened(Kind::Open, b"{"), Err(Lost::Garbled(_))));
    }
}
