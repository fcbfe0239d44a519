//! `[telemetry]`: where the service sends what it observes of itself.

use std::path::PathBuf;
use std::time::Duration;

use super::authority;
use super::layers::Layers;
use crate::telemetry::client::certificates;

/// What is sent, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// The address of OpenTelemetry's protocol over HTTP, before `/v1/metrics` and `/v1/traces`.
    pub endpoint: String,
    /// The authorities that an `https` receiver is held against, PEM; without one the public ones.
    pub ca_file: Option<PathBuf>,
    /// How often metrics are sent.
    pub metrics_every: Duration,
    /// The share of traces that are sent.
    pub traces_share: f64,
}

const ENDPOINT: &str = "telemetry.otlp_endpoint";
const CA_FILE: &str = "telemetry.ca_file";

/// Reads `[telemetry]`; nothing is sent unless somebody says where.
pub fn telemetry(layers: &mut Layers) -> Option<Telemetry> {
    let Some(endpoint) = layers.text(ENDPOINT) else {
        for key in [CA_FILE, "telemetry.metrics_every", "telemetry.traces_share"] {
            if layers.has(key) {
                layers.contradiction(key, "goes with telemetry.otlp_endpoint, without which nothing is sent");
            }
        }
        return None;
    };
    if let Some(problem) = problem_with(&endpoint) {
        layers.contradiction(ENDPOINT, &problem);
    }
    let ca_file = layers.path(CA_FILE);
    if let Some(file) = &ca_file {
        if !endpoint.starts_with("https://") {
            layers.contradiction(CA_FILE, "goes with an https:// address in telemetry.otlp_endpoint");
        } else if let Err(error) = certificates(file) {
            layers.contradiction(CA_FILE, &format!("{error:#}"));
        }
    }
    Some(Telemetry {
        ca_file,
        endpoint: endpoint.trim_end_matches('/').to_owned(),
        metrics_every: layers.length("telemetry.metrics_every", Duration::from_secs(60)),
        traces_share: layers.number("telemetry.traces_share", 0.1),
    })
}

/// Why an address is not taken. It is logged, and `/v1/metrics` is put behind it, so it may hold no secret and end in its path.
fn problem_with(endpoint: &str) -> Option<String> {
    if authority(endpoint).contains('@') {
        // Without the value: it may hold a password.
        return Some(
            "has a user or a password in its address, which would be logged; allowed is https://HOST:PORT without one, such as that of a collector of OpenTelemetry on this machine that adds what its target asks for".to_owned(),
        );
    }
    if let Some(end) = endpoint.find(['?', '#']) {
        return Some(format!(
            "`{endpoint}` has a query or a fragment; allowed is what stands before it, `{}`: /v1/metrics is put behind that",
            &endpoint[..end]
        ));
    }
    let before = endpoint.trim_end_matches('/').strip_suffix("/v1/metrics")?;
    Some(format!("`{endpoint}` ends in /v1/metrics, which is put behind it once more; allowed is `{before}`"))
}
