//! From a request to a job: paths, authentication, and what happens when the client goes away.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request as HttpRequest, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use tokio::sync::oneshot;

use super::Shared;
use super::access::Credentials;
use super::body::BodyReader;
use super::encoding::Encoding;
use super::job::Job;
use super::registry::Running;
use super::reply::{AnswerBody, Common, KEEP_ALIVE, Reply, whole};
use super::request::{Request, url_pairs};
use super::status::{code, exception};
use crate::chdb::Exception;

/// Answers a request.
pub(super) async fn handle(shared: Arc<Shared>, request: HttpRequest<Incoming>) -> Response<AnswerBody> {
    let (parts, body) = request.into_parts();
    let has_query = parts.uri.query().is_some_and(|query| !query.is_empty());
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match parts.uri.path() {
        "/ping" | "/replicas_status" if reads => return plain(StatusCode::OK, "Ok.\n"),
        "/" if reads && !has_query => return plain(StatusCode::OK, "Ok.\n"),
        "/" if reads || parts.method == Method::POST => {}
        "/" | "/ping" | "/replicas_status" => {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "This endpoint takes GET, HEAD and POST.\n");
        }
        path => {
            let text = format!(
                "There is no handle {path}. Use / or /ping for health checks, / with a query for all else.\n"
            );
            return plain(StatusCode::NOT_FOUND, text);
        }
    }
    let mut common = Common {
        query_id: String::new(),
        encoding: Encoding::Identity,
        tag: uuid::Uuid::new_v4().simple().to_string()[..16].to_owned(),
        timezone: shared.timezone.clone(),
        version: shared.version.clone(),
        started: Instant::now(),
    };
    let read = || -> Result<Request, Exception> {
        let pairs = url_pairs(&parts.uri);
        let find =
            |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let credentials = Credentials::read(&parts.headers, find);
        let role = shared.access.authenticate(&credentials)?;
        Request::read(&parts.method, &parts.uri, &parts.headers, (&credentials, role))
    };
    match read() {
        Ok(request) => {
            common.query_id = request.query_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
            common.encoding = request.answer_encoding;
            run(shared, request, body, common).await
        }
        Err(error) => {
            let answer = common.failure(&error);
            discard(&shared, body);
            answer
        }
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<AnswerBody> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("Content-Type", http::HeaderValue::from_static("text/html; charset=UTF-8"));
    if let Ok(value) = format!("timeout={}", KEEP_ALIVE.as_secs()).parse() {
        headers.insert("Keep-Alive", value);
    }
    response
}

/// Reads on for a while what a refused client still sends, so that it comes to read the answer.
fn discard(shared: &Shared, body: Incoming) {
    let (reader, pump) = BodyReader::new(body);
    drop(reader);
    shared.tasks.spawn(tokio::time::timeout(KEEP_ALIVE, pump));
}

/// Runs the statement on a blocking thread and feeds it until its head is there.
async fn run(shared: Arc<Shared>, request: Request, body: Incoming, common: Common) -> Response<AnswerBody> {
    let registered = match shared.registry.enter(common.query_id.clone(), request.role, &request.user) {
        Ok(registered) => registered,
        Err(error) => {
            discard(&shared, body);
            return common.failure(&error);
        }
    };
    let running = registered.running().clone();
    let watch = Watch { shared: shared.clone(), running: running.clone() };
    let (reader, pump) = BodyReader::new(body);
    let (sender, head) = oneshot::channel();
    let (reply, spare) = (Reply::new(common.clone(), sender), common);
    let job = Job { shared: shared.clone(), request, running, body: reader };
    shared.tasks.spawn_blocking(move || {
        let finished = job.run(reply);
        drop(registered);
        finished.deliver();
    });
    let mut pump = Box::pin(pump);
    let mut head = Box::pin(head);
    let answer = tokio::select! {
        biased;
        answer = &mut head => {
            // The rest of the body is read, and dropped, while the client reads the answer.
            shared.tasks.spawn(tokio::time::timeout(KEEP_ALIVE, pump));
            answer
        }
        () = &mut pump => head.await,
    };
    match answer {
        Ok(answer) => answer.map(|body| Watched { body, _watch: watch }.boxed_unsync()),
        // The worker panicked; the panic is in the log.
        Err(_) => spare.failure(&exception(code::UNKNOWN_EXCEPTION, "The statement's worker failed.")),
    }
}

/// Stops the statement when it is dropped before the statement's end: the client has closed its connection.
struct Watch {
    shared: Arc<Shared>,
    running: Arc<Running>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.running.is_done() || self.running.is_cancelled() {
            return;
        }
        let (shared, running) = (self.shared.clone(), self.running.clone());
        self.shared.tasks.spawn_blocking(move || {
            let _ = shared.guard.with(|connection| {
                running.cancel(connection);
                Ok(())
            });
        });
    }
}

/// The body of an answer; dropping it drops the watch over its statement.
struct Watched {
    body: AnswerBody,
    _watch: Watch,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
