//! When the records of an experiment's units came, and whether units met one of its arms before the exposure that counts.

use super::{
    Exposed, ExposedBy, RecordTable, Recorded,
    exposed::{BEFORE_US, predictions_since},
    stored::{exposures_seen, records},
    sums::number_of_arm,
    units::{in_one_arm, key},
};
use crate::{Statement, local::quote};

/// How much earlier an arm has to be met to count as met before, microseconds: clocks of two senders may differ by a minute.
const CLOCKS_US: i64 = 60 * 1_000_000;

/// What is asked about the times of an experiment's units.
#[derive(Debug, Clone, Copy)]
pub struct StoredTiming<'a> {
    /// Whose exposures count, and for how long.
    pub exposed: &'a Exposed,
    /// The tables of the metrics, at least one.
    pub recorded: &'a [Recorded],
    /// The arms.
    pub arms: &'a [String],
    /// A record is late that came longer than this after its time, microseconds.
    pub late_after_us: i64,
}

/// Whether anything is known from before the exposure that counts: where predictions expose units and there is no start, each
/// unit's first one does.
#[must_use]
pub fn met_before_known(exposed: &Exposed) -> bool {
    met_before(exposed).is_some()
}

/// Asks for [`super::TimingRow`]s: the units of each arm, those that met an arm before, and those with a late record in their window.
/// A record that was sent again is as late as the last time it came.
#[must_use]
pub fn stored_timing(asked: StoredTiming<'_>) -> Statement {
    let exposed = &Exposed { segment_by: Vec::new(), ..asked.exposed.clone() };
    let late: Vec<String> = asked.recorded.iter().map(|recorded| late(exposed, recorded, &asked)).collect();
    let units = asked.recorded.first().map_or(String::new(), |recorded| in_one_arm(exposed, recorded));
    let (early, met) = match met_before(exposed) {
        None => ("toUInt8(0)".to_owned(), String::new()),
        Some(met) => (
            format!("m.wv_there = 1 AND m.wv_met < u.wv_first - toIntervalMicrosecond({CLOCKS_US})"),
            format!(" LEFT JOIN ({met}) AS m ON u.wv_unit = m.wv_key"),
        ),
    };
    Statement::new(format!(
        "SELECT wv_place AS arm, count() AS units, countIf(wv_early) AS early, countIf(wv_late) AS late FROM (\
         SELECT e.wv_unit AS wv_by, any(e.wv_code) AS wv_place, max(e.wv_met) AS wv_early, \
         max(r.wv_ts >= e.wv_first AND r.wv_ts < e.wv_first + toIntervalMicrosecond({window})) AS wv_late \
         FROM ({late}) AS r RIGHT JOIN (\
         SELECT u.wv_unit AS wv_unit, u.wv_first AS wv_first, {code} AS wv_code, {early} AS wv_met FROM ({units}) AS u{met}\
         ) AS e ON r.wv_key = e.wv_unit GROUP BY wv_by SETTINGS join_use_nulls = 0) \
         WHERE wv_place < {arms} GROUP BY arm ORDER BY arm",
        window = exposed.window_us,
        late = late.join(" UNION ALL "),
        code = number_of_arm("u.wv_seen", asked.arms),
        arms = asked.arms.len(),
    ))
}

/// The late records of one table. A unit without any meets one of 1970, which is in no window.
fn late(exposed: &Exposed, recorded: &Recorded, asked: &StoredTiming<'_>) -> String {
    let came = format!(
        ", toUnixTimestamp64Micro(ingested_at) - toUnixTimestamp64Micro(ts) > {} AS wv_late",
        asked.late_after_us
    );
    format!(
        "SELECT {} AS wv_key, wv_ts FROM ({}) WHERE wv_late",
        key(exposed, "wv_unit"),
        records(exposed, recorded, &came)
    )
}

