//! Keeping: what is on disk before anything is sent, so that whoever starts after a crash goes on from there.

use futures_util::stream::StreamExt;

use super::Alerter;
use crate::authority::Authority;
use crate::desk::State;
use crate::file::Kept;

impl Alerter {
    /// Keeps the state on disk where it has changed, or the disk did not take it. One that stands by keeps only what it has to
    /// tell yet.
    pub(super) async fn keep(&mut self) {
        if self.authority == Authority::Standby {
            self.keep_leave().await;
            return;
        }
        let text = serde_json::to_vec(&timeless(&self.state)).unwrap_or_default();
        let unchanged = self.kept == text;
        let same_times = (self.kept_alone, self.kept_stored_us) == (self.alone_since_us, self.stored_us);
        if unchanged && same_times && !self.unkept {
            return;
        }
        if !unchanged {
            self.state.revision += 1;
        }
        let state = timeless(&self.state);
        self.kept = serde_json::to_vec(&state).unwrap_or_default();
        (self.kept_alone, self.kept_stored_us) = (self.alone_since_us, self.stored_us);
        let kept =
            Kept { state, alone_since_us: self.alone_since_us, stored_us: self.stored_us, leaving: None };
        self.write(serde_json::to_vec(&kept).unwrap_or_default()).await;
    }

    /// The revision stays: another process counts on meanwhile.
    async fn keep_leave(&mut self) {
        let Some(rest) = &self.aside else { return };
        let kept = Kept {
            state: timeless(rest),
            alone_since_us: self.alone_since_us,
            stored_us: self.stored_us,
            leaving: Some(timeless(&self.state)),
        };
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        if self.kept == text && !self.unkept {
            return;
        }
        self.kept.clone_from(&text);
        (self.kept_alone, self.kept_stored_us) = (self.alone_since_us, self.stored_us);
        self.write(text).await;
    }

    /// Leaves the state to whoever judges next, so that nothing is sent again that was taken while this process ended.
    pub(super) async fn leave_state(&mut self) {
        // What somebody else may have left is not known yet: our own would take its place.
        if self.taking_over {
            return;
        }
        let now_us = self.clock.now().as_microsecond().max(self.state.now_us);
        // A write that is on its way is of an earlier state.
        for _ in 0..2 {
            self.keep().await;
            self.begin_write(now_us);
            while self.writing {
                let Some(done) = self.works.next().await else { return };
                self.done(done);
            }
        }
    }

    async fn write(&mut self, text: Vec<u8>) {
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || file.write(&text)).await;
        self.unkept = !matches!(written, Ok(Ok(())));
        if self.unkept {
            tracing::error!(
                ?written,
                "the state of alerts cannot be kept; a restart would tell some of it again"
            );
        }
        self.metrics.state_failed.set(i64::from(self.unkept));
    }
}

/// The time alone is no change worth a write.
fn timeless(state: &State) -> State {
    State { now_us: 0, ..state.clone() }
}
