//! Observations of a statement of the user's own, which may read and nothing else.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Observation;
use crate::Statement;

/// Rows of an answer; more is an error, because an alert a row is meant.
pub const QUERY_ROWS_MAX: u64 = 1_000;
/// How long it may take.
pub const QUERY_SECONDS_MAX: u64 = 60;
/// Bytes of memory that it may take in ClickHouse.
const QUERY_MEMORY_BYTES_MAX: u64 = 1 << 30;

/// An observation of a query, JSON: what templates are tried on. Its other labels and fields are the user's.
pub const SAMPLE: &str =
    r#"{"labels":{"model":"delay"},"window_end_us":1362182400000000,"value":1.0,"evidence":1.0}"#;

/// Whether a statement asks about a time, and so about the past, too: `{now:DateTime64(6, 'UTC')}` in the text is that time.
#[must_use]
pub fn asks_about_a_time(sql: &str) -> bool {
    sql.contains("{now:")
}

pub(super) fn statement(sql: &str, now_us: i64) -> Statement {
    let statement = Statement::new(sql.to_owned())
        .setting("max_execution_time", QUERY_SECONDS_MAX)
        .setting("max_memory_usage", QUERY_MEMORY_BYTES_MAX)
        .setting("max_result_rows", QUERY_ROWS_MAX)
        .setting("result_overflow_mode", "throw")
        // Reading, with the settings above: 1 would refuse those that come after it.
        .setting("readonly", 2);
    match asks_about_a_time(sql) {
        true => {
            let now = Timestamp::from_microsecond(now_us).unwrap_or_default();
            statement.param("now", now.strftime("%F %T%.6f").to_string().as_str())
        }
        false => statement,
    }
}

/// Texts of a row are labels, `value` and `evidence` what they are, the rest is for templates.
pub(super) fn observation(row: Map<String, Value>, now_us: i64) -> Observation {
    let mut observation = Observation {
        labels: std::collections::BTreeMap::new(),
        window_start_us: 0,
        window_end_us: now_us,
        value: None,
        evidence: 0.0,
        fields: Map::new(),
    };
    for (name, value) in row {
        match (name.as_str(), value) {
            ("value", value) => observation.value = value.as_f64(),
            ("evidence", value) => observation.evidence = value.as_f64().unwrap_or_default(),
            (_, Value::String(text)) => {
                observation.labels.insert(name, text);
            }
            (_, value) => {
                observation.fields.insert(name, value);
            }
        }
    }
    observation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_row_are_labels_and_the_rest_is_shown() {
        let row = serde_json::json!({"model": "delay", "value": 3, "evidence": 12, "p99": 0.5, "bad": null});
        let Value::Object(row) = row else { unreachable!("it is an object") };
        let observation = observation(row, 7);
        assert_eq!(observation.labels.get("model").map(String::as_str), Some("delay"));
        assert_eq!(
            (observation.value, observation.evidence, observation.window_end_us),
            (Some(3.0), 12.0, 7)
        );
        assert_eq!(observation.fields.keys().collect::<Vec<_>>(), ["bad", "p99"]);
    }

    #[test]
    fn a_query_is_bounded_and_may_not_write() {
        assert!(!asks_about_a_time(
            "SELECT count() AS value FROM predictions WHERE ts > now() - INTERVAL 1 HOUR"
        ));
        let statement = statement("SELECT 1 AS value WHERE {now:DateTime64(6, 'UTC')} > 0", 1);
        let settings: Vec<(&str, &str)> = statement.settings().collect();
        assert!(settings.contains(&("readonly", "2")) && settings.contains(&("max_result_rows", "1000")));
        assert_eq!(statement.params().collect::<Vec<_>>(), [("now", "1970-01-01 00:00:00.000001")]);
    }
}
