//! The configuration: one TOML file, the environment over it, validated at once into settings without options.

mod alerts;
pub mod experiments;
mod fault;
mod gates;
mod keys;
mod kind;
mod layers;
mod limits;
mod monitors;
mod otlp;
mod path;
mod read;
mod redaction;
mod server;
mod shown;
mod telemetry;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use windvane_alerts::Plan;
use windvane_analyzer::monitor::Job;
use windvane_collector::{GateOptions, NameLimits, Prices, Proxies, Redaction};
use windvane_store::Secret;
use windvane_types::event::Limits;
use windvane_web::Setting;

pub use self::experiments::Experiment;
pub use self::fault::{Fault, Faults};
pub use self::gates::Gate;
pub use self::keys::documentation;
use self::layers::Layers;
pub use self::monitors::Analyzer;
pub use self::otlp::Otlp;
pub use self::server::{CONNECTIONS_MAX, tokens_file};
pub use self::telemetry::Telemetry;
use crate::runtime::Places;
use crate::service::TlsFiles;

/// Everything that `serve` and the commands over a running service need to know, resolved.
#[derive(Debug)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[otlp]`.
    pub otlp: Otlp,
    /// `[store]`.
    pub store: Store,
    /// `[collector]`.
    pub collector: Collector,
    /// `[llm]`.
    pub prices: Prices,
    /// `[runtime]`.
    pub runtime: Places,
    /// `[analyzer]`.
    pub analyzer: Analyzer,
    /// `[monitors.<NAME>]`, by name.
    pub monitors: Vec<Job>,
    /// `[experiments.<NAME>]`, by name.
    pub experiments: Vec<Experiment>,
    /// `[gates.<NAME>]`, by name.
    pub gates: Vec<Gate>,
    /// Every key with its value, for a person to read.
    pub settings: Vec<Setting>,
    /// `[alerts]`.
    pub alerts: Arc<Plan>,
    /// `[telemetry]`; `None` where nothing is sent.
    pub telemetry: Option<Telemetry>,
}

/// The HTTP port of the service.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The file of tokens; it need not be there.
    pub tokens_file: PathBuf,
    /// The certificate; `None` where requests come in clear text.
    pub tls: Option<TlsFiles>,
    /// What the gate before all routes is told.
    pub gate: GateOptions,
    /// Connections at a time on each port.
    pub connections_max: usize,
    /// The proxies that say which address a sender has.
    pub proxies: Proxies,
}

/// Which ClickHouse.
#[derive(Debug, Clone)]
pub enum Store {
    /// The embedded engine, started as a child process.
    Embedded {
        /// Its folder.
        data_dir: PathBuf,
        /// Where it serves the ClickHouse HTTP interface; always loopback.
        engine_listen: SocketAddr,
        /// What it may hold.
        memory_bytes_max: u64,
    },
    /// A server or cluster.
    Server {
        /// Its HTTP interface.
        url: String,
        /// Its user.
        user: String,
        /// The user's password.
        password: Secret,
    },
}

/// Ingestion.
#[derive(Debug, Clone)]
pub struct Collector {
    /// Where acknowledged events wait.
    pub spool_dir: PathBuf,
    /// Bytes of the spool.
    pub spool_bytes_max: u64,
    /// Bytes of one request after decompression.
    pub body_bytes_max: usize,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// Requests in flight.
    pub requests_max: usize,
    /// How many of those one sender and one model have at most, per cent.
    pub requests_share_percent: usize,
    /// INSERTs of one table in flight.
    pub inserts_in_flight: usize,
    /// The bounds of one event.
    pub limits: Limits,
    /// The bounds of what models bring.
    pub names: NameLimits,
    /// How much of the spool one model fills at most beside others, per cent.
    pub model_share_percent: u64,
    /// `[redaction.<MODEL>]`.
    pub redaction: Redaction,
}

/// The alerts of a configuration that says nothing of them, with their state under `data_dir`.
pub fn usual_alerts(data_dir: &Path) -> Arc<Plan> {
    Arc::new(alerts::plan(&mut Layers::default(), Some(data_dir)))
}

/// Reads the file, if one is named, and the environment.
///
/// # Errors
/// The file cannot be read, or the configuration has faults: all of them are in the error.
pub fn load(file: Option<&Path>) -> Result<Config, Faults> {
    resolve(layers(file))
}

/// The file and the environment over it.
fn layers(file: Option<&Path>) -> Layers {
    let mut layers = Layers::default();
    if let Some(path) = file {
        match std::fs::read_to_string(path) {
            Ok(text) => layers.add_file(path, &text),
            Err(error) => {
                let problem = format!("cannot be read: {error}");
                layers.faults.push(Fault {
                    origin: path.display().to_string(),
                    key: String::new(),
                    problem,
                    example: None,
                });
            }
        }
    }
    layers.add_environment(std::env::vars_os());
    layers
}

/// What stands between the scheme of an address and its path.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

const GIB: u64 = 1024 * 1024 * 1024;

