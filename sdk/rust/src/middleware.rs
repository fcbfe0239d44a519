//! A tower middleware: each request is a prediction, timed, with its status; the handler says what the model saw and said.
//!
//! The handler finds a [`Call`] in the request's extensions. A request whose handler says nothing is no prediction, nor is one by `OPTIONS`
//! or `HEAD`. The response carries the event id as `windvane-event-id`, for the outcome. The time is that until the head of the response; the
//! status is known at the end of its body. A handler or a body that panics or fails has the status `error`, one whose client goes away
//! before the end of the response `cancelled`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Buf;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::client::Client;
use crate::event::{Answer, Prediction, Value};
use crate::id::EventId;

/// The header with the event id.
pub const EVENT_ID: &str = "windvane-event-id";

/// Makes services that log to a client.
#[derive(Debug, Clone)]
pub struct Layer {
    client: Client,
}

impl Layer {
    /// A layer that logs to this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl<S> tower_layer::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, client: self.client.clone() }
    }
}

/// A service whose requests are predictions.
#[derive(Debug, Clone)]
pub struct Service<S> {
    inner: S,
    client: Client,
}

impl<S, B, R> tower_service::Service<Request<B>> for Service<S>
where
    S: tower_service::Service<Request<B>, Response = Response<R>>,
    R: http_body::Body,
{
    type Response = Response<Body<R>>;
    type Error = S::Error;
    type Future = Logged<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = Call(Arc::new(Said { event_id: EventId::make(), fields: Mutex::default() }));
        request.extensions_mut().insert(call.clone());
        // Such a request asks about a route: a browser does before each request to another site.
        let is_about = matches!(request.method(), &Method::OPTIONS | &Method::HEAD);
        let pending = (!is_about).then(|| Pending {
            client: self.client.clone(),
            call,
            begun: Instant::now(),
            answered: None,
            done: false,
            is_polled: false,
        });
        Logged { future: self.inner.call(request), pending }
    }
}

/// What a handler says of its prediction.
#[derive(Debug, Clone)]
pub struct Call(Arc<Said>);

#[derive(Debug)]
struct Said {
    event_id: EventId,
    fields: Mutex<Option<Fields>>,
}

#[derive(Debug, Default)]
struct Fields {
    model: String,
    version: String,
    unit_id: String,
    features: Vec<(String, Held)>,
    answer: HeldAnswer,
}

#[derive(Debug)]
enum Held {
    Number(f64),
    Integer(i64),
    Text(String),
    Bool(bool),
    Missing,
}

#[derive(Debug, Default)]
enum HeldAnswer {
    #[default]
    None,
    Score(f64),
    Label(String),
    Value(f64),
}

impl Call {
    /// Under which the outcome is logged later.
    pub fn event_id(&self) -> EventId {
        self.0.event_id
    }

    /// Says which model answers, in which version; the client's own where they are empty.
    pub fn model(&self, model: &str, version: &str) {
        self.change(|fields| {
            model.clone_into(&mut fields.model);
            version.clone_into(&mut fields.version);
        });
    }

    /// Says who or what the prediction is about.
    pub fn unit(&self, unit_id: &str) {
        self.change(|fields| unit_id.clone_into(&mut fields.unit_id));
    }

    /// Says what the model sees.
    pub fn features(&self, features: &[(&str, Value<'_>)]) {
        let held = features.iter().map(|(name, value)| ((*name).to_owned(), Held::of(*value))).collect();
        self.change(|fields| fields.features = held);
    }

    /// Says that the model answers with a score.
    pub fn score(&self, score: f64) {
        self.change(|fields| fields.answer = HeldAnswer::Score(score));
    }

    /// Says that the model answers with a class.
    pub fn label(&self, label: &str) {
        self.change(|fields| fields.answer = HeldAnswer::Label(label.to_owned()));
    }

    /// Says that the model answers with a number.
    pub fn value(&self, value: f64) {
        self.change(|fields| fields.answer = HeldAnswer::Value(value));
    }

    fn change(&self, change: impl FnOnce(&mut Fields)) {
        change(self.0.fields.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
    }
}

impl Held {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Number(number) => Self::Number(number),
            Value::Integer(number) => Self::Integer(number),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bool(truth) => Self::Bool(truth),
            Value::Missing => Self::Missing,
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Number(number) => Value::Number(*number),
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Missing => Value::Missing,
        }
    }
}

/// A call that is not logged yet; dropped before the end of its response, it is logged as `cancelled`, or as `error` where the service
/// panicked.
#[derive(Debug)]
struct Pending {
    client: Client,
    call: Call,
    begun: Instant,
    /// The status of the response, and the time until its head.
    answered: Option<(StatusCode, Duration)>,
    done: bool,
    /// The service or its body is at work, or a panic has ended it there.
    is_polled: bool,
}

impl Pending {
    /// The response has come to its end.
    fn finish(&mut self) {
        match self.answered {
            Some((status, _)) if status.is_client_error() || status.is_server_error() => {
                self.log(&format!("http_{}", status.as_u16()));
            }
            _ => self.log("ok"),
        }
    }

