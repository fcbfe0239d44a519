//! The document `windvane.gate/1`, part by part.

use serde_json::{Value, json};

use super::documents::object;
use super::single::{and, array, constant, ends, map, or_null, perhaps, segment, words};

/// Its schema.
pub fn document() -> Value {
    let verdict = words(&["pass", "fail", "inconclusive"]);
    let check = object(&[
        ("check", "string"),
        ("observed", "number?"),
        ("bound", "number?"),
        ("n", "integer"),
        ("reason", "string"),
    ]);
    let check =
        and(perhaps(check, &[("subject", "string")]), vec![("verdict", verdict.clone()), ("ci", ends())]);
    let overridden = and(object(&[("who", "string"), ("why", "string")]), vec![("verdict", verdict.clone())]);
    let mut all = and(
        object(&[("requests", "integer"), ("not_asked", "integer?")]),
        vec![
            ("schema", constant(windvane_types::gate::SCHEMA)),
            ("verdict", verdict),
            ("checks", array(check)),
            ("agreement", agreement()),
            ("latency_us", latency()),
            ("throughput_per_s", object(&[("champion", "number?"), ("candidate", "number?")])),
            ("quality", quality()),
            ("provenance", provenance()),
            ("notes", array(json!({"type": "string"}))),
            ("override_by", or_null(overridden)),
        ],
    );
    let rates = [("batch", "integer"), ("champion_per_s", "number?"), ("candidate_per_s", "number?")];
    all["properties"]["skipped"] = object(&[("n", "integer"), ("share", "number?"), ("first", "array")]);
    all["properties"]["by_batch"] = array(object(&rates));
    all
}

fn agreement() -> Value {
    let mut output = object(&[
        ("output", "string"),
        ("rate", "number?"),
        ("max_abs", "number?"),
        ("max_rel", "number?"),
        ("nonfinite", "integer"),
        ("element", "string"),
        ("atol", "number?"),
        ("rtol", "number?"),
        ("agree", "integer"),
        ("n", "integer"),
        ("nonfinite_champion", "integer"),
        ("shape_differs", "integer"),
        ("mean_abs", "number?"),
        ("max_ulp", "integer?"),
        ("min_cosine", "number?"),
        ("top_class", "object?"),
        ("distribution", "object?"),
        ("rank", "object?"),
        ("drift", "number?"),
    ]);
    output["properties"]["drift_ci"] = ends();
    let of_segment = and(
        object(&[("rate", "number"), ("agree", "integer"), ("n", "integer")]),
        vec![("segment", segment()), ("ci", ends())],
    );
    let worst = object(&[
        ("request", "integer"),
        ("times_tolerance", "number?"),
        ("what", "string"),
        ("inputs", "object"),
        ("champion", "object"),
        ("candidate", "object"),
    ]);
    and(
        object(&[
            ("rate", "number?"),
            ("agree", "integer"),
            ("n", "integer"),
            ("errors", "integer"),
            ("segments_left_out", "integer"),
            ("noise", "object?"),
        ]),
        vec![
            ("ci", ends()),
            ("outputs", array(output)),
            ("segments", array(of_segment)),
            ("worst", array(worst)),
        ],
    )
}

fn latency() -> Value {
    let of_model = object(&[
        ("p50", "number?"),
        ("p90", "number?"),
        ("p95", "number?"),
        ("p99", "number?"),
        ("p999", "number?"),
        ("mean", "number?"),
        ("max", "number?"),
        ("n", "integer"),
        ("cold_start", "number?"),
        ("open", "number?"),
        ("service_p50", "number?"),
        ("service_p99", "number?"),
        ("steady", "boolean?"),
        ("batch_mean", "number?"),
        ("curve", "array"),
    ]);
    let of_model = perhaps(of_model, &[("ci", "object")]);
    and(
        object(&[("clock", "string")]),
        vec![
            ("champion", of_model.clone()),
            ("candidate", of_model),
            ("ratio", map(json!({"type": ["number", "null"]}))),
        ],
    )
}

fn quality() -> Value {
    let metric = object(&[
        ("metric", "string"),
        ("champion", "number"),
        ("candidate", "number"),
        ("difference", "number"),
        ("p_value", "number?"),
        ("method", "string"),
        ("n", "integer"),
        ("higher_is_better", "boolean"),
    ]);
    let metric = and(metric, vec![("ci", ends())]);
    and(object(&[("labelled", "integer")]), vec![("metrics", array(metric))])
}

fn provenance() -> Value {
    let model = object(&[
        ("path", "string"),
        ("sha256", "string"),
        ("bytes", "integer"),
        ("opset", "integer?"),
        ("producer", "string?"),
        ("inputs", "array"),
        ("outputs", "array"),
        ("placement", "object"),
        ("batchable", "boolean"),
    ]);
    let all = object(&[
        ("policy_sha256", "string"),
        ("traffic", "string"),
        ("traffic_sha256", "string?"),
        ("runtime", "string"),
        ("runtime_library", "string"),
        ("device", "string"),
        ("provider", "string"),
        ("provider_options", "object"),
        ("gpu", "string?"),
        ("pace", "string"),
        ("batch_max", "integer"),
        ("threads", "integer"),
        ("seeds", "object"),
        ("windvane", "string"),
        ("memory_peak_bytes", "integer?"),
    ]);
    let all = perhaps(all, &[("gpu_memory_peak_bytes", "integer?")]);
    and(all, vec![("champion", model.clone()), ("candidate", model)])
}

#[cfg(test)]
mod tests {
    use windvane_types::gate::Latencies;

    use super::*;

    #[test]
    fn the_latencies_of_a_model_are_described_to_their_fields() {
        let printed = serde_json::to_value(Latencies::default()).unwrap();
        let latency = latency();
        let described = latency["properties"]["candidate"]["properties"].as_object().unwrap();
        let printed: Vec<&String> = printed.as_object().unwrap().keys().collect();
        assert_eq!(printed.len(), described.len());
        assert!(printed.iter().all(|name| described.contains_key(*name)), "{printed:?}");
    }
}
