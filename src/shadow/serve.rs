//! `windvane shadow serve`: models behind the Open Inference Protocol, version 2, over HTTP. The first model answers; the
//! others are asked the same beside it, so that mirrored traffic reaches all of them.
//!
//! Every model has a thread and a queue of its own with a bound; requests that wait together go into one call where that is asked for. A candidate that falls behind loses requests, and a counter
//! says how many; it never delays an answer. An answer that is not there at its deadline is a 503.

mod model;
mod protocol;
mod record;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Args;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windvane_shadow::Runtime;
use windvane_shadow::pace::Batching;
use windvane_shadow::traffic::Request;

use self::model::{Model, Refused};
use self::protocol::{answer_of, metadata, problem};
use self::record::Recorder;
use super::arguments::{Models, usage};
use super::worker;
use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::shutdown::Signals;

/// Bytes of one request.
const BODY_BYTES_MAX: usize = 64 << 20;
/// How long requests under way get when the process is asked to end.
const DRAIN: Duration = Duration::from_secs(10);

/// Serve models by the Open Inference Protocol; the first answers, the others are asked beside it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A model as NAME=FILE; repeatable. The first answers requests to any name, the others shadow it.
    #[arg(long = "model", value_name = "NAME=FILE", required = true)]
    models: Vec<String>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Requests that wait for one model at most; further ones are shed.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    queue: u32,
    /// Requests in one call of a model at most, where it takes several: those of one shape go together.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch_max: u32,
    /// How long the first request of a call waits for others, in microseconds; what waits already goes with it in any case.
    #[arg(long, value_name = "US", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=10_000_000))]
    batch_wait_us: u64,
    /// Milliseconds after which a request without an answer is refused.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    deadline_ms: u64,
    /// Record what the models predict at this collector, such as http://127.0.0.1:8080, with the tag `role=shadow`.
    #[arg(long, value_name = "URL")]
    record: Option<String>,
    /// Listen on an address that other machines reach, without any authentication.
    #[arg(long)]
    allow_unauthenticated: bool,
    #[command(flatten)]
    opened: Models,
}

/// What handlers share.
struct Shared {
    models: Vec<Model>,
    deadline: Duration,
    recorder: Option<Recorder>,
}

/// Runs `windvane shadow serve` until a signal.
pub fn run(arguments: &Arguments) -> CommandResult {
    if !arguments.listen.ip().is_loopback() && !arguments.allow_unauthenticated {
        return Err(Failure {
            reason: Reason::Config,
            error: anyhow::anyhow!(
                "`{}` can be reached by other machines and requests carry no token; listen on 127.0.0.1, or pass --allow-unauthenticated behind a proxy that authenticates",
                arguments.listen
            ),
        });
    }
    if arguments.batch_wait_us >= arguments.deadline_ms * 1_000 {
        return Err(usage(&format!(
            "`--batch-wait-us {}` lets no request be answered within `--deadline-ms {}`; wait for less than {} us",
            arguments.batch_wait_us,
            arguments.deadline_ms,
            arguments.deadline_ms * 1_000
        )));
    }
    let (library, options) = arguments.opened.open()?;
    // This process is there for the models alone, and is bounded as the one that a gate starts for them.
    worker::bound(options.device, arguments.opened.limits().memory_bytes);
    let runtime = Runtime::load(&library).because(Reason::Unavailable)?;
    let batching = Batching {
        rows_max: arguments.batch_max as usize,
        wait: Duration::from_micros(arguments.batch_wait_us),
    };
    let mut models: Vec<Model> = Vec::new();
    for word in &arguments.models {
        let (name, path) = word
            .split_once('=')
            .filter(|(name, path)| !name.is_empty() && !path.is_empty())
            .ok_or_else(|| {
            usage(&format!("`--model {word}` names no model; give NAME=FILE, such as delay=delay.onnx"))
        })?;
        if models.iter().any(|model| model.name() == name) {
            return Err(usage(&format!(
                "`--model {word}` is the second model `{name}`; give each a name of its own"
            )));
        }
        let opening = end_unless_open(name);
        let model = Model::open(
            &runtime,
            (name, &PathBuf::from(path)),
            (&options, batching, arguments.queue as usize),
        );
        drop(opening);
        models.push(model.because(Reason::Data)?);
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(arguments, models))
}

