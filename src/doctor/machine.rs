//! The machine: native libraries, ports, disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Check, Verdict};
use crate::config::{Config, Otlp, Store};
use crate::runtime::{Fetching, Library};

/// Below this the spool and the engine stop working soon.
const FREE_BYTES_MIN: u64 = 256 << 20;
/// A commit of the spool takes as long as an fsync; beyond this acknowledgements are slow.
const FSYNC_SLOW: Duration = Duration::from_millis(100);
/// How long a listening port may take to accept.
const CONNECT: Duration = Duration::from_secs(2);

pub(super) fn check(config: &Config, checks: &mut Vec<Check>) {
    let is_embedded = matches!(config.store, Store::Embedded { .. });
    for (name, library) in [("libchdb", Library::Chdb), ("onnxruntime", Library::OnnxRuntime)] {
        checks.push(match config.runtime.locate(library, Fetching::Forbidden) {
            Ok(path) => Check::ok(name, path.display().to_string()),
            Err(error) => {
                let what = if library == Library::Chdb && is_embedded { Check::fail } else { Check::warn };
                what(name, error.to_string(), "run `windvane runtime install`".to_owned())
            }
        });
    }
    checks.push(port("server.listen", config.server.listen));
    checks.push(otlp_port(config.otlp));
    if let Store::Embedded { engine_listen, .. } = &config.store {
        checks.push(port("store.engine_listen", *engine_listen));
    }
    checks.push(space("spool disk", &config.collector.spool_dir, config.collector.spool_bytes_max));
    checks.push(fsync(&config.collector.spool_dir));
    if let Store::Embedded { data_dir, .. } = &config.store {
        checks.push(space("data disk", data_dir, FREE_BYTES_MIN));
    }
}

/// A port is well where it is free, or where somebody answers, who `store` and `service` say more about.
fn port(name: &'static str, address: SocketAddr) -> Check {
    if address.port() != 0 && TcpStream::connect_timeout(&address, CONNECT).is_ok() {
        return Check::ok(name, format!("{address} is served; see below whether by windvane"));
    }
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) => Check::fail(
            name,
            format!("cannot listen on {address}: {error}"),
            "choose another address or port",
        ),
    }
}

/// A usual port that cannot be had is done without.
fn otlp_port(Otlp { grpc_listen, is_asked_for }: Otlp) -> Check {
    let check = port("otlp.grpc_listen", grpc_listen);
    match check.verdict {
        Verdict::Fail if !is_asked_for => Check::warn(
            check.check,
            format!("{}; OTLP over gRPC will not be served", check.detail),
            "set otlp.grpc_listen to another address, or send OTLP over HTTP",
        ),
        _ => check,
    }
}

/// The folder itself, or the nearest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn space(name: &'static str, folder: &Path, wanted: u64) -> Check {
    let at = existing(folder);
    let free = match rustix::fs::statvfs(&at) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => {
            return Check::fail(
                name,
                format!("cannot look at `{}`: {error}", at.display()),
                "check the mount",
            );
        }
    };
    let detail = format!("{} MiB are free in `{}`", free >> 20, at.display());
    if free < FREE_BYTES_MIN {
        return Check::fail(name, detail, "make room; ingestion answers 429 when the disk is full");
    }
    if free < wanted {
        let advice = "make room, or lower collector.spool_bytes_max to what may be filled";
        return Check::warn(name, detail, advice);
    }
    Check::ok(name, detail)
}

/// Writes and syncs a file where the spool would.
fn fsync(spool_dir: &Path) -> Check {
    let name = "spool fsync";
    let at = existing(spool_dir);
    let path = at.join(format!(".windvane-doctor-{}", std::process::id()));
    let begun = Instant::now();
    let written = sync(&path, &at);
    let took = begun.elapsed();
    let _ = fs::remove_file(&path);
    match written {
        Err(error) => Check::fail(
            name,
            format!("cannot write in `{}`: {error}", at.display()),
            "check the owner and the mount of the folder",
        ),
        Ok(()) if took > FSYNC_SLOW => Check::warn(
            name,
            format!("took {} ms in `{}`", took.as_millis(), at.display()),
            "put collector.spool_dir on a faster disk; every acknowledgement waits for this",
        ),
        Ok(()) => {
            Check::ok(name, format!("took {:.1} ms in `{}`", took.as_secs_f64() * 1000.0, at.display()))
        }
    }
}

fn sync(path: &Path, folder: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&[0; 4096])?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}
