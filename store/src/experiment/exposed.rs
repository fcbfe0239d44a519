//! One row an exposed unit: when it was first exposed, to which arms, and what its segments were then.
//!
//! Where predictions expose a unit, the first of them tells its segments. An event of `exposures` tells no more than unit, arm and
//! time: there the unit's latest prediction before its first exposure tells them, because no arm can have changed what was recorded
//! before the unit had one. Each segment is taken of the latest prediction that has it, since models tell different things of a unit.

use super::{
    Exposed, ExposedBy, Recorded,
    stored::{exposures_seen, window_over},
};
use crate::local::quote;

/// How long before a unit's first exposure a prediction may tell its segments, microseconds: 90 days. Older ones say little of what
/// the unit is now, and reading them takes every partition there is.
pub(super) const BEFORE_US: i64 = 90 * 86_400 * 1_000_000;

/// Rows of `unit_id`, `wv_first`, what `arms` makes of the arms (`one`) as `wv_seen`, and `wv_segment0` and so on.
pub(super) fn exposed_units(exposed: &Exposed, recorded: &Recorded, arms: &str) -> String {
    let by_event = exposed.by == ExposedBy::Predictions;
    let first = format!(
        "SELECT unit_id, min(ts) AS wv_first, {arms} AS wv_seen{} FROM ({}) GROUP BY unit_id{}",
        if by_event { of_first_prediction(exposed) } else { String::new() },
        exposures_seen(exposed, recorded),
        window_over(exposed),
    );
    match exposed.by {
        ExposedBy::Exposures if !exposed.segment_by.is_empty() => before_first(exposed, &first),
        _ => first,
    }
}

/// What a unit's segments were at its first exposure, from the rows of [`exposures_seen`].
fn of_first_prediction(exposed: &Exposed) -> String {
    exposed.of_segments(|i| {
        format!(", tupleElement(argMin(wv_segments, (ts, event_id)), {}) AS wv_segment{i}", i + 1)
    })
}

/// The rows of `first` with the segments that the unit's predictions told before.
fn before_first(exposed: &Exposed, first: &str) -> String {
    let told: String = exposed
        .segment_by
        .iter()
        .filter_map(|by| exposed.by.segment_expression(by))
        .enumerate()
        .map(|(i, expression)| format!(", {expression} AS wv_before{i}"))
        .collect();
    // Within a tuple, so that a unit without any has a null and not an empty text.
    let latest = exposed.of_segments(|i| {
        format!(
            ", tupleElement(argMaxIf(tuple(p.wv_before{i}), (p.ts, p.event_id, p.ingested_at), p.ts < f.wv_first \
             AND p.ts >= f.wv_first - toIntervalMicrosecond({BEFORE_US}) AND isNotNull(p.wv_before{i})), 1) AS wv_segment{i}"
        )
    });
    let experiment = quote(&exposed.experiment);
    let since = predictions_since(exposed);
    format!(
        "SELECT f.unit_id AS unit_id, any(f.wv_first) AS wv_first, any(f.wv_seen) AS wv_seen{latest} FROM (\
         SELECT unit_id, ts, event_id, ingested_at{told} FROM predictions WHERE unit_id GLOBAL IN (SELECT unit_id FROM exposures WHERE experiment = {experiment}) \
         AND ts < fromUnixTimestamp64Micro(toInt64({})) AND ts >= {since}) AS p \
         RIGHT JOIN ({first}) AS f ON p.unit_id = f.unit_id GROUP BY unit_id SETTINGS join_use_nulls = 0",
        exposed.end_us,
    )
}

/// The time from which on predictions may tell something of units that events expose. Without a start the first exposure is one, so
/// that older partitions are not read.
pub(super) fn predictions_since(exposed: &Exposed) -> String {
    match exposed.start_us {
        Some(start) => format!("fromUnixTimestamp64Micro(toInt64({}))", start.saturating_sub(BEFORE_US)),
        None => format!(
            "(SELECT min(ts) FROM exposures WHERE experiment = {}) - toIntervalMicrosecond({BEFORE_US})",
            quote(&exposed.experiment)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Exposed, ExposedBy, RecordTable, Recorded};
    use super::exposed_units;

    fn asked(by: ExposedBy, segment_by: &[&str]) -> String {
        let exposed = Exposed {
            experiment: "e".to_owned(),
            by,
            start_us: None,
            end_us: 5,
            window_us: 1,
            segment_by: segment_by.iter().map(|name| (*name).to_owned()).collect(),
        };
        let recorded = Recorded { table: RecordTable::Measurements, columns: Vec::new() };
        exposed_units(&exposed, &recorded, "any(one)")
    }

    #[test]
    fn predictions_are_read_for_the_segments_of_events_only() {
        assert!(!asked(ExposedBy::Exposures, &[]).contains("predictions"));
        assert!(asked(ExposedBy::Exposures, &["region"]).contains("FROM predictions"));
        assert!(!asked(ExposedBy::Predictions, &["region"]).contains("JOIN"));
    }

    #[test]
    fn no_prediction_from_the_first_exposure_on_tells_a_segment() {
        let sql = asked(ExposedBy::Exposures, &["region", "it's"]);
        assert_eq!(sql.matches("p.ts < f.wv_first").count(), 2, "{sql}");
        assert!(sql.contains(r"'it\'s'"), "{sql}");
    }

    #[test]
    fn without_a_start_predictions_are_read_from_before_the_first_exposure() {
        let sql = asked(ExposedBy::Exposures, &["region"]);
        assert!(sql.contains("ts >= (SELECT min(ts) FROM exposures WHERE experiment = 'e') - "), "{sql}");
    }
}
