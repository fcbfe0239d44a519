//! The ClickHouse HTTP interface over the embedded engine: what makes libchdb a server to every client.
//!
//! Async code here accepts connections, reads heads and moves bytes; each statement runs on a blocking thread
//! (`job.rs`) that holds one connection of the engine. Both directions stream through small bounded channels, so memory
//! does not grow with a body or a result.

mod access;
mod body;
mod encoding;
mod frames;
mod guard;
mod hello;
mod insert;
mod job;
mod kill;
mod multipart;
mod pool;
mod registry;
mod reply;
mod request;
mod route;
mod select;
mod session;
mod settings;
mod spares;
mod statement;
mod status;
mod stitch;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chdb::{Engine, EngineError};
use guard::Guard;
use pool::Pool;
use registry::Registry;
use session::Sessions;
use spares::Spares;

pub use access::{Access, AccessError};

/// How the endpoint serves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Databases that the reader may name beside `windvane`, `system` and `information_schema`.
    pub reader_databases: Vec<String>,
    /// Read-only statements at once; more wait for [`Options::admission_wait`].
    pub reads_max: usize,
    /// Other statements at once.
    pub writes_max: usize,
    /// How long a statement waits for a place before it is answered with 503.
    pub admission_wait: Duration,
    /// Open client connections; more wait in the listen queue.
    pub connections_max: usize,
    /// How long running statements get when the endpoint stops.
    pub drain: Duration,
    /// How long they get when the process that started this one has died, and their clients with it.
    pub drain_orphaned: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reader_databases: Vec::new(),
            reads_max: 16,
            writes_max: 8,
            admission_wait: Duration::from_secs(5),
            connections_max: 256,
            drain: Duration::from_secs(8),
            drain_orphaned: Duration::from_secs(1),
        }
    }
}

/// Why the endpoint cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// An address that other machines reach. The engine has no access control of its own.
    #[error("the engine listens on loopback only, not on `{address}`")]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be bound.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The users cannot be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The engine fails.
    #[error("cannot prepare the engine")]
    Engine(#[from] EngineError),
    /// The folder for large results cannot be made.
    #[error("cannot make the folder `{}`", path.display())]
    Spill {
        /// The folder.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
}

/// How long a stopped statement may take to notice.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What all requests share.
struct Shared {
    engine: Arc<Engine>,
    access: Access,
    guard: Guard,
    registry: Arc<Registry>,
    sessions: Sessions,
    spares: Spares,
    reads: Pool,
    writes: Pool,
    spill_dir: PathBuf,
    version: String,
    timezone: String,
    runtime: tokio::runtime::Handle,
    tasks: TaskTracker,
}

/// An endpoint that is bound and ready to serve.
pub struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Binds the address, reads or makes the users, and makes the database `windvane`.
    ///
    /// # Errors
    /// When the address is not loopback or not free, or the data folder is not usable.
    pub async fn bind(
        engine: Arc<Engine>,
        listen: SocketAddr,
        options: Options,
    ) -> Result<Self, EndpointError> {
        if !listen.ip().is_loopback() {
            return Err(EndpointError::NotLoopback { address: listen });
        }
        let bind_error = |source| EndpointError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        let access = Access::load_or_create(engine.data_dir())?;
        let spill_dir = engine.data_dir().join("results");
        let made = match std::fs::remove_dir_all(&spill_dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => std::fs::create_dir_all(&spill_dir),
        };
        made.map_err(|source| EndpointError::Spill { path: spill_dir.clone(), source })?;
        let (version, timezone) = {
            let mut connection = engine.connect()?;
            connection
                .execute(&format!("CREATE DATABASE IF NOT EXISTS {} ENGINE = Atomic", crate::DATABASE))?;
            let output = connection.query("SELECT version(), timezone()", "TabSeparated", &[])?;
            let text = String::from_utf8_lossy(output.bytes()).trim().to_owned();
            text.split_once('\t').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or_default()
        };
        let shared = Arc::new(Shared {
            guard: Guard::new(engine.clone(), &options.reader_databases),
            registry: Arc::default(),
            sessions: Sessions::default(),
            spares: Spares::default(),
            reads: Pool::new(options.reads_max, options.admission_wait),
            writes: Pool::new(options.writes_max, options.admission_wait),
            runtime: tokio::runtime::Handle::current(),
            tasks: TaskTracker::new(),
            engine,
            access,
            spill_dir,
            version,
            timezone,
        });
        Ok(Self { listener, address, options, shared })
    }

    /// The bound address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The users of this endpoint.
    pub fn access(&self) -> &Access {
        &self.shared.access
    }

    /// Serves until `stop` or `orphaned`, then lets running statements finish for the time that [`Options`] gives, stops
    /// the rest, and closes the engine. True when every connection to the engine is closed.
    pub async fn serve(self, stop: CancellationToken, orphaned: CancellationToken) -> bool {
        let Self { listener, options, shared, .. } = self;
        let closing = CancellationToken::new();
        let places = Arc::new(Semaphore::new(options.connections_max));
        let mut sweep = tokio::time::interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = orphaned.cancelled() => break,
                _ = sweep.tick() => {
                    shared.sessions.sweep();
                    shared.spares.sweep(Instant::now());
                }
                accepted = accept(&listener, &places) => {
                    let Some((stream, place)) = accepted else { continue };
                    let (shared, closing) = (shared.clone(), closing.clone());
                    shared.tasks.clone().spawn(async move {
                        connection(stream, shared, closing).await;
                        drop(place);
                    });
                }
            }
        }
        drop(listener);
        closing.cancel();
        shared.tasks.close();
        let patience = if orphaned.is_cancelled() { options.drain_orphaned } else { options.drain };
        tokio::select! {
            () = shared.tasks.wait() => {}
            () = tokio::time::sleep(patience) => {}
            () = orphaned.cancelled(), if !orphaned.is_cancelled() => {}
        }
        close(&shared).await
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            // Out of file descriptors: wait for connections to close rather than spin.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// Serves one connection. It ends with the client, or after the request in hand when the endpoint stops.
async fn connection(stream: TcpStream, shared: Arc<Shared>, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, std::convert::Infallible>(route::handle(shared, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .max_buf_size(1 << 20)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let mut stopping = false;
    loop {
        tokio::select! {
            outcome = served.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a connection broke");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Stops what still runs and closes the engine.
async fn close(shared: &Arc<Shared>) -> bool {
    for running in shared.registry.all() {
        tracing::warn!(query_id = running.query_id, "stopping a statement that did not end in time");
        let stopped = shared.guard.with(|connection| {
            running.cancel(connection);
            Ok(())
        });
        if let Err(error) = stopped {
            tracing::warn!(%error, "cannot stop a statement");
        }
    }
    let _ = tokio::time::timeout(STOP_WITHIN, shared.tasks.wait()).await;
    shared.sessions.clear();
    shared.spares.close();
    shared.guard.close();
    shared.engine.close();
    shared.engine.connections() == 0
}
