//! How Windvane itself does: what comes in, how late, jobs, tables.

use super::alerts::{FIRED, RESOLVED};
use crate::panel::NONE_IS_GOOD;
use crate::{Board, Cells, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-pipeline",
        title: "Windvane · Pipeline",
        about: "Whether events arrive and are stored, how late, whether monitors run, and how the tables grow",
        from: "now-24h",
        variables: Vec::new(),
        annotations: vec![FIRED, RESOLVED],
        rows: vec![
            Row { title: "Ingestion", panels: vec![STORED, LAG, REPEATED] },
            Row { title: "Jobs", panels: vec![FAILED, STATES, TOOK, RUNS] },
            Row { title: "Tables", panels: vec![TABLES, PARTS] },
        ],
    }
}

const STORED: Panel = Panel {
    about: "Predictions by the time that the collector took them. Set the collector's own metrics (/metrics) beside it: received = stored + rejected + pending.",
    sql: "SELECT $__timeInterval(ingested_at) AS time, model, count() AS predictions
FROM windvane.predictions
WHERE $__timeFilter(ingested_at)
GROUP BY time, model
ORDER BY time, model",
    ..Panel::new(Shape::Stacked, Unit::Count, "Taken predictions")
};

const LAG: Panel = Panel {
    about: "From the event to the collector: half and 99 per cent of the predictions taken in each interval were at most this late. History that is loaded shows as years.",
    sql: "SELECT $__timeInterval(ingested_at) AS time, quantileTDigest(0.5)(dateDiff('millisecond', ts, ingested_at)) AS p50,
       quantileTDigest(0.99)(dateDiff('millisecond', ts, ingested_at)) AS p99
FROM windvane.predictions
WHERE $__timeFilter(ingested_at)
GROUP BY time
ORDER BY time",
    ..Panel::new(Shape::Lines, Unit::Milliseconds, "Age of events on arrival")
};

const REPEATED: Panel = Panel {
    about: "Rows of the span that are the same event sent under different keys, before parts are merged. Clients that send an Idempotency-Key have none.",
    sql: "SELECT count() - uniqExact(event_id) AS repeated FROM windvane.predictions WHERE $__timeFilter(ingested_at)",
    steps: NONE_IS_GOOD,
    ..Panel::new(Shape::Stat, Unit::Count, "Repeated events")
};

const FAILED: Panel = Panel {
    about: "Windows of monitors and experiments whose latest run failed, of the span.",
    sql: "SELECT countIf(state = 'failed') AS failed FROM windvane.monitor_runs FINAL WHERE $__timeFilter(started_at)",
    steps: NONE_IS_GOOD,
    width: 4,
    ..Panel::new(Shape::Stat, Unit::Count, "Failed runs")
};

const STATES: Panel = Panel {
    about: "How the runs of each monitor ended, over time.",
    sql: "SELECT started_at AS time, monitor, toString(state) AS state
FROM windvane.monitor_runs FINAL
WHERE $__timeFilter(started_at)
ORDER BY time, monitor
LIMIT 20000",
    width: 12,
    ..Panel::new(Shape::Timeline, Unit::Words, "Runs of monitors")
};

const TOOK: Panel = Panel {
    about: "How long runs took, by monitor. Where it comes near the length of a window, the monitor falls behind.",
    sql: "SELECT started_at AS time, monitor, dateDiff('millisecond', started_at, ended_at) AS took
FROM windvane.monitor_runs FINAL
WHERE state != 'running' AND $__timeFilter(started_at)
ORDER BY time, monitor
LIMIT 20000",
    ..Panel::new(Shape::Lines, Unit::Milliseconds, "Time a run takes")
};

const RUNS: Panel = Panel {
    about: "The latest runs with their window, what they read, what they found, and why they failed.",
    sql: "SELECT kind, monitor, model, state, attempt, toUnixTimestamp64Milli(started_at) AS started, toUnixTimestamp64Milli(window_start) AS window_from,
       toUnixTimestamp64Milli(window_end) AS window_to, rows_reference, rows_current, findings, verdict, error
FROM windvane.monitor_runs FINAL
WHERE $__timeFilter(started_at)
ORDER BY started_at DESC, monitor
LIMIT 200",
    columns: &[("started", Unit::Time), ("window_from", Unit::Time), ("window_to", Unit::Time)],
    cells: &[("state", Cells::Words), ("verdict", Cells::Words)],
    width: 24,
    ..Panel::new(Shape::Table, Unit::Count, "Latest runs")
};

const TABLES: Panel = Panel {
    about: "Rows, bytes on disk and parts of each table.",
    sql: "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts
FROM system.parts
WHERE database = 'windvane' AND active
GROUP BY table
ORDER BY bytes DESC, table",
    columns: &[("bytes", Unit::Bytes)],
    width: 12,
    ..Panel::new(Shape::Table, Unit::Count, "Tables")
};

const PARTS: Panel = Panel {
    about: "Active parts of the largest partition of each table. Above some hundred, inserts are too small and ClickHouse will slow them down.",
    sql: "SELECT table, max(parts) AS parts
FROM (
    SELECT table, partition, count() AS parts FROM system.parts
    WHERE database = 'windvane' AND active
    GROUP BY table, partition
)
GROUP BY table
ORDER BY parts DESC, table",
    width: 12,
    ..Panel::new(Shape::Bars, Unit::Count, "Parts of the fullest partition")
};
