//! Bodies of requests are read whole before a handler sees them, within bounds of bytes and of time, as the collector reads them; and those
//! that are held at a time have a bound together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use windvane_collector::read_body;

use super::BODY_BYTES_MAX;
use super::protocol::problem;

/// How long a body may be on its way.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of the bodies of all requests that are under way or wait for a model, the one that answers or another. While it is read as JSON a body
/// takes up to 16 times as much, and as tensors four times.
pub(super) const HELD_BYTES_MAX: usize = 512 << 20;
/// Bytes that are counted as one.
const UNIT: usize = 1 << 10;

/// The room for bodies. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    within: Duration,
    room: Arc<Semaphore>,
    refused: Arc<AtomicU64>,
}

/// The room that the body of one request takes. It is free again when nobody holds it any more.
#[derive(Debug, Clone)]
pub(super) struct Room {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Bodies {
    /// Room for so many bytes; each body may be on its way for so long.
    pub(super) fn new(bytes_max: usize, within: Duration) -> Self {
        Self { within, room: Arc::new(Semaphore::new(bytes_max / UNIT)), refused: Arc::default() }
    }

    /// Requests for which there was no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Room for a body before it is read. One that does not say how long it is may be as long as any.
    fn room(&self, body: &Body) -> Option<OwnedSemaphorePermit> {
        let bytes = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).try_acquire_many_owned(units).ok();
        if permit.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        permit
    }
}

impl Room {
    /// What a body takes that was read; the rest is free again.
    fn of(mut permit: OwnedSemaphorePermit, bytes: usize) -> Self {
        let surplus = permit.num_permits().saturating_sub(bytes.div_ceil(UNIT));
        drop(permit.split(surplus));
        Self { _permit: Arc::new(permit) }
    }
}

/// Hands a request on once its body is there, or says why it is not.
pub(super) async fn whole(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(permit) = bodies.room(&body) else {
        let told = "requests that are under way take all the room that there is for bodies; try again later";
        return closing(problem(StatusCode::TOO_MANY_REQUESTS, "too_many_bytes", told));
    };
    match read_body(&parts.headers, body, (BODY_BYTES_MAX, bodies.within)).await {
        Ok(body) => {
            parts.extensions.insert(Room::of(permit, body.len()));
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
        Err(refused) => closing(problem(refused.status(), refused.code(), &refused.to_string())),
    }
}

/// What is left of the body is read by nobody, so that nothing can follow it.
fn closing(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Bytes;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::task::TaskTracker;

    use super::*;

    const WITHIN: Duration = Duration::from_millis(100);

    /// What a server that gives bodies a tenth of a second answers to these bytes, until it closes the connection.
    async fn answered(sent: &str) -> String {
        answered_by(Bodies::new(HELD_BYTES_MAX, WITHIN), sent).await
    }

    /// The same of one that has this room.
    async fn answered_by(bodies: Bodies, sent: &str) -> String {
        let length = |body: Bytes| async move { format!("{} bytes", body.len()) };
        let router = Router::new().route("/", post(length)).layer(from_fn_with_state(bodies, whole));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_string(&mut answer)).await;
        read.expect("the connection is closed").unwrap();
        answer
    }

    fn request(length: usize, body: &str) -> String {
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
    }

    #[tokio::test]
    async fn a_client_that_does_not_send_its_body_is_answered_and_cut_off() {
        let answer = answered(&request(10, "abc")).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"code\":\"body_timeout\""), "{answer}");
        assert!(answer.contains("\"error\":\"the body did not arrive within 0.1 s\""), "{answer}");
    }

    #[tokio::test]
    async fn a_body_beyond_the_bound_is_refused_before_it_is_read() {
        let answer = answered(&request(BODY_BYTES_MAX + 1, "")).await;
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
    }

    #[tokio::test]
    async fn a_whole_body_reaches_the_handler() {
        let answer = answered(&request(3, "abc").replace("Host: a", "Host: a\r\nConnection: close")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("3 bytes"), "{answer}");
    }

    #[test]
    fn bodies_take_room_until_nobody_holds_them() {
        let bodies = Bodies::new(2 * UNIT, WITHIN);
        let room = |bytes: usize| bodies.room(&Body::from(vec![0; bytes]));
        let first = Room::of(room(UNIT + 1).unwrap(), UNIT + 1);
        let also = first.clone();
        assert!(room(1).is_none());
        assert_eq!(bodies.refused(), 1);
        // Without a body there is nothing to hold, as in a request for metrics.
        assert!(room(0).is_some());
        drop(first);
        assert!(room(1).is_none(), "another model has still to be asked");
        drop(also);
        assert_eq!(bodies.refused(), 2);
        // One that was shorter than it might have been leaves the rest to others.
        let short = Room::of(room(2 * UNIT).unwrap(), 1);
        assert!(room(UNIT).is_some() && room(UNIT + 1).is_none());
        drop(short);
        assert!(room(2 * UNIT).is_some());
    }

    #[tokio::test]
    async fn a_body_for_which_there_is_no_room_is_refused_before_it_is_read() {
        let answer = answered_by(Bodies::new(2 * UNIT, WITHIN), &request(2 * UNIT + 1, "")).await;
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("too_many_bytes"), "{answer}");
        // One that comes in chunks may be as long as any.
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = answered_by(Bodies::new(BODY_BYTES_MAX - UNIT, WITHIN), chunked).await;
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    }
}
