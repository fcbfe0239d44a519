//! The seam through which wall-clock time enters, so that nothing deep in the program reads the clock itself.

use std::fmt::Debug;

use jiff::Timestamp;

/// A source of the current time in UTC. Production code is handed [`SystemClock`]; tests hand in a clock they move.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
