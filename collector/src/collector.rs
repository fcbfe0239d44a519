//! The collector as a whole: started over a spool and a sink, asked for its routes, drained at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use prometheus::Registry;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use windvane_store::Table;
use windvane_types::Clock;

use crate::decode::IdMaker;
use crate::door::Door;
use crate::http::{self, Readiness};
use crate::in_flight::InFlight;
use crate::kserve::Joiner;
use crate::limits::{Names, Places, Shares, Words};
use crate::metrics::Metrics;
use crate::opening::{Opening, Work};
use crate::options::CollectorOptions;
use crate::otlp::Context;
use crate::sink::Sink;
use crate::spool::{OpenError, Spool, TableSpool};

/// What handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: CollectorOptions,
    /// The spool, once it is open.
    pub(crate) opening: Opening,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdMaker,
    /// Requests and responses of model servers that wait for each other.
    pub(crate) joiner: Joiner,
    pub(crate) names: Names,
    pub(crate) words: Words,
    pub(crate) shares: Arc<Shares>,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Registry,
    /// Batches in work; each task ends by itself within the time of a commit.
    pub(crate) tasks: TaskTracker,
    pub(crate) places: Arc<Places>,
    closing: AtomicBool,
}

impl Shared {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// What every event passes before it is written.
    pub(crate) fn door(&self) -> Door<'_> {
        Door { redaction: &self.options.redaction, names: &self.names, words: &self.words }
    }

    /// What turning a message of telemetry or of model servers into rows needs, for one that arrived at this instant.
    pub(crate) fn context(&self, now_us: i64) -> Context<'_> {
        let options = &self.options;
        Context {
            door: self.door(),
            limits: &options.limits,
            ids: &self.ids,
            prices: &options.prices,
            body_bytes_max: options.body_bytes_max,
            now_us,
        }
    }

    /// The spools of the tables; none before the spool is open.
    pub(crate) fn spools(&self) -> &[Arc<TableSpool>] {
        self.opening.tables().map(|tables| tables.spools.as_slice()).unwrap_or_default()
    }

    /// The spool of a table, and its keys in work; for batches that were let in, which none is before the spool is open.
    pub(crate) fn of(&self, table: Table) -> (&TableSpool, &Arc<InFlight>) {
        let tables = self.opening.tables().expect("no batch is let in before the spool is open");
        let at = Table::ALL.iter().position(|other| *other == table).unwrap_or(0);
        (&tables.spools[at], &tables.in_flight[at])
    }

    /// Brings the gauges up to date.
    pub(crate) fn refresh_gauges(&self) {
        let now_us = self.clock.now().as_microsecond();
        let metrics = &self.metrics;
        let ((models, names), (services, words)) = (self.names.counts(), self.words.counts());
        metrics.models.set(i64::try_from(models).unwrap_or(i64::MAX));
        metrics.services.set(i64::try_from(services).unwrap_or(i64::MAX));
        metrics.names.set(i64::try_from(names + words).unwrap_or(i64::MAX));
        if self.opening.tables().is_none() {
            for table in Table::ALL {
                metrics.spool_failed.with_label_values(&[table.name()]).set(1);
            }
        }
        for spool in self.spools() {
            let backlog = *spool.backlog().borrow();
            let label = [spool.table.name()];
            let set = |gauge: &prometheus::IntGaugeVec, value: u64| {
                gauge.with_label_values(&label).set(i64::try_from(value).unwrap_or(i64::MAX));
            };
            set(&metrics.pending_rows, backlog.rows);
            set(&metrics.pending_bytes, backlog.bytes);
            set(&metrics.spool_bytes, backlog.disk_bytes);
            set(&metrics.spool_failed, u64::from(backlog.failed));
            let age_us = backlog.oldest_us.map_or(0, |oldest| (now_us - oldest).max(0));
            metrics.pending_age_seconds.with_label_values(&label).set(age_us / 1_000_000);
            let keys = spool.keys().lock();
            set(&metrics.keys, keys.len() as u64);
            set(&metrics.keys_forgotten, keys.forgotten_early());
        }
    }
}

