//! The port of OpenTelemetry's protocol over gRPC.

use anyhow::Context;
use tokio::net::TcpListener;

use crate::config::Otlp;
use crate::exit::{Because, Failure, Reason};

/// Takes the port. A default that another program has is done without: OpenTelemetry's own collector listens there, too.
///
/// # Errors
/// Somebody asked for the address and it cannot be had.
pub async fn bind(otlp: &Otlp) -> Result<Option<TcpListener>, Failure> {
    let address = otlp.grpc_listen;
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if !otlp.is_asked_for => {
            tracing::warn!(%address, %error, "OTLP over gRPC is not served, because its usual port cannot be had; set otlp.grpc_listen to another address, or send OTLP over HTTP");
            Ok(None)
        }
        Err(error) => Err(error)
            .with_context(|| {
                format!("cannot listen on {address} for OTLP (otlp.grpc_listen or WINDVANE_OTLP_GRPC_LISTEN sets another address)")
            })
            .because(Reason::Unavailable),
    }
}
