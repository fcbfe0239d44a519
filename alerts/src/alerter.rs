//! The loop: looks, judges, tells, sends, keeps. A thin shell around `book`, `desk` and `outbox`, which decide.

mod keeping;
mod sending;
mod succession;
mod writing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use windvane_store::Store;
use windvane_store::alerts::state::Stored;
use windvane_types::Clock;

use crate::authority::{self, Authority};
use crate::book::Judge;
use crate::chain::chain;
use crate::delivery::Attempt;
use crate::desk::State;
use crate::file::{Kept, StateFile};
use crate::group::us;
use crate::metrics::Metrics;
use crate::outbox::Parcel;
use crate::plan::Plan;
use crate::watch::{self as watching, Measured, Own, Sight};

use self::succession::Succession;
use self::writing::Wrote;

/// The longest pause of the loop, so that a clock that is set forward is noticed.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// By how much a clock may be set back and is waited for: as far as machines keep theirs together.
const SET_BACK_MAX_US: i64 = 60_000_000;
/// How long attempts in flight may take once the process is asked to end.
const LAST_ATTEMPTS: Duration = Duration::from_secs(5);
/// How long ClickHouse may take then to take what is left for others: of the 10 s that the process waits, some are for the lease.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// What came of something that ran beside the loop.
enum Done {
    Seen(Box<Sight>),
    Sent { parcel: Box<Parcel>, attempt: Attempt, took: Duration },
    Wrote(Box<Wrote>),
    Beaten(Attempt),
    Closed,
    Taken(Succession, Box<Result<Option<Stored>, String>>),
}

/// The alerts of one process.
pub struct Alerter {
    plan: Arc<Plan>,
    store: Store,
    clock: Arc<dyn Clock>,
    own: Own,
    holder: String,
    metrics: Metrics,
    file: StateFile,
    state: State,
    /// While this process stands by and tells ends of its own alerts, which are the state then: the rest.
    aside: Option<State>,
    /// Where this process judges alone, or did and nobody has gone on from there: the time of the state that it left for others
    /// last. Only this process can tell the ends of what it has told since.
    alone_since_us: Option<i64>,
    /// What of the state is on disk, with which times, and which revision ClickHouse has, of what time.
    kept: Vec<u8>,
    kept_alone: Option<i64>,
    kept_stored_us: i64,
    /// Whether the disk did not take that.
    unkept: bool,
    stored_revision: u64,
    stored_us: i64,
    authority: Authority,
    busy: BTreeSet<String>,
    looking: bool,
    writing: bool,
    taking_over: bool,
    /// How often this process was to judge.
    term: u64,
    write_again_us: i64,
    beat_us: i64,
    works: FuturesUnordered<BoxFuture<'static, Done>>,
}

/// What an alerter is made of.
pub struct Parts {
    /// What the configuration says.
    pub plan: Arc<Plan>,
    /// Where findings are.
    pub store: Store,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What the process measures of itself.
    pub own: Own,
    /// Names the process.
    pub holder: String,
}

impl std::fmt::Debug for Alerter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerter").field("holder", &self.holder).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("holder", &self.holder).finish_non_exhaustive()
    }
}