/// Turns layers into a configuration; the only place that knows the defaults.
fn resolve(mut layers: Layers) -> Result<Config, Faults> {
    let otlp = otlp::otlp(&mut layers);
    let prices = otlp::prices(&mut layers);
    let data_dir = layers.path("store.data_dir").map_or_else(|| default_data_dir(&mut layers), Ok);
    let server = data_dir.as_ref().ok().map(|data_dir| server::server(&mut layers, data_dir));
    let store = data_dir.clone().ok().and_then(|data_dir| store(&mut layers, data_dir));
    let alerts_dir = data_dir.clone().ok();
    let spool_dir = layers.path("collector.spool_dir").or_else(|| data_dir.ok().map(|dir| dir.join("spool")));
    let runtime = runtime(&mut layers);
    let monitors = monitors::monitors(&mut layers);
    let experiments = experiments::experiments(&mut layers);
    let gates = gates::gates(&mut layers);
    let analyzer = monitors::analyzer(&layers);
    let alerts = alerts::plan(&mut layers, alerts_dir.as_deref());
    let redaction = redaction::redaction(&mut layers);
    let telemetry = telemetry::telemetry(&mut layers);
    let spool_bytes_max = layers.integer("collector.spool_bytes_max", 8 * GIB);
    let body_bytes_max = layers.size("collector.body_bytes_max", 32 * 1024 * 1024);
    let model_share_percent =
        limits::model_share_percent(&mut layers, (spool_bytes_max, body_bytes_max as u64));
    match (server, store, spool_dir, runtime) {
        (Some(server), Some(store), Some(spool_dir), Some(runtime)) if layers.faults.is_empty() => {
            let collector = Collector {
                spool_dir,
                spool_bytes_max,
                body_bytes_max,
                body_timeout: layers.length("collector.body_timeout", Duration::from_secs(60)),
                requests_max: layers.size("collector.requests_max", 64),
                requests_share_percent: layers.size("limits.requests_share_percent", 80),
                inserts_in_flight: layers.size("collector.inserts_in_flight", 1),
                limits: limits::event(&layers),
                names: limits::names(&layers),
                model_share_percent,
                redaction,
            };
            let settings = layers.settings();
            Ok(Config {
                server,
                otlp,
                store,
                collector,
                prices,
                runtime,
                analyzer,
                monitors,
                experiments,
                gates,
                alerts: Arc::new(alerts),
                telemetry,
                settings,
            })
        }
        _ => Err(Faults(layers.faults)),
    }
}

fn store(layers: &mut Layers, data_dir: PathBuf) -> Option<Store> {
    let Some(url) = layers.text("store.url") else {
        let engine_listen = layers.address("store.engine_listen", SocketAddr::from(([127, 0, 0, 1], 8123)));
        if !engine_listen.ip().is_loopback() {
            layers.contradiction(
                "store.engine_listen",
                &format!("`{engine_listen}` can be reached by other machines; the engine listens on a loopback address only"),
            );
        }
        for key in ["store.user", "store.password_file"] {
            if layers.has(key) {
                layers.contradiction(
                    key,
                    "goes with store.url; the embedded engine makes its own user and password",
                );
            }
        }
        let memory_bytes_max = layers.integer("store.engine_memory_bytes_max", 2 * GIB);
        return Some(Store::Embedded { data_dir, engine_listen, memory_bytes_max });
    };
    if authority(&url).contains('@') {
        // Without the value: it may hold a password.
        layers.contradiction(
            "store.url",
            "has a user or a password in its address, which ClickHouse would not be told and the log would; allowed is https://HOST:PORT, with store.user and store.password_file beside it",
        );
    }
    if layers.has("store.data_dir") {
        layers.contradiction("store.data_dir", "excludes store.url; keep one of the two");
    }
    let user = layers.text("store.user").unwrap_or_else(|| "default".to_owned());
    let password = match layers.path("store.password_file") {
        None => String::new(),
        Some(path) => match std::fs::read_to_string(&path) {
            Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
            Err(error) => {
                layers.contradiction(
                    "store.password_file",
                    &format!("cannot read `{}`: {error}", path.display()),
                );
                return None;
            }
        },
    };
    Some(Store::Server { url, user, password: Secret::new(password) })
}

fn runtime(layers: &mut Layers) -> Option<Places> {
    let named =
        (layers.path("runtime.libchdb"), layers.path("runtime.onnxruntime"), layers.path("runtime.dir"));
    let mut places = match (Places::from_environment(), &named.2) {
        (Ok(places), _) => places,
        (Err(_), Some(dir)) => Places { dir: dir.clone(), libchdb: None, onnxruntime: None },
        (Err(error), None) => {
            layers.contradiction("runtime.dir", &error.to_string());
            return None;
        }
    };
    if let (Some(dir), None) = (named.2, std::env::var_os("WINDVANE_RUNTIME_DIR")) {
        places.dir = dir;
    }
    places.libchdb = places.libchdb.or(named.0);
    places.onnxruntime = places.onnxruntime.or(named.1);
    Some(places)
}

fn default_data_dir(layers: &mut Layers) -> Result<PathBuf, ()> {
    use etcetera::BaseStrategy;
    match etcetera::choose_base_strategy() {
        Ok(strategy) => Ok(strategy.data_dir().join("windvane")),
        Err(_) => {
            layers
                .contradiction("store.data_dir", "there is no home folder to put the default under; set it");
            Err(())
        }
    }
}
