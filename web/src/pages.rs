//! The routes of the pages: each reads its views and writes HTML.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRef, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use maud::Markup;
use prometheus::Registry;
use serde::Deserialize;
use windvane_store::findings::experiment::Series;
use windvane_store::findings::{self, experiment_looks::Asked};
use windvane_store::views::View;
use windvane_store::{Store, StoreError};
use windvane_types::address::Named;

use crate::api::problem::Problem;
use crate::events::{self, Feed};
use crate::model::Chosen;
use crate::readings::{Page, Readings};
use crate::span::Choice;
use crate::{
    Rights, Setting, Sources, alert, api, experiment, feature, fleet, gate, model, page, pipeline, settings,
    sql,
};

/// Most experiments that the page shows at once; the read API pages through all.
pub const EXPERIMENTS_MAX: u64 = 200;

/// Most gates that the page shows at once, likewise.
pub const GATES_MAX: u64 = 200;

/// What handlers take a part of.
#[derive(Debug, Clone)]
struct Shared {
    store: Store,
    registry: Registry,
    settings: Arc<[Setting]>,
    feed: Feed,
    readings: Readings,
}

impl Shared {
    /// The page of this address, by the reading under way where there is one.
    async fn page(&self, uri: &Uri, read: BoxFuture<'static, Page>) -> Page {
        self.readings.page((self.feed.changes(), uri.to_string()), read).await
    }
}

impl FromRef<Shared> for Store {
    fn from_ref(shared: &Shared) -> Self {
        shared.store.clone()
    }
}

impl FromRef<Shared> for Feed {
    fn from_ref(shared: &Shared) -> Self {
        shared.feed.clone()
    }
}

/// `/`, `/models/…`, `/experiments/…` and their neighbours.
pub fn router(sources: Sources) -> Router {
    let Sources { store, registry, settings, closing } = sources;
    let feed = Feed::new(store.clone(), closing);
    Router::new()
        .route("/", get(fleet_page))
        .route("/models", get(fleet_page))
        .route("/models/{model}", get(model_page))
        .route("/models/{model}/features/{column}", get(feature_page))
        .route("/experiments", get(experiments_page))
        .route("/experiments/{name}", get(experiment_page))
        .route("/gates", get(gates_page))
        .route("/gates/{name}", get(gate_page))
        .route("/alerts", get(alerts_page))
        .route("/pipeline", get(pipeline_page))
        .route("/settings", get(settings_page))
        .route("/sql", get(async || Html(sql::list().into_string())))
        .route("/sql/{view}", get(sql_page))
        .route("/events", get(events::events))
        .with_state(Shared {
            store,
            registry,
            settings: settings.into(),
            feed,
            readings: Readings::default(),
        })
}

/// What forms of the pages are sent to.
pub fn forms(store: Store) -> Router {
    Router::new()
        .route("/alerts/acknowledge", post(alert::forms::take_acknowledgement))
        .route("/alerts/silences", post(alert::forms::take_silence))
        .route("/alerts/silences/end", post(alert::forms::take_end))
        .with_state(store)
}

/// `GET /`: every deployment, and which of them needs a look.
async fn fleet_page(State(shared): State<Shared>, uri: Uri, Query(choice): Query<Choice>) -> Response {
    let store = shared.store.clone();
    let read = async move { fleet::read(&store, &choice).await.map(|fleet| Some(fleet::render(&fleet))) };
    found(shared.page(&uri, read.boxed()).await, "Nothing is recorded.")
}

