//! Messages of Seldon's own protocol (`data.ndarray`, `data.tensor`, `data.names`): requests and responses as bodies of the Open
//! Inference Protocol, and what clients say of an answer afterwards.

use serde_json::{Map, Value, json};
use windvane_store::Table;
use windvane_types::event::Outcome;
use windvane_types::rejection::{Code, Fault};

use super::event::{Event, Side, no_json};
use super::inference::flat;
use super::{Taking, id_of_row, number, tensors};
use crate::redact::Keep;

/// Columns that are told apart by their names; each becomes a tensor.
const COLUMNS_MAX: usize = 4096;

/// The JSON of an event that is no half; Seldon's server of detectors may send it as JSON in a JSON string.
pub(super) fn read(bytes: &[u8]) -> Result<Value, Fault> {
    let body = match serde_json::from_slice(bytes) {
        Ok(Value::String(text)) => serde_json::from_str(&text),
        body => body,
    };
    body.map_err(|error| no_json(&error))
}

/// The names of columns that could not be told apart, beside `instances`.
const NAMES: &str = "names";

/// A message of Seldon's protocol as a body of the Open Inference Protocol; any other body as it is.
pub(super) fn translated(body: Value, side: Side) -> Value {
    let Some(rows) = rows(&body) else { return body };
    match side {
        Side::Request => columns(&body, &rows).unwrap_or_else(|| {
            let names = body.get("data").and_then(|data| data.get(NAMES));
            json!({"instances": rows, NAMES: names})
        }),
        Side::Response => json!({"predictions": rows}),
    }
}

/// Whether no column of `instances` is to be left out: where rows do not have a value for each name, nobody can tell which of their values
/// is the one of a name that is not kept, and none of them is.
pub(super) fn may_be_kept(body: &Value, keep: &Keep) -> bool {
    let Some(Value::Array(names)) = body.get(NAMES) else { return true };
    body.get("instances").is_none() || names.iter().filter_map(Value::as_str).all(|name| keep.keeps(name))
}

/// The rows of a message.
fn rows(message: &Value) -> Option<Vec<Value>> {
    let data = message.get("data")?;
    if let Some(Value::Array(rows)) = data.get("ndarray") {
        return Some(rows.clone());
    }
    let tensor = data.get("tensor")?;
    let values = tensor.get("values")?.as_array()?;
    let rows = usize::try_from(tensor.get("shape")?.get(0)?.as_u64()?).ok()?;
    let width = values.len().checked_div(rows).filter(|width| *width > 0 && width * rows == values.len())?;
    let row = |cells: &[Value]| match cells {
        [one] => one.clone(),
        many => Value::Array(many.to_vec()),
    };
    Some(values.chunks(width).map(row).collect())
}

/// The columns of a request as tensors with their names, where it has a name for each.
fn columns(message: &Value, rows: &[Value]) -> Option<Value> {
    let names = message.get("data")?.get("names")?.as_array()?;
    if names.is_empty() || names.len() > COLUMNS_MAX || rows.is_empty() {
        return None;
    }
    let columns = names.iter().enumerate().map(|(at, name)| {
        let cells = rows.iter().map(|row| cell(row, (at, names.len())).cloned());
        let cells = cells.collect::<Option<Vec<Value>>>()?;
        let is_number = cells.iter().all(|cell| cell.is_number() || cell.is_null());
        let other = if is_number { "FP64" } else { "BYTES" };
        let datatype = tensors::datatype(&cells).unwrap_or(other);
        Some(json!({"name": name.as_str()?, "datatype": datatype, "shape": [rows.len()], "data": cells}))
    });
    Some(json!({"inputs": columns.collect::<Option<Vec<Value>>>()?}))
}

/// A scalar of a row of so many.
fn cell(row: &Value, (at, width): (usize, usize)) -> Option<&Value> {
    let cell = match row {
        Value::Array(cells) if cells.len() == width => cells.get(at)?,
        Value::Array(_) => return None,
        one if width == 1 => one,
        _ => return None,
    };
    (!cell.is_array() && !cell.is_object()).then_some(cell)
}

impl Taking<'_> {
    /// The truth of a prediction is an outcome, a reward a measurement.
    pub(super) fn feedback(&mut self, event: &Event) -> Result<(), Fault> {
        let ts_us = event.ts_us(self.context.now_us)?;
        let response = event.body.get("response");
        // The answer that a client has in its hand says which prediction it is.
        let puid = response.and_then(|response| response.get("meta")?.get("puid")?.as_str());
        let id = puid.filter(|puid| !puid.is_empty()).unwrap_or(&event.id);
        let said = event.body.get("truth").filter(|truth| !truth.is_null());
        let truth = said.and_then(rows);
        let reward = event.body.get("reward").filter(|reward| reward.is_number());
        let is_understood = if said.is_some() { truth.is_some() } else { reward.is_some() };
        if !is_understood {
            let message = "the feedback has no truth and no reward; accepted are `truth` with `data.ndarray` or `data.tensor`, and `reward`, a number";
            return Err(Fault::new(Code::MissingField, message));
        }
        let has_classes = response.and_then(rows).is_some_and(|rows| {
            rows.first().is_some_and(|row| row.as_array().is_some_and(|row| row.len() > 1))
        });
        let truth = truth.unwrap_or_default();
        for (row, of) in truth.iter().enumerate() {
            let place = (Table::Outcomes, number(row, truth.len()));
            let Some((field, value)) = outcome(of, has_classes) else {
                let message = "a row of the truth is no outcome; accepted are one number, string or boolean, and zeros with a one at the place of the class";
                self.refuse(Fault::new(Code::OutcomeShape, message), place);
                continue;
            };
            let mut record = Map::new();
            record.insert("model".to_owned(), json!(event.origin.model));
            record.insert("event_id".to_owned(), json!(id_of_row(id, row, truth.len())));
            record.insert("ts".to_owned(), json!(ts_us));
            record.insert(field.to_owned(), value);
            self.add::<Outcome<'_>>(&Value::Object(record), place);
            if self.logged.intake.too_large.is_some() {
                return Ok(());
            }
        }
        // A reward of zero beside a truth is what the protocol has where none was given.
        if let Some(reward) = reward.filter(|reward| truth.is_empty() || reward.as_f64() != Some(0.0)) {
            self.measure((id, "reward", ts_us), reward.clone(), None);
        }
        Ok(())
    }
}

/// What a row of a truth says, by the rules for rows of answers, so that both agree: the field of an outcome, and its value.
pub(super) fn outcome(row: &Value, has_classes: bool) -> Option<(&'static str, Value)> {
    match flat(row).as_slice() {
        [] => None,
        [one] => match one {
            Value::Number(number) if number.is_f64() => {
                let class = number.as_f64().filter(|class| has_classes && class.fract() == 0.0);
                Some(match class {
                    Some(class) => ("label", json!(format!("{class:.0}"))),
                    None => ("value", json!(number)),
                })
            }
            Value::Number(_) | Value::String(_) | Value::Bool(_) => Some(("label", Value::clone(one))),
            _ => None,
        },
        many => {
            let is_one_hot = many.iter().all(|element| matches!(element.as_f64(), Some(0.0 | 1.0)));
            let mut ones = many.iter().enumerate().filter(|(_, element)| element.as_f64() == Some(1.0));
            let class = ones.next().filter(|_| is_one_hot);
            match (class, ones.next()) {
                (Some((class, _)), None) => Some(("label", json!(class.to_string()))),
                _ => None,
            }
        }
    }
}
