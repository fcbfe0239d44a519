//! When the process is asked to end: the first signal drains, the second aborts.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long threads of a runtime get to end by themselves.
const THREADS: Duration = Duration::from_secs(1);

/// Ends a runtime whose work is done or was cut off. A thread that is held up is left behind: who waits for one that reads from a disk that
/// hangs ends when the disk says so.
pub fn end(runtime: Runtime) {
    runtime.shutdown_timeout(THREADS);
}

/// Takes over SIGTERM and SIGINT of this process and hands them to `told`, in a thread of its own that ends with the process.
///
/// # Errors
/// The handlers cannot be installed.
pub fn watch(told: impl FnOnce(&Runtime, Signals) + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let signals = Signals::listen()?;
    drop(entered);
    std::thread::spawn(move || told(&runtime, signals));
    Ok(())
}

/// Listens for SIGTERM and SIGINT from the moment it is made.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes over SIGTERM and SIGINT of this process.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal and says which it was.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