/// Ends this process where what is given back is not dropped in time: a runtime that never comes back from opening a file cannot be broken
/// off. The thread ends with either.
fn end_unless_open(model: &str) -> SyncSender<()> {
    let (opening, opened) = sync_channel(1);
    let model = model.to_owned();
    std::thread::spawn(move || {
        if opened.recv_timeout(worker::OPENING) == Err(RecvTimeoutError::Timeout) {
            tracing::error!(model, seconds = worker::OPENING.as_secs(), "a model does not open");
            windvane_store::chdb::exit_now(Reason::Data.code());
        }
    });
    opening
}

async fn serve(arguments: &Arguments, models: Vec<Model>) -> CommandResult {
    let mut signals = Signals::listen()?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let recorder = match &arguments.record {
        Some(url) => Some(Recorder::start(url, &tasks, stop.clone())?),
        None => None,
    };
    let listener = tokio::net::TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on `{}`", arguments.listen))
        .because(Reason::Unavailable)?;
    let address = listener.local_addr()?;
    let deadline = Duration::from_millis(arguments.deadline_ms);
    let shared = Arc::new(Shared { models, deadline, recorder });
    tracing::info!(address = %format!("http://{address}"), "models are served");
    let ended = stop.clone();
    let serving =
        axum::serve(listener, router(shared)).with_graceful_shutdown(async move { ended.cancelled().await });
    let serving = tasks.spawn(serving.into_future());
    let signal = signals.next().await;
    tracing::info!(signal, "finishing");
    stop.cancel();
    tasks.close();
    let drained = tokio::time::timeout(DRAIN, tasks.wait()).await.is_ok();
    match drained {
        true => serving.await?.map(|()| Exit::Ok).map_err(Failure::from),
        false => Err(anyhow::anyhow!("requests were still under way after {} s", DRAIN.as_secs()).into()),
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v2", get(|| async { axum::Json(protocol::server()) }))
        .route("/v2/health/live", get(|| async { axum::Json(serde_json::json!({"live": true})) }))
        .route("/v2/health/ready", get(|| async { axum::Json(serde_json::json!({"ready": true})) }))
        .route("/v2/models/{name}", get(model_metadata))
        .route("/v2/models/{name}/ready", get(model_ready))
        .route("/v2/models/{name}/infer", post(infer))
        .route("/v2/models/{name}/versions/{version}", get(version_metadata))
        .route("/v2/models/{name}/versions/{version}/ready", get(version_ready))
        .route("/v2/models/{name}/versions/{version}/infer", post(version_infer))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

fn unknown(shared: &Shared, name: &str) -> Response {
    let names: Vec<&str> = shared.models.iter().map(Model::name).collect();
    problem(
        StatusCode::NOT_FOUND,
        "unknown_model",
        &format!("there is no model `{name}`; served are {}", names.join(", ")),
    )
}

async fn model_metadata(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    match shared.models.iter().find(|model| model.name() == name) {
        Some(model) => axum::Json(metadata(model)).into_response(),
        None => unknown(&shared, &name),
    }
}

async fn model_ready(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    match shared.models.iter().any(|model| model.name() == name) {
        true => axum::Json(serde_json::json!({"name": name, "ready": true})).into_response(),
        false => unknown(&shared, &name),
    }
}

/// Every model has one version, and the protocol lets clients name it; an answer where they name another.
fn unknown_version(version: &str) -> Option<Response> {
    let detail =
        format!("there is no version `{version}`; every model has the version {} alone", protocol::VERSION);
    (version != protocol::VERSION).then(|| problem(StatusCode::NOT_FOUND, "unknown_version", &detail))
}

async fn version_metadata(
    shared: State<Arc<Shared>>,
    Path((name, version)): Path<(String, String)>,
) -> Response {
    match unknown_version(&version) {
        None => model_metadata(shared, Path(name)).await,
        Some(refused) => refused,
    }
}

async fn version_ready(
    shared: State<Arc<Shared>>,
    Path((name, version)): Path<(String, String)>,
) -> Response {
    match unknown_version(&version) {
        None => model_ready(shared, Path(name)).await,
        Some(refused) => refused,
    }
}

async fn version_infer(
    shared: State<Arc<Shared>>,
    Path((name, version)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Response {
    match unknown_version(&version) {
        None => infer(shared, Path(name), body).await,
        Some(refused) => refused,
    }
}

/// `POST /v2/models/{name}/infer`: the named model answers; all others get the request, too.
async fn infer(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    body: axum::body::Bytes,
) -> Response {
    let Some(asked) = shared.models.iter().find(|model| model.name() == name) else {
        return unknown(&shared, &name);
    };
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "malformed_request",
                &format!("the body is no request of the Open Inference Protocol: {error}"),
            );
        }
    };
    let batch = match request.batch(|_| true) {
        Ok(batch) => Arc::new(batch),
        Err((input, what)) => {
            return problem(StatusCode::BAD_REQUEST, "malformed_input", &format!("input `{input}` {what}"));
        }
    };
    if let Some(output) = request.outputs.iter().find(|wanted| !asked.has_output(&wanted.name)) {
        let names: Vec<&str> = asked.outputs().iter().map(|port| port.name.as_str()).collect();
        let detail =
            format!("the model has no output `{}`; its outputs are {}", output.name, names.join(", "));
        return problem(StatusCode::BAD_REQUEST, "unknown_output", &detail);
    }
    let event_id = request.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    for model in shared.models.iter().filter(|model| model.name() != name) {
        model.mirror(Arc::clone(&batch), (shared.recorder.clone(), event_id.clone()));
    }
    let answered = asked.ask(Arc::clone(&batch), shared.deadline).await;
    match answered {
        Ok((outputs, took)) => {
            if let Some(recorder) = &shared.recorder {
                recorder.record(asked.name(), &event_id, (&outputs, took));
            }
            axum::Json(answer_of(asked.name(), &request, &outputs)).into_response()
        }
        Err(Refused::Full) => problem(
            StatusCode::TOO_MANY_REQUESTS,
            "queue_full",
            "too many requests wait for this model; try again later",
        ),
        Err(Refused::Late) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "deadline_exceeded",
            "the model did not answer before the deadline",
        ),
        Err(Refused::Input(what)) => problem(StatusCode::BAD_REQUEST, "wrong_input", &what),
        Err(Refused::Failed(what)) => problem(StatusCode::INTERNAL_SERVER_ERROR, "model_failed", &what),
    }
}

/// `GET /metrics`: what each model answered, refused and lost, for Prometheus.
async fn metrics(State(shared): State<Arc<Shared>>) -> String {
    let mut text = "# HELP windvane_shadow_requests_total Requests of served models by what became of them.\n# TYPE windvane_shadow_requests_total counter\n".to_owned();
    for model in &shared.models {
        for (outcome, count) in model.counts() {
            text += &format!(
                "windvane_shadow_requests_total{{model={:?},outcome=\"{outcome}\"}} {count}\n",
                model.name()
            );
        }
    }
    text += "# HELP windvane_shadow_calls_total Calls of served models; requests that were put together are one.\n# TYPE windvane_shadow_calls_total counter\n";
    for model in &shared.models {
        text += &format!("windvane_shadow_calls_total{{model={:?}}} {}\n", model.name(), model.calls());
    }
    if let Some(recorder) = &shared.recorder {
        text += "# HELP windvane_shadow_records_dropped_total Predictions that were not recorded because the collector did not keep up.\n# TYPE windvane_shadow_records_dropped_total counter\n";
        text += &format!("windvane_shadow_records_dropped_total {}\n", recorder.dropped());
    }
    text
}
