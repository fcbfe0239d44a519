//! Clients that send batches under an Idempotency-Key and repeat each until it is acknowledged; every seventh they give up at the first
//! failure.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a client waits for an answer; a service that is being restarted gives none.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client waits before it repeats a batch.
const PAUSE: Duration = Duration::from_millis(20);
/// A sender that cannot get a batch acknowledged for so long gives up with a message.
const REPEATS_MAX: u32 = 3000;

/// A batch, known by who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    sender: u64,
    number: u64,
}

impl Batch {
    /// The ids of its events: between 1 and 40 of them.
    pub(super) fn ids(self) -> impl Iterator<Item = String> {
        let Self { sender, number } = self;
        (0..=number * 7 % 40).map(move |event| format!("{sender}-{number}-{event}"))
    }

    fn body(self) -> String {
        let mut body = String::new();
        for (n, id) in self.ids().enumerate() {
            writeln!(body, r#"{{"model":"crash","event_id":"{id}","ts":"2013-0{}-01T00:00:00Z","features":{{"n":{n},"carrier":"UA"}},"prediction":{{"score":0.5}}}}"#, n % 9 + 1)
                .expect("text can be written");
        }
        body
    }

    fn gives_up(self) -> bool {
        self.number % 7 == 6
    }
}

/// What became of the batches.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) acknowledged: Vec<Batch>,
    pub(super) given_up: Vec<Batch>,
    pub(super) retries: u64,
}

/// Senders at work.
pub(super) struct Senders {
    work: JoinSet<()>,
    url: watch::Sender<String>,
    stop: watch::Sender<bool>,
    sent: Arc<Mutex<Sent>>,
    acknowledged: Arc<AtomicU64>,
}

impl Senders {
    pub(super) fn start(n: u64, url: &str) -> Self {
        let (url, urls) = watch::channel(url.to_owned());
        let (stop, stopped) = watch::channel(false);
        let (sent, acknowledged) = (Arc::<Mutex<Sent>>::default(), Arc::<AtomicU64>::default());
        let mut work = JoinSet::new();
        for sender in 0..n {
            let (urls, stopped) = (urls.clone(), stopped.clone());
            let (sent, acknowledged) = (Arc::clone(&sent), Arc::clone(&acknowledged));
            work.spawn(async move {
                let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("a plain client");
                for number in 0.. {
                    if *stopped.borrow() {
                        break;
                    }
                    let batch = Batch { sender, number };
                    let (is_acknowledged, retries) = send(&client, &urls, batch).await;
                    let mut sent = sent.lock().expect("no holder panics");
                    sent.retries += retries;
                    if is_acknowledged {
                        sent.acknowledged.push(batch);
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    } else {
                        sent.given_up.push(batch);
                    }
                }
            });
        }
        Self { work, url, stop, sent, acknowledged }
    }

    /// The service is elsewhere now.
    pub(super) fn turn_to(&self, url: &str) {
        self.url.send_replace(url.to_owned());
    }

    /// Batches that were acknowledged so far.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Lets every sender finish its batch.
    pub(super) async fn finish(mut self) -> Sent {
        self.stop.send_replace(true);
        while let Some(ended) = self.work.join_next().await {
            ended.expect("a sender got its batches through");
        }
        std::mem::take(&mut *self.sent.lock().expect("no holder panics"))
    }
}

/// Sends a batch until it is acknowledged. Answers whether it was, and how often it was repeated.
async fn send(client: &reqwest::Client, urls: &watch::Receiver<String>, batch: Batch) -> (bool, u64) {
    let (body, mut seen) = (batch.body(), String::new());
    for retries in 0..REPEATS_MAX {
        let url = format!("{}/v1/predictions", urls.borrow().as_str());
        let request = client
            .post(url)
            .header("content-type", "application/x-ndjson")
            .header("idempotency-key", format!("{batch:?}"))
            .body(body.clone());
        match request.send().await {
            Ok(response) if response.status().is_success() => return (true, u64::from(retries)),
            Ok(response) => {
                let status = response.status();
                seen = format!("{status}: {}", response.text().await.unwrap_or_default());
                assert!(status.is_server_error() || status.as_u16() == 429, "{batch:?} was refused: {seen}");
            }
            Err(error) => seen = error.to_string(),
        }
        if batch.gives_up() {
            return (false, 0);
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{batch:?} was not acknowledged after {REPEATS_MAX} repeats; last seen: {seen}");
}
