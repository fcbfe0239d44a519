//! A tower middleware: each request is a prediction, timed, with its status; the handler says what the model saw and said.
//!
//! The handler finds a [`Call`] in the request's extensions. A request whose handler says nothing is no prediction, nor is one by `OPTIONS`
//! or `HEAD`. The response carries the event id as `windvane-event-id`, for the outcome. The time is that until the head of the response:
//! a body that is streamed goes on after it. A handler that panics has the status `error`, one whose client goes away `cancelled`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderValue, Method, Request, Response};
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
{
    type Response = Response<R>;
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

/// A call that is not logged yet; dropped before its response, it is logged as `cancelled`, or as `error` where the service panicked.
#[derive(Debug)]
struct Pending {
    client: Client,
    call: Call,
    begun: Instant,
    done: bool,
    /// The service is at work, or a panic has ended it there.
    is_polled: bool,
}

impl Pending {
    fn log(&mut self, status: &str) {
        self.done = true;
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
        self.client.log_prediction(&Prediction {
            model: &fields.model,
            version: &fields.version,
            event_id: &self.call.0.event_id,
            unit_id: &fields.unit_id,
            features: &features,
            answer,
            latency_us: u64::try_from(self.begun.elapsed().as_micros()).ok(),
            status,
            ..Prediction::default()
        });
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.done {
            self.log(if self.is_polled { "error" } else { "cancelled" });
        }
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
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(pending) = this.pending else { return this.future.poll(context) };
        pending.is_polled = true;
        let polled = this.future.poll(context);
        pending.is_polled = false;
        let result = ready!(polled);
        Poll::Ready(match result {
            Ok(mut response) => {
                let status = response.status();
                let is_error = status.is_client_error() || status.is_server_error();
                pending.log(&if is_error { format!("http_{}", status.as_u16()) } else { "ok".to_owned() });
                if let Ok(value) = HeaderValue::from_str(&pending.call.0.event_id) {
                    response.headers_mut().insert(EVENT_ID, value);
                }
                Ok(response)
            }
            Err(error) => {
                pending.log("error");
                Err(error)
            }
        })
    }
}
