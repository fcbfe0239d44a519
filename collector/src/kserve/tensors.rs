//! Bodies of inference as tensors: those of version 2 of the protocol are, those of version 1 become some where their shape is
//! regular.

use serde_json::{Value, json};

use super::event::Side;

/// The tensors of a body, as a JSON array; nothing where it has none.
pub(super) fn of(body: &Value, side: Side) -> Option<Value> {
    let version_1 = match side {
        Side::Request => "instances",
        Side::Response => "predictions",
    };
    if let Some(Value::Array(tensors)) = body.get(side.tensors())
        && tensors.iter().all(|tensor| tensor.get("datatype").is_some())
    {
        return (!tensors.is_empty()).then(|| Value::Array(tensors.iter().map(plain).collect()));
    }
    let Some(Value::Array(instances)) = body.get(version_1) else { return None };
    let first = instances.first()?;
    let Value::Object(keys) = first else {
        return Some(json!([tensor(version_1, instances)?]));
    };
    let columns = keys.keys().map(|key| {
        let column: Option<Vec<Value>> =
            instances.iter().map(|instance| instance.get(key).cloned()).collect();
        tensor(key, &column?)
    });
    columns.collect::<Option<Vec<_>>>().map(Value::Array)
}

/// A tensor of version 2 without what only its transport needed.
fn plain(tensor: &Value) -> Value {
    let mut tensor = tensor.clone();
    if let Value::Object(fields) = &mut tensor {
        fields.retain(|field, _| matches!(field.as_str(), "name" | "datatype" | "shape" | "data"));
    }
    tensor
}

/// Values of one shape as a tensor.
fn tensor(name: &str, values: &[Value]) -> Option<Value> {
    let shape = shape(&Value::Array(values.to_vec()))?;
    let mut data = Vec::new();
    values.iter().for_each(|value| flatten(value, &mut data));
    let datatype = datatype(&data)?;
    Some(json!({"name": name, "datatype": datatype, "shape": shape, "data": data}))
}

/// The dimensions of nested arrays; nothing where they are ragged.
fn shape(value: &Value) -> Option<Vec<usize>> {
    let Value::Array(values) = value else { return Some(Vec::new()) };
    let Some(first) = values.first() else { return Some(vec![0]) };
    let inner = shape(first)?;
    let is_regular = values.iter().skip(1).all(|value| shape(value).as_ref() == Some(&inner));
    is_regular.then(|| [vec![values.len()], inner].concat())
}

fn flatten(value: &Value, into: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| flatten(value, into)),
        value => into.push(value.clone()),
    }
}

/// The datatype that holds all values; nothing where none does.
pub(super) fn datatype(data: &[Value]) -> Option<&'static str> {
    let all = |is: fn(&Value) -> bool| data.iter().all(is);
    if all(Value::is_boolean) {
        Some("BOOL")
    } else if all(Value::is_i64) {
        Some("INT64")
    } else if all(Value::is_number) {
        Some("FP64")
    } else if all(Value::is_string) {
        Some("BYTES")
    } else {
        None
    }
}
