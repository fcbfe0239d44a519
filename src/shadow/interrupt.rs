//! Ending a run before its verdict: the first signal ends the process with the models, so that what was written for it is removed; the
//! second ends this process at once.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::exit::Reason;
use crate::shutdown::Signals;

/// Takes over SIGTERM and SIGINT. What is given back is cancelled by the first; the thread that listens ends with the process.
///
/// # Errors
/// The handlers cannot be installed.
pub fn listen() -> io::Result<CancellationToken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut signals = Signals::listen()?;
    drop(entered);
    let stop = CancellationToken::new();
    let told = stop.clone();
    std::thread::spawn(move || {
        runtime.block_on(async {
            signals.next().await;
            told.cancel();
            signals.next().await;
        });
        windvane_store::chdb::exit_now(Reason::Software.code());
    });
    Ok(stop)
}
