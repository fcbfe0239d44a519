//! The embedded engine as a supervised child process: its crash costs a restart, never the collector.
//!
//! The child ends by itself when the pipe on its standard input reaches end of file, which happens however the parent
//! dies; a restarted parent therefore finds the engine's folder free.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Store;

/// How long the engine may take from its start to its first answer. It boots in 0.1 s; a long recovery takes seconds.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often a starting engine is asked.
const READY_POLL: Duration = Duration::from_millis(25);
/// How long the engine may take to finish its statements when it is asked to end.
const END_WITHIN: Duration = Duration::from_secs(15);
/// The first pause before a restart, and the longest; it doubles in between.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// An engine that lived this long starts again with the first pause.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// How the child is started.
#[derive(Debug, Clone)]
pub struct EngineCommand {
    /// The program: this binary.
    pub program: PathBuf,
    /// Its arguments: `engine --data … --listen …`, with the flag that lets it end with its standard input, and JSON log
    /// lines.
    pub arguments: Vec<OsString>,
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineState {
    /// Started, not answering yet.
    Starting,
    /// It has answered.
    Up {
        /// The child's process number.
        pid: u32,
    },
    /// It ended and will be started again.
    Down,
    /// It ended because it was asked to.
    Ended,
}

/// Why the engine could not be started the first time.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The child process could not be made.
    #[error("cannot start `{}`", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The child ended before it answered; its last line says why.
    #[error("the embedded engine ended with {status}: {last_line}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The last line that it wrote.
        last_line: String,
    },
    /// The child does not answer.
    #[error("the embedded engine did not answer within {} s", READY_WITHIN.as_secs())]
    Silent,
}

/// A running engine that is restarted with backoff until `cancel` is cancelled.
#[derive(Debug)]
pub struct Supervisor {
    state: watch::Receiver<EngineState>,
}

impl Supervisor {
    /// Starts the engine and waits until `store` answers.
    ///
    /// The task that watches it runs in `tasks`; cancelling `cancel` ends it: the engine is asked to end and killed after
    /// 15 s.
    ///
    /// # Errors
    /// The engine cannot be started, or ends or stays silent before its first answer. Later ends are restarts.
    pub async fn start(
        command: EngineCommand,
        store: Store,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Self, SupervisorError> {
        let (sender, state) = watch::channel(EngineState::Starting);
        let watched = Watched { command, store, tasks: tasks.clone(), state: sender };
        let running = watched.launch().await?;
        tasks.spawn(async move { watched.keep_running(running, cancel).await });
        Ok(Self { state })
    }

    /// What the engine is doing now, and every change of it.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<EngineState> {
        self.state.clone()
    }
}

/// A child with the pipe that keeps it alive.
struct Running {
    child: Child,
    /// Held here and not in `child`: waiting for a child closes the pipe that it still holds, and would end the engine.
    stdin: Option<ChildStdin>,
    since: Instant,
    last_line: watch::Receiver<String>,
}

/// The pauses before restarts: each is twice the one before, up to a bound, until the engine was healthy again.
#[derive(Debug)]
struct Pauses {
    next: Duration,
}

impl Pauses {
    const fn new() -> Self {
        Self { next: PAUSE.0 }
    }

    /// The pause before the next start.
    fn take(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(PAUSE.1);
        pause
    }

    /// Notes that the engine ended after it had lived this long.
    fn ended_after(&mut self, lived: Duration) {
        if lived > HEALTHY_AFTER {
            self.next = PAUSE.0;
        }
    }
}

struct Watched {
    command: EngineCommand,
    store: Store,
    tasks: TaskTracker,
    state: watch::Sender<EngineState>,
}

