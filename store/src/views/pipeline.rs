//! How the service itself does: its jobs and its tables.

use super::{OFFSET, View, limit, text};

/// What the analyzers have announced, with the latest run of each. An analyzer announces its monitors each minute; a quarter
/// of an hour without that is no hiccup.
pub const MONITORS: View = View {
    name: "monitors",
    about: "monitors and experiments by schedule, each with its latest run and when the next one is due",
    parameters: &[text("model"), limit("200"), OFFSET],
    text: "
    SELECT kind, monitor, model,
           multiIf(NOT enabled, 'disabled', announced.seen_at < now64(6, 'UTC') - INTERVAL 15 MINUTE, 'unattended',
                   run.state = 'running', 'running', run.state = 'failed', 'failing', run.state = 'done', 'ok',
                   'waiting') AS state,
           formatDateTime(announced.next_due, '%FT%TZ', 'UTC') AS next_due, settings,
           if(run.state = '', '', formatDateTime(run.window_start, '%FT%TZ', 'UTC')) AS window_start,
           if(run.state = '', '', formatDateTime(run.window_end, '%FT%TZ', 'UTC')) AS window_end,
           run.attempt AS attempt, run.rows_current AS rows_current, run.findings AS findings,
           toString(run.verdict) AS verdict, run.error AS error, run.note AS note
    FROM (SELECT * FROM windvane.monitors FINAL WHERE {model:String} IN ('', model)) AS announced
    LEFT JOIN (
        SELECT * FROM windvane.monitor_runs FINAL ORDER BY window_end DESC, window_start DESC LIMIT 1 BY kind, monitor
    ) AS run ON run.kind = announced.kind AND run.monitor = announced.monitor AND run.model = announced.model
    ORDER BY state IN ('failing', 'unattended') DESC, announced.model, announced.monitor, announced.kind
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// The latest runs of all monitors.
pub const RUNS: View = View {
    name: "runs",
    about: "the latest runs of monitors: window, how long it took, what came out",
    parameters: &[text("model"), text("monitor"), limit("50"), OFFSET],
    text: "
    SELECT kind, monitor, model, state, attempt,
           formatDateTime(runs.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(runs.window_end, '%FT%TZ', 'UTC') AS window_end,
           formatDateTime(runs.started_at, '%FT%TZ', 'UTC') AS started_at,
           if(state = 'running', NULL, dateDiff('millisecond', runs.started_at, runs.ended_at)) AS took_ms,
           rows_reference, rows_current, findings, toString(runs.verdict) AS verdict, error
    FROM windvane.monitor_runs AS runs FINAL
    WHERE ({model:String} = '' OR model = {model:String}) AND ({monitor:String} = '' OR monitor = {monitor:String})
    ORDER BY runs.started_at DESC, monitor, kind, runs.window_start DESC, runs.window_end DESC
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// What the tables hold.
pub const TABLES: View = View {
    name: "tables",
    about: "rows, bytes and parts of each table; many parts mean that inserts are small",
    parameters: &[limit("500"), OFFSET],
    text: "
    SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts,
           formatDateTime(max(modification_time), '%FT%TZ', 'UTC') AS changed_at
    FROM system.parts
    WHERE database = 'windvane' AND active
    GROUP BY table
    ORDER BY bytes DESC, table
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};
