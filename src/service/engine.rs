//! The embedded engine of a service: its folder, its port, its password, its supervised process.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use tokio::net::TcpSocket;
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
    make_room(data_dir).because(Reason::Unavailable)?;
    let access = Access::load_or_create(data_dir).because(Reason::Unavailable)?;
    let reserved = Reserved::new(*engine_listen)?;
    let listen = reserved.address;
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
    Supervisor::start(command, store.clone(), tasks, ending.clone()).await.map_err(failure)?;
    announce(data_dir, store.url())?;
    tasks.spawn(async move {
        ending.cancelled().await;
        drop(reserved);
    });
    Ok(store)
}

/// Makes the data folder, and writes there once: an engine that cannot would end by itself, and say less.
fn make_room(data_dir: &Path) -> anyhow::Result<()> {
    let probe = data_dir.join(".write-test");
    let written = std::fs::create_dir_all(data_dir)
        .and_then(|()| std::fs::write(&probe, "windvane writes here"))
        .and_then(|()| std::fs::remove_file(&probe));
    written.map_err(|error| {
        let folder = data_dir.display();
        anyhow::anyhow!("cannot write to `{folder}`, where the embedded engine keeps everything: {error}; make room there, mount it so that it can be written to or give it to the user that runs windvane, or name another folder in store.data_dir, or a ClickHouse server in store.url")
    })
}

/// The engine's address, kept for it over its restarts: port 0 becomes a free one here.
///
/// The socket is bound and never listens. As it allows its address to be used again the engine may listen there, while no
/// other process is given the port for a listener or a connection of its own, neither before the engine's start nor
/// between two of them. Only Linux lets both stand beside each other; elsewhere the socket is not kept.
struct Reserved {
    _socket: Option<TcpSocket>,
    address: SocketAddr,
}

impl Reserved {
    fn new(listen: SocketAddr) -> Result<Self, Failure> {
        Self::bound(listen)
            .with_context(|| {
                format!("cannot listen on {listen} (store.engine_listen or WINDVANE_STORE_ENGINE_LISTEN sets another address)")
            })
            .because(Reason::Unavailable)
    }

    fn bound(listen: SocketAddr) -> std::io::Result<Self> {
        let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(listen)?;
        let address = socket.local_addr()?;
        Ok(Self { _socket: cfg!(target_os = "linux").then_some(socket), address })
    }
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_reserved_port_is_the_engines_and_nobody_elses() {
        let reserved = Reserved::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        assert_ne!(reserved.address.port(), 0);
        assert!(TcpStream::connect(reserved.address).is_err(), "nothing listens yet");
        let other = TcpSocket::new_v4().unwrap();
        assert_eq!(
            other.bind(reserved.address).is_err(),
            cfg!(target_os = "linux"),
            "it does not share its address"
        );
        for start in 0..2 {
            let engine = TcpListener::bind(reserved.address);
            assert!(engine.is_ok(), "start {start}: {engine:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_data_folder_that_cannot_be_written_to_is_told_with_its_reason_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let usual = folder.path().join("a/b");
        make_room(&usual).unwrap();
        assert_eq!(std::fs::read_dir(&usual).unwrap().count(), 0, "nothing stays");
        // A file system in which nobody makes files, whoever runs this.
        let read_only = folder.path().join("read-only");
        std::os::unix::fs::symlink("/sys/kernel", &read_only).unwrap();
        let told = make_room(&read_only).unwrap_err().to_string();
        for part in [&*read_only.to_string_lossy(), "os error", "mount it", "store.data_dir", "store.url"] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn a_port_on_which_another_listens_is_refused_with_its_address() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = taken.local_addr().unwrap();
        let refused = Reserved::new(address).err().unwrap();
        assert!(format!("{:#}", refused.error).contains(&format!("cannot listen on {address}")));
    }
}
