//! The documents of one experiment, one gate and one view: `windvane.experiment/1` and `windvane.gate/1` as the commands print
//! them. What an older version may not have written is not required.

use serde_json::{Value, json};

use super::documents::{Field, described, object};
use super::gate;

/// The schema of what a path answers, where that is one thing and no list.
pub fn at(path: &str) -> Option<Value> {
    Some(match path {
        "/api/v1/experiments/{name}" => experiment(),
        "/api/v1/gates/{name}" => gate::document(),
        "/api/v1/gates/{name}/evaluate" => evaluation(),
        "/api/v1/views/{view}" => rows(),
        _ => return None,
    })
}

/// Adds fields with schemas of their own; they have to be there.
pub fn and(mut schema: Value, parts: Vec<(&'static str, Value)>) -> Value {
    for (name, part) in parts {
        schema["properties"][name] = part;
        if let Some(required) = schema["required"].as_array_mut() {
            required.push(json!(name));
        }
    }
    schema
}

/// Adds fields that may be left out.
pub fn perhaps(mut schema: Value, fields: &[Field]) -> Value {
    for (name, kind) in fields {
        schema["properties"][*name] = described(kind);
    }
    schema
}

/// The same, or null.
pub fn or_null(mut schema: Value) -> Value {
    let kind = schema["type"].take();
    schema["type"] = json!([kind, "null"]);
    schema
}

/// One of these words.
pub fn words(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

/// A list of these.
pub fn array(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// An object with these as values, under any names.
pub fn map(values: Value) -> Value {
    json!({"type": "object", "additionalProperties": values})
}

/// Both ends of an interval; an end that is infinite is null.
pub fn ends() -> Value {
    json!({"type": ["array", "null"], "minItems": 2, "maxItems": 2, "items": {"type": ["number", "null"]}})
}

/// This one text.
pub fn constant(schema: &str) -> Value {
    json!({"type": "string", "const": schema})
}

/// The words for a segment: what it is cut by, and the value that its rows share.
pub fn segment() -> Value {
    map(json!({"type": ["string", "null"]}))
}

fn experiment() -> Value {
    let all = object(&[
        ("source", "string"),
        ("control", "string"),
        ("alpha", "number"),
        ("correction", "string"),
        ("tests", "integer"),
        ("inference", "string"),
        ("rows", "integer?"),
        ("units_in_several_arms", "integer"),
        ("experiment", "string"),
        ("as_of", "string"),
        ("computed_at", "string"),
        ("run_id", "string"),
        ("looks", "integer"),
    ]);
    let all =
        perhaps(all, &[("alternative", "string"), ("segments_left_out", "integer"), ("advice", "array")]);
    let health = and(
        object(&[
            ("check", "string"),
            ("subject", "string?"),
            ("observed", "number?"),
            ("bound", "number?"),
            ("meaning", "string"),
            ("advice", "string"),
        ]),
        vec![("verdict", words(&["ok", "warning", "failure", "unknown"]))],
    );
    let of_segment = and(
        object(&[]),
        vec![
            ("segment", segment()),
            ("arms", array(arm())),
            ("srm", srm()),
            ("comparisons", array(comparison())),
        ],
    );
    and(
        all,
        vec![
            ("schema", constant(windvane_types::experiment::SCHEMA)),
            ("arms", array(arm())),
            ("srm", srm()),
            ("comparisons", array(comparison())),
            ("health", array(health)),
            ("segments", array(of_segment)),
            ("over_time", array(over_time())),
        ],
    )
}

fn arm() -> Value {
    object(&[("arm", "string"), ("n", "integer"), ("weight", "number")])
}

fn srm() -> Value {
    let of_counts = object(&[("p_value", "number?"), ("sequential_p_value", "number?")]);
    perhaps(and(of_counts, vec![("verdict", words(&["ok", "mismatch"]))]), &[("scheduled", "boolean")])
}

fn effect() -> Value {
    let numbers = object(&[("estimate", "number?"), ("se", "number?"), ("p_value", "number?")]);
    and(numbers, vec![("ci", ends())])
}

/// A metric of an arm against the control's.
fn comparison() -> Value {
    let numbers = object(&[
        ("metric", "string"),
        ("arm", "string"),
        ("control", "string"),
        ("n", "integer"),
        ("n_control", "integer"),
        ("mean", "number?"),
        ("mean_control", "number?"),
        ("p_value", "number?"),
        ("p_adjusted", "number?"),
        ("df", "number?"),
        ("method", "string"),
        ("missing", "integer"),
    ]);
    let numbers = perhaps(
        numbers,
        &[
            ("denominator", "string"),
            ("quantile", "number"),
            ("margin", "number"),
            ("margin_test", "object"),
            ("reason", "string"),
            ("decision", "object"),
            ("group_sequential", "object"),
            ("beta_binomial", "object"),
            ("exact_p_value", "number"),
            ("exact_test", "string"),
            ("relative_fieller", "object"),
            ("stratified", "object"),
            ("guardrail", "object"),
        ],
    );
    let sequential = object(&[("estimate", "number"), ("p_value", "number?"), ("tuning", "number")]);
    let sequential = and(perhaps(sequential, &[("method", "string")]), vec![("ci", ends())]);
    let bayesian = object(&[
        ("probability_better", "number"),
        ("expected_loss", "number"),
        ("expected_gain", "number"),
        ("mean", "number"),
        ("sd", "number"),
        ("prior", "string"),
    ]);
    let bayesian = and(perhaps(bayesian, &[("probability_in_rope", "number")]), vec![("ci", ends())]);
    let cuped = object(&[("theta", "number"), ("variance_reduction", "number?")]);
    and(
        numbers,
        vec![
            ("absolute", effect()),
            ("relative", or_null(effect())),
            ("sequential", or_null(sequential)),
            ("bayesian", or_null(bayesian)),
            ("cuped", or_null(cuped)),
            ("verdict", words(&["better", "worse", "equivalent", "inconclusive"])),
            ("ledger", array(json!({"type": "string"}))),
            ("type", words(&["mean", "proportion", "ratio", "quantile"])),
            ("better", words(&["higher", "lower"])),
            ("role", words(&["primary", "secondary", "guardrail"])),
        ],
    )
}

/// A comparison, look after look; estimate and intervals are relative to the control.
fn over_time() -> Value {
    let look = object(&[
        ("as_of", "string"),
        ("n", "integer"),
        ("n_control", "integer"),
        ("estimate", "number?"),
        ("p_adjusted", "number?"),
        ("sequential_p_value", "number?"),
        ("srm_p_value", "number?"),
        ("verdict", "string"),
    ]);
    let look = and(look, vec![("ci", ends()), ("sequential_ci", ends())]);
    let of_arm = object(&[("metric", "string"), ("type", "string"), ("arm", "string")]);
    and(perhaps(of_arm, &[("quantile", "number")]), vec![("looks", array(look))])
}

fn evaluation() -> Value {
    let ramp = object(&[("steps", "array"), ("weight", "integer"), ("next", "integer")]);
    and(
        object(&[
            ("gate", "string"),
            ("passed", "boolean"),
            ("run_id", "string?"),
            ("computed_at", "string?"),
        ]),
        vec![
            ("schema", constant("windvane.gate_evaluation/1")),
            ("verdict", words(&["pass", "fail", "inconclusive"])),
            ("reasons", array(json!({"type": "string"}))),
            ("ramp", ramp),
        ],
    )
}

/// The rows of a view; which columns they have is the view's own affair, and its statement says it.
fn rows() -> Value {
    and(
        object(&[("view", "string"), ("sql", "string"), ("next_offset", "integer?")]),
        vec![("schema", constant("windvane.view/1")), ("rows", array(json!({"type": "object"})))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_is_described_and_what_may_be_null_says_so() {
        let experiment = experiment();
        let comparison = &experiment["properties"]["comparisons"]["items"];
        assert_eq!(comparison["properties"]["cuped"]["type"], json!(["object", "null"]));
        assert_eq!(comparison["properties"]["absolute"]["type"], "object");
        for schema in [&experiment, comparison, &gate::document(), &evaluation(), &rows()] {
            for name in schema["required"].as_array().unwrap() {
                assert!(schema["properties"][name.as_str().unwrap()].is_object(), "{name}");
            }
        }
    }
}
