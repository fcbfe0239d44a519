//! What the process tells of itself while it runs: log lines to standard error, as text or JSON, filtered by `--log` or
//! `WINDVANE_LOG`; and traces, where `[telemetry]` says where to send them.

pub mod client;

use std::collections::HashMap;
use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use self::client::{Client, SEND};
use crate::config::Telemetry;
use crate::exit::{Because, Exit, Failure, Reason};

/// The header of what we send about ourselves. A service that gets it makes no trace of that request: it may be the same one, whose traces
/// would each be the reason for another.
pub const OWN: (&str, &str) = ("x-windvane-telemetry", "own");

/// How log lines are written; the same for every subcommand.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which log lines to write: error, warn, info, debug, trace, or `target=level,…`. Without it `info`; `warn` where a
    /// command shows progress.
    #[arg(long, global = true, env = "WINDVANE_LOG", value_name = "FILTER", help_heading = "Logging")]
    log: Option<String>,
    /// Log lines as text for people or JSON for machines.
    #[arg(
        long,
        global = true,
        env = "WINDVANE_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Logging"
    )]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// What looks at spans and events.
type Watcher = Box<dyn Layer<Registry> + Send + Sync>;

/// Traces that are being sent, or none.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what is left. To be called outside of Tokio.
    pub fn finish(self) {
        let Some(provider) = self.0 else { return };
        if let Err(error) = provider.shutdown_with_timeout(SEND) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Starts logging for this process; `usual` is the filter where the user named none.
///
/// # Errors
/// The filter does not parse.
pub fn start(arguments: &Arguments, usual: &str) -> Result<Exit, Failure> {
    watch(vec![lines(arguments, usual)?])
}

/// As [`start`], and sends traces where somebody says where.
///
/// # Errors
/// The filter does not parse, or the address of the receiver does not.
pub fn start_with_traces(
    arguments: &Arguments,
    usual: &str,
    telemetry: Option<&Telemetry>,
) -> Result<Traces, Failure> {
    let mut watchers = vec![lines(arguments, usual)?];
    let provider = telemetry.map(provider).transpose()?;
    watchers.extend(provider.as_ref().map(spans));
    watch(watchers)?;
    Ok(Traces(provider))
}

fn watch(watchers: Vec<Watcher>) -> Result<Exit, Failure> {
    let started = tracing_subscriber::registry().with(watchers).try_init();
    started.map_err(|error| anyhow::anyhow!(error))?;
    Ok(Exit::Ok)
}

/// Log lines. Each reads alone, so spans are not among what they show; nobody else asked, they are not even made.
fn lines(arguments: &Arguments, usual: &str) -> Result<Watcher, Failure> {
    let filter = EnvFilter::try_new(arguments.log.as_deref().unwrap_or(usual)).because(Reason::Usage)?;
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(colours);
    Ok(match arguments.log_format {
        LogFormat::Text => lines.with_target(false).with_filter(events(filter)).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(events(filter)).boxed(),
    })
}

fn events(filter: EnvFilter) -> impl Filter<Registry> + Send + Sync + 'static {
    let no_spans = filter_fn(|metadata| metadata.is_event()).with_max_level_hint(LevelFilter::TRACE);
    filter.and(no_spans)
}

fn provider(telemetry: &Telemetry) -> Result<SdkTracerProvider, Failure> {
    let endpoint = format!("{}/v1/traces", telemetry.endpoint);
    let (name, value) = OWN;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .with_timeout(SEND)
        .with_http_client(Client::new(telemetry).because(Reason::Config)?)
        .with_headers(HashMap::from([(name.to_owned(), value.to_owned())]))
        .build();
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder_empty().with_service_name("windvane").with_attribute(version).build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(telemetry.traces_share)));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter.because(Reason::Config)?)
        .with_sampler(sampler)
        .with_resource(resource)
        .build())
}

/// Our own spans, with the events that happen within them; the libraries below us have too many.
fn spans(provider: &SdkTracerProvider) -> Watcher {
    let ours =
        filter_fn(|metadata| metadata.target().starts_with("windvane") && *metadata.level() <= Level::INFO);
    tracing_opentelemetry::layer::<Registry>()
        .with_tracer(provider.tracer("windvane"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
        .boxed()
}
