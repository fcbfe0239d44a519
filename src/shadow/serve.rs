//! `windvane shadow serve`: models behind the Open Inference Protocol, version 2, over HTTP. The model that is named
//! answers; the others are asked the same beside it, so that mirrored traffic reaches all of them.
//!
//! Every model has a process, a thread and a queue of its own with a bound; requests that wait together go into one call where that is asked
//! for. A candidate that falls behind loses requests, and a counter says how many; it never delays an answer. An answer that is not there at
//! its deadline is a 503.
//!
//! Models are not trusted: this process loads none and no runtime. One that crashes, hangs or grows costs the requests that it has, and is
//! started again.

mod frame;
mod health;
pub(super) mod host;
mod keeper;
pub mod metrics;
mod model;
mod process;
mod protocol;
mod record;
mod whole_body;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Extension, Router};
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windvane_shadow::pace::Batching;
use windvane_shadow::traffic::Request;
use windvane_store::Secret;

use self::host::Job;
use self::metrics::Served;
use self::model::Model;
use self::process::{Bounds, Ended};
use self::protocol::{answer_of, metadata, problem, unavailable, why};
use self::record::Recorder;
use self::whole_body::{Bodies, Room};
use super::arguments::{Models, usage};
use super::worker;
use crate::connection;
use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::ingest::{self, COLLECTOR};
use crate::shutdown::Signals;
use crate::sockets;

/// Bytes of one request.
const BODY_BYTES_MAX: usize = 64 << 20;
/// Inputs of one request. Each is looked for among those before it, here and in the model's process: ten thousand are 50 million comparisons.
const INPUTS_MAX: usize = 10_000;
/// How long requests under way get when the process is asked to end.
const DRAIN: Duration = Duration::from_secs(10);
/// What clients may take. Connections are fewer than the files that a process may usually have open (1024): models' processes have some, too.
const SOCKETS: sockets::Bounds = sockets::Bounds { headers: sockets::HEADERS, connections: 512, open: None };

/// Serve models by the Open Inference Protocol; the one that is named answers, the others are asked beside it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A model as NAME=FILE; repeatable. The one that a request names answers it, the others shadow it.
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
    /// Seconds that a model may take to open and to warm up.
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    open_limit_s: u64,
    /// Record what the models predict at this collector, such as http://127.0.0.1:8080, with the tag `role=shadow`.
    #[arg(long, value_name = "URL")]
    record: Option<String>,
    /// A file with a token of the scope ingest, where the collector needs one; or WINDVANE_TOKEN holds it.
    #[arg(long, value_name = "FILE", requires = "record")]
    token_file: Option<PathBuf>,
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
    bodies: Bodies,
}

/// Runs `windvane shadow serve` until a signal.
pub fn run(arguments: &Arguments) -> CommandResult {
    sockets::open_to_this_machine(arguments.listen, arguments.allow_unauthenticated)?;
    if arguments.batch_wait_us >= arguments.deadline_ms * 1_000 {
        return Err(usage(&format!(
            "`--batch-wait-us {}` lets no request be answered within `--deadline-ms {}`; wait for less than {} us",
            arguments.batch_wait_us,
            arguments.deadline_ms,
            arguments.deadline_ms * 1_000
        )));
    }
    let record = arguments.record.as_deref().map(|url| collector(url, arguments)).transpose()?;
    let models = models(arguments)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(arguments, (models, record)))
}

/// Where predictions go: the address, and the token that requests carry there.
type Collector<'a> = (&'a str, Option<Secret>);

fn collector<'a>(url: &'a str, arguments: &Arguments) -> Result<Collector<'a>, Failure> {
    connection::check_address("--record", url, COLLECTOR)?;
    Ok((url, ingest::token(arguments.token_file.as_deref())?))
}

/// What comes of opening the model that answers.
type First = oneshot::Receiver<Result<(), Ended>>;

