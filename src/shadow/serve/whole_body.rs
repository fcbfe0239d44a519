//! Bodies of requests are read whole before a handler sees them, within bounds of bytes and of time, as the collector reads them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use windvane_collector::read_body;

use super::BODY_BYTES_MAX;
use super::protocol::problem;

/// How long a body may be on its way.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Hands a request on once its body is there, or says why it is not.
pub(super) async fn whole(State(within): State<Duration>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match read_body(&parts.headers, body, (BODY_BYTES_MAX, within)).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(refused) => {
            let mut answer = problem(refused.status(), refused.code(), &refused.to_string());
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            answer
        }
    }
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

    /// What a server that gives bodies a tenth of a second answers to these bytes, until it closes the connection.
    async fn answered(sent: &str) -> String {
        let length = |body: Bytes| async move { format!("{} bytes", body.len()) };
        let within = Duration::from_millis(100);
        let router = Router::new().route("/", post(length)).layer(from_fn_with_state(within, whole));
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
}
