//! Which of several processes on one store judges and sends: the one with the lease.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use windvane_store::Store;
use windvane_store::lease::Lease;

/// What the lease is on.
const JOB: &str = "alerts";
/// How long a process that has not the lease waits before it asks again.
const ASK_PAUSE: Duration = Duration::from_secs(5);
/// How long asking may take; a claim that was written all the same runs out by itself.
const ASK_MAX: Duration = Duration::from_secs(30);

/// What a process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Judge and send.
    Held,
    /// Nothing: another process does, or it is not known yet.
    Standby,
    /// It had the lease, and ClickHouse has not answered since: it goes on sending, because nobody else can take over either.
    Unsure,
}

/// Claims the lease again and again until it is stopped, and gives it back then.
pub async fn keep(
    (store, holder): (Store, String),
    length: Duration,
    told: watch::Sender<Authority>,
    stop: CancellationToken,
) {
    loop {
        match tokio::time::timeout(ASK_MAX, Lease::claim(&store, JOB, &holder, length)).await {
            Ok(Ok(Some(mut lease))) => {
                told.send_replace(Authority::Held);
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
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ASK_PAUSE.min(length / 3)) => {}
        }
    }
}