/// Starts all models. They open beside one another, while this process listens already.
fn models(arguments: &Arguments) -> Result<(Vec<Model>, Option<First>), Failure> {
    let names = names(&arguments.models)?;
    let (library, options) = arguments.opened.open()?;
    let open = Duration::from_secs(arguments.open_limit_s);
    let memory_bytes = arguments.opened.memory_bytes();
    let bounds = Bounds { open, call: options.call_limit, memory_bytes };
    let batching = Batching {
        rows_max: arguments.batch_max as usize,
        wait: Duration::from_micros(arguments.batch_wait_us),
    };
    let (mut models, mut first) = (Vec::new(), None);
    for (name, path) in names {
        let job = Job {
            library: library.clone(),
            model: path.into(),
            options: options.clone(),
            rows_max: batching.rows_max,
            // Opening has the other half at least.
            warm_up: open / 2,
        };
        let (model, opened) = Model::start((name, job), (bounds, batching, arguments.queue as usize));
        models.push(model);
        first = first.or(Some(opened));
    }
    Ok((models, first))
}

/// The names and files of `--model`.
fn names(words: &[String]) -> Result<Vec<(&str, &str)>, Failure> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for word in words {
        let (name, path) = word
            .split_once('=')
            .filter(|(name, path)| !name.is_empty() && !path.is_empty())
            .ok_or_else(|| {
            usage(&format!("`--model {word}` names no model; give NAME=FILE, such as delay=delay.onnx"))
        })?;
        if names.iter().any(|(known, _)| *known == name) {
            return Err(usage(&format!(
                "`--model {word}` is the second model `{name}`; give each a name of its own"
            )));
        }
        names.push((name, path));
    }
    Ok(names)
}

/// Why the model that answers did not open at the first try: without it there is nothing to serve. Of another the log and its readiness tell.
async fn not_opened(first: Option<First>) -> Failure {
    if let Some(first) = first
        && let Ok(Err(ended)) = first.await
    {
        let Ended { blame, reason, words, .. } = ended;
        let words = if words.is_empty() { words } else { format!(" ({words})") };
        return Failure { reason: worker::reason(blame), error: anyhow::anyhow!("{reason}{words}") };
    }
    std::future::pending().await
}

async fn serve(
    arguments: &Arguments,
    ((models, first), record): ((Vec<Model>, Option<First>), Option<Collector<'_>>),
) -> CommandResult {
    let mut signals = Signals::listen()?;
    let (stop, answered, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
    let recorder = match record {
        Some(collector) => Some(Recorder::start(collector, &tasks, answered.clone())?),
        None => None,
    };
    let listener = tokio::net::TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on `{}`", arguments.listen))
        .because(Reason::Unavailable)?;
    let address = listener.local_addr()?;
    let deadline = Duration::from_millis(arguments.deadline_ms);
    let bodies = Bodies::new(whole_body::HELD_BYTES_MAX, whole_body::BODY_TIMEOUT);
    let shared = Arc::new(Shared { models, deadline, recorder, bodies });
    tracing::info!(address = %format!("http://{address}"), "models are served");
    let serving = sockets::serve(
        listener.tap_io(|stream| sockets::send_at_once(stream)),
        router(shared),
        (SOCKETS, stop.clone()),
    );
    let serving = tasks.spawn(serving);
    let signal = tokio::select! {
        signal = signals.next() => signal,
        failure = not_opened(first) => return Err(failure),
    };
    tracing::info!(signal, "finishing; a second signal ends at once");
    stop.cancel();
    tasks.close();
    let end = tokio::time::Instant::now() + DRAIN;
    let drain = async {
        let served = tokio::time::timeout_at(end, serving)
            .await
            .map_err(|_| unfinished("requests were still under way"))?;
        // What was answered last is recorded, too.
        answered.cancel();
        let recorded = tokio::time::timeout_at(end, tasks.wait()).await;
        recorded.map_err(|_| unfinished("predictions were still on their way to the collector"))?;
        served.map(|()| Exit::Ok).map_err(Failure::from)
    };
    tokio::select! {
        ended = drain => ended,
        signal = signals.next() => {
            Err(anyhow::anyhow!("ended by a second {signal} before everything was finished").into())
        }
    }
}

fn unfinished(what: &str) -> Failure {
    anyhow::anyhow!("{what} after {} s", DRAIN.as_secs()).into()
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v2", get(|| async { axum::Json(protocol::server()) }))
        .route("/v2/health/live", get(|| async { axum::Json(json!({"live": true})) }))
        .route("/v2/health/ready", get(server_ready))
        .route("/v2/models/{name}", get(model_metadata))
        .route("/v2/models/{name}/ready", get(model_ready))
        .route("/v2/models/{name}/infer", post(infer))
        .route("/v2/models/{name}/versions/{version}", get(version_metadata))
        .route("/v2/models/{name}/versions/{version}/ready", get(version_ready))
        .route("/v2/models/{name}/versions/{version}/infer", post(version_infer))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(shared.bodies.clone(), whole_body::whole))
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
        Some(model) => match model.declared() {
            Ok(opened) => axum::Json(metadata(&name, opened)).into_response(),
            Err(reason) => unavailable(&reason),
        },
        None => unknown(&shared, &name),
    }
}

