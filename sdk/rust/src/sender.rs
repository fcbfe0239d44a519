//! The background thread: delivers chunks until the fate of each is known, within bounds of time.
//!
//! Who stops it: closing the client. What it finishes first: what is queued, as far as it gets until the deadline; the rest is
//! counted as lost at the exit. How long that may take: `exit_timeout`, and what a request that is under way still takes.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use ureq::Agent;

use crate::id::EventId;
use crate::queue::{Chunk, Queue};
use crate::settings::Settings;
use crate::stats::Stats;

const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// When the client was closed: the deadline of everything that is left.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    deadline: Mutex<Option<Instant>>,
    told: Condvar,
}

impl Closing {
    pub(crate) fn tell(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.told.notify_all();
    }

    fn is_over(&self) -> bool {
        let deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.is_some_and(|deadline| Instant::now() > deadline)
    }

    /// Waits; says no where the deadline comes before.
    fn pause(&self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        let mut deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline < end) {
                return false;
            }
            if now >= end {
                return true;
            }
            deadline = self.told.wait_timeout(deadline, end - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Delivers what is in the queue.
#[derive(Debug)]
pub(crate) struct Sender {
    settings: Settings,
    queue: Arc<Queue>,
    closing: Arc<Closing>,
    agent: Agent,
    failures: u32,
    warned: AtomicBool,
    /// Compressed bodies are written here, again and again.
    body: Vec<u8>,
}

/// What became of one try.
enum Tried {
    Settled { accepted: u64 },
    Again { wait: Option<Duration>, in_doubt: bool },
    TooLarge,
    Refused,
}

/// What the collector answers.
#[derive(Deserialize)]
struct Told {
    accepted: u64,
}

impl Sender {
    pub(crate) fn new(settings: Settings, queue: Arc<Queue>, closing: Arc<Closing>) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false);
        let agent = config.build().new_agent();
        Self {
            settings,
            queue,
            closing,
            agent,
            failures: 0,
            warned: AtomicBool::new(false),
            body: Vec::new(),
        }
    }

    /// Runs until the queue is closed and empty, or the deadline has come.
    pub(crate) fn run(mut self) {
        while let Some(chunk) = self.queue.take(self.settings.flush_interval) {
            self.deliver(chunk);
            if self.closing.is_over() {
                break;
            }
        }
        self.queue.abandon();
    }

    fn deliver(&mut self, chunk: Chunk) {
        let (key, begun) = (EventId::make(), Instant::now());
        if self.compress(&chunk).is_err() {
            return self.queue.settle(chunk, |stats, n| stats.dropped_refused += n);
        }
        let mut in_doubt = false;
        loop {
            if self.closing.is_over() {
                return self.lose(chunk, in_doubt, |stats, n| stats.dropped_at_exit += n);
            }
            match self.attempt(&chunk, &key) {
                Tried::Settled { accepted } => {
                    self.failures = 0;
                    return self.queue.settle(chunk, |stats, n| {
                        stats.received += accepted.min(n);
                        stats.rejected += n.saturating_sub(accepted);
                    });
                }
                Tried::Refused => return self.queue.settle(chunk, |stats, n| stats.dropped_refused += n),
                Tried::TooLarge if chunk.events > 1 => {
                    for half in Queue::halves(&chunk) {
                        self.deliver(half);
                    }
                    return;
                }
                Tried::TooLarge => return self.queue.settle(chunk, |stats, n| stats.dropped_refused += n),
                Tried::Again { wait, in_doubt: doubt } => {
                    in_doubt |= doubt;
                    self.failures = self.failures.saturating_add(1);
                    self.queue.count(|stats| stats.retries += 1);
                    if begun.elapsed() > self.settings.retry_for {
                        return self.lose(chunk, in_doubt, |stats, n| stats.dropped_gave_up += n);
                    }
                    if !self.closing.pause(self.wait(wait)) {
                        return self.lose(chunk, in_doubt, |stats, n| stats.dropped_at_exit += n);
                    }
                }
            }
        }
    }

