//! TLS on the service's ports: rustls, with one certificate for all of them, read again when its files change.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::sockets;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once: one takes about 1 ms of a core, and who says nothing holds its place for 10 s.
const HANDSHAKES_MAX: usize = 512;
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The files of a certificate, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own first.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads both and checks that they belong together.
    ///
    /// # Errors
    /// They cannot be read or do not.
    pub fn load(&self) -> anyhow::Result<ServerConfig> {
        let named = |what: &str, path: &Path| format!("cannot read the {what} in `{}`", path.display());
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| named("certificates", &self.cert))?;
        anyhow::ensure!(!chain.is_empty(), "`{}` holds no certificate in PEM", self.cert.display());
        let key = PrivateKeyDer::from_pem_file(&self.key).with_context(|| named("key", &self.key))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("cannot set up TLS 1.2 and 1.3")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .with_context(|| {
                format!(
                    "the certificate `{}` and the key `{}` do not go together",
                    self.cert.display(),
                    self.key.display()
                )
            })?;
        Ok(config)
    }

    fn changed(&self) -> [Option<Stamp>; 2] {
        [&self.cert, &self.key].map(|path| std::fs::metadata(path).map(|file| Stamp::of(&file)).ok())
    }
}

/// A file as it was: who replaces it, writes it or gives it to another user changes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    /// When its content or what is known of it changed; nobody can set it, as a copy sets when its content did.
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &std::fs::Metadata) -> Self {
        Self { inode: file.ino(), changed: (file.ctime(), file.ctime_nsec()) }
    }
}

/// What clients speak over a port, as it is agreed on in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// Whatever they begin with; nothing is agreed on.
    Http,
    /// HTTP/2, which clients of gRPC insist on.
    Grpc,
}

impl Speaks {
    /// What metrics call the port.
    pub const fn port(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

/// The certificate in force.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    configs: Configs,
    changed: [Option<Stamp>; 2],
    looked: Instant,
}

/// A certificate as each kind of port offers it.
#[derive(Debug)]
struct Configs {
    http: Arc<ServerConfig>,
    grpc: Arc<ServerConfig>,
}

impl Configs {
    fn new(http: ServerConfig) -> Self {
        let mut grpc = http.clone();
        grpc.alpn_protocols = vec![b"h2".to_vec()];
        Self { http: Arc::new(http), grpc: Arc::new(grpc) }
    }

    fn of(&self, speaks: Speaks) -> Arc<ServerConfig> {
        Arc::clone(match speaks {
            Speaks::Http => &self.http,
            Speaks::Grpc => &self.grpc,
        })
    }
}

impl Certificate {
    /// Reads it for the first time.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(files: TlsFiles) -> anyhow::Result<Self> {
        let changed = files.changed();
        let configs = Configs::new(files.load()?);
        Ok(Self { files, held: Mutex::new(Held { configs, changed, looked: Instant::now() }) })
    }

    /// The certificate for the next connection of a port where this is spoken. One that does not read changes nothing: the old one is
    /// better than none.
    fn current(&self, speaks: Speaks) -> Arc<ServerConfig> {
        let mut held = self.held.lock();
        if held.looked.elapsed() < LOOK {
            return held.configs.of(speaks);
        }
        held.looked = Instant::now();
        let changed = self.files.changed();
        if changed != held.changed {
            held.changed = changed;
            match self.files.load() {
                Ok(config) => {
                    held.configs = Configs::new(config);
                    tracing::info!(certificate = %self.files.cert.display(), "read the certificate again");
                }
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "cannot read the certificate again; the old one stays in force"
                    );
                }
            }
        }
        held.configs.of(speaks)
    }
}

/// Connections whose handshake is done.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Takes over a port. The task ends with `closing`, handshakes in work with it.
    ///
    /// # Errors
    /// The port has no address.
    pub fn start(
        mut listener: TcpListener,
        (certificate, speaks): (Arc<Certificate>, Speaks),
        (tasks, closing): (&TaskTracker, CancellationToken),
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(64);
        let handshakes = TaskTracker::new();
        tasks.spawn(async move {
            let room = Arc::new(Semaphore::new(HANDSHAKES_MAX));
            let work = async {
                loop {
                    let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                    let (stream, peer) = axum::serve::Listener::accept(&mut listener).await;
                    sockets::send_at_once(&stream);
                    let (done, acceptor) = (done.clone(), TlsAcceptor::from(certificate.current(speaks)));
                    handshakes.spawn(async move {
                        match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                            Ok(Ok(stream)) => drop(done.send((stream, peer)).await),
                            Ok(Err(error)) => tracing::debug!(%error, %peer, "a handshake failed"),
                            Err(_) => tracing::debug!(%peer, "a handshake took too long"),
                        }
                        drop(permit);
                    });
                }
            };
            tokio::select! {
                () = work => {}
                () = closing.cancelled() => {}
            }
        });
        Ok(Self { address, ready })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The port is closed; the server is told so by its own signal.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a key is that could not be read until it was given to the user of the service, and a pair from a copy that keeps times.
    #[test]
    fn a_file_has_changed_also_where_its_content_is_as_old_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { cert: folder.path().join("cert"), key: folder.path().join("key") };
        assert_eq!(files.changed(), [None, None]);
        for path in [&files.cert, &files.key] {
            std::fs::write(path, "as it was").unwrap();
        }
        let before = files.changed();
        assert_eq!(files.changed(), before);
        // Longer than the clock of a file system stands still.
        std::thread::sleep(Duration::from_millis(50));
        let modified = std::fs::metadata(&files.key).unwrap().modified().unwrap();
        std::fs::write(&files.key, "as it is now").unwrap();
        std::fs::File::options().write(true).open(&files.key).unwrap().set_modified(modified).unwrap();
        let after = files.changed();
        assert!(after[0] == before[0] && after[1] != before[1], "{before:?} {after:?}");
    }
}
