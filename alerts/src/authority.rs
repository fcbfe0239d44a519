//! Which of several processes on one store judges and sends: the one with the lease.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windvane_store::Store;
use windvane_store::lease::Lease;

/// What the lease is on.
const JOB: &str = "alerts";
/// How long a process that has not the lease waits before it asks again.
const ASK_PAUSE: Duration = Duration::from_secs(5);
/// How long asking may take; a claim that was written all the same runs out by itself.
const ASK_MAX: Duration = Duration::from_secs(30);

/// The part of a revision that counts the states of one holder; the rest is the millisecond from which it has had the lease.
const REVISION_BITS: u32 = 20;

/// What a process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Judge and send.
    Held {
        /// When it got the lease, by the clock of ClickHouse: microseconds since 1970 UTC. It orders those who have had it.
        since_us: i64,
    },
    /// Nothing: another process does, or it is not known yet.
    Standby,
    /// It had the lease, or nobody has ever told it who has, and ClickHouse does not answer: it judges by what it kept and
    /// measures itself, and sends, because nobody else can take over either.
    Unsure,
}

impl Authority {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held { .. } => "held",
            Self::Standby => "standby",
            Self::Unsure => "unsure",
        }
    }

    /// Whether the process has the lease.
    #[must_use]
    pub fn holds(self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// The least revision of a state that is left under this authority: above all that earlier holders of the lease have left or may
    /// still be writing. A state is written less than a million times a millisecond, so revisions never reach the next holder's.
    #[must_use]
    pub fn revision_min(self) -> u64 {
        let Self::Held { since_us } = self else { return 0 };
        u64::try_from(since_us / 1_000).unwrap_or_default() << REVISION_BITS
    }
}

/// Claims the lease again and again until it is stopped, and gives it back then. Where ClickHouse has not answered for the
/// length of a lease since the beginning, nobody can say who judges: then this process does, so that it is told at all.
pub async fn keep(
    (store, holder): (Store, String),
    length: Duration,
    told: watch::Sender<Authority>,
    stop: CancellationToken,
) {
    let begun = Instant::now();
    let mut answered = false;
    loop {
        let asked = tokio::time::timeout(ASK_MAX, Lease::claim(&store, JOB, &holder, length)).await;
        answered |= matches!(asked, Ok(Ok(_)));
        match asked {
            Ok(Ok(Some(mut lease))) => {
                told.send_replace(Authority::Held { since_us: lease.won_us() });
                // Not `Lease::during`: it gives a lost lease back too, so that another process could judge before this one, which is
                // unsure by then, has asked again. One that runs out keeps others away until after that.
                let stopped = tokio::select! {
                    () = stop.cancelled() => true,
                    () = lease.keep() => false,
                };
                if stopped {
                    if let Err(error) = lease.release().await {
                        tracing::warn!(%error, "the lease on alerts is not given back; it runs out by itself");
                    }
                    return;
                }
                tracing::warn!("the lease on alerts could not be renewed");
                told.send_replace(Authority::Unsure);
            }
            Ok(Ok(None)) => {
                told.send_replace(Authority::Standby);
            }
            Ok(Err(error)) => tracing::debug!(%error, "cannot ask who judges alerts"),
            Err(_elapsed) => tracing::debug!("nobody says in time who judges alerts"),
        }
        if !answered && begun.elapsed() >= length {
            let is_new =
                told.send_if_modified(|now| std::mem::replace(now, Authority::Unsure) != Authority::Unsure);
            if is_new {
                tracing::warn!(
                    "ClickHouse has not answered since the start; alerts are judged by what is on disk"
                );
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ASK_PAUSE.min(length / 3)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use windvane_store::{DATABASE, Secret, StoreOptions};

    use super::*;

    #[test]
    fn whoever_has_the_lease_later_leaves_revisions_above_those_of_whoever_had_it_before() {
        let held = |since_us| Authority::Held { since_us }.revision_min();
        let (before, after) = (held(1_900_000_000_000_000), held(1_900_000_000_001_000));
        // A state a second for eleven days, which a former holder still writes.
        assert!(after > before + 1_000_000, "{before} {after}");
        assert_eq!((held(0), Authority::Unsure.revision_min(), Authority::Standby.revision_min()), (0, 0, 0));
    }

    #[tokio::test]
    async fn where_clickhouse_never_answered_this_process_judges_after_the_length_of_a_lease() {
        let store = Store::connect(&StoreOptions {
            // Nothing listens there.
            url: "http://127.0.0.1:1".to_owned(),
            user: String::new(),
            password: Secret::default(),
            database: DATABASE.to_owned(),
        });
        let (told, mut authority) = watch::channel(Authority::Standby);
        let (begun, length) = (Instant::now(), Duration::from_millis(300));
        let keeper = keep((store, "test".to_owned()), length, told, CancellationToken::new());
        let limit = Duration::from_secs(30);
        tokio::select! {
            () = keeper => panic!("it claims until it is stopped"),
            changed = tokio::time::timeout(limit, authority.changed()) => changed.unwrap().unwrap(),
        }
        assert_eq!(*authority.borrow(), Authority::Unsure);
        assert!(begun.elapsed() >= length);
    }
}
