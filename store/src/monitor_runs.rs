//! The `monitor_runs` table: the ledger of what schedulers have run, a row a window.

use serde::Deserialize;
use windvane_types::span::Span;

use crate::{Statement, Store, StoreError};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It was begun; whether it still runs, its lease tells.
    Running,
    /// It ended with an error.
    Failed,
    /// Its findings are written.
    Done,
}

impl RunState {
    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }
}

/// The state of one window of one monitor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MonitorRun {
    /// What kind of job: `drift`.
    pub kind: String,
    /// The monitor.
    pub monitor: String,
    /// Start of the window, microseconds since 1970 UTC, included.
    pub window_start_us: i64,
    /// Its end, excluded.
    pub window_end_us: i64,
    /// The model.
    pub model: String,
    /// How far it is.
    pub state: RunState,
    /// Which attempt, from 1.
    pub attempt: u64,
    /// Id of the attempt, that of its findings.
    pub run_id: String,
    /// The analyzer that runs it.
    pub holder: String,
    /// When the attempt began, microseconds since 1970 UTC.
    pub started_us: i64,
    /// When it ended; 0 while it runs.
    pub ended_us: i64,
    /// Rows of the reference.
    pub rows_reference: u64,
    /// Rows of the window.
    pub rows_current: u64,
    /// Rows that it wrote.
    pub findings: u64,
    /// What it found; empty until it is done.
    pub verdict: String,
    /// Why it failed, or empty.
    pub error: String,
    /// What is odd about a run that is done, or empty.
    pub note: String,
}

impl MonitorRun {
    /// The window.
    #[must_use]
    pub fn window(&self) -> Span {
        Span { start_us: self.window_start_us, end_us: self.window_end_us }
    }

    /// Orders the states of a window: a later attempt over an earlier one, within it running, failed, done.
    fn revision(&self) -> u64 {
        let rank = match self.state {
            RunState::Running => 0,
            RunState::Failed => 1,
            RunState::Done => 2,
        };
        self.attempt.saturating_mul(4).saturating_add(rank)
    }
}

/// Bytes of an error, or of a note, that are kept.
const TEXT_BYTES_MAX: usize = 1_000;

/// Writes the state of a window; it replaces that of an earlier attempt or an earlier state of the same one.
///
/// # Errors
/// ClickHouse does not answer or refuses; the row may be written again.
pub async fn write(store: &Store, run: &MonitorRun) -> Result<(), StoreError> {
    let statement = Statement::new(
        "INSERT INTO {database:Identifier}.monitor_runs (kind, monitor, window_start, window_end, model, state, attempt, \
         revision, run_id, holder, started_at, ended_at, rows_reference, rows_current, findings, verdict, error, note) \
         SELECT {kind:String}, {monitor:String}, fromUnixTimestamp64Micro({window_start:Int64}, 'UTC'), \
         fromUnixTimestamp64Micro({window_end:Int64}, 'UTC'), {model:String}, {state:String}, {attempt:UInt64}, \
         {revision:UInt64}, {run_id:String}, {holder:String}, fromUnixTimestamp64Micro({started:Int64}, 'UTC'), \
         fromUnixTimestamp64Micro({ended:Int64}, 'UTC'), {rows_reference:UInt64}, {rows_current:UInt64}, \
         {findings:UInt64}, {verdict:String}, {error:String}, {note:String}",
    )
    .param("database", store.database())
    .param("kind", &run.kind)
    .param("monitor", &run.monitor)
    .param("window_start", run.window_start_us)
    .param("window_end", run.window_end_us)
    .param("model", &run.model)
    .param("state", run.state.as_str())
    .param("attempt", run.attempt)
    .param("revision", run.revision())
    .param("run_id", &run.run_id)
    .param("holder", &run.holder)
    .param("started", run.started_us)
    .param("ended", run.ended_us)
    .param("rows_reference", run.rows_reference)
    .param("rows_current", run.rows_current)
    .param("findings", run.findings)
    .param("verdict", &run.verdict)
    .param("error", kept(&run.error))
    .param("note", kept(&run.note));
    store.execute(&statement).await
}

/// As much of a text as is kept.
fn kept(text: &str) -> &str {
    let mut cut = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    &text[..cut]
}

/// Which windows are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The kind of job.
    pub kind: &'a str,
    /// The monitor.
    pub monitor: &'a str,
    /// Only windows that end after this time, microseconds since 1970 UTC.
    pub ending_after_us: i64,
    /// Only windows that start before this time.
    pub starting_before_us: i64,
}

/// Windows with their latest state, the earliest first.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store, asked: Asked<'_>) -> Result<Vec<MonitorRun>, StoreError> {
    let statement = Statement::new(format!(
        "SELECT {FIELDS} FROM monitor_runs FINAL \
         WHERE kind = {{kind:String}} AND monitor = {{monitor:String}} \
         AND window_end > fromUnixTimestamp64Micro({{after:Int64}}, 'UTC') \
         AND window_start < fromUnixTimestamp64Micro({{before:Int64}}, 'UTC') \
         ORDER BY window_start, window_end"
    ))
    .param("kind", asked.kind)
    .param("monitor", asked.monitor)
    .param("after", asked.ending_after_us)
    .param("before", asked.starting_before_us);
    store.rows(&statement).await
}

/// The latest window of each monitor that was ever run, by monitor.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn latest(store: &Store, kind: &str) -> Result<Vec<MonitorRun>, StoreError> {
    let statement = Statement::new(format!(
        "SELECT {FIELDS} FROM (SELECT * FROM monitor_runs FINAL WHERE kind = {{kind:String}} \
         ORDER BY window_end DESC, window_start DESC LIMIT 1 BY monitor) ORDER BY monitor"
    ))
    .param("kind", kind);
    store.rows(&statement).await
}

const FIELDS: &str = "kind, monitor, toUnixTimestamp64Micro(window_start) AS window_start_us, \
     toUnixTimestamp64Micro(window_end) AS window_end_us, model, state, attempt, run_id, holder, \
     toUnixTimestamp64Micro(started_at) AS started_us, toUnixTimestamp64Micro(ended_at) AS ended_us, \
     rows_reference, rows_current, findings, verdict, error, note";

/// What time ClickHouse has, microseconds since 1970 UTC: one clock for all analyzers.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn now_us(store: &Store) -> Result<i64, StoreError> {
    #[derive(Deserialize)]
    struct Row {
        now_us: i64,
    }
    let statement = Statement::new("SELECT toUnixTimestamp64Micro(now64(6, 'UTC')) AS now_us");
    let rows: Vec<Row> = store.rows(&statement).await?;
    Ok(rows.first().map_or(0, |row| row.now_us))
}
