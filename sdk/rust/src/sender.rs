//! The background thread: delivers chunks until the fate of each is known, within bounds of time.
//!
//! Who stops it: closing the client. What it finishes first: what is queued, as far as it gets until the deadline; the rest goes to the
//! spool, or is counted as lost at the exit. How long that may take: `exit_timeout`, and what a request that is under way still takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;
use ureq::Agent;

use crate::chunk::{Chunk, Kind};
use crate::clock;
use crate::disk::{Disk, compress};
use crate::fate::Fate;
use crate::id::EventId;
use crate::queue::{Queue, Taken};
use crate::report::Report;
use crate::settings::Settings;
use crate::spool::{Spool, Stored};

const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Of one request; no clock counts the longest durations.
const TIMEOUT_MAX: Duration = Duration::from_secs(86_400);
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// Of a warning.
const REASON_CHARS_MAX: usize = 300;

/// Delivers what is in the queue.
#[derive(Debug)]
pub(crate) struct Sender {
    settings: Settings,
    queue: Arc<Queue>,
    disk: Arc<Disk>,
    agent: Agent,
    failures: u32,
    report: Report,
    warned: AtomicBool,
    /// Lines and compressed bodies are written here, again and again.
    lines: Vec<u8>,
    body: Vec<u8>,
}

/// What became of one try.
enum Tried {
    Settled { accepted: u64 },
    Again { wait: Option<Duration>, in_doubt: bool },
    TooLarge,
    Refused,
}

/// What one request holds, its body aside.
#[derive(Debug, Clone, Copy)]
struct Parcel<'a> {
    kind: Kind,
    events: u64,
    key: &'a str,
}

