//! What becomes of a batch, and in which number its events are counted.

use std::time::Duration;

use crate::stats::Stats;

/// What becomes of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    Settled { accepted: u64 },
    TooLarge,
    Refused,
    Kept { wait: Duration },
    GaveUp,
    AtExit,
    Unconfirmed,
}

impl Fate {
    /// Counts the events of the batch.
    pub(crate) fn count(self, stats: &mut Stats, n: u64) {
        match self {
            Self::Settled { accepted } => {
                stats.received += accepted.min(n);
                stats.rejected += n.saturating_sub(accepted);
            }
            Self::TooLarge | Self::Refused => stats.dropped_refused += n,
            Self::Kept { .. } => stats.spooled += n,
            Self::GaveUp => stats.dropped_gave_up += n,
            Self::AtExit => stats.dropped_at_exit += n,
            Self::Unconfirmed => stats.unconfirmed += n,
        }
    }

    /// What was sent without an answer may have been received.
    pub(crate) fn or_unconfirmed(self, in_doubt: bool) -> Self {
        if in_doubt { Self::Unconfirmed } else { self }
    }
}
