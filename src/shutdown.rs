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

/// Takes over the signals that end this process and hands them to `told`, in a thread of its own that ends with the process.
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

/// Listens for SIGTERM, SIGINT and SIGHUP from the moment it is made.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` where it is ignored, or has come: whoever closes a terminal sends it several times, which is one wish.
    hangup: Option<Signal>,
}

impl Signals {
    /// Takes over SIGTERM and SIGINT of this process; and SIGHUP, which a terminal sends that is closed, unless the process was told to
    /// ignore it (`nohup`).
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        // Where the system does not say, it stays as it is.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if ignores_hangup(&status) { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// Waits for the next signal and says which it was.
    pub async fn next(&mut self) -> &'static str {
        let Self { terminate, interrupt, hangup } = self;
        let hung_up = async {
            match hangup.as_mut() {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            _ = terminate.recv() => return "SIGTERM",
            _ = interrupt.recv() => return "SIGINT",
            _ = hung_up => "SIGHUP",
        };
        self.hangup = None;
        told
    }
}

/// Whether a process ignores SIGHUP, by its `/proc/PID/status`: signal 1 is the lowest bit of the hexadecimal mask.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_none_or(|mask| mask.trim().ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangup_is_ignored_where_the_lowest_bit_of_the_mask_is_set() {
        for (status, ignored) in [
            ("Name:\twindvane\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n", false),
            ("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n", true),
            ("SigIgn:\t000000000000000f\n", true),
            ("Name:\twindvane\n", true),
        ] {
            assert_eq!(ignores_hangup(status), ignored, "{status}");
        }
    }
}
