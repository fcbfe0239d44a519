//! How many predictions a second does the embedded engine take, and what does each cost?
//!
//! One prediction has 20 numeric and 5 categorical features, as in the ingestion benchmark, so that the two can be set
//! side by side. Each INSERT goes through the endpoint over the loop-back interface, as from another process, and is
//! fsynced. `columns` is how `Store::insert` sends (the Native format); `rows` is the same block as RowBinary. CPU is
//! that of this process, which holds the client, the endpoint and the engine: it stays comparable on a busy machine.
//!
//! Run: `WINDVANE_LIBCHDB=… cargo bench -p windvane-store --bench insert -- [rows]`

#![expect(clippy::print_stdout, reason = "the answer of a benchmark")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windvane_store::chdb::{Engine, EngineOptions, Library, exit_now};
use windvane_store::endpoint::{Endpoint, Options};
use windvane_store::migrate::{self, Topology};
use windvane_store::{Block, DATABASE, Secret, Statement, Store, StoreOptions, Table, predictions};

/// Rows of a run unless the command line says otherwise.
const ROWS: u64 = 1_000_000;
/// Rows of one INSERT.
const BLOCK_ROWS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

fn main() {
    let rows = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(ROWS);
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(run(rows));
    // The engine's own tear-down is not part of the question.
    exit_now(0)
}

async fn run(rows: u64) {
    let library = std::env::var_os("WINDVANE_LIBCHDB").expect("WINDVANE_LIBCHDB names libchdb.so");
    let library = Library::open(library.as_ref()).expect("the library loads");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = EngineOptions { memory_bytes_max: 6 << 30, ..EngineOptions::new(folder.path()) };
    let engine = Engine::open(library, &options).expect("the engine starts");
    let endpoint =
        Endpoint::bind(engine, ([127, 0, 0, 1], 0).into(), Options::default()).await.expect("a free port");
    let access = StoreOptions {
        url: format!("http://{}", endpoint.address()),
        user: endpoint.access().user.clone(),
        password: Secret::new(endpoint.access().password.clone()),
        database: DATABASE.to_owned(),
    };
    let _serving =
        TaskTracker::new().spawn(endpoint.serve(CancellationToken::new(), CancellationToken::new()));
    let store = Store::connect(&access);
    migrate::apply(&store, &Topology::Single, |_| {}).await.expect("the schema is made");

    println!(
        "| what | rows an INSERT | rows/s | CPU µs a row | p50 ms | p99 ms |\n|---|---|---|---|---|---|"
    );
    let started = Meter::start();
    let encoded = encode(0, rows.min(100_000));
    report("encoding", rows.min(100_000), &started.stop(rows.min(100_000)), &mut []);
    println!("| | {} bytes a row as RowBinary | | | | |", encoded.len() as u64 / rows.min(100_000));
    for block_rows in BLOCK_ROWS.into_iter().filter(|n| *n <= rows) {
        // Small blocks ask for the cost of an INSERT, which a tenth of the rows tells.
        let rows = if block_rows < 10_000 { rows / 10 } else { rows };
        columns(&store, rows, block_rows).await;
    }
    by_rows(&store, &access, (rows.min(200_000), rows.min(100_000))).await;
}

/// The way of `Store::insert`.
async fn columns(store: &Store, rows: u64, block_rows: u64) {
    empty(store).await;
    let blocks: Vec<Block> = (0..rows / block_rows)
        .map(|i| Block {
            table: Table::Predictions,
            layout: 1,
            rows: block_rows,
            token: format!("columns-{block_rows}-{i}"),
            body: vec![encode(i * block_rows, block_rows)],
        })
        .collect();
    let mut waits = Vec::new();
    let started = Meter::start();
    for block in &blocks {
        let before = Instant::now();
        store.insert(block).await.expect("the block goes in");
        waits.push(before.elapsed());
    }
    report("columns", block_rows, &started.stop(rows), &mut waits);
    assert_eq!(count(store).await, rows);
}