    fn lose(&self, chunk: Chunk, in_doubt: bool, count: impl FnOnce(&mut Stats, u64)) {
        if in_doubt {
            self.queue.settle(chunk, |stats, n| stats.unconfirmed += n);
        } else {
            self.queue.settle(chunk, count);
        }
    }

    /// Gzip of the fastest level: JSON shrinks to a tenth, and higher levels cost the model server's CPU.
    fn compress(&mut self, chunk: &Chunk) -> std::io::Result<()> {
        let mut into = std::mem::take(&mut self.body);
        into.clear();
        let mut encoder = GzEncoder::new(into, Compression::fast());
        encoder.write_all(&chunk.lines)?;
        self.body = encoder.finish()?;
        Ok(())
    }

    fn attempt(&self, chunk: &Chunk, key: &EventId) -> Tried {
        let mut request = self
            .agent
            .post(format!("{}/v1/{}", self.settings.url, chunk.kind.path()))
            .header("content-type", "application/x-ndjson")
            .header("content-encoding", "gzip")
            .header("idempotency-key", key.as_str())
            .header("user-agent", concat!("windvane-rust/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.settings.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        match request.send(&self.body[..]) {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let wait = header.and_then(seconds);
                let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
                match body {
                    Ok(body) => self.judge(chunk, status, (wait, &body)),
                    Err(error) => self.again(&error, true),
                }
            }
            Err(error) => self.again(&error, may_have_arrived(&error)),
        }
    }

    fn judge(&self, chunk: &Chunk, status: u16, (wait, body): (Option<Duration>, &[u8])) -> Tried {
        let url = &self.settings.url;
        match (status, serde_json::from_slice::<Told>(body)) {
            (200 | 400, Ok(told)) => {
                if told.accepted < chunk.events {
                    self.warn(format_args!(
                        "the collector rejects {} of {} {}",
                        chunk.events.saturating_sub(told.accepted),
                        chunk.events,
                        chunk.kind.path()
                    ));
                }
                Tried::Settled { accepted: told.accepted }
            }
            // A 2xx without our answer comes from something between us and the collector.
            (200..=299 | 401 | 403 | 408 | 425 | 429 | 500..=599, _) => {
                self.warn(format_args!("{url} answers {status}"));
                Tried::Again { wait, in_doubt: matches!(status, 200..=299 | 502..=504) }
            }
            (413, _) => Tried::TooLarge,
            _ => {
                self.warn(format_args!("{url} refuses a batch of {} with {status}", chunk.kind.path()));
                Tried::Refused
            }
        }
    }

    fn again(&self, error: &ureq::Error, in_doubt: bool) -> Tried {
        self.warn(format_args!("{} does not answer: {error}", self.settings.url));
        Tried::Again { wait: None, in_doubt }
    }

    /// Doubling with jitter; what the server asked for comes first.
    fn wait(&self, asked: Option<Duration>) -> Duration {
        let doubled =
            self.settings.retry_delay * 2u32.saturating_pow(self.failures.saturating_sub(1).min(16));
        let wait = doubled.min(self.settings.retry_delay_max).mul_f64(0.5 + fastrand::f64() / 2.0);
        match asked {
            None => wait,
            Some(asked) => asked.mul_f64(1.0 + fastrand::f64() / 10.0).max(wait.min(Duration::from_secs(1))),
        }
    }

    /// One warning a client; what comes after it is counted.
    #[expect(clippy::print_stderr, reason = "a library has no log of its own, and a silent loss is worse")]
    fn warn(&self, message: std::fmt::Arguments<'_>) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            eprintln!("windvane: {message} (said once; `stats` counts what follows)");
        }
    }
}

/// Whether the server may have read the request all the same.
fn may_have_arrived(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => false,
        ureq::Error::Io(error) => error.kind() != std::io::ErrorKind::ConnectionRefused,
        _ => true,
    }
}

/// Retry-After in seconds, bounded, so that no server silences a process for good; a date is not read.
fn seconds(header: &str) -> Option<Duration> {
    let seconds: f64 = header.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|asked| asked.min(RETRY_AFTER_MAX))
}
