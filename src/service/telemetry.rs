//! What the service observes of itself, sent by OpenTelemetry's protocol to where the configuration says.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use windvane_collector::{Collector, OwnMetrics};
use windvane_types::{Clock, SystemClock};

use crate::config::{Config, Telemetry};
use crate::exit::Failure;

/// How long one message may take; the last one holds up the end of the process for no longer.
const SEND: Duration = Duration::from_secs(5);

/// Starts sending, if the configuration says where. The task ends when `ending` is cancelled, after a last message.
///
/// # Errors
/// No client can be made.
pub fn start(
    config: &Config,
    (registry, collector): (&Registry, Option<&Collector>),
    (tasks, ending): (&TaskTracker, &CancellationToken),
) -> Result<(), Failure> {
    let Some(telemetry) = config.telemetry.clone() else { return Ok(()) };
    let client = reqwest::Client::builder().timeout(SEND).redirect(reqwest::redirect::Policy::none());
    let sender = Sender {
        client: client.build()?,
        url: format!("{}/v1/metrics", telemetry.endpoint),
        registry: registry.clone(),
        gauges: collector.map(Collector::gauges),
        instance: Uuid::new_v4().to_string(),
        started_us: SystemClock.now().as_microsecond(),
    };
    tracing::info!(url = sender.url, "metrics are sent by OpenTelemetry's protocol, too");
    tasks.spawn(sender.run(telemetry, ending.clone()));
    Ok(())
}

struct Sender {
    client: reqwest::Client,
    url: String,
    registry: Registry,
    /// Brings gauges up to date, where there is a collector.
    gauges: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Tells this process from others of the same name.
    instance: String,
    started_us: i64,
}

impl Sender {
    async fn run(self, telemetry: Telemetry, ending: CancellationToken) {
        let mut ticks = interval(telemetry.metrics_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            let last = tokio::select! {
                _ = ticks.tick() => false,
                () = ending.cancelled() => true,
            };
            let sent = self.send().await;
            // Once as it begins and once as it ends: metrics that are not taken are no reason to fill the log.
            match &sent {
                Err(error) if !failing => {
                    tracing::warn!(url = self.url, error, "our own metrics are not taken; trying again");
                }
                Ok(()) if failing => tracing::info!(url = self.url, "our own metrics are taken again"),
                _ => {}
            }
            failing = sent.is_err();
            if last {
                return;
            }
        }
    }

    async fn send(&self) -> Result<(), String> {
        if let Some(gauges) = &self.gauges {
            gauges();
        }
        let own = OwnMetrics {
            resource: &[
                ("service.name", "windvane"),
                ("service.version", env!("CARGO_PKG_VERSION")),
                ("service.instance.id", self.instance.as_str()),
            ],
            started_us: self.started_us,
            now_us: SystemClock.now().as_microsecond(),
        };
        let body = own.message(&self.registry.gather());
        let request = self.client.post(&self.url).header("content-type", "application/x-protobuf").body(body);
        let answer = request.send().await.map_err(|error| format!("{:#}", anyhow::Error::from(error)))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answers {status}")),
        }
    }
}
