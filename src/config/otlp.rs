//! `[otlp]` and `[llm]`: where OpenTelemetry's gRPC is served, and what tokens cost.

use std::net::SocketAddr;

use windvane_collector::{Price, Prices};

use super::layers::Layers;
use super::path::KeyPath;

/// The port of OpenTelemetry's protocol over gRPC.
#[derive(Debug, Clone, Copy)]
pub struct Otlp {
    /// Where to listen.
    pub grpc_listen: SocketAddr,
    /// Whether somebody asked for this address: then it must be free.
    pub is_asked_for: bool,
}

/// Reads `[otlp]`; that a reachable port needs a token is checked with `[server]`.
pub fn otlp(layers: &mut Layers) -> Otlp {
    let key = "otlp.grpc_listen";
    let grpc_listen = layers.address(key, SocketAddr::from(([127, 0, 0, 1], 4317)));
    Otlp { grpc_listen, is_asked_for: layers.has(key) }
}

/// Reads `[llm]` and every `[llm.prices.<MODEL>]`.
pub fn prices(layers: &mut Layers) -> Prices {
    let tables = KeyPath::from("llm.prices");
    let models = layers.names(tables.clone()).into_iter().filter_map(|name| {
        let table = tables.join(&name);
        for key in ["input", "output"] {
            if !layers.has(table.join(key)) {
                layers.missing(&table, key);
                return None;
            }
        }
        let price = |key: &str, default: f64| layers.number(table.join(key), default);
        let input = price("input", 0.0);
        let price = Price {
            input,
            output: price("output", 0.0),
            cache_read: price("cache_read", input),
            cache_write: price("cache_write", input),
        };
        Some((name, price))
    });
    let models = models.collect();
    Prices { currency: layers.text("llm.currency").unwrap_or_else(|| "USD".to_owned()), models }
}
