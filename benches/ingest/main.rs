//! How many events a second does the service take over HTTP, acknowledged durably, and how does that compare with inserting
//! the same rows straight into the same engine?
//!
//! `cargo bench --bench ingest` starts the release binary with its embedded engine in a temporary folder and sends
//! `WINDVANE_BENCH_EVENTS` (1,000,000) events of 20 numeric and 5 categorical features as NDJSON, as many as Arrow streams, and as
//! many spans with ten attributes as OTLP in protobuf, in batches of 1,000 over 4 connections. It counts them in the store, inserts
//! as many rows of both tables directly, which is the engine's own limit, and prints rates, CPU and peak memory. Every way begins with
//! empty tables, so that none merges what another one left. It needs
//! `WINDVANE_LIBCHDB` or an installed runtime, ends by itself, and fails if a count is wrong. OTLP over gRPC, from a client that
//! others wrote: `benches/otlp/spans.py`.

#![expect(clippy::print_stdout, reason = "a driver that prints what it measured")]

mod columns;
mod direct;
mod events;
mod over_http;
mod process;
mod spans;

use std::path::Path;
use std::time::Duration;

use windvane_kit::{Service, eventually_async};
use windvane_store::{DATABASE, Secret, Statement, Store, StoreOptions, Table};

use crate::direct::Rows;
use crate::events::Templates;
use crate::over_http::Way;
use crate::process::{Usage, machine};
use crate::spans::Spans;

/// Events of one run unless told otherwise.
const EVENTS: u64 = 1_000_000;
/// Longest wait for the last rows to be stored, and for merges to end.
const SETTLE: Duration = Duration::from_secs(120);

/// What is sent.
#[derive(Debug)]
struct Seeded {
    events: Templates,
    spans: Spans,
}

/// One way of bringing the rows in, measured.
#[derive(Debug)]
struct Measured {
    name: &'static str,
    /// What a row is.
    unit: &'static str,
    events: u64,
    /// Until the last acknowledgement, or the last answered INSERT.
    acknowledged: Duration,
    /// Until the store counted them all.
    stored: Duration,
    /// What the service, the engine and this driver used.
    service: Usage,
    engine: Usage,
    driver: Usage,
    /// Of the answers to one request or INSERT.
    p50: Duration,
    p99: Duration,
}

impl Measured {
    fn print(&self) {
        let unit = self.unit;
        let rate = |time: Duration| self.events as f64 / time.as_secs_f64();
        let us = |usage: &Usage| usage.cpu.as_secs_f64() * 1e6 / self.events as f64;
        println!(
            "{}: {} {unit}s; acknowledged in {:.2} s ({:.0} {unit}s/s); stored in {:.2} s ({:.0} {unit}s/s)",
            self.name,
            self.events,
            self.acknowledged.as_secs_f64(),
            rate(self.acknowledged),
            self.stored.as_secs_f64(),
            rate(self.stored),
        );
        println!(
            "  answers: p50 {:.1} ms, p99 {:.1} ms",
            self.p50.as_secs_f64() * 1e3,
            self.p99.as_secs_f64() * 1e3
        );
        for (who, usage) in [("service", &self.service), ("engine", &self.engine), ("driver", &self.driver)] {
            println!(
                "  {who}: {:.2} s CPU ({:.2} us per {unit}), peak resident {} MiB",
                usage.cpu.as_secs_f64(),
                us(usage),
                usage.peak_bytes >> 20,
            );
        }
    }
}

/// The processes whose use is measured.
#[derive(Debug, Clone, Copy)]
struct Processes {
    service: u32,
    engine: u32,
}

impl Processes {
    fn usage(self) -> [Usage; 3] {
        [self.service, self.engine, std::process::id()].map(Usage::of)
    }
}

fn main() {
    // `cargo test --benches` and listings run this without the word; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let events = std::env::var("WINDVANE_BENCH_EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(EVENTS);
    println!("{}", machine());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(run(events));
}

async fn run(events: u64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let processes = Processes { service: service.pid(), engine: service.engine_pid() };
    let (user, password) = service.engine_user();
    let store = Store::connect(&StoreOptions {
        url: service.engine_url().to_owned(),
        user,
        password: Secret::new(password),
        database: DATABASE.to_owned(),
    });
    let seeded = Seeded { events: Templates::generate(), spans: Spans::generate() };
    println!(
        "events: {} bytes of NDJSON each, spans: {} bytes of protobuf each, batches of {}",
        seeded.events.bytes_of_one(),
        seeded.spans.bytes_of_one(),
        events::BATCH,
    );
    let idle = processes.usage();
    println!(
        "idle: service {} MiB, engine {} MiB resident",
        idle[0].resident_bytes >> 20,
        idle[1].resident_bytes >> 20
    );
    let mut measured = Vec::new();
    for way in Way::ALL {
        begin_anew(&store).await;
        let run = over_http::run(way, (&service, &store), &seeded, (events, processes)).await;
        run.print();
        measured.push(run);
    }
    let mut direct = Vec::new();
    for rows in [Rows::Events(&seeded.events), Rows::Spans(&seeded.spans)] {
        for at_once in [1, 2] {
            begin_anew(&store).await;
            let run = direct::run(&store, (rows, at_once), (events, processes)).await;
            run.print();
            direct.push((rows.table(), run));
        }
    }
    for (way, run) in Way::ALL.into_iter().zip(&measured) {
        for (_, direct) in direct.iter().filter(|(table, _)| *table == way.table()) {
            let ratio = direct.stored.as_secs_f64() / run.stored.as_secs_f64();
            println!(
                "{}, durably acknowledged and stored, runs at {ratio:.3} of the rate of {}",
                run.name, direct.name
            );
        }
    }
    assert_eq!(service.terminate(), Some(0), "the service drains and ends well");
}

/// Rows and distinct ids of a model, or of a service in the table of spans.
async fn count(store: &Store, table: Table, owner: &str) -> (u64, u64) {
    #[derive(serde::Deserialize)]
    struct Row {
        rows: u64,
        ids: u64,
    }
    let sql = match table {
        Table::Spans => {
            "SELECT count() AS rows, uniqExact(SpanId) AS ids FROM spans WHERE ServiceName = {owner:String}"
        }
        _ => {
            "SELECT count() AS rows, uniqExact(event_id) AS ids FROM predictions WHERE model = {owner:String}"
        }
    };
    let rows: Vec<Row> =
        store.rows(&Statement::new(sql).param("owner", owner)).await.expect("the engine counts");
    (rows[0].rows, rows[0].ids)
}

/// Takes away what the last run left, so that the next one does not pay for its merges.
async fn begin_anew(store: &Store) {
    #[derive(serde::Deserialize)]
    struct Row {
        merges: u64,
    }
    for sql in ["TRUNCATE TABLE windvane.predictions", "TRUNCATE TABLE windvane.spans"] {
        store.execute(&Statement::new(sql)).await.expect("the table is emptied");
    }
    eventually_async(SETTLE, async || {
        let rows: Vec<Row> = store
            .rows(&Statement::new("SELECT count() AS merges FROM system.merges"))
            .await
            .map_err(|error| error.to_string())?;
        if rows[0].merges == 0 { Ok(()) } else { Err(format!("{} merges", rows[0].merges)) }
    })
    .await;
}

/// The median and the 99th percentile of answers' times.
fn quantiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    (at(50), at(99))
}
