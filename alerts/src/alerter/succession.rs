//! Succession: what a process does when it may judge, or may not any more. It goes on from the newer of two states: what it
//! kept itself, and what the process that judged last has left.

use std::time::Duration;

use windvane_store::alerts::{self, state::Stored};
use windvane_types::span::in_words;

use super::{Alerter, Done};
use crate::authority::Authority;
use crate::book::Judge;
use crate::chain::chain;
use crate::desk::State;

/// How often the state of another process is asked for, and how long one answer may take. With the pauses in between that is
/// half a minute to a minute and a half, in which nobody is told anything: after it a message too many is better than none.
const READS_MAX: u32 = 6;
const READ_MAX: Duration = Duration::from_secs(10);
/// The pause after the first try that failed; each further one is twice as long.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// On the way to going on where another process was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Succession {
    /// Whether this process has judged by itself right before, because ClickHouse was away.
    pub(super) alone: bool,
    /// Tries to read the other's state that failed.
    pub(super) failed: u32,
    /// The how manieth time it is that this process may judge: an answer to an earlier one is of no use any more.
    pub(super) term: u64,
}

impl Alerter {
    /// Notes that this process may judge, or may not any more.
    pub(super) fn has_become(&mut self, authority: Authority) {
        // One that was ended before it could take its leave stands by from the start, and takes it now.
        let takes_leave =
            authority == Authority::Standby && self.alone_since_us.is_some() && self.aside.is_none();
        if self.authority == authority && !takes_leave {
            return;
        }
        let lease = authority.as_str();
        if authority == Authority::Standby {
            tracing::info!(lease, "another process judges alerts, or none yet");
        } else {
            tracing::info!(lease, holder = self.holder, "this process judges alerts");
        }
        if let Some(before) = self.aside.take() {
            // What is not told yet of the ends comes along.
            self.state = std::mem::take(&mut self.state).gone_on_from(before, &self.plan);
        }
        if authority == Authority::Unsure {
            self.alone_since_us.get_or_insert(self.stored_us);
        }
        if authority.holds() {
            // Another process may have gone on from where we were.
            self.term += 1;
            let alone = self.alone_since_us.is_some();
            self.ask_for_state(Succession { alone, failed: 0, term: self.term });
        } else {
            // An answer that is still to come is of no use any more.
            self.taking_over = false;
        }
        if let (Some(known_us), true) = (self.alone_since_us, takes_leave) {
            let now_us = self.clock.now().as_microsecond().max(self.state.now_us);
            let judge =
                Judge { now_us, holder: &self.holder, external_url: self.plan.external_url.as_deref() };
            let state = std::mem::take(&mut self.state);
            let (own, rest) = state.parted((&self.plan, known_us), judge);
            (self.state, self.aside) = (own, Some(rest));
        }
        self.authority = authority;
        self.metrics.held.set(i64::from(authority != Authority::Standby));
    }

    /// Tells and sends the ends of what this process told alone, while another one judges.
    pub(super) async fn take_leave(&mut self, now_us: i64) {
        if self.aside.is_none() {
            return;
        }
        let plan = self.plan.clone();
        for settled in self.state.tell(&plan, &self.busy, now_us) {
            self.settled(settled, now_us);
        }
        self.state.leave_others(&plan);
        let begun = self.state.outbox.begin(&self.busy, plan.sends_max, now_us);
        // What is about to happen is on disk before it happens.
        self.keep().await;
        for parcel in begun {
            self.begin_attempt(parcel);
        }
    }

    fn ask_for_state(&mut self, succession: Succession) {
        let store = self.store.clone();
        self.taking_over = true;
        self.works.push(Box::pin(async move {
            tokio::time::sleep(pause_after(succession.failed)).await;
            let read = match tokio::time::timeout(READ_MAX, alerts::state::read(&store)).await {
                Ok(read) => read.map_err(|error| chain(&error)),
                Err(_elapsed) => Err(format!("no answer within {}", in_words(READ_MAX))),
            };
            Done::Taken(succession, Box::new(read))
        }));
    }

    /// Goes on, or asks again; this process judges nothing until one of the answers is there or patience has ended.
    pub(super) fn take_over(&mut self, succession: Succession, read: Result<Option<Stored>, String>) {
        if !self.taking_over || succession.term != self.term {
            return;
        }
        match read {
            Ok(Some(stored)) if stored.revision > self.state.revision => self.go_on(succession, &stored),
            Ok(Some(stored)) => (self.stored_revision, self.stored_us) = (stored.revision, stored.at_us),
            Ok(None) => (self.stored_revision, self.stored_us) = (0, 0),
            Err(error) if succession.failed + 1 < READS_MAX => {
                tracing::warn!(
                    error,
                    "cannot read the state that another process may have left; asking again"
                );
                self.ask_for_state(Succession { failed: succession.failed + 1, ..succession });
                return;
            }
            Err(error) => {
                tracing::error!(
                    error,
                    "cannot read the state that another process may have left; going on from our own"
                );
            }
        }
        (self.taking_over, self.alone_since_us) = (false, None);
        // What whoever judged before is still writing never takes the place of what this process leaves.
        self.state.revision = self.state.revision.max(self.authority.revision_min());
    }

    fn go_on(&mut self, succession: Succession, stored: &Stored) {
        let mut newer = match serde_json::from_str::<State>(&stored.document) {
            Ok(newer) => newer,
            Err(error) => {
                tracing::error!(%error, "the state that another process has left cannot be read");
                return;
            }
        };
        let (revision, holder) = (stored.revision, stored.holder.as_str());
        tracing::info!(revision, holder, "going on where another process was");
        let before = std::mem::take(&mut self.state);
        self.state = match succession.alone {
            true => before.gone_on_from(newer, &self.plan),
            false => {
                newer.now_us = newer.now_us.max(before.now_us);
                newer
            }
        };
        (self.stored_revision, self.stored_us) = (revision, stored.at_us);
    }
}

/// The pause after so many tries that failed.
fn pause_after(failed: u32) -> Duration {
    match failed {
        0 => Duration::ZERO,
        failed => READ_PAUSE * (1_u32 << (failed - 1).min(READS_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let pauses: Vec<u64> = (0..READS_MAX).map(|failed| pause_after(failed).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16]);
    }
}
