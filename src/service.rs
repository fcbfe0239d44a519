//! The service: engine, schema, collector, analyzer, alerts and pages behind one HTTP port. `serve` runs it, `demo` plays into it.
//!
//! Stopping goes the other way round: no new requests, the collector drains while the analyzer ends, the engine ends.

mod alerts;
pub mod analyzer;
mod engine;
mod health;
mod openapi;
mod otlp;
mod ports;
mod role;
mod telemetry;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use axum::serve::ListenerExt;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;
use windvane_collector::{Caller, Collector, CollectorOptions, Gate, Keyring, Reach, SpoolOptions};
use windvane_store::Store;
use windvane_store::migrate::{self, MigrateError, Topology};
use windvane_types::SystemClock;

use crate::config::{self, Config};
use crate::exit::{Because, Exit, Failure, Reason};
use crate::runtime::Fetching;
use crate::shadow;
use crate::sockets;

use ports::Ports;
use tls::{Certificate, Speaks, TlsListener};

pub use role::Role;
pub use tls::TlsFiles;

/// How long the collector may take to send what its spool holds; the rest is sent at the next start.
const DRAIN: Duration = Duration::from_secs(10);
/// How long answers in flight may take after the port was closed.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// How long is waited between two tries to bring the schema up to date while ClickHouse is away.
const SCHEMA_PAUSE: Duration = Duration::from_secs(2);

/// A running service.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    /// Where OpenTelemetry's gRPC is answered, as an address for clients.
    otlp: Option<String>,
    url: String,
    store: Store,
    /// `None` where this process has not the role.
    collector: Option<Collector>,
    /// Ends the HTTP server; cancelled first.
    closing: CancellationToken,
    /// Ends the engine and the watchers; cancelled last.
    ending: CancellationToken,
    server: TaskTracker,
    analyzer: TaskTracker,
    alerts: TaskTracker,
    background: TaskTracker,
}

impl Service {
    /// Starts everything and returns when requests are answered. ClickHouse may still be away when it is a server: events
    /// are acknowledged from the spool meanwhile. The spool's disk may be full or read-only: events are refused meanwhile.
    ///
    /// # Errors
    /// The port or the spool is in use, or its folder cannot be one, the engine cannot be started, or the schema is one that this binary must not touch.
    pub async fn start(config: &Config, roles: &[Role], fetching: Fetching) -> Result<Self, Failure> {
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| {
                let address = config.server.listen;
                format!("cannot listen on {address} (server.listen or WINDVANE_SERVER_LISTEN sets another address, --listen that of a demo)")
            })
            .because(Reason::Unavailable)?;
        let address = listener.local_addr()?;
        let grpc = match roles.contains(&Role::Collector) {
            true => otlp::bind(&config.otlp).await?,
            false => None,
        };
        let otlp = grpc.as_ref().map(TcpListener::local_addr).transpose()?;
        let ending = CancellationToken::new();
        let background = TaskTracker::new();
        let store = store(config, fetching, (&background, &ending)).await?;
        let registry = Registry::new();
        let gate = gate(config, (&registry, otlp))?;
        let closing = CancellationToken::new();
        let ports = Ports::new((config.server.connections_max, closing.clone()), &registry)?;
        let analyzer = TaskTracker::new();
        if roles.contains(&Role::Analyzer) {
            analyzer::start(config, &store, (&registry, &analyzer, closing.clone()))?;
            shadow::scheduled::start(config, (&store, fetching), (&analyzer, &closing));
        }
        analyzer.close();
        let sources = windvane_web::Sources {
            store: store.clone(),
            registry: registry.clone(),
            settings: config.settings.clone(),
            closing: closing.clone(),
        };
        let collector = match roles.contains(&Role::Collector) {
            true => Some(collector(config, &store, registry.clone())?),
            false => None,
        };
        telemetry::start(config, (&registry, collector.as_ref()), (&background, &ending))?;
        let alerts = TaskTracker::new();
        if roles.contains(&Role::Alerts) {
            let gauges = collector.as_ref().map(windvane_collector::Collector::gauges);
            alerts::start(config, &store, (&registry, gauges), (&alerts, closing.clone()))?;
        }
        alerts.close();
        let router =
            routes(collector.as_ref(), (&store, registry), roles.contains(&Role::Web).then_some(sources));
        let router = router.merge(openapi::router(&gate));
        let web = (listener, Speaks::Http, gate.guard(router, Reach::of(address.ip())));
        let grpc = grpc.zip(otlp).zip(collector.as_ref()).map(|((port, address), collector)| {
            (port, Speaks::Grpc, gate.guard(collector.grpc_router(), Reach::of(address.ip())))
        });
        let server = TaskTracker::new();
        let scheme = open(config, [Some(web), grpc], (&server, &background, &ports))?;
        let url = format!("{scheme}://{address}");
        let otlp = otlp.map(|address| format!("{scheme}://{address}"));
        Ok(Self {
            address,
            url,
            otlp,
            store,
            collector,
            closing,
            ending,
            server,
            analyzer,
            alerts,
            background,
        })
    }

    /// Where requests are answered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as an address for clients, `http://…` or `https://…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where OpenTelemetry's gRPC is answered, `http://…` or `https://…`, if this process has the role and the port was free.
    pub fn otlp(&self) -> Option<&str> {
        self.otlp.as_deref()
    }

    /// The ClickHouse behind it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops everything in order, within 30 s: 3 s for last answers, 10 s for the spool and the monitors, 15 s for the engine.
    pub async fn stop(self) -> Exit {
        self.closing.cancel();
        self.server.close();
        if tokio::time::timeout(LAST_ANSWERS, self.server.wait()).await.is_err() {
            tracing::warn!(
                "some requests were cut off; their clients have no answer and will send them again"
            );
        }
        let drain = async {
            if let Some(collector) = self.collector {
                let drained = collector.drain(DRAIN).await;
                tracing::info!(pending_rows = drained.pending_rows, "the collector is drained");
            }
        };
        let analyzed = async {
            if tokio::time::timeout(DRAIN, self.analyzer.wait()).await.is_err() {
                tracing::warn!("a monitor was cut off; its window is run again when its lease has run out");
            }
        };
        let told = async {
            if tokio::time::timeout(DRAIN, self.alerts.wait()).await.is_err() {
                tracing::warn!("alerts were cut off; what is on its way is sent after the next start");
            }
        };
        tokio::join!(drain, analyzed, told);
        self.ending.cancel();
        self.background.close();
        self.background.wait().await;
        Exit::Ok
    }
}

