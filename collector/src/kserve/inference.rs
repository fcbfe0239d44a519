//! What a body of inference says of each row of its batch: features of a request, answers of a response.
//!
//! Tensors are cut along their first dimension. One element a row is a feature by the tensor's name; several are `NAME.0`, `NAME.1` …;
//! more than [`WIDTH_MAX`] are an image or the like, which no monitor reads number by number: they are in the payload only. So are bytes
//! that are no text.

use std::cmp::Reverse;

use serde_json::{Map, Number, Value, json};
use windvane_types::event::{Limits, NO_TEXT};

use crate::redact::Keep;

/// Elements of one tensor in one row that become features or probabilities.
const WIDTH_MAX: usize = 256;
/// How far from 1 the probabilities of a row may sum, with 32-bit floats behind them.
const SUM_TOLERANCE: f64 = 1e-3;
/// Names of outputs whose single numbers are scores and not values.
const SCORES: [&str; 6] = ["score", "scores", "probability", "probabilities", "proba", "output_probability"];

/// `features` of one record.
pub(super) type Features = Map<String, Value>;
/// `prediction` of one record; empty where the answer is none of its shapes.
pub(super) type Answer = Map<String, Value>;

/// What a body says of each row of its batch. Rows are made one by one, as a row of one byte of JSON takes hundreds.
pub(super) enum Batch<'a> {
    /// Version 1: `instances` or `predictions`.
    Listed(&'a [Value]),
    /// Version 2: the rows of the first tensor, and the tensors, those of the most rows first. So a row looks only at those that have it:
    /// of the others there may be as many as a body has room for.
    Tensors { rows: usize, tensors: Vec<Rows<'a>> },
}

impl<'a> Batch<'a> {
    /// The rows of a request.
    pub(super) fn of_request(body: &'a Value) -> Self {
        Self::of(body, "instances", "inputs")
    }

    /// The rows of a response.
    pub(super) fn of_response(body: &'a Value) -> Self {
        Self::of(body, "predictions", "outputs")
    }

    fn of(body: &'a Value, list: &str, field: &str) -> Self {
        match body.get(list) {
            Some(Value::Array(rows)) => Self::Listed(rows),
            _ => {
                let mut tensors = tensors(body, field);
                let rows = tensors.first().map_or(0, |tensor| tensor.rows);
                tensors.sort_by_key(|tensor| Reverse(tensor.rows));
                Self::Tensors { rows, tensors }
            }
        }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Listed(rows) => rows.len(),
            Self::Tensors { rows, .. } => *rows,
        }
    }

    /// The features of a row of a request, but for inputs that a list of names drops: elements of one have names that no longer are its
    /// own. Of those that are beyond the limits only as many are gathered as it takes to be refused for them.
    pub(super) fn features(&self, row: usize, (limits, dropped): (&Limits, &Keep)) -> Option<Features> {
        let mut features = Features::new();
        match self {
            Self::Listed(rows) => match rows.get(row)? {
                Value::Object(fields) => {
                    for (name, value) in fields.iter().filter(|(name, _)| !dropped.denies(name)) {
                        put(&mut features, (name, &flat(value)), limits);
                    }
                }
                value if !dropped.denies("instances") => {
                    put(&mut features, ("instances", &flat(value)), limits);
                }
                _ => {}
            },
            Self::Tensors { tensors, .. } => {
                let has_row = tensors.iter().take_while(|tensor| row < tensor.rows);
                for tensor in has_row.filter(|tensor| !dropped.denies(tensor.name)) {
                    put(&mut features, (tensor.name, tensor.row(row)), limits);
                }
            }
        }
        (row < self.len()).then_some(features)
    }

    /// The answer of a row of a response.
    pub(super) fn answer(&self, row: usize) -> Option<Answer> {
        match self {
            Self::Listed(rows) => rows.get(row).map(of_prediction),
            Self::Tensors { tensors, .. } if row < self.len() => {
                let mut answer = Answer::new();
                for tensor in tensors.iter().take_while(|tensor| row < tensor.rows) {
                    add(&mut answer, tensor.name, (tensor.datatype, tensor.row(row)));
                }
                Some(one_shape(answer))
            }
            Self::Tensors { .. } => None,
        }
    }
}

/// A tensor cut into rows.
pub(super) struct Rows<'a> {
    name: &'a str,
    datatype: &'a str,
    elements: Vec<&'a Value>,
    rows: usize,
}

impl Rows<'_> {
    fn width(&self) -> usize {
        self.elements.len() / self.rows.max(1)
    }

    fn row(&self, row: usize) -> &[&Value] {
        let width = self.width();
        self.elements.get(row * width..(row + 1) * width).unwrap_or_default()
    }
}