impl Watched {
    /// Runs until cancelled; restarts the engine whenever it ends.
    async fn keep_running(self, mut running: Running, cancel: CancellationToken) {
        let mut pauses = Pauses::new();
        loop {
            let status = tokio::select! {
                () = cancel.cancelled() => return self.end(running).await,
                status = running.child.wait() => status,
            };
            self.state.send_replace(EngineState::Down);
            pauses.ended_after(running.since.elapsed());
            let last_line = running.last_line.borrow().clone();
            tracing::warn!(status = %words(&status), last_line, pause_ms = pauses.next.as_millis(), "the engine ended; starting it again");
            running = loop {
                tokio::select! {
                    () = cancel.cancelled() => {
                        self.state.send_replace(EngineState::Ended);
                        return;
                    }
                    () = sleep(pauses.take()) => {}
                }
                let error = match self.start() {
                    Err(error) => error,
                    Ok(mut started) => tokio::select! {
                        // An engine that takes its time to start holds up nobody who ends.
                        () = cancel.cancelled() => return self.end(started).await,
                        answered = self.await_answer(&mut started) => match answered {
                            Ok(()) => break started,
                            Err(error) => error,
                        },
                    },
                };
                tracing::error!(%error, pause_ms = pauses.next.as_millis(), "cannot start the engine");
            };
        }
    }

    /// Starts the child and waits for its first answer.
    async fn launch(&self) -> Result<Running, SupervisorError> {
        let mut running = self.start()?;
        self.await_answer(&mut running).await?;
        Ok(running)
    }

    /// Starts the child.
    fn start(&self) -> Result<Running, SupervisorError> {
        self.state.send_replace(EngineState::Starting);
        let mut child = Command::new(&self.command.program)
            .args(&self.command.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| SupervisorError::Spawn { program: self.command.program.clone(), source })?;
        let (sender, last_line) = watch::channel(String::new());
        if let Some(stderr) = child.stderr.take() {
            // Ends when the child closes its standard error, at the latest when it dies.
            self.tasks.spawn(merge_log(BufReader::new(stderr), sender));
        }
        let stdin = child.stdin.take();
        Ok(Running { child, stdin, since: Instant::now(), last_line })
    }

    /// Waits for the child's first answer.
    async fn await_answer(&self, running: &mut Running) -> Result<(), SupervisorError> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            tokio::select! {
                status = running.child.wait() => {
                    let status = status.unwrap_or_default();
                    // The reader may be a moment behind the end of the process.
                    let _ = timeout(Duration::from_secs(1), running.last_line.wait_for(|_| false)).await;
                    let last_line = running.last_line.borrow().clone();
                    return Err(SupervisorError::Ended { status, last_line });
                }
                answer = self.store.ping() => {
                    if answer.is_ok() {
                        if let Some(pid) = running.child.id() {
                            self.state.send_replace(EngineState::Up { pid });
                        }
                        return Ok(());
                    }
                }
            }
            if Instant::now() > deadline {
                return Err(SupervisorError::Silent);
            }
            sleep(READY_POLL).await;
        }
    }

    /// Asks the engine to end, by the pipe and by signal, and kills it when it takes too long.
    async fn end(&self, mut running: Running) {
        drop(running.stdin.take());
        if let Some(pid) = running.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        match timeout(END_WITHIN, running.child.wait()).await {
            Ok(status) => tracing::info!(status = %words(&status), "the engine has ended"),
            Err(_) => {
                tracing::error!(waited_s = END_WITHIN.as_secs(), "the engine does not end; killing it");
                let _ = running.child.kill().await;
            }
        }
        self.state.send_replace(EngineState::Ended);
    }
}

fn words(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Writes the child's log lines as our own, at their level, and remembers the last one.
/// A library may write bytes that are no text.
async fn merge_log(mut reader: impl tokio::io::AsyncBufRead + Unpin, last_line: watch::Sender<String>) {
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
        let (level, text) = parse_line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        line.clear();
        match level {
            "ERROR" => tracing::error!(from = "engine", "{text}"),
            "WARN" => tracing::warn!(from = "engine", "{text}"),
            "INFO" => tracing::info!(from = "engine", "{text}"),
            _ => tracing::debug!(from = "engine", "{text}"),
        }
        last_line.send_replace(text);
    }
}

