//! How many connections each port of the service takes, within the files that the system lets this process have open.
//!
//! A connection is an open file, and so is a segment of the spool: clients that took all of them would keep events from being written.

use prometheus::{IntGaugeVec, Opts, Registry};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use windvane_collector::Definition;

use super::tls::Speaks;
use crate::sockets::{self, Bounds};

/// What the ports tell Prometheus.
pub const CONNECTIONS: Definition = Definition {
    name: "windvane_http_connections",
    help: "Connections that are open, by port: http (server.listen) and grpc (otlp.grpc_listen).",
    labels: &["port"],
};

const PORTS: [Speaks; 2] = [Speaks::Http, Speaks::Grpc];

/// Files that are not connections of clients: segments of the spool, handshakes of TLS, connections to ClickHouse and to receivers.
const OTHER_FILES: u64 = 1_024;

/// What connections of clients may take.
#[derive(Debug)]
pub struct Ports {
    connections: usize,
    open: IntGaugeVec,
    closing: CancellationToken,
}

impl Ports {
    /// Makes room for so many connections on each port, or for as many as the system has files for, until `closing`.
    ///
    /// # Errors
    /// The registry has a metric of the same name.
    pub fn new(
        (connections_max, closing): (usize, CancellationToken),
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let open = IntGaugeVec::new(Opts::new(CONNECTIONS.name, CONNECTIONS.help), CONNECTIONS.labels)?;
        registry.register(Box::new(open.clone()))?;
        for port in PORTS {
            open.with_label_values(&[port.port()]);
        }
        let files = files(connections_max);
        let connections = room(connections_max, files);
        if connections < connections_max {
            tracing::warn!(
                files,
                connections,
                "the system lets this process have fewer files open than limits.connections_max needs; each port takes so many connections; raise `ulimit -n` (LimitNOFILE of systemd)"
            );
        }
        Ok(Self { connections, open, closing })
    }

    /// What the connections of a port may take, and what ends them.
    pub fn bounds(&self, speaks: Speaks) -> (Bounds, CancellationToken) {
        let open = Some(self.open.with_label_values(&[speaks.port()]));
        let bounds = Bounds { headers: sockets::HEADERS, connections: self.connections, open };
        (bounds, self.closing.clone())
    }
}

/// Files that this process may have open, after the soft limit was raised as far as is needed and permitted; `None` where there is no limit.
fn files(connections_max: usize) -> Option<u64> {
    let needed = OTHER_FILES + PORTS.len() as u64 * connections_max as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let files = current?;
    let raised = maximum.map_or(needed, |maximum| maximum.min(needed));
    if raised <= files {
        return Some(files);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => Some(raised),
        Err(error) => {
            tracing::warn!(%error, files, "cannot raise how many files this process may have open");
            Some(files)
        }
    }
}

/// The connections of a port: as many as are wanted, or as there are files for. Half of few files stay for what is not a connection.
fn room(wanted: usize, files: Option<u64>) -> usize {
    let Some(files) = files else { return wanted };
    let others = OTHER_FILES.min(files / 2);
    let each = (files - others) / PORTS.len() as u64;
    usize::try_from(each).unwrap_or(usize::MAX).clamp(1, wanted.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_connections_as_are_wanted_or_as_there_are_files_for() {
        for (wanted, files, expected) in [
            (1_024, None, 1_024),
            (1_024, Some(1_048_576), 1_024),
            (1_024, Some(3_072), 1_024),
            (1_024, Some(3_070), 1_023),
            (1_024, Some(1_024), 256),
            (8, Some(1_024), 8),
            (8, Some(1), 1),
        ] {
            assert_eq!(room(wanted, files), expected, "{wanted} of {files:?}");
        }
    }

    #[test]
    fn both_ports_have_the_bound_and_a_gauge_of_their_own() {
        let registry = Registry::new();
        let ports = Ports::new((16, CancellationToken::new()), &registry).unwrap();
        assert_eq!(ports.bounds(Speaks::Http).0.connections, 16);
        ports.bounds(Speaks::Grpc).0.open.unwrap().inc();
        let open = |port: Speaks| ports.open.with_label_values(&[port.port()]).get();
        assert_eq!((open(Speaks::Http), open(Speaks::Grpc)), (0, 1));
        assert_eq!(registry.gather()[0].get_metric().len(), 2);
    }
}
