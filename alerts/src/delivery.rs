//! Delivery: one notification to one receiver, tried again while that can help, within a bound on tries and time.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use thiserror::Error;
use windvane_types::span::in_words;

use crate::message::Message;
use crate::notification::Notification;
use crate::receiver::Receiver;

/// How long one attempt may take, with connecting and the answer; that of a mail may take longer (`Receiver::attempt_max`).
pub(crate) const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// The first pause; each further one is twice as long, and jittered.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest pause that a receiver did not ask for.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// How often and how long a delivery is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts at most.
    pub tries_max: usize,
    /// The whole delivery at most, pauses included.
    pub total_max: Duration,
}

impl Patience {
    /// Of `windvane alerts test`, where a person waits.
    pub const TEST: Self = Self { tries_max: 5, total_max: Duration::from_secs(60) };
}

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The receiver took it, and said this.
    Taken(String),
    /// It may take it later: a network fault, too many requests, a fault of its own.
    Later {
        /// What it answered, or what happened to the connection.
        answer: String,
        /// The pause it asked for.
        pause: Option<Duration>,
    },
    /// It will never take this.
    Refused(String),
}

/// A delivery that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// What the receiver answered.
    pub answer: String,
    /// Attempts.
    pub tries: usize,
}

/// Why nothing was delivered.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DeliveryError {
    /// The receiver refused it and would refuse it again.
    #[error("receiver `{receiver}` refused the notification: {answer}")]
    Refused {
        /// Its name.
        receiver: String,
        /// What it answered.
        answer: String,
    },
    /// The receiver did not take it within the patience.
    #[error("receiver `{receiver}` did not take the notification; tries: {tries}, the last answer: {last}")]
    Unavailable {
        /// Its name.
        receiver: String,
        /// Attempts.
        tries: usize,
        /// What came of the last one.
        last: String,
    },
}

/// Delivers a notification. The same id goes with every attempt, so that a receiver that knows ids takes it once.
///
/// # Errors
/// [`DeliveryError`], with what the receiver said last.
pub async fn deliver(
    receiver: &Receiver,
    notification: &Notification,
    patience: Patience,
) -> Result<Delivered, DeliveryError> {
    let delivered = tried(receiver, notification, patience).await;
    if let Some(closing) = receiver.closing(Duration::ZERO) {
        closing.await;
    }
    delivered
}

async fn tried(
    receiver: &Receiver,
    notification: &Notification,
    patience: Patience,
) -> Result<Delivered, DeliveryError> {
    let started = Instant::now();
    let message = Message::of(notification);
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .with_max_times(patience.tries_max.saturating_sub(1))
        .with_jitter()
        .build();
    let mut tries = 0;
    loop {
        tries += 1;
        let left = patience.total_max.saturating_sub(started.elapsed()).min(receiver.attempt_max());
        // The transports' own limits cover connecting at most; this one covers all of it.
        let attempt = match tokio::time::timeout(left, receiver.attempt(notification, &message)).await {
            Ok(attempt) => attempt,
            Err(_) => Attempt::Later { answer: format!("no answer within {}", in_words(left)), pause: None },
        };
        let (last, asked) = match attempt {
            Attempt::Taken(answer) => return Ok(Delivered { answer, tries }),
            Attempt::Refused(answer) => {
                return Err(DeliveryError::Refused { receiver: receiver.name().to_owned(), answer });
            }
            Attempt::Later { answer, pause } => (answer, pause),
        };
        let pause = pauses.next().map(|pause| asked.unwrap_or(pause));
        match pause {
            Some(pause) if started.elapsed().saturating_add(pause) < patience.total_max => {
                tracing::warn!(receiver = receiver.name(), tries, answer = %last, ?pause, "not delivered yet");
                tokio::time::sleep(pause).await;
            }
            _ => {
                let receiver = receiver.name().to_owned();
                return Err(DeliveryError::Unavailable { receiver, tries, last });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use windvane_store::Secret;

    use super::*;
    use crate::receiver::{HttpSettings, Settings, Targets};

    #[tokio::test]
    async fn a_receiver_that_asks_for_a_pause_without_end_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Secret::new(format!("http://{}/", listener.local_addr().unwrap()));
        let http = HttpSettings { url, targets: Targets::PublicOrLoopback };
        let receiver = Receiver::new("ops", &Settings::Webhook { http, key: None }).unwrap();
        let notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        let answers = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            let head = format!(
                "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {}\r\nContent-Length: 0\r\n\r\n",
                u64::MAX
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream
        };
        let (delivered, _stream) = tokio::join!(deliver(&receiver, &notification, Patience::TEST), answers);
        let last = "429 Too Many Requests".to_owned();
        assert_eq!(delivered, Err(DeliveryError::Unavailable { receiver: "ops".to_owned(), tries: 1, last }));
    }
}
