//! Which outcomes the measurement of a window has seen, and which windows have had others since.

use serde::Deserialize;
use windvane_types::span::Span;

use super::{fairness, performance};
use crate::{Statement, Store, StoreError};

/// When the latest of the outcomes that are known of a window's predictions was received, or the latest of the predictions that have one,
/// microseconds since 1970 UTC; 0 without any. Asked before a window is measured, so that nothing that comes meanwhile is taken for seen.
/// Ids are joined by 128 bits of a hash, as where outcomes are joined.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn until(store: &Store, model: &str, window: Span) -> Result<i64, StoreError> {
    #[derive(Deserialize)]
    struct Row {
        until_us: i64,
    }
    let statement = Statement::new(format!(
        "SELECT max(greatest(o.received, p.received)) AS until_us FROM (\
         SELECT sipHash128(event_id) AS id, toUnixTimestamp64Micro(ingested_at) AS received FROM outcomes \
         WHERE model = {{model:String}} AND event_id GLOBAL IN (SELECT event_id FROM predictions WHERE {WITHIN})) AS o \
         GLOBAL INNER JOIN (SELECT sipHash128(event_id) AS id, toUnixTimestamp64Micro(ingested_at) AS received \
         FROM predictions WHERE {WITHIN}) AS p USING id",
    ))
    .param("model", model)
    .param("from", window.start_us)
    .param("to", window.end_us);
    let rows: Vec<Row> = store.rows(&statement).await?;
    Ok(rows.first().map_or(0, |row| row.until_us))
}

/// A window, and which outcomes its latest measurement has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Seen {
    /// Start of the window, microseconds since 1970 UTC.
    pub start_us: i64,
    /// Its end.
    pub end_us: i64,
    /// When the latest of them was received; 0 without any.
    pub until_us: i64,
}

/// What is measured again when outcomes come late: a table that keeps which ones a window has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// `fairness_findings`.
    Fairness,
    /// `performance_findings`.
    Performance,
}

/// What the latest measurements of a monitor's windows have seen.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn seen(
    store: &Store,
    measured: Measured,
    (model, monitor): (&str, &str),
    from_us: i64,
) -> Result<Vec<Seen>, StoreError> {
    let table = match measured {
        Measured::Fairness => fairness::TABLE,
        Measured::Performance => performance::TABLE,
    };
    let statement = Statement::new(format!(
        "SELECT toUnixTimestamp64Micro(window_start) AS start_us, toUnixTimestamp64Micro(window_end) AS end_us, \
         toUnixTimestamp64Micro(argMax(outcomes_until, computed_at)) AS until_us FROM {table} \
         WHERE model = {{model:String}} AND monitor = {{monitor:String}} \
         AND window_end > fromUnixTimestamp64Micro({{from:Int64}}, 'UTC') \
         GROUP BY window_start, window_end ORDER BY window_start, window_end",
    ))
    .param("model", model)
    .param("monitor", monitor)
    .param("from", from_us);
    store.rows(&statement).await
}

/// Which of these windows of a model have had outcomes that were received later than those that were seen, or predictions whose outcome
/// had come before them. Only what was received since `since_us` is read: the rest was looked at before.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn late(
    store: &Store,
    model: &str,
    (windows, since_us): (&[Seen], i64),
) -> Result<Vec<Span>, StoreError> {
    #[derive(Deserialize)]
    struct Row {
        start_us: i64,
        end_us: i64,
    }
    let Some(earliest) = windows.iter().map(|window| window.until_us).min() else { return Ok(Vec::new()) };
    let list = |of: &dyn Fn(&Seen) -> i64| {
        let numbers: Vec<String> = windows.iter().map(|window| of(window).to_string()).collect();
        format!("[{}]::Array(Int64)", numbers.join(", "))
    };
    // Predictions that came since the windows were looked at.
    let new = format!("{WITHIN} AND ingested_at > fromUnixTimestamp64Micro({{earliest:Int64}})");
    // Windows may be many, and so may outcomes: those between the same ends are put together first.
    let statement = Statement::new(format!(
        "SELECT window.1 AS start_us, window.2 AS end_us FROM (\
         SELECT intDiv(toUnixTimestamp64Micro(p.ts), {{step:Int64}}) * {{step:Int64}} AS at, \
         max(toUnixTimestamp64Micro(o.received)) AS latest FROM (\
         SELECT event_id, max(ingested_at) AS received FROM outcomes WHERE model = {{model:String}} \
         AND ingested_at > fromUnixTimestamp64Micro({{earliest:Int64}}) GROUP BY event_id) AS o \
         INNER JOIN (SELECT event_id, ts FROM predictions WHERE {WITHIN}) AS p USING event_id GROUP BY at \
         UNION ALL \
         SELECT at, max(p.received) AS latest FROM (\
         SELECT sipHash128(event_id) AS id FROM outcomes WHERE model = {{model:String}} \
         AND event_id GLOBAL IN (SELECT event_id FROM predictions WHERE {new})) AS o \
         GLOBAL INNER JOIN (SELECT sipHash128(event_id) AS id, intDiv(toUnixTimestamp64Micro(ts), {{step:Int64}}) * {{step:Int64}} AS at, \
         toUnixTimestamp64Micro(ingested_at) AS received FROM predictions WHERE {new}) AS p USING id GROUP BY at) \
         ARRAY JOIN arrayZip({}, {}, {}) AS window \
         WHERE at >= window.1 AND at < window.2 AND latest > window.3 GROUP BY start_us, end_us ORDER BY start_us, end_us",
        list(&|window| window.start_us),
        list(&|window| window.end_us),
        list(&|window| window.until_us),
    ))
    .param("model", model)
    .param("step", step_us(windows))
    .param("earliest", earliest.max(since_us))
    .param("from", windows.iter().map(|window| window.start_us).min().unwrap_or_default())
    .param("to", windows.iter().map(|window| window.end_us).max().unwrap_or_default());
    let rows: Vec<Row> = store.rows(&statement).await?;
    Ok(rows.iter().map(|row| Span { start_us: row.start_us, end_us: row.end_us }).collect())
}

/// The predictions of a model between two times.
const WITHIN: &str = "model = {model:String} AND ts >= fromUnixTimestamp64Micro({from:Int64}) \
    AND ts < fromUnixTimestamp64Micro({to:Int64})";

/// The longest length of which the ends of all windows are multiples, microseconds.
fn step_us(windows: &[Seen]) -> i64 {
    let ends = windows.iter().flat_map(|window| [window.start_us, window.end_us]);
    let step = ends.fold(0, |mut step: i64, mut end| {
        while end != 0 {
            (step, end) = (end, step % end);
        }
        step
    });
    step.saturating_abs().max(1)
}

#[cfg(test)]
mod tests {
    use super::{Seen, step_us};

    #[test]
    fn rows_are_put_together_by_what_all_ends_are_multiples_of() {
        const HOUR_US: i64 = 3_600_000_000;
        let window = |start_us, end_us| Seen { start_us, end_us, until_us: 0 };
        let days = window(48 * HOUR_US, 72 * HOUR_US);
        for (windows, expected) in [
            (vec![days], 24 * HOUR_US),
            (vec![days, window(49 * HOUR_US, 50 * HOUR_US)], HOUR_US),
            (vec![days, window(0, 90_000_000)], 90_000_000),
            (vec![days, window(0, 7)], 1),
            (vec![window(0, 0)], 1),
        ] {
            assert_eq!(step_us(&windows), expected, "{windows:?}");
        }
    }
}
