//! Sums of experiments, kept up to date whether anybody looks or not: a look then reads what has come since.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windvane_store::lease::{Lease, Worked};
use windvane_store::{Reader, Store, monitor_runs};

use super::ExperimentMonitor;
use super::error::chain;
use crate::experiment;

/// An experiment rests for so many times as long as it took, at least: so one thread in twenty is busy with it at most.
const REST: u32 = 20;
/// How long an experiment rests for which it is in vain, as where units come back.
const IN_VAIN_PAUSE: Duration = Duration::from_secs(6 * 3_600);

/// Keeps the sums of some experiments.
#[derive(Debug)]
pub struct SumsKeeper {
    store: Store,
    holder: String,
    lease: Duration,
    every: Duration,
    experiments: Vec<ExperimentMonitor>,
}

/// How it went with one experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    /// It is up to date, as far as it can be now; or another analyzer has it.
    Done,
    /// Nothing can be kept.
    InVain,
}

impl SumsKeeper {
    /// For a holder of leases of this length, which are renewed; each experiment is brought up to date so often.
    #[must_use]
    pub fn new(
        store: Store,
        (holder, lease): (String, Duration),
        every: Duration,
        experiments: Vec<ExperimentMonitor>,
    ) -> Self {
        Self { store, holder, lease, every, experiments }
    }

    /// Works until it is stopped. What is under way then is cut off, and its lease given back.
    pub async fn run(self, stop: CancellationToken) {
        let mut due = vec![Instant::now(); self.experiments.len()];
        loop {
            for (experiment, due) in self.experiments.iter().zip(&mut due) {
                let begun = Instant::now();
                if begun < *due {
                    continue;
                }
                let went = self.keep(experiment, &stop).await;
                if stop.is_cancelled() {
                    return;
                }
                *due = Instant::now() + pause(went, self.every, begun.elapsed());
            }
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Brings one experiment up to date, unless another analyzer does or a stop cuts it off.
    async fn keep(&self, monitor: &ExperimentMonitor, stop: &CancellationToken) -> Went {
        let name = &monitor.experiment.exposed.experiment;
        let key = format!("experiment_sums/{name}");
        let lease = match Lease::claim(&self.store, &key, &self.holder, self.lease).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Went::Done,
            Err(error) => {
                tracing::debug!(experiment = name, error = chain(&error), "no lease to keep sums");
                return Went::Done;
            }
        };
        match lease.during(self.keep_alone(monitor), stop.cancelled()).await {
            Worked::Done(went) => went,
            Worked::LeaseLost | Worked::Cut => Went::Done,
        }
    }

    async fn keep_alone(&self, monitor: &ExperimentMonitor) -> Went {
        let name = &monitor.experiment.exposed.experiment;
        let Ok(now_us) = monitor_runs::now_us(&self.store).await else { return Went::Done };
        let bounded = Reader::Store(self.store.bounded(monitor.memory_bytes_max, monitor.timeout));
        match experiment::keep_stored(&bounded, &monitor.experiment.as_of(now_us)).await {
            Ok(true) => Went::Done,
            Ok(false) => Went::InVain,
            Err(error) => {
                tracing::debug!(experiment = name, error = chain(&error), "sums are not kept");
                Went::InVain
            }
        }
    }
}

/// How long an experiment rests.
fn pause(went: Went, every: Duration, took: Duration) -> Duration {
    match went {
        Went::Done => every.max(took * REST),
        Went::InVain => IN_VAIN_PAUSE.max(every).max(took * REST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_or_is_in_vain_is_done_seldom() {
        let [second, minute] = [1, 60].map(Duration::from_secs);
        assert_eq!(pause(Went::Done, minute, second), minute);
        assert_eq!(pause(Went::Done, minute, minute), 20 * minute);
        assert_eq!(pause(Went::InVain, minute, second), IN_VAIN_PAUSE);
        assert_eq!(pause(Went::InVain, 24 * 60 * minute, second), 24 * 60 * minute);
    }
}
