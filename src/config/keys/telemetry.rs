//! The keys of what the service sends about itself.

use crate::config::keys::Key;
use crate::config::kind::Kind;

/// In the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        path: "telemetry.otlp_endpoint",
        kind: Kind::Url,
        default: "none: nothing is sent",
        example: "otlp_endpoint = \"http://127.0.0.1:4318\"",
        about: "Where the service sends its own metrics and traces by OpenTelemetry's protocol over HTTP, without /v1/metrics, user, password and query. /metrics is served all the same; set this where Prometheus does not come.",
    },
    Key {
        path: "telemetry.ca_file",
        kind: Kind::Path,
        default: "none: the public authorities are trusted",
        example: "ca_file = \"/etc/windvane/otel-ca.crt\"",
        about: "The authorities that vouch for an https:// receiver, PEM, in place of the public ones. Needs telemetry.otlp_endpoint.",
    },
    Key {
        path: "telemetry.metrics_every",
        kind: Kind::Length { min_s: 1, max_s: 3_600 },
        default: "1m",
        example: "metrics_every = \"1m\"",
        about: "How often its metrics are sent; once more when it ends. Needs telemetry.otlp_endpoint.",
    },
    Key {
        path: "telemetry.traces_share",
        kind: Kind::Number { min: 0.0, max: 1.0 },
        default: "0.1",
        example: "traces_share = 1.0",
        about: "The share of its own traces that are sent: requests, inserted blocks, runs of monitors. 1 sends all, 0 none. Needs telemetry.otlp_endpoint.",
    },
];
