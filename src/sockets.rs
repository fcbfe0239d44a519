//! The connections of clients, for every port that is served: each may take only so long for the headers of a request, and stay only so long
//! without one. A client that sends a byte now and then, or none, holds nothing for ever.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use prometheus::IntGauge;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::util::MapRequest;

use crate::exit::{Failure, Reason};

/// How long headers may be on their way, and a connection be idle: longer than the minute after which most proxies leave an idle connection,
/// so that it is they who do, and no request of theirs meets a port that has just been closed.
pub const HEADERS: Duration = Duration::from_secs(75);

/// How long after it was said that all places are taken it is said again.
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// Refuses an address that other machines reach, of a command whose requests carry no token; unless it was told `--allow-unauthenticated`.
///
/// # Errors
/// It is such an address.
pub fn open_to_this_machine(listen: SocketAddr, allow_unauthenticated: bool) -> Result<(), Failure> {
    if listen.ip().is_loopback() || allow_unauthenticated {
        return Ok(());
    }
    Err(Failure {
        reason: Reason::Config,
        error: anyhow::anyhow!(
            "`{listen}` can be reached by other machines and requests carry no token; listen on 127.0.0.1, or pass --allow-unauthenticated behind a proxy that authenticates"
        ),
    })
}

/// What connections may take.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How long the headers of a request may be on their way, and a connection be idle.
    pub headers: Duration,
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// Where those that are open are counted.
    pub open: Option<IntGauge>,
}

/// Has answers leave as they are written. The end of one over gRPC is a packet of its own, which the kernel would keep back until the client
/// has confirmed the one before it, and clients take 40 ms for that.
pub fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small packets of a connection may be late");
    }
}

