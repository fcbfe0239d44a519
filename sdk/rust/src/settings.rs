//! How a client is set up; every bound has its default here.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::event::Prediction;

/// What happens to an event that finds the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFull {
    /// It is dropped.
    #[default]
    DropNewest,
    /// The oldest batch is dropped for it.
    DropOldest,
}

/// Whether a prediction may leave the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redacted {
    /// It may, as the redaction has left it.
    Keep,
    /// It is dropped, and counted.
    Drop,
}

/// Changes a prediction before it is queued, or drops it; one that it panics over is dropped.
pub type Redact = fn(&mut Prediction<'_>) -> Redacted;

/// The settings of a client.
#[derive(Clone)]
pub struct Settings {
    /// The collector, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// An API token with the scope `ingest`.
    pub token: Option<String>,
    /// What predictions have that say nothing else.
    pub model: String,
    /// As `model`.
    pub version: String,
    /// As `model`.
    pub environment: String,
    /// The share of predictions that is kept, by a hash of the event id; outcomes follow.
    pub sample_rate: f64,
    /// What never leaves the process.
    pub redact: Option<Redact>,
    /// The most that waiting events may take.
    pub queue_bytes: usize,
    /// When the queue is full.
    pub on_full: OnFull,
    /// The most of one request, before compression.
    pub batch_bytes: usize,
    /// How long an event waits for others.
    pub flush_interval: Duration,
    /// Of one request, in the background.
    pub timeout: Duration,
    /// How long a batch is tried.
    pub retry_for: Duration,
    /// Between tries: doubling, with jitter, from this; Retry-After comes first.
    pub retry_delay: Duration,
    /// Between tries: up to this.
    pub retry_delay_max: Duration,
    /// How long dropping the client may take.
    pub exit_timeout: Duration,
    /// A folder for batches that the server does not take now; none without.
    pub spool_dir: Option<PathBuf>,
    /// The most that batches may take there.
    pub spool_bytes: u64,
    /// Tell the collector how many events were lost, as `windvane.sdk.dropped`.
    pub report_drops: bool,
}

/// A setting that cannot be.
#[derive(Debug, Error, PartialEq)]
pub enum SettingsError {
    /// Not the address of an HTTP server.
    #[error("url is `{0}`; accepted is http://HOST:PORT or https://HOST:PORT")]
    Url(String),
    /// A user or a password, for which a request has no place beside a token.
    #[error(
        "url is `{0}`, with a user or a password, which are not sent; accepted is http://HOST:PORT or https://HOST:PORT, with an API token as token"
    )]
    Credentials(String),
    /// No share.
    #[error("sample_rate is {0}; accepted are shares from 0 to 1")]
    SampleRate(f64),
    /// No header's text.
    #[error("token has blanks or characters beyond ASCII; accepted is printable ASCII")]
    Token,
}

impl Settings {
    /// The defaults, for this collector.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            token: None,
            model: String::new(),
            version: String::new(),
            environment: String::new(),
            sample_rate: 1.0,
            redact: None,
            queue_bytes: 32 << 20,
            on_full: OnFull::default(),
            batch_bytes: 1 << 20,
            flush_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            retry_for: Duration::from_secs(600),
            retry_delay: Duration::from_millis(500),
            retry_delay_max: Duration::from_secs(30),
            exit_timeout: Duration::from_secs(2),
            spool_dir: None,
            spool_bytes: 256 << 20,
            report_drops: true,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let host = self.url.strip_prefix("http://").or_else(|| self.url.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.contains([' ', '?', '#'])) {
            return Err(SettingsError::Url(shown(&self.url)));
        }
        if host.is_some_and(|host| host.split('/').next().is_some_and(|authority| authority.contains('@'))) {
            return Err(SettingsError::Credentials(shown(&self.url)));
        }
        if !(0.0..=1.0).contains(&self.sample_rate) {
            return Err(SettingsError::SampleRate(self.sample_rate));
        }
        if self.token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(SettingsError::Token);
        }
        Ok(())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &shown(&self.url))
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("model", &self.model)
            .field("queue_bytes", &self.queue_bytes)
            .field("on_full", &self.on_full)
            .finish_non_exhaustive()
    }
}

/// A URL without what may be a password, also where it is none.
fn shown(url: &str) -> String {
    let Some((before, after)) = url.rsplit_once('@') else { return url.to_owned() };
    let scheme =
        ["http://", "https://"].into_iter().find(|scheme| before.starts_with(*scheme)).unwrap_or_default();
    format!("{scheme}…@{after}")
}
