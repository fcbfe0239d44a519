//! The parts of the service that a process can run.

use clap::ValueEnum;

/// A part; `serve` runs all of them unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Takes events in.
    Collector,
    /// Runs monitors.
    Analyzer,
    /// Judges findings and tells people.
    Alerts,
    /// Serves the read API and the pages.
    Web,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Collector, Self::Analyzer, Self::Alerts, Self::Web];
}