impl Sender {
    pub(crate) fn new(settings: Settings, queue: Arc<Queue>, disk: Arc<Disk>) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout.min(TIMEOUT_MAX)))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false);
        let agent = config.build().new_agent();
        Self {
            settings,
            queue,
            disk,
            agent,
            failures: 0,
            report: Report::default(),
            warned: AtomicBool::new(false),
            lines: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Runs until the queue is closed and empty, or the deadline has come.
    pub(crate) fn run(mut self) {
        self.queue.prepare();
        self.open_spool();
        loop {
            match self.queue.take(self.settings.flush_interval) {
                Taken::Chunk(chunk) => {
                    self.queue.prepare();
                    self.deliver(chunk);
                    self.send_stored(1);
                }
                Taken::Nothing => self.send_stored(usize::MAX),
                Taken::Closed => break,
            }
            self.send_report();
            if self.queue.is_over() {
                break;
            }
        }
        self.send_stored(usize::MAX);
        self.send_report();
        self.disk.close(&self.queue);
    }

    fn open_spool(&self) {
        let Some(dir) = &self.settings.spool_dir else { return };
        match Spool::open(dir, self.settings.spool_bytes) {
            Ok(spool) => {
                let events = self.disk.set(spool);
                self.queue.count(|stats| {
                    stats.adopted += events;
                    stats.spooled += events;
                });
            }
            Err(error) => self.warn(format_args!("cannot use the spool folder {}: {error}", dir.display())),
        }
    }

    fn deliver(&mut self, mut chunk: Chunk) {
        let key = EventId::make();
        self.lines.clear();
        if let Some(rest) = chunk.lines(self.queue.batch_bytes, &mut self.lines) {
            self.queue.put_back(rest);
        }
        self.body.clear();
        match compress(&self.lines, std::mem::take(&mut self.body)) {
            Ok(body) => self.body = body,
            Err(_) => return self.queue.settle(chunk, |stats, n| stats.dropped_refused += n),
        }
        self.disk.begin(&chunk, &key, &self.body);
        let fate = self.fate(&chunk, &key);
        if !self.disk.end() {
            return; // counted by the thread that closed the client
        }
        if matches!(fate, Fate::TooLarge) {
            self.queue.put_back(chunk.halve());
            return self.queue.put_back(chunk);
        }
        self.queue.settle(chunk, |stats, n| fate.count(stats, n));
        if let Fate::Kept { wait } = fate {
            self.queue.pause(wait);
        }
    }

    /// Tries until the fate of a chunk is known.
    fn fate(&mut self, chunk: &Chunk, key: &EventId) -> Fate {
        let parcel = Parcel { kind: chunk.kind, events: chunk.events, key: key.as_str() };
        let (begun, mut in_doubt) = (Instant::now(), false);
        loop {
            if self.queue.is_over() {
                let is_kept = self.disk.keep();
                let lost = Fate::AtExit.or_unconfirmed(in_doubt);
                return if is_kept { Fate::Kept { wait: Duration::ZERO } } else { lost };
            }
            self.disk.doubt(true);
            match self.attempt(parcel) {
                Tried::Settled { accepted } => {
                    self.failures = 0;
                    return Fate::Settled { accepted };
                }
                Tried::TooLarge if chunk.events > 1 => return Fate::TooLarge,
                Tried::TooLarge | Tried::Refused => return Fate::Refused,
                Tried::Again { wait, in_doubt: doubt } => {
                    in_doubt |= doubt;
                    self.disk.doubt(in_doubt);
                    let wait = self.failed(wait);
                    if self.disk.keep() {
                        return Fate::Kept { wait };
                    }
                    if begun.elapsed() > self.settings.retry_for {
                        return Fate::GaveUp.or_unconfirmed(in_doubt);
                    }
                    if !self.queue.pause(wait) {
                        return Fate::AtExit.or_unconfirmed(in_doubt);
                    }
                }
            }
        }
    }

    /// Sends what waits on disk, the oldest first, as long as the server takes it.
    fn send_stored(&mut self, batches_max: usize) {
        for _ in 0..batches_max {
            let Some(stored) = self.disk.oldest() else { return };
            if self.queue.is_over() || !self.send_one(&stored) {
                return;
            }
        }
    }

    /// Says whether the next one may be sent.
    fn send_one(&mut self, stored: &Stored) -> bool {
        let events = stored.events;
        self.body = match stored.read() {
            Ok(body) => body,
            Err(error) => {
                self.warn(format_args!("cannot read {}: {error}", stored.path.display()));
                self.disk.set_aside(stored);
                self.queue.count(|stats| {
                    stats.spooled -= events;
                    stats.dropped_damaged += events;
                });
                return true;
            }
        };
        let fate = match self.attempt(Parcel { kind: stored.kind, events, key: &stored.key }) {
            Tried::Settled { accepted } => Fate::Settled { accepted },
            Tried::TooLarge if events > 1 => {
                self.failures = 0;
                let halved = self.disk.halve(stored, &self.body);
                if let Err(error) = &halved {
                    self.warn(format_args!("cannot write the halves of {}: {error}", stored.path.display()));
                }
                return halved.is_ok();
            }
            Tried::TooLarge | Tried::Refused => Fate::Refused,
            Tried::Again { wait, .. } => {
                let wait = self.failed(wait);
                // Else the queue's own tries keep the pace.
                if self.queue.stats().queued == 0 {
                    self.queue.pause(wait);
                }
                return false;
            }
        };
        self.failures = 0;
        // First the file: who reads that nothing is spooled finds nothing.
        self.disk.delete(stored);
        self.queue.count(|stats| {
            stats.spooled -= events;
            fate.count(stats, events);
        });
        true
    }

    fn send_report(&mut self) {
        if !self.settings.report_drops || self.failures > 0 || self.queue.is_over() {
            return;
        }
        let stats = self.queue.stats();
        let Some((key, body)) = self.report.take(stats.dropped() + stats.rejected) else { return };
        self.body = body;
        let parcel = Parcel { kind: Kind::Measurements, events: 0, key: key.as_str() };
        if let Tried::Again { wait, .. } = self.attempt(parcel) {
            self.failed(wait);
            self.report.give_back(key, self.body.clone());
        }
    }

    /// Counts a try that failed; answers how long to wait.
    fn failed(&mut self, asked: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.queue.count(|stats| stats.retries += 1);
        self.wait(asked)
    }

    fn attempt(&self, parcel: Parcel<'_>) -> Tried {
        let mut request = self
            .agent
            .post(format!("{}/v1/{}", self.settings.url, parcel.kind.path()))
            .header("content-type", "application/x-ndjson")
            .header("content-encoding", "gzip")
            .header("idempotency-key", parcel.key)
            .header("user-agent", concat!("windvane-rust/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.settings.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        match request.send(&self.body[..]) {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let wait = header.and_then(|header| retry_after(header, clock::unix_ns()));
                let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
                match body {
                    Ok(body) => self.judge(parcel, status, (wait, &body)),
                    Err(error) => self.again(&error, true),
                }
            }
            Err(error) => self.again(&error, may_have_arrived(&error)),
        }
    }

    fn judge(&self, parcel: Parcel<'_>, status: u16, (wait, body): (Option<Duration>, &[u8])) -> Tried {
        let url = &self.settings.url;
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        match (status, told["accepted"].as_u64()) {
            (200 | 400, Some(accepted)) => {
                if accepted < parcel.events {
                    self.warn(format_args!("{}", rejection(parcel, accepted, &told)));
                }
                Tried::Settled { accepted }
            }
            // A 2xx without our answer comes from something between us and the collector.
            (200..=299 | 401 | 403 | 408 | 425 | 429 | 500..=599, _) => {
                self.warn(format_args!("{url} answers {status}: {}", reason(&told["detail"])));
                Tried::Again { wait, in_doubt: matches!(status, 200..=299 | 502..=504) }
            }
            (413, _) => Tried::TooLarge,
            _ => {
                let (kind, why) = (parcel.kind.path(), reason(&told["detail"]));
                self.warn(format_args!("{url} refuses a batch of {kind} with {status}: {why}"));
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
        let doubled = self.settings.retry_delay.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
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

/// How many records of a batch were rejected, and why the first was.
fn rejection(parcel: Parcel<'_>, accepted: u64, told: &Value) -> String {
    format!(
        "the collector rejects {} of {} {}; the first: {}",
        parcel.events.saturating_sub(accepted),
        parcel.events,
        parcel.kind.path(),
        reason(&told["rejected"][0]["message"])
    )
}

/// What an answer gives as reason, as much as a line takes.
fn reason(said: &Value) -> String {
    said.as_str().unwrap_or("no reason was given").chars().take(REASON_CHARS_MAX).collect()
}

/// Whether the server may have read the request all the same.
fn may_have_arrived(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => false,
        ureq::Error::Io(error) => error.kind() != std::io::ErrorKind::ConnectionRefused,
        _ => true,
    }
}

/// Retry-After: seconds, or a date; bounded, so that no server silences a process for good.
fn retry_after(header: &str, now_ns: u64) -> Option<Duration> {
    let header = header.trim();
    let asked = if let Ok(seconds) = header.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let date = httpdate::parse_http_date(header).ok()?.duration_since(UNIX_EPOCH).ok()?;
        date.saturating_sub(Duration::from_nanos(now_ns))
    };
    Some(asked.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rejection_says_why() {
        let parcel = Parcel { kind: Kind::Predictions, events: 3, key: "k" };
        let long = "x".repeat(1_000);
        for (told, why) in [
            (
                json!({"accepted": 1, "rejected": [{"index": 0, "message": "`a` is no number"}]}),
                "`a` is no number",
            ),
            (json!({"rejected": [{"message": long}]}), &long[..REASON_CHARS_MAX]),
            (json!({"rejected": [{"message": 7}]}), "no reason was given"),
            (json!({"rejected": []}), "no reason was given"),
            (Value::Null, "no reason was given"),
        ] {
            let expected = format!("the collector rejects 2 of 3 predictions; the first: {why}");
            assert_eq!(rejection(parcel, 1, &told), expected);
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_bounded() {
        /// 1994-11-06T08:49:37Z, the date of RFC 9110's examples.
        const NOW_NS: u64 = 784_111_777 * 1_000_000_000;
        for (header, expected) in [
            ("0.25", Some(Duration::from_millis(250))),
            (" 7 ", Some(Duration::from_secs(7))),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(Duration::from_secs(60))),
            ("Sun Nov  6 08:50:37 1994", Some(Duration::from_secs(60))),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(Duration::ZERO)),
            ("Sun, 06 Nov 1994 18:49:37 GMT", Some(RETRY_AFTER_MAX)),
            ("1e9", Some(RETRY_AFTER_MAX)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(header, NOW_NS), expected, "{header}");
        }
    }
}
