//! The process with one model: opens and warms it, and answers one call after another over the socket on its standard input.
//!
//! The model is a file of somebody else, so this process has nothing but that model: no address, no way to the store, a bound on its
//! memory. It ends when whoever started it does.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use windvane_shadow::run::{Blame, RunError};
use windvane_shadow::{Outputs, Port, Runtime, Session, SessionError, SessionOptions, WarmUp, wire};

use super::frame::{self, Broken, Kind};
use crate::exit::{CommandResult, Exit, Reason};
use crate::shadow::worker;
use crate::shutdown::Signals;

/// Bytes of a call: a body of 64 MiB, the most that a request may have, becomes four times as many where each digit is a 64-bit number.
pub(super) const CALL_BYTES_MAX: u64 = 512 << 20;
/// Bytes of an answer. Whoever asked gets them as text, which is several times as much.
pub(super) const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// Which model, and how it is opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::shadow) struct Job {
    /// The native library.
    pub library: PathBuf,
    /// The model's file.
    pub model: PathBuf,
    /// How it is opened.
    pub options: SessionOptions,
    /// Rows of the largest call that it is warmed with.
    pub rows_max: usize,
    /// How long warming up may take.
    pub warm_up: Duration,
}

/// What an open model declares, and how it was warmed up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Opened {
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    /// Whether requests can go together into one call.
    pub stacks: bool,
    pub warm: WarmUp,
}

/// Why a model is not open.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub blame: Blame,
    pub message: String,
}

/// The life of the process.
///
/// # Errors
/// The socket is none, or what comes over it is no call.
pub(in crate::shadow) fn run(job: &Job, memory_bytes: u64) -> CommandResult {
    let socket = io::stdin().as_fd().try_clone_to_owned().context("cannot keep standard input")?;
    let socket = UnixStream::from(socket);
    let _kept = outlast_signals().context("cannot listen for signals")?;
    end_with_parent(socket.try_clone().context("cannot watch standard input")?);
    worker::bound(job.options.device, memory_bytes);
    let mut message = Vec::new();
    let (mut session, opened) = match open(job) {
        Ok(opened) => opened,
        Err(error) => {
            let refusal = Refusal { blame: error.blame(), message: told(error) };
            put_text(Kind::Refused, &serde_json::to_string(&refusal)?, &mut message);
            // Where nobody reads it any more, nobody needs to.
            let _ = frame::send::<Broken>(&socket, &message, &mut patiently);
            return Ok(Exit::Ok);
        }
    };
    put_text(Kind::Open, &serde_json::to_string(&opened)?, &mut message);
    let answered = frame::send(&socket, &message, &mut patiently)
        .and_then(|()| answer(&socket, &mut session, &mut message));
    match answered {
        Err(Broken::Ended) => Ok(Exit::Ok),
        Err(broken) => Err(anyhow::Error::new(broken).into()),
        Ok(()) => Ok(Exit::Ok),
    }
}

fn open(job: &Job) -> Result<(Session, Opened), RunError> {
    let runtime = Runtime::load(&job.library)?;
    Session::probe(&runtime, &job.options)?;
    let mut session = Session::open(&runtime, &job.model, &job.options)?;
    let warm = session.warm_up(job.rows_max, job.warm_up);
    let opened = Opened {
        inputs: session.inputs().to_vec(),
        outputs: session.outputs().to_vec(),
        stacks: session.stacks(),
        warm,
    };
    Ok((session, opened))
}

/// Answers calls until the other side is gone.
fn answer(socket: &UnixStream, session: &mut Session, message: &mut Vec<u8>) -> Result<(), Broken> {
    let mut call = Vec::new();
    loop {
        let (kind, content) = frame::receive(socket, (&mut call, CALL_BYTES_MAX), &mut patiently)?;
        if kind != Kind::Call {
            return Err(Broken::NoMessage);
        }
        let batch = wire::batch(content).map_err(|_| Broken::NoMessage)?;
        frame::spare(&mut call);
        let began = Instant::now();
        let answered = session.run(&batch, 0..batch.rows());
        put_answer(answered, began.elapsed(), message);
        frame::send(socket, message, &mut patiently)?;
        frame::spare(message);
    }
}

fn put_answer(answered: Result<Outputs, SessionError>, took: Duration, message: &mut Vec<u8>) {
    match answered {
        Ok(outputs) => {
            let bytes = wire::outputs_bytes(&outputs) as u64;
            if bytes > ANSWER_BYTES_MAX {
                let text =
                    format!("the answer takes {bytes} bytes; at most {ANSWER_BYTES_MAX} are handed on");
                return put_text(Kind::Failed, &text, message);
            }
            frame::begin(Kind::Answer, message);
            let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            message.extend_from_slice(&took_ns.to_le_bytes());
            wire::put_outputs(&outputs, message);
            frame::end(message);
        }
        Err(error) => {
            let is_input =
                matches!(error, SessionError::MissingInput { .. } | SessionError::WrongInput { .. });
            let kind = if is_input { Kind::WrongInput } else { Kind::Failed };
            put_text(kind, &told(error), message);
        }
    }
}

fn put_text(kind: Kind, text: &str, message: &mut Vec<u8>) {
    frame::begin(kind, message);
    message.extend_from_slice(text.as_bytes());
    frame::end(message);
}

/// An error with its causes, in one line.
fn told(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// The other side may take its time: where it goes, the socket says so.
fn patiently() -> Result<(), Broken> {
    Ok(())
}

/// Goes on where a terminal or a supervisor signals all processes at once: the one that serves has to answer first what it was asked, and
/// ends this one then. What is given back is to be kept.
fn outlast_signals() -> io::Result<(tokio::runtime::Runtime, Signals)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let signals = Signals::listen()?;
    drop(entered);
    Ok((runtime, signals))
}

/// Ends this process when the other side is gone, whatever the model does at the time. The thread ends with the process.
fn end_with_parent(socket: UnixStream) {
    std::thread::spawn(move || {
        // Without any event asked for, what is told is that the other side has hung up.
        let mut watched = [PollFd::new(&socket, PollFlags::empty())];
        loop {
            match poll(&mut watched, None) {
                Err(Errno::INTR) => {}
                Ok(_) if watched[0].revents().is_empty() => {}
                _ => windvane_store::chdb::exit_now(Reason::Software.code()),
            }
        }
    });
}