/// Names are unique because tensors are; elements that are no scalars are left out.
fn put(features: &mut Features, (name, elements): (&str, &[&Value]), limits: &Limits) {
    match elements {
        [] => {}
        _ if features.len() > limits.features_max => {}
        [one] if is_no_text(one) => {}
        [first, rest @ ..] if rest.is_empty() || name.len() > limits.name_bytes_max => {
            features.insert(name.to_owned(), (*first).clone());
        }
        many if many.len() <= WIDTH_MAX => {
            for (at, element) in many.iter().enumerate().filter(|(_, element)| !is_no_text(element)) {
                features.insert(format!("{name}.{at}"), (*element).clone());
            }
        }
        _ => {}
    }
}

/// A prediction of version 1: an object with the fields of ours, or numbers and classes.
fn of_prediction(prediction: &Value) -> Answer {
    match prediction {
        Value::Object(fields) => {
            let known = fields
                .iter()
                .filter(|(field, _)| matches!(field.as_str(), "score" | "label" | "probabilities" | "value"));
            one_shape(known.map(|(field, value)| (field.clone(), value.clone())).collect())
        }
        value => {
            let mut answer = Answer::new();
            let elements = flat(value);
            let is_float = elements.iter().all(|element| element.is_f64());
            let datatype = if is_float { "FP64" } else { "BYTES" };
            add(&mut answer, "predictions", (datatype, &elements));
            one_shape(answer)
        }
    }
}

/// Adds what an output says of a row.
fn add(answer: &mut Answer, name: &str, (datatype, elements): (&str, &[&Value])) {
    let is_float = datatype.starts_with("FP") || datatype == "BF16";
    match elements {
        // NaN is no answer, and an image is no label.
        [Value::Null] => {}
        [one] if is_no_text(one) => {}
        [one] if is_float => {
            let field = if SCORES.contains(&name) { "score" } else { "value" };
            answer.insert(field.to_owned(), (*one).clone());
        }
        [one] => {
            answer.insert("label".to_owned(), (*one).clone());
        }
        many if is_float && many.len() <= WIDTH_MAX && are_probabilities(many) => {
            let classes = many.iter().enumerate();
            let largest = classes.max_by(|(_, a), (_, b)| number(a).total_cmp(&number(b)));
            if let Some((class, _)) = largest {
                answer.entry("label").or_insert_with(|| json!(class.to_string()));
            }
            let probabilities = many.iter().enumerate();
            let probabilities: Map<String, Value> =
                probabilities.map(|(class, value)| (class.to_string(), clipped(value))).collect();
            answer.insert("probabilities".to_owned(), Value::Object(probabilities));
        }
        _ => {}
    }
}

/// A label goes with probabilities only; a class says more than a number beside it.
fn one_shape(mut answer: Answer) -> Answer {
    if answer.contains_key("label") {
        answer.retain(|field, _| field == "label" || field == "probabilities");
    } else {
        answer.remove("probabilities");
        if answer.contains_key("score") {
            answer.remove("value");
        }
    }
    answer
}

fn are_probabilities(elements: &[&Value]) -> bool {
    let numbers = elements.iter().map(|element| number(element));
    let sum: f64 = numbers.clone().sum();
    numbers.clone().all(|n| (-SUM_TOLERANCE..=1.0 + SUM_TOLERANCE).contains(&n))
        && (sum - 1.0).abs() <= SUM_TOLERANCE
}

/// Rounding may leave a probability a little outside [0, 1].
fn clipped(value: &Value) -> Value {
    Number::from_f64(number(value).clamp(0.0, 1.0)).map_or(Value::Null, Value::Number)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// Whether an element is bytes in base64.
fn is_no_text(element: &Value) -> bool {
    element.as_str().is_some_and(|text| text.starts_with(NO_TEXT))
}

/// The scalars in nested arrays, in order.
pub(super) fn flat(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![value],
    }
}

/// The tensors of a body of version 2.
fn tensors<'a>(body: &'a Value, field: &str) -> Vec<Rows<'a>> {
    let Some(Value::Array(tensors)) = body.get(field) else { return Vec::new() };
    let rows = |tensor: &'a Value| {
        let elements = flat(tensor.get("data")?);
        let first = tensor.get("shape").and_then(|shape| shape.get(0)).and_then(Value::as_u64);
        let rows = first.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(elements.len());
        let fits = rows > 0 && !elements.is_empty() && elements.len().is_multiple_of(rows);
        let (name, datatype) = (tensor.get("name")?.as_str()?, tensor.get("datatype")?.as_str()?);
        fits.then_some(Rows { name, datatype, elements, rows })
    };
    tensors.iter().filter_map(rows).collect()
}
