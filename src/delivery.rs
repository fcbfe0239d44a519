//! Batches of events to a running collector over HTTP, repeated under one key until it has answered.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use thiserror::Error;
use windvane_store::Secret;

#[cfg(test)]
mod tests;

/// The first pause after a failure that names none; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest pause, also where the collector asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long one request may take: the collector answers after an fsync, not after ClickHouse.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Characters of a foreign answer that are shown.
const ANSWER_SHOWN: usize = 300;

/// Which route a batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    Predictions,
    Outcomes,
}

impl Events {
    fn path(self) -> &'static str {
        match self {
            Self::Predictions => "/v1/predictions",
            Self::Outcomes => "/v1/outcomes",
        }
    }
}

/// What the collector said about a batch.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Answer {
    /// Records that are on its disk.
    pub accepted: u64,
    /// Records that it refused, one by one.
    #[serde(default)]
    pub rejected: Vec<Rejected>,
}

/// A record that the collector refused.
#[derive(Debug, Clone, Deserialize)]
pub struct Rejected {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// The stable code.
    pub code: String,
    /// What was wrong and what would have been accepted.
    pub message: String,
}

/// Why a batch was not delivered.
#[derive(Debug, Error)]
pub enum DeliveryError {
    /// Nobody took it within the patience.
    #[error("cannot deliver to `{url}`: tried for {tried_s} s, the last answer was {last}")]
    Unavailable { url: String, tried_s: u64, last: String },
    /// The collector refused the whole request and would refuse it again.
    #[error("cannot deliver to `{url}`: it answered {status}: {answer}")]
    Refused { url: String, status: StatusCode, answer: String },
}

/// A way to a collector.
#[derive(Debug, Clone)]
pub struct Delivery {
    client: Client,
    base: String,
    patience: Duration,
    token: Option<Secret>,
}

impl Delivery {
    /// A way to the collector at this address, such as `http://127.0.0.1:8080`, tried for `patience` for each batch.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(base: &str, patience: Duration) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(REQUEST_TIMEOUT).build()?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), patience, token: None })
    }

    /// The same with a token that every request carries.
    pub fn with_token(self, token: Option<Secret>) -> Self {
        Self { token, ..self }
    }

    /// Delivers NDJSON. The key makes a repetition safe: the collector stores a batch once, however often it comes.
    ///
    /// # Errors
    /// [`DeliveryError`]; after [`DeliveryError::Unavailable`] the batch may or may not have been stored.
    pub async fn post(&self, events: Events, body: Bytes, key: &str) -> Result<Answer, DeliveryError> {
        let url = format!("{}{}", self.base, events.path());
        let started = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let request = self.client.post(&url).header(CONTENT_TYPE, "application/x-ndjson");
            let request = match &self.token {
                Some(token) => request.bearer_auth(token.expose()),
                None => request,
            };
            let sent = request.header("Idempotency-Key", key).body(body.clone()).send().await;
            let (last, asked) = match judge(sent).await {
                Judged::Answer(answer) => return Ok(answer),
                Judged::Refused(status, answer) => {
                    return Err(DeliveryError::Refused { url, status, answer });
                }
                Judged::Again { last, asked } => (last, asked),
            };
            let wait = asked.unwrap_or(pause).min(PAUSE_MAX);
            if started.elapsed() + wait > self.patience {
                let tried_s = started.elapsed().as_secs();
                // Otherwise it would look as if the patience had not been had.
                let last = match asked {
                    Some(asked) => format!("{last}; it asks to come again after {} s", asked.as_secs()),
                    None => last,
                };
                return Err(DeliveryError::Unavailable { url, tried_s, last });
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

enum Judged {
    Answer(Answer),
    Refused(StatusCode, String),
    Again { last: String, asked: Option<Duration> },
}

async fn judge(sent: reqwest::Result<Response>) -> Judged {
    let response = match sent {
        Ok(response) => response,
        Err(error) => return Judged::Again { last: chain(&error), asked: None },
    };
    let status = response.status();
    let asked =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let asked = asked.map(Duration::from_secs);
    let text = match response.text().await {
        Ok(text) => text,
        Err(error) => return Judged::Again { last: chain(&error), asked },
    };
    let shown = || text.chars().take(ANSWER_SHOWN).collect::<String>();
    if is_tried_again(status) {
        return Judged::Again { last: format!("{status}: {}", shown()), asked };
    }
    // A batch of which nothing was accepted is answered 400, with the reason of each record.
    match serde_json::from_str::<Answer>(&text) {
        Ok(answer) if status.is_success() || status == StatusCode::BAD_REQUEST => Judged::Answer(answer),
        _ => Judged::Refused(status, shown()),
    }
}

/// Whether another try may be answered otherwise, as `docs/SDK.md` has it for a process that sends events. A token that is refused is the
/// command's own, and told at once.
fn is_tried_again(status: StatusCode) -> bool {
    let busy = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || busy.contains(&status)
}

/// An error with its causes: the outermost alone says no more than the address.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
