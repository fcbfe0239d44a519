//! Everything that the configuration says about alerts, resolved.

use std::path::PathBuf;
use std::time::Duration;

use windvane_store::Secret;

use crate::interval::Intervals;
use crate::rate::Cap;
use crate::receiver::Receiver;
use crate::route::Route;
use crate::rule::Rule;
use crate::suppress::{Inhibition, Maintenance};

/// What is watched, who is told, and how.
#[derive(Debug)]
pub struct Plan {
    /// Rules that are enabled, by name.
    pub rules: Vec<Rule>,
    /// Who is told what.
    pub route: Route,
    /// What says other alerts better.
    pub inhibitions: Vec<Inhibition>,
    /// When nothing is told.
    pub maintenance: Vec<Maintenance>,
    /// Intervals by name.
    pub intervals: Intervals,
    /// Everybody who may be told.
    pub receivers: Vec<Receiver>,
    /// Who is told where a receiver does not take a message.
    pub fallback: Option<String>,
    /// How often rules are looked at.
    pub every: Duration,
    /// How long a message is tried.
    pub give_up_after: Duration,
    /// Messages that are sent to one receiver at a time.
    pub sends_max: usize,
    /// Messages that one receiver gets in a span of time.
    pub cap: Cap,
    /// Where pages are.
    pub external_url: Option<String>,
    /// What is asked for, again and again, as long as all goes well.
    pub heartbeat: Option<Heartbeat>,
    /// Where the state is kept.
    pub state_dir: PathBuf,
    /// How long a process that judges may be silent before another one takes over.
    pub lease: Duration,
}

impl Plan {
    /// Whether a receiver keeps an incident for each group, which the end of the group closes.
    #[must_use]
    pub fn keeps_incidents(&self, receiver: &str) -> bool {
        self.receivers.iter().any(|known| known.name() == receiver && known.keeps_incidents())
    }
}

/// An address that is told that we live.
#[derive(Debug)]
pub struct Heartbeat {
    /// The receiver of heartbeats.
    pub receiver: Receiver,
    /// How often.
    pub every: Duration,
}

/// The address of a heartbeat, on its way into a plan.
#[derive(Debug, Clone)]
pub struct HeartbeatUrl {
    /// Where it is.
    pub url: Secret,
    /// How often it is asked for.
    pub every: Duration,
}