/// When units first met an arm other than by an exposure that counts: by one from before the start, or, where events expose units, by
/// a prediction that carries an arm.
fn met_before(exposed: &Exposed) -> Option<String> {
    let recorded = Recorded { table: RecordTable::Measurements, columns: Vec::new() };
    let before = exposed.start_us.map(|start| {
        let before =
            Exposed { start_us: Some(start.saturating_sub(BEFORE_US)), end_us: start, ..exposed.clone() };
        format!("SELECT unit_id, ts FROM ({})", exposures_seen(&before, &recorded))
    });
    let carried = (exposed.by == ExposedBy::Exposures).then(|| {
        format!(
            "SELECT unit_id, ts FROM predictions WHERE mapContains(arms, {}) AND unit_id != '' \
             AND ts < fromUnixTimestamp64Micro(toInt64({})) AND ts >= {}",
            quote(&exposed.experiment),
            exposed.end_us,
            predictions_since(exposed),
        )
    });
    let met: Vec<String> = match exposed.by {
        ExposedBy::Records => Vec::new(),
        ExposedBy::Exposures | ExposedBy::Predictions => before.into_iter().chain(carried).collect(),
    };
    (!met.is_empty()).then(|| {
        format!(
            "SELECT {} AS wv_key, min(ts) AS wv_met, toUInt8(1) AS wv_there FROM ({}) GROUP BY wv_key",
            key(exposed, "unit_id"),
            met.join(" UNION ALL ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Exposed, ExposedBy, RecordColumn, RecordTable, Recorded, When, Without};
    use super::{StoredTiming, met_before_known, stored_timing};

    fn exposed(by: ExposedBy, start_us: Option<i64>) -> Exposed {
        Exposed {
            experiment: "it's".to_owned(),
            by,
            start_us,
            end_us: 9_000_000_000_000,
            window_us: 7,
            segment_by: vec!["region".to_owned()],
        }
    }

    fn asked(by: ExposedBy, start_us: Option<i64>) -> String {
        let rows = RecordColumn {
            name: "rows".to_owned(),
            column: "rows".to_owned(),
            without: Without::Zero,
            when: When::After,
        };
        let model = "m".to_owned();
        let recorded: Vec<Recorded> = [RecordTable::Measurements, RecordTable::Outcomes { model }]
            .map(|table| Recorded { table, columns: vec![rows.clone()] })
            .into();
        let arms = ["A".to_owned(), "B".to_owned()];
        let exposed = exposed(by, start_us);
        let asked = StoredTiming {
            exposed: &exposed,
            recorded: &recorded,
            arms: &arms,
            late_after_us: 3_600_000_000,
        };
        stored_timing(asked).sql().to_owned()
    }

    #[test]
    fn nothing_is_known_from_before_where_every_exposure_counts() {
        let known = |by, start_us| met_before_known(&exposed(by, start_us));
        assert!(known(ExposedBy::Exposures, None));
        assert!(known(ExposedBy::Predictions, Some(1)));
        assert!(!known(ExposedBy::Predictions, None));
        assert!(!known(ExposedBy::Records, Some(1)));
    }

    #[test]
    fn exposures_from_before_the_start_are_those_of_ninety_days() {
        let sql = asked(ExposedBy::Predictions, Some(8_000_000_000_000));
        assert!(sql.contains("ts < fromUnixTimestamp64Micro(toInt64(8000000000000)) AND ts >= fromUnixTimestamp64Micro(toInt64(224000000000))"), "{sql}");
        assert!(!asked(ExposedBy::Predictions, None).contains("wv_there"));
    }

    #[test]
    fn records_of_all_tables_may_be_late_and_segments_are_not_read() {
        let sql = asked(ExposedBy::Exposures, None);
        assert_eq!(sql.matches("> 3600000000 AS wv_late").count(), 2, "{sql}");
        assert!(!sql.contains("region") && sql.contains(r"'it\'s'"), "{sql}");
    }
}
