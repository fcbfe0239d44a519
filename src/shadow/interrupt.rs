//! Ending a run before its verdict: the first signal ends the process with the models, so that what was written for it is removed; the
//! second ends this process at once.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::exit::Reason;
use crate::shutdown;

/// Takes over SIGTERM, SIGINT and SIGHUP. What is given back is cancelled by the first; the thread that listens ends with the process.
///
/// # Errors
/// The handlers cannot be installed.
pub fn listen() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    shutdown::watch(move |runtime, mut signals| {
        runtime.block_on(async {
            signals.next().await;
            told.cancel();
            signals.next().await;
        });
        windvane_store::chdb::exit_now(Reason::Software.code());
    })?;
    Ok(stop)
}
