//! From a stored row back to the event that it came from: columns have other names and shapes than fields in a few places.

use serde_json::{Map, Value, json};
use windvane_store::Table;

/// The event of a row, without what the collector added.
pub(super) fn event(table: Table, mut row: Map<String, Value>) -> Value {
    row.remove("ingested_at");
    if table == Table::Predictions {
        prediction(&mut row);
    }
    row.retain(|_, value| !is_absent(value));
    Value::Object(row)
}

fn prediction(row: &mut Map<String, Value>) {
    let mut features = Map::new();
    for column in ["num", "cat"] {
        if let Some(Value::Object(entries)) = row.remove(column) {
            features.extend(entries);
        }
    }
    row.insert("features".to_owned(), Value::Object(features));
    let mut answer = Map::new();
    for column in ["score", "label", "probabilities", "value"] {
        if let Some(value) = row.remove(column).filter(|value| !is_absent(value)) {
            answer.insert(column.to_owned(), value);
        }
    }
    row.remove("kind");
    row.insert("prediction".to_owned(), json!(answer));
}

/// Whether a column says that the event had no such field.
fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    }
}
