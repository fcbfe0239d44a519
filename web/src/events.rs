//! `GET /events`: server-sent events that tell a page to ask for itself again. They carry a revision, never data, so that
//! what a page shows has one way only.
//!
//! All connections share one look at ClickHouse each two seconds; without connections there is none.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use windvane_store::views::{Asked, REVISION};
use windvane_store::{Store, StoreError};

/// Connections at a time; a browser has one a page, and a page works without it.
const CONNECTIONS_MAX: usize = 128;
/// How old a revision may be.
const FRESH: Duration = Duration::from_secs(2);

/// What the connections share.
#[derive(Debug, Clone)]
pub struct Feed {
    store: Store,
    seen: Arc<Mutex<Option<(Instant, String)>>>,
    changes: Arc<AtomicU64>,
    permits: Arc<Semaphore>,
    closing: CancellationToken,
}

/// A connection.
struct Listener {
    feed: Feed,
    told: String,
    _permit: OwnedSemaphorePermit,
}

#[derive(Deserialize)]
struct Row {
    revision: String,
}

impl Feed {
    /// A feed whose connections end when `closing` is cancelled, so that they do not hold up the end of the service.
    pub fn new(store: Store, closing: CancellationToken) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { store, seen: Arc::default(), changes: Arc::default(), permits, closing }
    }

    /// How many revisions there were: a page that was begun before the newest one may lack what it tells of.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    async fn revision(&self) -> Result<String, StoreError> {
        let mut seen = self.seen.lock().await;
        if let Some((at, revision)) = seen.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(revision.clone());
        }
        let rows: Vec<Row> = REVISION.rows(&self.store, &Asked::new()).await?;
        let revision = rows.into_iter().next().map(|row| row.revision).unwrap_or_default();
        if seen.as_ref().is_none_or(|(_, before)| *before != revision) {
            self.changes.fetch_add(1, Ordering::Release);
        }
        *seen = Some((Instant::now(), revision.clone()));
        Ok(revision)
    }
}

/// The events.
pub async fn events(State(feed): State<Feed>) -> Response {
    match Arc::clone(&feed.permits).try_acquire_owned() {
        Ok(permit) => {
            let listener = Listener { feed, told: String::new(), _permit: permit };
            Sse::new(revisions(listener)).keep_alive(KeepAlive::default()).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "30")]).into_response(),
    }
}

fn revisions(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(listener, |mut listener| async move {
        loop {
            // Nothing is said while ClickHouse is away; the page stays as it is.
            if let Ok(revision) = listener.feed.revision().await
                && revision != listener.told
            {
                listener.told.clone_from(&revision);
                return Some((Ok(Event::default().event("revision").data(revision)), listener));
            }
            tokio::select! {
                () = listener.feed.closing.cancelled() => return None,
                () = tokio::time::sleep(FRESH) => {}
            }
        }
    })
}
