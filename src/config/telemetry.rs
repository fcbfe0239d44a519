//! `[telemetry]`: where the service sends what it observes of itself.

use std::time::Duration;

use super::layers::Layers;

/// What is sent, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// The address of OpenTelemetry's protocol over HTTP, before `/v1/metrics`.
    pub endpoint: String,
    /// How often metrics are sent.
    pub metrics_every: Duration,
}

const ENDPOINT: &str = "telemetry.otlp_endpoint";

/// Reads `[telemetry]`; nothing is sent unless somebody says where.
pub fn telemetry(layers: &mut Layers) -> Option<Telemetry> {
    let Some(endpoint) = layers.text(ENDPOINT) else {
        let key = "telemetry.metrics_every";
        if layers.has(key) {
            layers.contradiction(key, "goes with telemetry.otlp_endpoint, without which nothing is sent");
        }
        return None;
    };
    if !endpoint.starts_with("http://") {
        let problem = format!(
            "`{endpoint}` is no http:// address; have a collector of OpenTelemetry on this machine take it and send it on over TLS"
        );
        layers.contradiction(ENDPOINT, &problem);
    }
    Some(Telemetry {
        endpoint: endpoint.trim_end_matches('/').to_owned(),
        metrics_every: layers.length("telemetry.metrics_every", Duration::from_secs(60)),
    })
}