/// Serves connections until `closing`, HTTP/1.1 and HTTP/2 to whoever begins with it, and returns once what is under way is answered. Each
/// request is told the address that it came from.
pub async fn serve<L: Listener<Addr = SocketAddr>>(
    mut listener: L,
    router: Router,
    (bounds, closing): (Bounds, CancellationToken),
) {
    let Bounds { headers, .. } = bounds;
    let builder = builder(headers);
    let (graceful, connections) = (GracefulShutdown::new(), TaskTracker::new());
    let mut room = Room::new(bounds);
    loop {
        let (stream, peer, place) = tokio::select! {
            next = accept(&mut listener, &mut room) => next,
            () = closing.cancelled() => break,
        };
        let asked = Arc::new(AtomicBool::new(false));
        let service = {
            let asked = Arc::clone(&asked);
            MapRequest::new(router.clone(), move |mut request: Request<Incoming>| {
                asked.store(true, Ordering::Relaxed);
                request.extensions_mut().insert(ConnectInfo(peer));
                request
            })
        };
        let service = TowerToHyperService::new(service);
        let served = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        // It ends with the client, or after the request in hand when the service stops.
        let served = graceful.watch(served);
        connections.spawn(async move {
            let mut served = pin!(served);
            // The builder's own bounds begin once it is known which version the client speaks, and do not ask for a request.
            let first = tokio::time::timeout(headers, served.as_mut()).await;
            let ended = match first {
                Ok(ended) => ended,
                Err(_) if asked.load(Ordering::Relaxed) => served.await,
                Err(_) => Err("no request came in time".into()),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// HTTP/1.1 bounds the headers of each request. In HTTP/2 a client that is silent is asked whether it is there, and cannot say so in the
/// middle of headers.
fn builder(headers: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(headers);
    let (interval, timeout) = (headers * 4 / 5, headers / 5);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(interval).keep_alive_timeout(timeout);
    builder
}

/// The places of a port's connections.
struct Room {
    bounds: Bounds,
    free: Arc<Semaphore>,
    /// When it was last said that none is free.
    said: Option<Instant>,
}

impl Room {
    fn new(bounds: Bounds) -> Self {
        let free = Arc::new(Semaphore::new(bounds.connections));
        Self { bounds, free, said: None }
    }

    /// A place, once one is free. Nobody closes the semaphore, so that there is one in any case.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(place);
        }
        if self.said.is_none_or(|said| said.elapsed() >= SAID_AGAIN) {
            self.said = Some(Instant::now());
            let connections = self.bounds.connections;
            tracing::warn!(
                connections,
                "as many connections are open as may be; the next ones wait for one to end"
            );
        }
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

/// A place that is taken, and counted until it is free again.
struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    open: Option<IntGauge>,
}

impl Place {
    fn taken(permit: Option<OwnedSemaphorePermit>, open: Option<IntGauge>) -> Self {
        if let Some(open) = &open {
            open.inc();
        }
        Self { _permit: permit, open }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.dec();
        }
    }
}

/// The next connection, once there is a place for it.
async fn accept<L: Listener>(listener: &mut L, room: &mut Room) -> (L::Io, L::Addr, Place) {
    let permit = room.place().await;
    let (stream, peer) = listener.accept().await;
    (stream, peer, Place::taken(permit, room.bounds.open.clone()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::routing::get;
    use futures_util::{FutureExt, StreamExt, stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn small_packets_are_not_kept_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut listener = axum::serve::ListenerExt::tap_io(listener, |stream| send_at_once(stream));
        let (accepted, _) = listener.accept().await;
        assert!(accepted.nodelay().unwrap());
        drop(client);
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const HALF_OF_THE_HEADERS: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n";
    const LAST_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    /// How a client begins HTTP/2, with an empty frame of settings.
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    /// The length, the kind, the flags and the stream of a frame of headers, and `GET http://a/`. The flag 4 says that the headers are whole.
    const HEADERS_1: &[u8] = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a";
    const HEADERS_1_MORE_TO_COME: &[u8] = b"\0\0\x06\x01\x01\0\0\0\x01\x82\x86\x84\x41\x01a";

    fn short() -> Bounds {
        Bounds { headers: Duration::from_millis(100), connections: 100, open: None }
    }

    /// A server with this router, and the task that serves.
    async fn started(
        router: Router,
        bounds: (Bounds, CancellationToken),
    ) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, TaskTracker::new().spawn(serve(listener, router, bounds)))
    }

    async fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// What comes until the connection is closed.
    async fn answer(mut stream: TcpStream) -> String {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
        read.expect("the connection is closed").unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Answers once it may, and tells when it was asked.
    fn slow(began: &Arc<Notify>, go_on: &CancellationToken) -> Router {
        let (began, go_on) = (Arc::clone(began), go_on.clone());
        let answer = move || async move {
            began.notify_one();
            go_on.cancelled().await;
            "well"
        };
        Router::new().route("/", get(answer))
    }

    #[tokio::test]
    async fn a_client_that_does_not_send_its_headers_is_cut_off() {
        let router = Router::new().route("/", get(|| async { "well" }));
        let (address, _serving) = started(router, (short(), CancellationToken::new())).await;
        let more_to_come = [PREFACE, HEADERS_1_MORE_TO_COME].concat();
        for bytes in [&b""[..], b"P", &PREFACE[..10], PREFACE, &more_to_come, HALF_OF_THE_HEADERS] {
            let answer = answer(sent(address, bytes).await).await;
            assert!(!answer.contains("well"), "{bytes:?}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_client_that_asks_nothing_more_is_cut_off_after_its_answer() {
        let router = Router::new().route("/", get(|| async { "well" }));
        let (address, _serving) = started(router, (short(), CancellationToken::new())).await;
        let one = answer(sent(address, REQUEST).await).await;
        assert!(one.starts_with("HTTP/1.1 200 ") && one.ends_with("well"), "{one}");
        // One that speaks HTTP/2 and does not say that it is there.
        let two = answer(sent(address, &[PREFACE, HEADERS_1].concat()).await).await;
        assert!(two.contains("well"), "{two}");
    }

    #[tokio::test]
    async fn an_answer_may_take_longer_than_headers() {
        let (began, go_on) = (Arc::new(Notify::new()), CancellationToken::new());
        let streamed = {
            let (began, go_on) = (Arc::clone(&began), go_on.clone());
            move || async move {
                let rest = async move {
                    began.notify_one();
                    go_on.cancelled().await;
                    Ok::<_, Infallible>("ll")
                };
                Body::from_stream(stream::iter([Ok("we")]).chain(stream::once(rest)))
            }
        };
        let router = slow(&began, &go_on).route("/streamed", get(streamed));
        let (address, _serving) = started(router, (short(), CancellationToken::new())).await;
        let whole = sent(address, REQUEST).await;
        began.notified().await;
        let streamed = sent(address, b"GET /streamed HTTP/1.1\r\nHost: a\r\n\r\n").await;
        began.notified().await;
        // Both are older than the bound once one that came after them has met it.
        answer(sent(address, HALF_OF_THE_HEADERS).await).await;
        go_on.cancel();
        let (whole, streamed) = (answer(whole).await, answer(streamed).await);
        assert!(whole.ends_with("well"), "{whole}");
        assert!(streamed.ends_with("2\r\nwe\r\n2\r\nll\r\n0\r\n\r\n"), "{streamed}");
    }

    #[tokio::test]
    async fn connections_beyond_the_bound_wait_for_a_place() {
        let (began, go_on) = (Arc::new(Notify::new()), CancellationToken::new());
        let open = IntGauge::new("open", "Connections that are open.").unwrap();
        let bounds = Bounds { headers: HEADERS, connections: 1, open: Some(open.clone()) };
        let (address, _serving) = started(slow(&began, &go_on), (bounds, CancellationToken::new())).await;
        let first = sent(address, LAST_REQUEST).await;
        began.notified().await;
        let second = sent(address, LAST_REQUEST).await;
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(began.notified().now_or_never().is_none(), "the second has a place beside the first");
        assert_eq!(open.get(), 1);
        go_on.cancel();
        assert!(answer(first).await.ends_with("well"));
        assert!(answer(second).await.ends_with("well"));
        let all_free = async {
            while open.get() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all_free).await.expect("the places are free again");
    }

    #[tokio::test]
    async fn what_is_under_way_is_answered_before_serving_ends() {
        let (began, go_on) = (Arc::new(Notify::new()), CancellationToken::new());
        let (bounds, closing) = (Bounds { headers: HEADERS, ..short() }, CancellationToken::new());
        let (address, serving) = started(slow(&began, &go_on), (bounds, closing.clone())).await;
        // One that asks nothing is not waited for.
        let silent = sent(address, b"").await;
        let stream = sent(address, REQUEST).await;
        began.notified().await;
        closing.cancel();
        go_on.cancel();
        assert!(answer(stream).await.ends_with("well"));
        assert_eq!(answer(silent).await, "");
        tokio::time::timeout(Duration::from_secs(30), serving).await.expect("serving ends").unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    }
}
