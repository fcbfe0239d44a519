//! Memory does not grow with what streams through: rows out of the engine, rows into it, and a file that is ingested.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use windvane_kit::{Engine, Service, eventually, nothing_is_lost};

/// What streams through first, and then ten times as much.
const BYTES: [u64; 2] = [20 << 20, 200 << 20];
/// By how much the second may raise the peak: far less than the 180 MiB that it is larger by. Measured: 22 MiB for rows out of the
/// engine, 3 MiB for rows into it, less than 1 MiB for a file.
const GROWTH_BYTES_MAX: u64 = 64 << 20;
/// The length of a row of the engine's, 8 digits, a tab, 90 letters and the end of the line.
const ROW_BYTES: u64 = 100;

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_windvane"))
}

/// The most memory that a process has held so far; nothing when it is gone.
fn peak_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// What a process was started with.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn environment(pid: u32) -> String {
    String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/environ")).unwrap()).into_owned()
}

fn assert_flat(what: &str, peaks: &[u64]) {
    let growth = peaks[1].saturating_sub(peaks[0]);
    let mib: Vec<u64> = peaks.iter().map(|peak| peak >> 20).collect();
    assert!(growth < GROWTH_BYTES_MAX, "{what}: peaks of {mib:?} MiB for {BYTES:?} bytes");
}

/// Sends a statement, and returns the answer to it.
async fn send(engine: &Engine, body: reqwest::Body) -> reqwest::Response {
    let (user, password_file) = engine.user();
    let password = std::fs::read_to_string(password_file).unwrap();
    let request = reqwest::Client::new().post(engine.url()).basic_auth(user, Some(password)).body(body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

#[tokio::test]
async fn a_large_result_streams_out_of_the_engine_in_constant_memory() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(binary(), folder.path());
    let mut peaks = Vec::new();
    for bytes in BYTES {
        let rows = bytes / ROW_BYTES;
        let sql = format!("SELECT 10000000 + number, repeat('x', 90) FROM numbers({rows}) FORMAT TSV");
        let mut pieces = send(&engine, sql.into()).await.bytes_stream();
        let mut came = 0;
        while let Some(piece) = pieces.next().await {
            came += piece.unwrap().len() as u64;
        }
        assert_eq!(came, rows * ROW_BYTES);
        peaks.push(peak_bytes(engine.pid()).unwrap());
    }
    assert_flat("the engine", &peaks);
}

#[tokio::test]
async fn a_large_body_streams_into_the_engine_in_constant_memory() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(binary(), folder.path());
    send(&engine, "CREATE TABLE t (a UInt64, s String) ENGINE = Null".into()).await;
    // ClickHouse gathers blocks of up to 256 MiB before it writes them, which is no business of the endpoint's; smaller ones here.
    let statement = "INSERT INTO t SETTINGS max_insert_block_size = 10000, min_insert_block_size_rows = 10000, \
                     min_insert_block_size_bytes = 1048576 FORMAT TSV\n";
    let rows_a_piece = 10_000;
    let piece = Bytes::from(format!("10000000\t{}\n", "x".repeat(90)).repeat(rows_a_piece));
    let mut peaks = Vec::new();
    for bytes in BYTES {
        let pieces = bytes / (ROW_BYTES * rows_a_piece as u64);
        let pieces = std::iter::repeat_n(piece.clone(), usize::try_from(pieces).unwrap());
        let body = std::iter::once(Bytes::from_static(statement.as_bytes())).chain(pieces);
        let body = stream::iter(body.map(Ok::<_, std::io::Error>));
        let answer = send(&engine, reqwest::Body::wrap_stream(body)).await;
        let summary = answer.headers()["x-clickhouse-summary"].to_str().unwrap();
        let summary: serde_json::Value = serde_json::from_str(summary).unwrap();
        let rows = bytes / (ROW_BYTES * rows_a_piece as u64) * rows_a_piece as u64;
        assert_eq!(summary["written_rows"], rows.to_string());
        peaks.push(peak_bytes(engine.pid()).unwrap());
    }
    assert_flat("the engine", &peaks);
}

/// Writes about this many bytes of rows that are wide and quick to check, and returns how many rows they are.
fn write_rows(path: &Path, bytes: u64) -> u64 {
    let note = "x".repeat(3000);
    let mut file = BufWriter::new(File::create(path).unwrap());
    writeln!(file, "event_id,ts,age,score,note").unwrap();
    let rows = bytes / 3050;
    for row in 0..rows {
        writeln!(file, "e{row:012},2013-01-01T05:17:00Z,{},0.5,{note}", row % 90).unwrap();
    }
    file.flush().unwrap();
    rows
}

#[test]
fn a_large_file_is_ingested_in_constant_memory() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    assert!(
        environment(service.pid()).contains("MALLOC_ARENA_MAX="),
        "the allocator keeps an arena a thread"
    );
    let mut peaks = Vec::new();
    for bytes in BYTES {
        let path = folder.path().join("rows.csv");
        let rows = write_rows(&path, bytes);
        let mut command = Command::new(binary());
        command.arg("ingest").arg(&path).args(["--model", "delay", "--version", &bytes.to_string()]);
        command.args(["--tags", "note", "--batch-rows", "200", "--format", "json", "--url", service.url()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        // The peak is gone with the process, so it is looked at until then; it only ever grows.
        let mut peak = 0;
        let status = eventually(Duration::from_secs(60), || {
            peak = peak_bytes(child.id()).unwrap_or(peak);
            child.try_wait().unwrap().ok_or("it still reads")
        });
        let output = child.wait_with_output().unwrap();
        let sum: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((status.code(), &sum["predictions_accepted"]), (Some(0), &rows.into()));
        assert!(peak > 0, "it was never seen alive");
        peaks.push(peak);
    }
    assert_flat("windvane ingest", &peaks);
    nothing_is_lost(service.url());
    assert_eq!(service.terminate(), Some(0));
}