/// Takes events over HTTP and brings them to the store. See the crate's words for what an answer of it means.
#[derive(Debug)]
pub struct Collector {
    shared: Arc<Shared>,
    work: Work,
}

/// Brings the gauges of a collector's registry up to date.
pub type Gauges = Arc<dyn Fn() + Send + Sync>;

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Rows that are still in the spool; the next start sends them. Of a spool that was never open nobody knows.
    pub pending_rows: u64,
}

impl Collector {
    /// Opens the spool and begins to send what it holds; where its disk is full or read-only, as soon as it can be written to, and nothing
    /// is taken until then. To be called within a Tokio runtime.
    ///
    /// # Errors
    /// The spool cannot be opened, and waiting does not help: another process has it, or the folder is not one that can be used.
    pub fn start(
        options: CollectorOptions,
        sink: Arc<dyn Sink>,
        clock: Arc<dyn Clock>,
        registry: Registry,
    ) -> Result<Self, OpenError> {
        let spool = match Spool::open(&options.spool, options.seed) {
            Err(error) if !error.may_pass() => return Err(error),
            spool => spool,
        };
        let metrics = Metrics::register(&registry).expect("the names of the collector's metrics are its own");
        let shared = Arc::new(Shared {
            opening: Opening::default(),
            sink,
            clock,
            ids: IdMaker::new(options.seed),
            joiner: Joiner::default(),
            names: Names::new(options.names),
            words: Words::new(options.names),
            shares: Arc::new(Shares::new(options.spool.bytes_max, options.model_share_percent)),
            metrics,
            registry,
            tasks: TaskTracker::new(),
            places: Places::new(options.requests_max, options.requests_share_percent),
            closing: AtomicBool::new(false),
            options,
        });
        let work = Work::new(Arc::clone(&shared));
        match spool {
            Ok(spool) => work.begin(spool),
            Err(error) => work.begin_later(&error),
        }
        Ok(Self { shared, work })
    }

    /// The routes: `/v1/*` ingestion, `/healthz`, `/readyz`, `/metrics`.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.shared))
    }

    /// OpenTelemetry's gRPC services, for a port of their own.
    pub fn grpc_router(&self) -> Router {
        http::grpc_router(Arc::clone(&self.shared))
    }

    /// The spool of a table.
    #[cfg(test)]
    pub(crate) fn spool(&self, table: Table) -> &TableSpool {
        self.shared.of(table).0
    }

    /// The places of requests in work.
    #[cfg(test)]
    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.shared.places
    }

    /// What brings the gauges of the registry up to date, for those who read it elsewhere than at `/metrics`.
    pub fn gauges(&self) -> Gauges {
        let shared = Arc::clone(&self.shared);
        Arc::new(move || shared.refresh_gauges())
    }

    /// Whether events can be taken, and whether the store answers.
    pub async fn readiness(&self) -> Readiness {
        self.shared.readiness().await
    }

    /// Takes no more batches, finishes those in work, sends what the spool holds, and closes it; all within `limit`. What could not
    /// be sent by then is sent after the next start.
    pub async fn drain(self, limit: Duration) -> Drained {
        let deadline = Instant::now() + limit;
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.tasks.close();
        // A batch in work ends within the time of a commit; one that does not is not acknowledged.
        let _ = tokio::time::timeout_at(deadline, self.shared.tasks.wait()).await;
        self.work.drain.cancel();
        self.work.tasks.close();
        if tokio::time::timeout_at(deadline, self.work.tasks.wait()).await.is_err() {
            tracing::warn!(
                "the store did not take everything in time; the rest is sent after the next start"
            );
        }
        self.work.abort.cancel();
        self.work.tasks.wait().await;
        let pending_rows = self.shared.spools().iter().map(|spool| spool.backlog().borrow().rows).sum();
        Drained { pending_rows }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.work.abort.cancel();
    }
}
