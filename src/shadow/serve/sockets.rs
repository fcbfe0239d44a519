//! The connections of clients: each may take only so long for the headers of a request, and stay only so long without one. A client that
//! sends a byte now and then holds nothing for ever.

use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long headers may be on their way, and a connection be idle.
pub(super) const HEADERS: Duration = Duration::from_secs(60);

/// Serves connections until `closing`, and returns once what is under way is answered.
pub(super) async fn serve(
    mut listener: TcpListener,
    router: Router,
    (headers, closing): (Duration, CancellationToken),
) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(headers);
    let (graceful, connections) = (GracefulShutdown::new(), TaskTracker::new());
    loop {
        let stream = tokio::select! {
            (stream, _peer) = Listener::accept(&mut listener) => stream,
            () = closing.cancelled() => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let served = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        // It ends with the client, or after the request in hand when the service stops.
        let served = graceful.watch(served);
        connections.spawn(async move {
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;

    use super::*;

    /// A server with this router, and the task that serves.
    async fn started(
        router: Router,
        bounds: (Duration, CancellationToken),
    ) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, TaskTracker::new().spawn(serve(listener, router, bounds)))
    }

    async fn sent(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// What comes until the connection is closed.
    async fn answer(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_string(&mut answer)).await;
        read.expect("the connection is closed").unwrap();
        answer
    }

    #[tokio::test]
    async fn a_client_that_does_not_send_its_headers_is_cut_off() {
        let router = Router::new().route("/", get(|| async { "well" }));
        let bounds = (Duration::from_millis(100), CancellationToken::new());
        let (address, _serving) = started(router, bounds).await;
        for text in ["", "GET / HTTP/1.1\r\nHost: a\r\n", "P"] {
            let answer = answer(sent(address, text).await).await;
            assert!(!answer.contains("well"), "{text:?}: {answer}");
        }
        // One that sends them is answered, and cut off when it has nothing more to ask.
        let answer = answer(sent(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("well"), "{answer}");
    }

    #[tokio::test]
    async fn what_is_under_way_is_answered_before_serving_ends() {
        let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (began, go_on) = (Arc::clone(&began), Arc::clone(&go_on));
            move || async move {
                began.notify_one();
                go_on.notified().await;
                "well"
            }
        };
        let closing = CancellationToken::new();
        let bounds = (Duration::from_secs(60), closing.clone());
        let (address, serving) = started(Router::new().route("/", get(slow)), bounds).await;
        let stream = sent(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        began.notified().await;
        closing.cancel();
        go_on.notify_one();
        assert!(answer(stream).await.ends_with("well"));
        tokio::time::timeout(Duration::from_secs(30), serving).await.expect("serving ends").unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    }
}