    fn log(&mut self, status: &str) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let fields = self.call.0.fields.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(fields) = fields else { return };
        let features: Vec<(&str, Value<'_>)> =
            fields.features.iter().map(|(name, held)| (name.as_str(), held.value())).collect();
        let answer = match &fields.answer {
            HeldAnswer::None => Answer::None,
            HeldAnswer::Score(score) => Answer::Score(*score),
            HeldAnswer::Label(label) => Answer::Label(label, &[]),
            HeldAnswer::Value(value) => Answer::Value(*value),
        };
        let latency = self.answered.map_or_else(|| self.begun.elapsed(), |(_, latency)| latency);
        self.client.log_prediction(&Prediction {
            model: &fields.model,
            version: &fields.version,
            event_id: &self.call.0.event_id,
            unit_id: &fields.unit_id,
            features: &features,
            answer,
            latency_us: u64::try_from(latency.as_micros()).ok(),
            status,
            ..Prediction::default()
        });
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.log(if self.is_polled { "error" } else { "cancelled" });
    }
}

pin_project! {
    /// The response of a service whose requests are predictions.
    #[derive(Debug)]
    pub struct Logged<F> {
        #[pin]
        future: F,
        // None of a request that is no prediction.
        pending: Option<Pending>,
    }
}

impl<F, R, E> Future for Logged<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: http_body::Body,
{
    type Output = Result<Response<Body<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = watched(this.pending, || this.future.poll(context));
        let result = ready!(polled);
        let mut pending = this.pending.take();
        Poll::Ready(match result {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                let left = length(&head);
                if let Some(pending) = &mut pending {
                    pending.answered = Some((head.status, pending.begun.elapsed()));
                    if left == Some(0) || body.is_end_stream() {
                        pending.finish();
                    }
                    if let Ok(value) = HeaderValue::from_str(&pending.call.0.event_id) {
                        head.headers.insert(EVENT_ID, value);
                    }
                }
                Ok(Response::from_parts(head, Body { body, pending, left }))
            }
            Err(error) => {
                if let Some(pending) = &mut pending {
                    pending.log("error");
                }
                Err(error)
            }
        })
    }
}

pin_project! {
    /// The body of a response, at whose end the prediction is logged.
    #[derive(Debug)]
    pub struct Body<B> {
        #[pin]
        body: B,
        // None of a request that is no prediction.
        pending: Option<Pending>,
        // Bytes that the head promises: a server asks for nothing after them.
        left: Option<u64>,
    }
}

impl<B: http_body::Body> http_body::Body for Body<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = watched(this.pending, || http_body::Body::poll_frame(this.body.as_mut(), context));
        let frame = ready!(polled);
        let Some(pending) = this.pending else { return Poll::Ready(frame) };
        match &frame {
            None => pending.finish(),
            Some(Err(_)) => pending.log("error"),
            Some(Ok(frame)) => {
                if let (Some(left), Some(data)) = (this.left.as_mut(), frame.data_ref()) {
                    *left = left.saturating_sub(u64::try_from(Buf::remaining(data)).unwrap_or(u64::MAX));
                }
                if *this.left == Some(0) || http_body::Body::is_end_stream(&*this.body) {
                    pending.finish();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Does a part of the work, so that a panic in it is seen when the call is dropped.
fn watched<T>(pending: &mut Option<Pending>, work: impl FnOnce() -> T) -> T {
    if let Some(pending) = pending {
        pending.is_polled = true;
    }
    let done = work();
    if let Some(pending) = pending {
        pending.is_polled = false;
    }
    done
}

/// How many bytes of a body a head promises; none where it does not say.
fn length(head: &Parts) -> Option<u64> {
    if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Some(0);
    }
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