/// What the parts of a service answer, before the gate.
fn routes(
    collector: Option<&Collector>,
    (store, registry): (&Store, Registry),
    web: Option<windvane_web::Sources>,
) -> Router {
    let router = match collector {
        Some(collector) => collector.router(),
        None => health::router(store.clone(), registry),
    };
    match web {
        // The gate asks for the scope `admin` where something is changed.
        Some(sources) => {
            let pages = windvane_web::router(sources).layer(map_request(with_rights));
            router.merge(pages).merge(windvane_web::writes(store.clone()))
        }
        None => router,
    }
}

/// Tells the pages what the gate lets their reader do.
async fn with_rights(mut request: Request) -> Request {
    let may_change = request.extensions().get::<Caller>().is_some_and(Caller::may_change);
    let rights = if may_change { windvane_web::Rights::Change } else { windvane_web::Rights::Read };
    request.extensions_mut().insert(rights);
    request
}

/// The engine, started and with its schema up to date; or a server, whose schema is brought up to date as soon as it answers.
async fn store(
    config: &Config,
    fetching: Fetching,
    (background, ending): (&TaskTracker, &CancellationToken),
) -> Result<Store, Failure> {
    if let config::Store::Embedded { .. } = &config.store {
        let store = engine::start(config, fetching, background, ending.clone()).await?;
        migrate::apply(&store, &Topology::Single, log_steps()).await.because(Reason::Unavailable)?;
        return Ok(store);
    }
    let store = Store::connect(&crate::connection::options(&config.store)?);
    background.spawn(bring_up_schema(store.clone(), ending.clone()));
    Ok(store)
}

fn collector(config: &Config, store: &Store, registry: Registry) -> Result<Collector, Failure> {
    let sink = Arc::new(store.clone());
    Collector::start(collector_options(config), sink, Arc::new(SystemClock), registry)
        .because(Reason::Unavailable)
}

fn collector_options(config: &Config) -> CollectorOptions {
    let settings = &config.collector;
    let mut spool = SpoolOptions::new(settings.spool_dir.clone());
    spool.bytes_max = settings.spool_bytes_max;
    let mut options = CollectorOptions::new(spool, Uuid::new_v4());
    options.body_bytes_max = settings.body_bytes_max;
    options.body_timeout = settings.body_timeout;
    options.requests_max = settings.requests_max;
    options.requests_share_percent = settings.requests_share_percent;
    options.proxies = config.server.proxies.clone();
    options.inserts_in_flight = settings.inserts_in_flight;
    options.prices = config.prices.clone();
    options.limits = settings.limits;
    options.names = settings.names;
    options.model_share_percent = settings.model_share_percent;
    options.redaction = settings.redaction.clone();
    options
}

/// The gate before every route; says in the log what a reachable port without it would mean.
fn gate(config: &Config, (registry, otlp): (&Registry, Option<SocketAddr>)) -> Result<Arc<Gate>, Failure> {
    let config::Server { listen, tokens_file, tls, gate, .. } = &config.server;
    let keyring = Keyring::open(tokens_file).because(Reason::Config)?;
    for address in [Some(*listen), otlp].into_iter().flatten() {
        if !address.ip().is_loopback() && tls.is_none() {
            tracing::warn!(%address, "tokens and events travel in clear text; set server.tls, or put a proxy with TLS before this port");
        }
    }
    Ok(Arc::new(Gate::new(keyring, gate.clone(), Arc::new(SystemClock), registry)?))
}

