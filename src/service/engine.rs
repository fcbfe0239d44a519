//! The embedded engine of a service: its folder, its port, its password, its supervised process.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windvane_store::endpoint::Access;
use windvane_store::{DATABASE, EngineCommand, Secret, Store, StoreOptions, Supervisor, SupervisorError};

use crate::config::{self, Config};
use crate::connection::ADDRESS_FILE;
use crate::exit::{Because, Failure, Reason};
use crate::runtime::{self, Fetching, Library};

/// Starts the engine as a supervised child and returns a handle on it once it answers.
///
/// # Errors
/// The library is missing, the folder cannot be used, or the engine does not start.
pub async fn start(
    config: &Config,
    fetching: Fetching,
    tasks: &TaskTracker,
    ending: CancellationToken,
) -> Result<Store, Failure> {
    let config::Store::Embedded { data_dir, engine_listen, memory_bytes_max } = &config.store else {
        return Err(
            anyhow::anyhow!("the configuration names a ClickHouse server, not the embedded engine").into()
        );
    };
    let library = config.runtime.locate(Library::Chdb, fetching).map_err(runtime::failure)?;
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot create the data folder `{}`", data_dir.display()))
        .because(Reason::Unavailable)?;
    let access = Access::load_or_create(data_dir).because(Reason::Unavailable)?;
    let listen = settled(*engine_listen)?;
    let store = Store::connect(&StoreOptions {
        url: format!("http://{listen}"),
        user: access.user,
        password: Secret::new(access.password),
        database: DATABASE.to_owned(),
    });
    let command = EngineCommand {
        program: std::env::current_exe().context("cannot tell where this program is")?,
        arguments: arguments(data_dir, listen, &library, *memory_bytes_max),
    };
    Supervisor::start(command, store.clone(), tasks, ending).await.map_err(failure)?;
    announce(data_dir, store.url())?;
    Ok(store)
}

/// Port 0 becomes a free one here, so that the engine keeps its address over restarts.
fn settled(listen: SocketAddr) -> Result<SocketAddr, Failure> {
    if listen.port() != 0 {
        return Ok(listen);
    }
    let socket = TcpListener::bind(listen)
        .with_context(|| format!("cannot listen on {listen}"))
        .because(Reason::Unavailable)?;
    Ok(socket.local_addr()?)
}

fn arguments(data_dir: &Path, listen: SocketAddr, library: &Path, memory_bytes_max: u64) -> Vec<OsString> {
    let words: [OsString; 12] = [
        "--log-format".into(),
        "json".into(),
        "engine".into(),
        "--exit-with-stdin".into(),
        "--data".into(),
        data_dir.into(),
        "--listen".into(),
        listen.to_string().into(),
        "--libchdb".into(),
        library.into(),
        "--memory-bytes-max".into(),
        memory_bytes_max.to_string().into(),
    ];
    words.into()
}

/// Writes where the engine answers beside its passwords, for commands that find it by its folder.
fn announce(data_dir: &Path, url: &str) -> Result<(), Failure> {
    let path = data_dir.join(ADDRESS_FILE);
    let draft = path.with_extension("new");
    std::fs::write(&draft, format!("{url}\n"))
        .and_then(|()| std::fs::rename(&draft, &path))
        .with_context(|| format!("cannot write `{}`", path.display()))
        .because(Reason::Unavailable)
}

/// The engine's own exit code says whose fault it was.
fn failure(error: SupervisorError) -> Failure {
    let reason = match &error {
        SupervisorError::Ended { status, .. } => match status.code() {
            Some(64 | 78) => Reason::Config,
            Some(69) => Reason::Unavailable,
            _ => Reason::Software,
        },
        SupervisorError::Spawn { .. } | SupervisorError::Silent => Reason::Unavailable,
    };
    Failure { reason, error: error.into() }
}