/// Why alerts cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of the state cannot be made.
    #[error("cannot use the folder `{dir}` for the state of alerts")]
    Folder {
        /// Which.
        dir: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The metrics are registered already.
    #[error("cannot register the metrics of alerts")]
    Metrics(#[source] prometheus::Error),
}

impl Alerter {
    /// An alerter with the state that was kept last.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(parts: Parts, registry: &Registry) -> Result<Self, StartError> {
        let Parts { plan, store, clock, own, holder } = parts;
        let names = plan.receivers.iter().map(|receiver| receiver.name());
        let metrics = Metrics::register(registry, names).map_err(StartError::Metrics)?;
        let file = StateFile::open(&plan.state_dir)
            .map_err(|source| StartError::Folder { dir: plan.state_dir.clone(), source })?;
        let Kept { state, alone_since_us, stored_us, leaving } = file.read().unwrap_or_default();
        // One that was ended while it took its leave goes on with that.
        let (state, aside) = match leaving {
            Some(own) => (own, Some(state)),
            None => (state, None),
        };
        Ok(Self {
            plan,
            store,
            clock,
            own,
            holder,
            metrics,
            file,
            state,
            aside,
            alone_since_us,
            kept: Vec::new(),
            kept_alone: None,
            kept_stored_us: 0,
            unkept: false,
            stored_revision: 0,
            stored_us,
            authority: Authority::Standby,
            busy: BTreeSet::new(),
            looking: false,
            writing: false,
            taking_over: false,
            term: 0,
            write_again_us: 0,
            beat_us: 0,
            works: FuturesUnordered::new(),
        })
    }

    /// Judges and sends while this process has the lease, until it is stopped: attempts in flight may end for 5 s, the state is
    /// kept and left for others, and the lease is given back.
    pub async fn run(mut self, stop: CancellationToken) {
        let (told, mut authority) = watch::channel(Authority::Standby);
        let keeper_stop = CancellationToken::new();
        let keeper = (self.store.clone(), self.holder.clone());
        let keeper = authority::keep(keeper, self.plan.lease, told, keeper_stop.clone());
        tokio::pin!(keeper);
        loop {
            let next = self.turn().await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = &mut keeper => break,
                Ok(()) = authority.changed() => {
                    let now = *authority.borrow_and_update();
                    self.has_become(now);
                }
                Some(done) = self.works.next(), if !self.works.is_empty() => self.done(done),
                () = tokio::time::sleep(next) => {}
            }
        }
        let last = async {
            while !self.busy.is_empty() {
                let Some(done) = self.works.next().await else { break };
                self.done(done);
            }
        };
        if tokio::time::timeout(LAST_ATTEMPTS, last).await.is_err() {
            tracing::warn!("some messages were cut off; they are sent again under the same id");
        }
        self.keep().await;
        if tokio::time::timeout(LAST_WRITES, self.leave_state()).await.is_err() {
            tracing::warn!("ClickHouse did not take the last state of alerts in time; it is on disk");
        }
        keeper_stop.cancel();
        let _ = tokio::time::timeout(LAST_ATTEMPTS, keeper).await;
        let closing = self.plan.receivers.iter().filter_map(|receiver| receiver.closing(Duration::ZERO));
        join_all(closing).await;
    }

    /// Does everything that is due and says how long nothing will be.
    async fn turn(&mut self) -> Duration {
        let now_us = self.advance();
        self.close_idle();
        if self.taking_over {
            return PAUSE_MAX;
        }
        if self.authority == Authority::Standby {
            self.take_leave(now_us).await;
            self.show();
            return PAUSE_MAX;
        }
        self.begin_look(now_us);
        let settled = self.state.tell(&self.plan.clone(), &self.busy, now_us);
        for settled in settled {
            self.settled(settled, now_us);
        }
        let begun = self.state.outbox.begin(&self.busy, self.plan.sends_max, now_us);
        // What is about to happen is on disk before it happens.
        self.keep().await;
        for parcel in begun {
            self.begin_attempt(parcel);
        }
        self.begin_write(now_us);
        self.begin_beat(now_us);
        self.show();
        let soonest =
            self.state.next_us(&self.plan, &self.busy).into_iter().chain(self.next_look_us(now_us)).min();
        let wait = soonest.map_or(us(PAUSE_MAX), |at| at.saturating_sub(now_us)).clamp(10_000, us(PAUSE_MAX));
        Duration::from_micros(wait.unsigned_abs())
    }

    /// What time it is. A clock that is set back by little is waited for; one by more was wrong before, and what was noted by it
    /// must not wait until it is that late.
    fn advance(&mut self) -> i64 {
        let clock_us = self.clock.now().as_microsecond();
        let back_us = self.state.latest_us().saturating_sub(clock_us);
        if back_us > SET_BACK_MAX_US {
            tracing::warn!(
                seconds = back_us / 1_000_000,
                "the clock was set back; alerts go on from what it says now"
            );
            self.state.set_back(clock_us);
            for us in [&mut self.write_again_us, &mut self.beat_us, &mut self.stored_us] {
                *us = clock_us.min(*us);
            }
            self.alone_since_us = self.alone_since_us.map(|since_us| clock_us.min(since_us));
        }
        self.state.now_us = clock_us.max(self.state.now_us);
        self.state.now_us
    }

    fn next_look_us(&self, now_us: i64) -> Option<i64> {
        let next = |rule: &crate::rule::Rule| {
            self.state.looked_us.get(&rule.name).map_or(now_us, |last| last.saturating_add(us(rule.every)))
        };
        if self.looking { None } else { self.plan.rules.iter().map(next).min() }
    }

    fn begin_look(&mut self, now_us: i64) {
        if self.looking {
            return;
        }
        let places = watching::due(&self.plan, &self.state.looked_us, now_us);
        if places.is_empty() {
            return;
        }
        self.looking = true;
        let own = (self.own)().into_iter().chain(self.undelivered(now_us));
        let own: Vec<Measured> = own.chain(self.state.failed_evaluations()).collect();
        let (store, plan) = (self.store.clone(), self.plan.clone());
        self.works.push(Box::pin(async move {
            Done::Seen(Box::new(watching::look(store, plan, (places, own), now_us).await))
        }));
    }

    fn done(&mut self, done: Done) {
        let now_us = self.clock.now().as_microsecond().max(self.state.now_us);
        match done {
            Done::Seen(sight) => self.seen(*sight),
            Done::Sent { parcel, attempt, took } => self.sent(*parcel, (&attempt, took), now_us),
            Done::Wrote(wrote) => self.wrote(*wrote, now_us),
            Done::Beaten(attempt) => {
                let taken = matches!(attempt, Attempt::Taken(_));
                self.metrics.heartbeats.with_label_values(&[if taken { "taken" } else { "failed" }]).inc();
                if !taken {
                    tracing::warn!(?attempt, "the heartbeat was not taken");
                }
            }
            Done::Closed => {}
            Done::Taken(succession, read) => self.take_over(succession, *read),
        }
    }

    fn seen(&mut self, sight: Sight) {
        self.looking = false;
        if self.authority == Authority::Standby {
            return;
        }
        if let Some((silences, acknowledgements)) = sight.told {
            self.state.heard(silences, acknowledgements);
        }
        let plan = self.plan.clone();
        let holder = self.holder.clone();
        let judge =
            Judge { now_us: sight.now_us, holder: &holder, external_url: plan.external_url.as_deref() };
        for (place, observed) in sight.observed {
            let rule = &plan.rules[place];
            self.state.looked_us.insert(rule.name.clone(), sight.now_us);
            let outcome = match observed {
                Ok(observed) => {
                    self.state.evaluated(&rule.name, Ok(()), sight.now_us);
                    let judged = self.state.book.judge(rule, observed, judge);
                    self.metrics.left_out.inc_by(judged.left_out);
                    self.state.judged(judged, &plan, sight.now_us);
                    "ok"
                }
                Err(error) => {
                    tracing::warn!(rule = rule.name, %error, "a rule could not be looked at; its alerts stay as they are");
                    // That ClickHouse does not answer at all is told by `StoreUnavailable`.
                    if !sight.store_away {
                        self.state.evaluated(&rule.name, Err(&chain(&error)), sight.now_us);
                    }
                    "failed"
                }
            };
            self.metrics.evaluations.with_label_values(&[&rule.name, outcome]).inc();
        }
        let retired = self.state.book.retire(&plan.rules, judge);
        self.state.judged(retired, &plan, sight.now_us);
        let is_there = |name: &str| plan.rules.iter().any(|rule| rule.name == name);
        self.state.looked_us.retain(|name, _| is_there(name));
        self.state.failing.retain(|name, _| is_there(name));
        self.metrics.evaluated.set(sight.now_us / 1_000_000);
    }

    /// Shows how things are. One that stands by with nothing left to tell shows nothing: the process that judges does.
    fn show(&self) {
        let shows = self.authority != Authority::Standby || self.aside.is_some();
        let size = |size: usize| if shows { i64::try_from(size).unwrap_or(i64::MAX) } else { 0 };
        for word in ["pending", "firing", "recovering"] {
            let alerts = self.state.book.entries.values().filter(|entry| entry.phase.as_str() == word);
            self.metrics.alerts.with_label_values(&[word]).set(size(alerts.count()));
        }
        let dropped = usize::try_from(self.state.rows_dropped).unwrap_or(usize::MAX);
        self.metrics.waiting.set(size(self.state.outbox.parcels.len()));
        self.metrics.rows_waiting.set(size(self.state.events.len() + self.state.attempts.len()));
        self.metrics.rows_dropped.set(size(dropped));
    }
}

#[cfg(test)]
mod tests;