/// Level and text of a line: JSON log lines of ours are taken apart, anything else is a warning of the library's.
fn parse_line(line: &str) -> (&'static str, String) {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(line) else {
        return ("WARN", line.to_owned());
    };
    let level = match fields.get("level").and_then(|level| level.as_str()) {
        Some("ERROR") => "ERROR",
        Some("INFO") => "INFO",
        Some("DEBUG" | "TRACE") => "DEBUG",
        _ => "WARN",
    };
    let mut text = fields.get("message").and_then(|message| message.as_str()).unwrap_or_default().to_owned();
    for (name, value) in &fields {
        if !["timestamp", "level", "message", "target"].contains(&name.as_str()) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!(" {name}={value}"));
        }
    }
    (level, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_of_ours_are_taken_apart_and_others_kept_whole() {
        for (line, level, text) in [
            (
                r#"{"timestamp":"2026-01-01T00:00:00Z","level":"INFO","message":"listening","url":"http://127.0.0.1:1","target":"w"}"#,
                "INFO",
                "listening url=http://127.0.0.1:1",
            ),
            (r#"{"level":"ERROR","message":"no","code":7}"#, "ERROR", "no code=7"),
            ("terminate called", "WARN", "terminate called"),
        ] {
            assert_eq!(parse_line(line), (level, text.to_owned()), "{line}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_no_text_is_not_the_last_one() {
        let (sender, last_line) = watch::channel(String::new());
        let told = b"\xff\xfe\r\n{\"level\":\"INFO\",\"message\":\"listening\"}\n";
        merge_log(&told[..], sender).await;
        assert_eq!(*last_line.borrow(), "listening");
    }

    fn milliseconds(pauses: &mut Pauses, n: usize) -> Vec<u128> {
        (0..n).map(|_| pauses.take().as_millis()).collect()
    }

    #[test]
    fn pauses_double_up_to_their_bound() {
        let told = milliseconds(&mut Pauses::new(), 10);
        assert_eq!(told, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn only_an_engine_that_was_healthy_starts_again_with_the_first_pause() {
        let mut pauses = Pauses::new();
        milliseconds(&mut pauses, 5);
        pauses.ended_after(HEALTHY_AFTER);
        assert_eq!(milliseconds(&mut pauses, 2), [3_200, 6_400], "it crashes again and again");
        pauses.ended_after(HEALTHY_AFTER + Duration::from_millis(1));
        assert_eq!(milliseconds(&mut pauses, 2), [100, 200]);
    }

    fn shell(script: &str) -> EngineCommand {
        EngineCommand { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] }
    }

    fn nowhere() -> Store {
        Store::connect(&crate::StoreOptions {
            url: "http://127.0.0.1:9".to_owned(),
            user: String::new(),
            password: crate::Secret::new(String::new()),
            database: crate::DATABASE.to_owned(),
        })
    }

    #[tokio::test]
    async fn a_child_that_ends_before_its_first_answer_says_why() {
        let tasks = TaskTracker::new();
        let command = shell("echo 'folder is in use' >&2; exit 69");
        let error =
            Supervisor::start(command, nowhere(), &tasks, CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "the embedded engine ended with exit status: 69: folder is in use");
    }

    /// The first child ends at once, and the next one never answers, as one that recovers for minutes.
    #[tokio::test]
    async fn an_engine_that_takes_its_time_to_start_again_ends_when_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = shell("if [ -e \"$0\" ]; then exec sleep 1000; fi; touch \"$0\"");
        command.arguments.push(folder.path().join("begun").into());
        let (state, mut states) = watch::channel(EngineState::Starting);
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let watched = Watched { command, store: nowhere(), tasks: tasks.clone(), state };
        let first = watched.start().unwrap();
        let watching = tasks.spawn(watched.keep_running(first, cancel.clone()));
        for wanted in [EngineState::Down, EngineState::Starting] {
            let reached = timeout(READY_WITHIN, states.wait_for(|state| *state == wanted)).await;
            reached.expect("the engine is started again").unwrap();
        }
        cancel.cancel();
        timeout(READY_WITHIN / 2, watching).await.expect("it waits for the first answer").unwrap();
        assert_eq!(*states.borrow(), EngineState::Ended);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let tasks = TaskTracker::new();
        let command = EngineCommand { program: "/nowhere/windvane".into(), arguments: Vec::new() };
        let error =
            Supervisor::start(command, nowhere(), &tasks, CancellationToken::new()).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/windvane"), "{error}");
    }
}
