//! Who runs a job, where several processes share one ClickHouse: a claim is inserted, and read back.
//!
//! The table offers no compare-and-set, and none is needed. A claim wins only if no other live claim is there when it is
//! read back. Of two claims one was inserted first, so the other's reader sees it: never do both win. Where both see each
//! other, the one with the larger token withdraws and the other one waits for that; if the other stays, it has won
//! before, and this one withdraws as well. Where a lagging replica lets both win all the same, each looks again when it renews, and the one
//! with the larger token ends. Times are those of ClickHouse alone. `docs/decisions` has the whole argument.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::job_leases::{self, Claim, Live};
use crate::{Store, StoreError};

/// How often a claim that has to wait looks again, and how long it waits in between: together far longer than an INSERT.
const LOOKS: u32 = 20;
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// What a claim does once it was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// Nobody else claims the job.
    Won,
    /// Somebody else does, and has to withdraw unless they have won.
    Wait,
    /// Somebody else does, and goes first.
    Withdraw,
}

/// Decides on the tokens of the live claims, one's own among them or not.
fn decide<'a>(own: &str, live: impl IntoIterator<Item = &'a str>) -> Decision {
    let others = live.into_iter().filter(|token| *token != own).min();
    match others {
        None => Decision::Won,
        Some(first) if own < first => Decision::Wait,
        Some(_) => Decision::Withdraw,
    }
}

/// Whether another one holds the job, too, and goes first: where a replica lagged, two claims may have won. One that was renewed has won.
fn gives_way(own: &str, live: &[Live]) -> bool {
    live.iter().any(|claim| claim.renewals > 0 && claim.token.as_str() < own)
}

/// How long giving a lease back may take; one that is not given back runs out by itself.
const RELEASE_WITHIN: Duration = Duration::from_secs(3);

/// What became of work under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked<T> {
    /// It came to its end.
    Done(T),
    /// The lease could not be renewed in time, so that somebody else may have begun, or somebody else has it as well and goes first; the
    /// work was dropped.
    LeaseLost,
    /// It was cut off and dropped.
    Cut,
}

/// A job that is ours until we give it back or fail to renew it.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    claim: Claim,
    length: Duration,
    won_us: i64,
    renewed: Instant,
    renewals: u64,
}

impl Lease {
    /// Claims a job; `None` where somebody else has it.
    ///
    /// # Errors
    /// ClickHouse does not answer or refuses. A claim that may have been inserted runs out by itself.
    pub async fn claim(
        store: &Store,
        job: &str,
        holder: &str,
        length: Duration,
    ) -> Result<Option<Self>, StoreError> {
        // One look without a claim of one's own, so that a job that runs elsewhere costs no row.
        if !job_leases::live(store, job).await?.is_empty() {
            return Ok(None);
        }
        let token = Uuid::new_v4().to_string();
        let claim = Claim { job: job.to_owned(), token, holder: holder.to_owned() };
        let renewed = Instant::now();
        job_leases::write(store, &claim, 0, length).await?;
        let mut lease = Self { store: store.clone(), claim, length, won_us: 0, renewed, renewals: 0 };
        for _ in 0..LOOKS {
            let live = job_leases::live(store, job).await?;
            match (decide(&lease.claim.token, live.iter().map(|claim| claim.token.as_str())), live.first()) {
                // A claim that ran out before it could be read back is none.
                (Decision::Won, None) => break,
                (Decision::Won, Some(own)) => {
                    lease.won_us = own.seen_us;
                    return Ok(Some(lease));
                }
                (Decision::Withdraw, _) => break,
                (Decision::Wait, _) => tokio::time::sleep(LOOK_PAUSE).await,
            }
        }
        lease.release().await?;
        Ok(None)
    }

    /// When the claim was seen to have won, by the clock of ClickHouse: microseconds since 1970 UTC. Whoever has the lease next has
    /// inserted their claim after that, so this orders the holders of a lease, as far as that clock goes forwards.
    #[must_use]
    pub fn won_us(&self) -> i64 {
        self.won_us
    }

    /// Works while the lease is renewed, until the work is done, the lease is lost or `cut` says that nobody wants the work any more. The
    /// lease is given back in each case, within 3 s.
    pub async fn during<T>(
        mut self,
        work: impl Future<Output = T>,
        cut: impl Future<Output = ()>,
    ) -> Worked<T> {
        let worked = tokio::select! {
            done = work => Worked::Done(done),
            () = self.keep() => Worked::LeaseLost,
            () = cut => Worked::Cut,
        };
        let job = self.claim.job.clone();
        match tokio::time::timeout(RELEASE_WITHIN, self.release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(job, %error, "a lease was not given back; it runs out by itself");
            }
            Err(_elapsed) => {
                tracing::warn!(job, "a lease was not given back in time; it runs out by itself");
            }
        }
        worked
    }

    /// Renews the lease again and again; returns when that has failed for so long that it will soon have run out, or when another one holds
    /// the job as well and goes first.
    pub async fn keep(&mut self) {
        // Another analyzer may begin when the lease has run out: a third of its length before that this one stops, whatever hangs.
        let spare = self.length / 3;
        loop {
            let stop = self.renewed + (self.length - spare);
            // After a third of the length; and where that fails, again and again in what is left.
            tokio::time::sleep(stop.saturating_duration_since(Instant::now()) / 2).await;
            let asked = Instant::now();
            match tokio::time::timeout(stop.saturating_duration_since(asked), self.renew()).await {
                Ok(Ok(true)) => self.renewed = asked,
                Ok(Ok(false)) => {
                    tracing::warn!(job = self.claim.job, "another process has the same lease and goes first");
                    return;
                }
                Ok(Err(error)) => tracing::warn!(job = self.claim.job, %error, "cannot renew a lease"),
                Err(_elapsed) => tracing::warn!(job = self.claim.job, "a lease was not renewed in time"),
            }
            if self.renewed.elapsed() + spare + spare / 8 >= self.length {
                return;
            }
        }
    }

    /// Renews the claim. Says whether it goes on.
    async fn renew(&mut self) -> Result<bool, StoreError> {
        self.renewals += 1;
        job_leases::write(&self.store, &self.claim, self.renewals, self.length).await?;
        // What cannot be read now is read after the next renewal.
        let live = job_leases::live(&self.store, &self.claim.job).await.unwrap_or_default();
        Ok(!gives_way(&self.claim.token, &live))
    }

    /// Gives the job back.
    ///
    /// # Errors
    /// ClickHouse does not answer or refuses; the lease then runs out by itself.
    pub async fn release(self) -> Result<(), StoreError> {
        job_leases::write(&self.store, &self.claim, RELEASED, Duration::ZERO).await
    }
}

/// The renewal that ends a claim, whatever comes late.
const RELEASED: u64 = u64::MAX;

#[cfg(test)]
mod tests;