/// The same rows as RowBinary, through plain HTTP.
async fn by_rows(store: &Store, access: &StoreOptions, (rows, block_rows): (u64, u64)) {
    empty(store).await;
    let names: Vec<&str> = Table::Predictions.columns(1).expect("a layout").iter().map(|c| c.name).collect();
    let sql = format!("INSERT INTO predictions ({}) FORMAT RowBinary", names.join(", "));
    let bodies: Vec<Bytes> = (0..rows / block_rows).map(|i| encode(i * block_rows, block_rows)).collect();
    let client = reqwest::Client::new();
    let mut waits = Vec::new();
    let started = Meter::start();
    for body in bodies {
        let before = Instant::now();
        let answer = client
            .post(&access.url)
            .query(&[("query", sql.as_str()), ("database", DATABASE), ("optimize_on_insert", "0")])
            .basic_auth(&access.user, Some(access.password.expose()))
            .body(body)
            .send()
            .await
            .expect("the endpoint answers");
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
        waits.push(before.elapsed());
    }
    report("rows", block_rows, &started.stop(rows), &mut waits);
    assert_eq!(count(store).await, rows);
}

async fn empty(store: &Store) {
    store
        .execute(&Statement::new("TRUNCATE TABLE windvane.predictions"))
        .await
        .expect("the table is emptied");
}

async fn count(store: &Store) -> u64 {
    let text = store.text("SELECT count() FROM predictions", "TSV").await.expect("the rows are counted");
    String::from_utf8_lossy(&text).trim().parse().expect("a number")
}

/// Predictions `first..first + n`: a unit in 4,000, features that differ from row to row, one prediction a second.
fn encode(first: u64, n: u64) -> Bytes {
    let numeric: Vec<String> = (0..20).map(|i| format!("feature_{i}")).collect();
    let categorical: Vec<String> = (0..5).map(|i| format!("category_{i}")).collect();
    let words: Vec<String> = (0..17).map(|i| format!("value_{i}")).collect();
    let mut out = Vec::with_capacity(usize::try_from(n).expect("fits") * 600);
    let mut event_id = String::new();
    let mut unit_id = String::new();
    for row in first..first + n {
        event_id.clear();
        unit_id.clear();
        let _ = write!(event_id, "00000000-0000-4000-8000-{row:012x}");
        let _ = write!(unit_id, "N{}", row % 4_000);
        let noise = |i: usize| (row * 31 + i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        #[expect(clippy::cast_precision_loss, reason = "any number will do")]
        let number = |i: usize| noise(i) as f64 / u64::MAX as f64;
        let word = |i: usize| words[usize::try_from(noise(i) % 17).expect("below 17")].as_str();
        predictions::Row {
            event_id: &event_id,
            ts_us: 1_357_000_000_000_000 + i64::try_from(row).expect("fits") * 1_000_000,
            ingested_at_us: 1_795_000_000_000_000,
            model: "delay",
            version: "7",
            environment: "prod",
            unit_id: &unit_id,
            arms: &mut std::iter::empty(),
            num: &mut numeric.iter().enumerate().map(|(i, name)| (name.as_str(), number(i))),
            cat: &mut categorical.iter().enumerate().map(|(i, name)| (name.as_str(), word(i))),
            embeddings: &mut std::iter::empty(),
            kind: "score",
            score: Some(number(99)),
            label: None,
            probabilities: &mut std::iter::empty(),
            value: None,
            latency_us: Some(noise(98) % 5_000),
            status: "ok",
            trace_id: "",
            span_id: "",
            tags: &mut std::iter::once(("region", "east")),
        }
        .encode(&mut out);
    }
    Bytes::from(out)
}

/// Wall clock and CPU of this process.
struct Meter {
    wall: Instant,
    cpu: Duration,
}

struct Reading {
    rows_per_s: f64,
    cpu_us_per_row: f64,
}

impl Meter {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    #[expect(clippy::cast_precision_loss, reason = "rounded for print")]
    fn stop(&self, rows: u64) -> Reading {
        let (wall, cpu) = (self.wall.elapsed(), cpu() - self.cpu);
        Reading {
            rows_per_s: rows as f64 / wall.as_secs_f64(),
            cpu_us_per_row: cpu.as_secs_f64() * 1e6 / rows as f64,
        }
    }
}

fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).expect("below a second"))
}

fn report(what: &str, block_rows: u64, reading: &Reading, waits: &mut [Duration]) {
    waits.sort();
    let quantile = |q: usize| waits.get((waits.len() * q / 100).min(waits.len().saturating_sub(1)));
    let ms =
        |wait: Option<&Duration>| wait.map_or_else(String::new, |w| format!("{:.1}", w.as_secs_f64() * 1e3));
    println!(
        "| {what} | {block_rows} | {:.0} | {:.2} | {} | {} |",
        reading.rows_per_s,
        reading.cpu_us_per_row,
        ms(quantile(50)),
        ms(quantile(99))
    );
}
