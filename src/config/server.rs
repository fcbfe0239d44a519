//! `[server]`: where requests come in, over what, and who may send them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use windvane_collector::{GateOptions, Hosts, Proxies, SenderOrigins, Tokens};
use windvane_types::{Clock, SystemClock};

use super::fault::Faults;
use super::layers::Layers;
use super::{Server, default_data_dir, layers};
use crate::service::TlsFiles;

/// The file of tokens in the data folder.
const TOKENS_FILE: &str = "tokens.json";

/// Connections at a time on each port, unless the configuration says otherwise.
pub const CONNECTIONS_MAX: usize = 1_024;

/// The file of tokens that a configuration names, also where the rest of it waits for the first token.
///
/// # Errors
/// The configuration has faults.
pub fn tokens_file(file: Option<&Path>) -> Result<PathBuf, Faults> {
    let mut layers = layers(file);
    let data_dir = layers.path("store.data_dir").map_or_else(|| default_data_dir(&mut layers), Ok);
    match data_dir {
        Ok(data_dir) if layers.faults.is_empty() => Ok(named(&layers, &data_dir)),
        _ => Err(Faults(layers.faults)),
    }
}

fn named(layers: &Layers, data_dir: &Path) -> PathBuf {
    layers.path("server.tokens_file").unwrap_or_else(|| data_dir.join(TOKENS_FILE))
}

/// Reads the section; a port that other machines reach needs a token, or the word of the operator that it does not.
pub fn server(layers: &mut Layers, data_dir: &Path) -> Server {
    let listen = layers.address("server.listen", SocketAddr::from(([127, 0, 0, 1], 8080)));
    let tokens_file = named(layers, data_dir);
    let has_token = match Tokens::load(&tokens_file) {
        Ok(tokens) => tokens.is_some_and(|tokens| tokens.any_active(SystemClock.now().as_microsecond())),
        Err(error) => {
            let problem = format!("{:#}", anyhow::Error::new(error));
            layers.contradiction("server.tokens_file", &problem);
            true
        }
    };
    let allowed = layers.flag("server.allow_unauthenticated", false);
    let grpc = layers.address("otlp.grpc_listen", listen);
    for (key, address) in [("server.listen", listen), ("otlp.grpc_listen", grpc)] {
        if address.ip().is_loopback() || allowed || has_token || (key != "server.listen" && !layers.has(key))
        {
            continue;
        }
        layers.contradiction(
            key,
            &format!(
                "`{address}` can be reached by other machines and there is no token in `{}`; make one with `windvane token create`, listen on 127.0.0.1, or set server.allow_unauthenticated = true behind a proxy that authenticates",
                tokens_file.display()
            ),
        );
    }
    let tls = tls(layers);
    let per_s = layers.integer("limits.requests_per_s", 0);
    let gate = GateOptions {
        metrics_public: layers.flag("server.metrics_public", false),
        requests_per_s: u32::try_from(per_s).ok().filter(|per_s| *per_s > 0),
        hosts: hosts(layers),
        origins: origins(layers),
    };
    let connections_max = layers.size("limits.connections_max", CONNECTIONS_MAX);
    let proxies = proxies(layers);
    Server { listen, tokens_file, tls, gate, connections_max, proxies }
}

/// What a list of texts stands for; nothing where one is wrong, which is a fault of the configuration.
fn texts<T: Default>(
    layers: &mut Layers,
    key: &'static str,
    parse: for<'a> fn(&'a [String]) -> Result<T, &'a str>,
    wanted: &str,
) -> T {
    let given = layers.texts(key);
    parse(&given).unwrap_or_else(|wrong| {
        layers.contradiction(key, &format!("`{wrong}` is {wanted}"));
        T::default()
    })
}

fn hosts(layers: &mut Layers) -> Hosts {
    let wanted = "neither a name nor an address; accepted are such as `windvane.example.org` and `10.0.0.7`, without http:// and without a port";
    texts(layers, "server.hosts", Hosts::parse, wanted)
}

fn origins(layers: &mut Layers) -> SenderOrigins {
    let wanted = "no origin; accepted are such as `https://shop.example.org` and `http://localhost:3000`, without a path and without `*`";
    texts(layers, "server.event_origins", SenderOrigins::parse, wanted)
}

fn proxies(layers: &mut Layers) -> Proxies {
    let wanted = "neither an address nor a network; accepted are such as `10.0.0.1` and `10.0.0.0/8`";
    texts(layers, "server.trusted_proxies", Proxies::parse, wanted)
}

fn tls(layers: &mut Layers) -> Option<TlsFiles> {
    let (cert, key) = match (layers.path("server.tls.cert_file"), layers.path("server.tls.key_file")) {
        (None, None) => return None,
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => {
            layers.contradiction("server.tls.cert_file", "needs server.tls.key_file beside it");
            return None;
        }
        (None, Some(_)) => {
            layers.contradiction("server.tls.key_file", "needs server.tls.cert_file beside it");
            return None;
        }
    };
    let files = TlsFiles { cert, key };
    match files.load() {
        Ok(_) => Some(files),
        Err(error) => {
            layers.contradiction("server.tls.cert_file", &format!("{error:#}"));
            None
        }
    }
}
