//! How long a block that is not full waits for more rows.

use std::time::Duration;

use tokio::time::Instant;

use super::pace::Pace;

/// From so many rows on, a block is given four times as long to fill while more come: the engine's CPU for a row, merges included, is 12 us
/// in blocks of 10,000 rows and 3 us in blocks of 100,000 (`benches/insert.rs`); below, there is little to save.
const WORTH_WAITING_ROWS: u64 = 2_000;

/// The wait of one block.
#[derive(Debug)]
pub(super) struct Wait {
    brief: Duration,
    long: Duration,
    /// When the oldest row was seen first, and its age then.
    oldest: Option<(Instant, Duration)>,
}

impl Wait {
    pub(super) fn new(pace: &Pace, block_age: Duration) -> Self {
        Self { brief: pace.patience(block_age), long: pace.patience(4 * block_age), oldest: None }
    }

    /// When the block is due of which so many rows have come, the last of them now, and the oldest at such an age. The age is asked for once:
    /// whatever a clock does afterwards, nothing waits longer than it should.
    pub(super) fn until(&mut self, now: Instant, rows: u64, age: impl FnOnce() -> Duration) -> Instant {
        let (seen_at, age) = *self.oldest.get_or_insert_with(|| (now, age()));
        let patience = if rows < WORTH_WAITING_ROWS { self.brief } else { self.long };
        (seen_at + patience.saturating_sub(age)).min(now + self.brief)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_millis(500);

    fn wait() -> (Wait, Instant) {
        (Wait::new(&Pace::default(), AGE), Instant::now())
    }

    #[test]
    fn few_rows_wait_from_when_the_oldest_came() {
        let (mut wait, begun) = wait();
        let came_before = Duration::from_millis(200);
        assert_eq!(wait.until(begun, 1, || came_before), begun + AGE - came_before);
        let later = begun + Duration::from_millis(100);
        assert_eq!(wait.until(later, 2, || unreachable!("the age is known")), begun + AGE - came_before);
    }

    #[test]
    fn rows_of_long_ago_do_not_wait() {
        let (mut wait, begun) = wait();
        assert_eq!(wait.until(begun, 1_000_000, || 5 * AGE), begun);
    }

    #[test]
    fn many_rows_wait_longer_while_more_come_and_no_longer_once_none_does() {
        let (mut wait, begun) = wait();
        assert_eq!(wait.until(begun, WORTH_WAITING_ROWS, || Duration::ZERO), begun + AGE);
        assert_eq!(wait.until(begun + AGE, 3_000, || Duration::ZERO), begun + 2 * AGE);
        let late = begun + 4 * AGE - Duration::from_millis(1);
        assert_eq!(wait.until(late, 50_000, || Duration::ZERO), begun + 4 * AGE);
    }

    #[test]
    fn both_waits_are_stretched_where_the_store_has_many_parts() {
        let mut pace = Pace::default();
        pace.learn(100);
        let (mut wait, begun) = (Wait::new(&pace, AGE), Instant::now());
        assert_eq!(wait.until(begun, 3_000, || Duration::ZERO), begun + 2 * AGE);
        assert_eq!(wait.until(begun + 7 * AGE, 50_000, || Duration::ZERO), begun + 8 * AGE);
    }
}
