//! Writing: rows of what changed and of what was sent, and the state for others, on their way to ClickHouse beside the loop.

use std::collections::VecDeque;

use windvane_store::StoreError;
use windvane_store::alerts::events::AlertEvent;
use windvane_store::alerts::notifications::Attempted;
use windvane_store::alerts::{self, state::Stored};

use super::{Alerter, Done};

/// The pause after ClickHouse did not take rows.
const WRITE_PAUSE_US: i64 = 2_000_000;
/// Rows of one INSERT.
const ROWS_MAX: usize = 1_000;

/// What was written, or could not be.
#[derive(Debug)]
pub(super) struct Wrote {
    pub(super) events: Vec<AlertEvent>,
    pub(super) attempts: Vec<Attempted>,
    /// The revision and the time of the state that was left for others, where one was.
    pub(super) stored: Option<(u64, i64)>,
    pub(super) result: Result<(), StoreError>,
}

impl Alerter {
    pub(super) fn begin_write(&mut self, now_us: i64) {
        // One that judges alone leaves no state: whoever has the lease by then would not see it, and it would hide theirs.
        let leaves = self.authority.holds();
        let waits = !self.state.events.is_empty() || !self.state.attempts.is_empty();
        let behind = waits || (leaves && self.stored_revision != self.state.revision);
        if self.writing || !behind || now_us < self.write_again_us {
            return;
        }
        self.writing = true;
        let events: Vec<_> = self.state.events.iter().take(ROWS_MAX).cloned().collect();
        let attempts: Vec<_> = self.state.attempts.iter().take(ROWS_MAX).cloned().collect();
        let standing = self.state.standing(&self.plan, now_us);
        let stored = Stored {
            revision: self.state.revision,
            at_us: now_us,
            holder: self.holder.clone(),
            standing: serde_json::to_string(&standing).unwrap_or_default(),
            document: String::from_utf8_lossy(&self.kept).into_owned(),
        };
        let store = self.store.clone();
        self.works.push(Box::pin(async move {
            let written = async {
                alerts::events::write(&store, &events).await?;
                alerts::notifications::write(&store, &attempts).await?;
                match leaves {
                    true => alerts::state::write(&store, &stored).await,
                    false => Ok(()),
                }
            };
            let result = written.await;
            let stored = leaves.then_some((stored.revision, stored.at_us));
            Done::Wrote(Box::new(Wrote { events, attempts, stored, result }))
        }));
    }

    /// Notes what came of writing; rows that ClickHouse has wait no more.
    pub(super) fn wrote(&mut self, wrote: Wrote, now_us: i64) {
        self.writing = false;
        if let Err(error) = wrote.result {
            tracing::warn!(%error, "changes of alerts wait for ClickHouse");
            self.write_again_us = now_us.saturating_add(WRITE_PAUSE_US);
            return;
        }
        forget(&mut self.state.events, &wrote.events, is_same);
        forget(&mut self.state.attempts, &wrote.attempts, |a, b| a == b);
        if let Some(stored) = wrote.stored {
            (self.stored_revision, self.stored_us) = stored;
            self.alone_since_us = self.alone_since_us.map(|_| stored.1);
        }
    }
}

/// Whether two rows are of one change. Not their values, which need not be numbers that equal themselves.
fn is_same(a: &AlertEvent, b: &AlertEvent) -> bool {
    a.at_us == b.at_us
        && a.fingerprint == b.fingerprint
        && a.from_state == b.from_state
        && a.to_state == b.to_state
}

/// Takes rows that were written out of those that wait. While they were on their way the oldest may have been dropped, or the
/// state of another process may have taken the place of ours: what was not written stays.
fn forget<T>(waiting: &mut VecDeque<T>, written: &[T], is_same: impl Fn(&T, &T) -> bool) {
    let Some(first) = waiting.front() else { return };
    let Some(at) = written.iter().position(|row| is_same(row, first)) else { return };
    let pairs = written[at..].iter().zip(waiting.iter());
    let known = pairs.take_while(|(written, waits)| is_same(written, waits)).count();
    waiting.drain(..known);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_waits_no_more_and_what_was_not_does() {
        for (what, waiting, written, left) in [
            ("all of it", vec![1, 2, 3], vec![1, 2, 3], vec![]),
            ("more has come", vec![1, 2, 3, 4], vec![1, 2], vec![3, 4]),
            ("the oldest was dropped on the way", vec![2, 3, 4], vec![1, 2], vec![3, 4]),
            ("all of it was dropped on the way", vec![3, 4], vec![1, 2], vec![3, 4]),
            ("another state", vec![7, 8, 9], vec![1, 2], vec![7, 8, 9]),
            ("another state that begins alike", vec![2, 7, 8], vec![1, 2, 3], vec![7, 8]),
            ("nothing waits", vec![], vec![1], vec![]),
        ] {
            let mut waiting = VecDeque::from(waiting);
            forget(&mut waiting, &written, |a, b| a == b);
            assert_eq!(waiting, left, "{what}");
        }
    }
}