/// `GET /v2/health/ready`: whether the model that answers is ready. Candidates have their own, and one that is not takes nothing out of service.
async fn server_ready(State(shared): State<Arc<Shared>>) -> Response {
    readiness(json!({}), shared.models.first().map_or(Ok(()), Model::ready))
}

fn readiness(mut document: Value, ready: Result<(), String>) -> Response {
    document["ready"] = ready.is_ok().into();
    match ready {
        Ok(()) => axum::Json(document).into_response(),
        Err(reason) => {
            document["reason"] = reason.into();
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(document)).into_response()
        }
    }
}

async fn model_ready(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    match shared.models.iter().find(|model| model.name() == name) {
        Some(model) => readiness(json!({"name": name}), model.ready()),
        None => unknown(&shared, &name),
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
    room: Extension<Room>,
    body: axum::body::Bytes,
) -> Response {
    match unknown_version(&version) {
        None => infer(shared, Path(name), room, body).await,
        Some(refused) => refused,
    }
}

/// `POST /v2/models/{name}/infer`: the named model answers; all others get the request, too.
async fn infer(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Extension(room): Extension<Room>,
    body: axum::body::Bytes,
) -> Response {
    let Some(asked) = shared.models.iter().find(|model| model.name() == name) else {
        return unknown(&shared, &name);
    };
    let mut request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "malformed_request",
                &format!("the body is no request of the Open Inference Protocol: {error}"),
            );
        }
    };
    if request.inputs.len() > INPUTS_MAX {
        let detail =
            format!("the request has {} inputs; at most {INPUTS_MAX} are taken", request.inputs.len());
        return problem(StatusCode::BAD_REQUEST, "too_many_inputs", &detail);
    }
    let batch = match request.batch(|_| true) {
        Ok(batch) => Arc::new(batch),
        Err((input, what)) => {
            return problem(StatusCode::BAD_REQUEST, "malformed_input", &format!("input `{input}` {what}"));
        }
    };
    // A request that waits holds its tensors alone. As values of JSON they take up to 16 times the bytes of the body.
    request.inputs = Vec::new();
    drop(body);
    let outputs = match asked.declared() {
        Ok(opened) => &opened.outputs,
        Err(reason) => {
            asked.count_unavailable();
            return unavailable(&reason);
        }
    };
    let is_known = |name: &str| outputs.iter().any(|port| port.name == name);
    if let Some(output) = request.outputs.iter().find(|wanted| !is_known(&wanted.name)) {
        let names: Vec<&str> = outputs.iter().map(|port| port.name.as_str()).collect();
        let detail =
            format!("the model has no output `{}`; its outputs are {}", output.name, names.join(", "));
        return problem(StatusCode::BAD_REQUEST, "unknown_output", &detail);
    }
    let event_id = request.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    for model in shared.models.iter().filter(|model| model.name() != name) {
        model.mirror((Arc::clone(&batch), room.clone()), (shared.recorder.clone(), event_id.clone()));
    }
    match asked.ask((batch, room), shared.deadline).await {
        Ok((outputs, took)) => {
            if let Some(recorder) = &shared.recorder {
                recorder.record(asked.name(), &event_id, (&outputs, took));
            }
            axum::Json(answer_of(asked.name(), &request, &outputs)).into_response()
        }
        Err(refused) => why(refused),
    }
}

/// `GET /metrics`: what each model answered, refused and lost, for Prometheus.
async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let dropped = shared.recorder.as_ref().map(Recorder::dropped);
    match metrics::text(&Served { models: &shared.models, dropped, refused: shared.bodies.refused() }) {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string()),
    }
}