/// A port, what is spoken over it, and what answers.
type Port = (TcpListener, Speaks, Router);

/// Serves ports, all of them over TLS where there is a certificate; the scheme of their addresses.
fn open(
    config: &Config,
    ports: [Option<Port>; 2],
    (server, background, room): (&TaskTracker, &TaskTracker, &Ports),
) -> Result<&'static str, Failure> {
    let certificate = match &config.server.tls {
        Some(files) => Some(Arc::new(Certificate::open(files.clone()).because(Reason::Config)?)),
        None => None,
    };
    for (listener, speaks, router) in ports.into_iter().flatten() {
        let router = telemetry::traced(router.layer(CatchPanicLayer::new()));
        let bounds = room.bounds(speaks);
        let Some(certificate) = &certificate else {
            let listener = listener.tap_io(|stream| sockets::send_at_once(stream));
            server.spawn(sockets::serve(listener, router, bounds));
            continue;
        };
        let certificate = (Arc::clone(certificate), speaks);
        let listener = TlsListener::start(listener, certificate, (background, bounds.1.clone()))?;
        server.spawn(sockets::serve(listener, router, bounds));
    }
    Ok(if certificate.is_some() { "https" } else { "http" })
}

/// Applies the migrations as soon as ClickHouse answers, and gives up only where the schema is refused.
async fn bring_up_schema(store: Store, ending: CancellationToken) {
    loop {
        match migrate::ensure(&store, log_steps()).await {
            Ok(_) => return,
            Err(
                error @ (MigrateError::Ledger(_)
                | MigrateError::Failed { .. }
                | MigrateError::ClusterBehind { .. }),
            ) => {
                tracing::warn!(error = %anyhow::Error::from(error).chain().map(ToString::to_string).collect::<Vec<_>>().join(": "), "the schema is not up to date; trying again");
            }
            Err(error) => {
                tracing::error!(%error, "the schema is refused; what arrives stays in the spool");
                return;
            }
        }
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(SCHEMA_PAUSE) => {}
        }
    }
}

/// Logs each step of an update. Where the schema is new all steps are one line: nobody waits for any of them.
fn log_steps() -> impl FnMut(&migrate::Step) {
    let mut is_new = false;
    move |step: &migrate::Step| {
        let (version, name) = (step.migration.version, step.migration.name);
        if version == 1 {
            is_new = true;
            tracing::info!("making the schema");
        }
        match is_new {
            true => tracing::debug!(version, name, "migrating the schema"),
            false => tracing::info!(version, name, "migrating the schema"),
        }
    }
}

#[cfg(test)]
mod tests {
    use windvane_collector::{NameLimits, Proxies};
    use windvane_types::event::Limits;

    use super::*;

    /// The collector's options by a file.
    fn options_of(text: &str) -> CollectorOptions {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windvane.toml");
        std::fs::write(&file, format!("[store]\ndata_dir = \"data\"\n{text}")).unwrap();
        collector_options(&config::load(Some(&file)).unwrap())
    }

    #[test]
    fn the_collector_has_the_bounds_of_the_configuration() {
        let given =
            options_of("[collector]\nbody_bytes_max = 2048\nbody_timeout = \"7s\"\nrequests_max = 3\n");
        assert_eq!((given.body_bytes_max, given.requests_max), (2048, 3));
        assert_eq!(given.body_timeout, Duration::from_secs(7));
        assert_eq!(options_of("[collector]\ninserts_in_flight = 2\n").inserts_in_flight, 2);
        let given = options_of("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n");
        assert_eq!(Ok(given.proxies), Proxies::parse(&["10.0.0.0/8".to_owned()]));
        let given = options_of(
            "[limits]\nnesting_max = 5\nmodel_share_percent = 35\nrequests_share_percent = 45\nlabels_max = 7\nservices_max = 8\nwords_max = 9\n",
        );
        assert_eq!((given.model_share_percent, given.requests_share_percent), (35, 45));
        let NameLimits { labels_max, services_max, words_max, .. } = given.names;
        assert_eq!((labels_max, services_max, words_max), (7, 8, 9));
        assert_eq!(given.limits, Limits { nesting_max: 5, ..Limits::default() });
    }

    #[test]
    fn the_defaults_of_the_configuration_are_those_of_the_collector() {
        let (read, usual) =
            (options_of(""), CollectorOptions::new(SpoolOptions::new("s".into()), Uuid::nil()));
        assert_eq!((read.body_bytes_max, read.requests_max), (usual.body_bytes_max, usual.requests_max));
        assert_eq!(read.body_timeout, usual.body_timeout);
        assert_eq!((read.inserts_in_flight, usual.inserts_in_flight), (1, 1));
        assert_eq!(read.requests_share_percent, usual.requests_share_percent);
        assert_eq!((read.names, read.proxies), (usual.names, usual.proxies));
        assert_eq!((read.limits, read.model_share_percent), (usual.limits, usual.model_share_percent));
    }
}