/// `GET /models/{model}`: what changed lately, drift, quality, performance, traffic, latency, answers.
async fn model_page(
    State(shared): State<Shared>,
    Path(Named(name)): Path<Named>,
    (Query(choice), Query(chosen)): (Query<Choice>, Query<Chosen>),
    uri: Uri,
) -> Response {
    let (store, chosen) = (shared.store.clone(), Chosen { model: name, ..chosen });
    let read = async move {
        let model = model::read(&store, chosen, &choice).await;
        model.map(|model| model.map(|model| model::render(&model)))
    };
    found(shared.page(&uri, read.boxed()).await, "Nothing is recorded of this model.")
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfSeries {
    series: String,
}

/// `GET /models/{model}/features/{column}`: one column against its reference, over time.
async fn feature_page(
    State(shared): State<Shared>,
    uri: Uri,
    Path((Named(model), Named(column))): Path<(Named, Named)>,
    Query(chosen): Query<OfSeries>,
) -> Response {
    let store = shared.store.clone();
    let read = async move {
        let feature = feature::read(&store, model, column, &chosen.series).await;
        feature.map(|feature| feature.map(|feature| feature::render(&feature)))
    };
    found(shared.page(&uri, read.boxed()).await, "No drift run of this model has this column.")
}

/// `GET /experiments`: all experiments with what their latest look said.
async fn experiments_page(State(store): State<Store>) -> Response {
    let asked = Asked { limit: EXPERIMENTS_MAX, ..Asked::default() };
    shown(findings::experiment_looks::latest(&store, asked).await.map(|latest| experiment::list(&latest)))
}

/// `GET /experiments/{name}`: the latest look at an experiment, and how it came to that.
async fn experiment_page(State(store): State<Store>, Path(Named(name)): Path<Named>) -> Response {
    let read = async {
        let latest = api::experiments::latest(&store, &name).await?;
        let points = findings::experiment::over_time(&store, Series::of(&name)).await?;
        Ok((latest, points))
    };
    let (latest, points) = match read.await {
        Ok(read) => read,
        Err(error) => return shown(Err(error)),
    };
    let as_of =
        latest.as_ref().map(|latest| windvane_types::span::shown(latest.as_of_us)).unwrap_or_default();
    match latest.map(|latest| serde_json::from_str(&latest.document)) {
        None => missing("No look at this experiment is recorded."),
        Some(Err(_other_version)) => missing(
            "The latest look at this experiment was recorded by another version; look again to see it.",
        ),
        Some(Ok(document)) => shown(Ok(experiment::experiment_page(&name, &as_of, (&document, &points)))),
    }
}

/// `GET /gates`: all gates with what their latest run said.
async fn gates_page(State(store): State<Store>) -> Response {
    let asked = findings::gate::Asked { limit: GATES_MAX, ..findings::gate::Asked::default() };
    shown(findings::gate::latest(&store, asked).await.map(|latest| gate::list(&latest)))
}

/// `GET /gates/{name}`: the latest run of a gate, its verdict and the evidence.
async fn gate_page(State(store): State<Store>, Path(Named(name)): Path<Named>) -> Response {
    let latest = match api::gates::latest(&store, &name, "").await {
        Ok(Some(latest)) => latest,
        Ok(None) => return missing("No run of this gate is recorded."),
        Err(error) => return shown(Err(error)),
    };
    match serde_json::from_str(&latest.document) {
        Ok(document) => shown(Ok(gate::gate_page(&latest, &document))),
        Err(_other_version) => {
            missing("The latest run of this gate was recorded by another version; run it again to see it.")
        }
    }
}

/// `GET /alerts`: what fires, what is silenced, what happened lately.
async fn alerts_page(State(store): State<Store>, Extension(rights): Extension<Rights>) -> Response {
    shown(alert::read(&store).await.map(|alerts| alert::render(&alerts, rights)))
}

/// `GET /pipeline`: monitors and their runs, counters, tables.
async fn pipeline_page(State(shared): State<Shared>) -> Response {
    let read = pipeline::read(&shared.store, &shared.registry).await;
    shown(read.map(|pipeline| pipeline::render(&pipeline)))
}

/// `GET /settings`: the configuration, to be read.
async fn settings_page(State(shared): State<Shared>) -> Response {
    shown(Ok(settings::render(&shared.settings)))
}

/// `GET /sql/{view}`: the statement behind a number, its values filled in.
async fn sql_page(Path(name): Path<String>, Query(sent): Query<BTreeMap<String, String>>) -> Response {
    let Some(view) = View::named(&name) else { return missing("There is no query of this name.") };
    match api::views::asked(view, sent) {
        Ok(asked) => shown(Ok(sql::one(view, &asked))),
        Err(problem) => {
            let text = problem.to_string();
            (StatusCode::BAD_REQUEST, Html(page::refused(&text).into_string())).into_response()
        }
    }
}

/// Whether a person asks, who reads pages; programs are told of a problem.
pub fn is_for_people(uri: &Uri, headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let is_of_programs = uri.path().starts_with("/api/") || uri.path().starts_with("/v1/");
    !is_of_programs && accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// What is said of a path at which there is nothing.
pub async fn nothing_there(uri: Uri, headers: HeaderMap) -> Response {
    match is_for_people(&uri, &headers) {
        true => missing("There is nothing at this address."),
        false => Problem::UnknownPath(uri.path().to_owned()).into_response(),
    }
}

/// What is said of an address that could not be read.
pub fn not_read(why: String, is_for_people: bool) -> Response {
    match is_for_people {
        true => (StatusCode::BAD_REQUEST, Html(page::refused(&why).into_string())).into_response(),
        false => Problem::InvalidRequest(why).into_response(),
    }
}

/// What is said of an answer of more than so many MiB.
pub fn too_large(mib_max: usize, is_for_people: bool) -> Response {
    let problem = Problem::AnswerTooLarge(mib_max);
    match is_for_people {
        true => {
            let html = Html(page::too_large(&problem.to_string()).into_string());
            (problem.status(), html).into_response()
        }
        false => problem.into_response(),
    }
}

/// What is said of a method that a path does not have; the router adds those that it has.
pub async fn not_that_way() -> Response {
    Problem::OtherMethod.into_response()
}

fn found(page: Page, otherwise: &str) -> Response {
    match page.transpose() {
        None => missing(otherwise),
        Some(page) => shown(page),
    }
}

fn missing(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Html(page::missing(what).into_string())).into_response()
}

/// A page, or the one that says that ClickHouse does not answer.
pub fn shown(page: Result<Markup, StoreError>) -> Response {
    match page {
        Ok(page) => Html(page.into_string()).into_response(),
        Err(error) => {
            tracing::warn!(%error, "cannot read what the page shows");
            let html = Html(page::unavailable().into_string());
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], html).into_response()
        }
    }
}
