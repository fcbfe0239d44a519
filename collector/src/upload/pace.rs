//! How long rows wait for others before they are sent, by what the store says of its parts.
//!
//! Each INSERT makes a part for each partition that it touches, and merges make fewer of them. Where they fall behind, larger blocks are
//! what helps: ClickHouse slows INSERTs down from 1,000 parts of a partition on, and refuses them from 3,000 on.

use std::time::Duration;

use tokio::time::Instant;

/// Parts of a partition from which on blocks are made larger.
const CROWDED_PARTS: u64 = 100;
/// Patience is stretched to this many times at most.
const STRETCH_MAX: u32 = 16;
/// No row waits longer than this for others.
const PATIENCE_MAX: Duration = Duration::from_secs(30);
/// How often the store is asked, at most.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// What is known of a table's parts.
#[derive(Debug, Default)]
pub(super) struct Pace {
    asked_at: Option<Instant>,
    parts: u64,
}

impl Pace {
    /// Whether it is time to ask again; asking is then taken for done.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.asked_at.is_none_or(|asked_at| now - asked_at >= ASK_EVERY);
        if is_due {
            self.asked_at = Some(now);
        }
        is_due
    }

    /// Takes the store's answer. Whether the patience changed.
    pub(super) fn learn(&mut self, parts: u64) -> bool {
        let before = stretch(self.parts);
        self.parts = parts;
        stretch(parts) != before
    }

    /// How long rows wait that would wait so long in an empty table.
    pub(super) fn patience(&self, usual: Duration) -> Duration {
        (usual * stretch(self.parts)).min(PATIENCE_MAX.max(usual))
    }
}

/// Twice as long at 100 parts, and again at each doubling.
fn stretch(parts: u64) -> u32 {
    match parts / CROWDED_PARTS {
        0 => 1,
        crowds => 2_u32.saturating_pow(crowds.ilog2() + 1).min(STRETCH_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_the_parts_and_is_bounded() {
        let usual = Duration::from_millis(500);
        for (parts, times) in
            [(0, 1), (99, 1), (100, 2), (199, 2), (200, 4), (450, 8), (900, 16), (100_000, 16)]
        {
            let mut pace = Pace::default();
            pace.learn(parts);
            assert_eq!(pace.patience(usual), usual * times, "{parts} parts");
        }
        let mut pace = Pace::default();
        assert!(pace.learn(150) && !pace.learn(160) && pace.learn(0));
        pace.learn(3000);
        assert_eq!(pace.patience(Duration::from_secs(10)), PATIENCE_MAX);
    }

    #[test]
    fn the_store_is_asked_at_most_so_often() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        assert!(pace.is_due(begun));
        assert!(!pace.is_due(begun + ASK_EVERY / 2));
        assert!(pace.is_due(begun + ASK_EVERY));
    }
}
