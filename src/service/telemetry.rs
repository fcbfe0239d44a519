//! What the service observes of itself, sent by OpenTelemetry's protocol to where the configuration says.

use axum::Router;
use axum::extract::{self, MatchedPath};
use axum::http::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use bytes::Bytes;
use prometheus::Registry;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;
use windvane_collector::{Collector, Gauges, OwnMetrics};
use windvane_types::{Clock, SystemClock};

use crate::config::{Config, Telemetry};
use crate::exit::{Because, Failure, Reason};
use crate::telemetry::OWN;
use crate::telemetry::client::Client;

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
    let sender = Sender {
        client: Client::new(&telemetry).because(Reason::Config)?,
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

/// Paths that are asked again and again by machines; a trace of them says nothing.
const UNTRACED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Makes a span of every request, where somebody collects spans; but not of one with telemetry of our own.
pub fn traced(router: Router) -> Router {
    router.layer(from_fn(trace))
}

async fn trace(request: extract::Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    if UNTRACED.contains(&route) || request.headers().contains_key(OWN.0) {
        return next.run(request).await;
    }
    let span = tracing::info_span!(
        "request",
        otel.name = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %request.method(),
        http.route = route,
        http.response.status_code = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("{} {route}", request.method()).trim_end());
    }
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

struct Sender {
    client: Client,
    url: String,
    registry: Registry,
    /// Brings gauges up to date, where there is a collector.
    gauges: Option<Gauges>,
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
            tokio::select! {
                biased;
                () = ending.cancelled() => break,
                _ = ticks.tick() => {}
            }
            // One that hangs does not hold up the last one, which has all that it has.
            let sent = tokio::select! {
                biased;
                () = ending.cancelled() => break,
                sent = self.send() => sent,
            };
            failing = self.tell(&sent, failing);
        }
        let sent = self.send().await;
        self.tell(&sent, failing);
    }

    /// Logs once as it begins to fail and once as that ends: metrics that are not taken are no reason to fill the log.
    /// Answers whether it fails.
    fn tell(&self, sent: &Result<(), String>, failing: bool) -> bool {
        match sent {
            Err(error) if !failing => {
                tracing::warn!(url = self.url, error, "our own metrics are not taken; trying again");
            }
            Ok(()) if failing => tracing::info!(url = self.url, "our own metrics are taken again"),
            _ => {}
        }
        sent.is_err()
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
        let request = Request::post(&self.url)
            .header("content-type", "application/x-protobuf")
            .header(OWN.0, OWN.1)
            .body(Bytes::from(body))
            .map_err(|error| error.to_string())?;
        let client = self.client.clone();
        let sent = tokio::task::spawn_blocking(move || client.send(request)).await;
        let answer = sent.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answers {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::telemetry::client::SEND;

    #[tokio::test]
    async fn a_message_that_hangs_does_not_hold_up_the_last_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let telemetry = Telemetry {
            endpoint: endpoint.clone(),
            ca_file: None,
            metrics_every: Duration::from_secs(3_600),
            traces_share: 0.0,
        };
        let sender = Sender {
            client: Client::new(&telemetry).unwrap(),
            url: format!("{endpoint}/v1/metrics"),
            registry: Registry::new(),
            gauges: None,
            instance: "test".to_owned(),
            started_us: 0,
        };
        let ending = CancellationToken::new();
        let sending = TaskTracker::new().spawn(sender.run(telemetry, ending.clone()));
        // The first one is never answered.
        let (_hanging, _) = listener.accept().await.unwrap();
        ending.cancel();
        let before_it_times_out = SEND - Duration::from_secs(1);
        let last = tokio::time::timeout(before_it_times_out, listener.accept()).await;
        let (mut last, _) = last.expect("the last message waits for the first").unwrap();
        last.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        sending.await.unwrap();
    }
}
