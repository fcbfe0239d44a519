//! The contract that all SDKs and the collector share: event encoding, sampling, assignment.

use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;
use windvane_sdk::assignment::{Assignment, Experiment, Holdout, Layer, point};
use windvane_sdk::{Answer, Client, Exposure, Measurement, Outcome, Prediction, Truth, Value, sampling};

use super::server::Collector;

fn vectors(name: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../vectors/{name}.json"));
    let document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document["vectors"].as_array().unwrap().clone()
}

fn text<'a>(call: &'a Json, name: &str) -> &'a str {
    call[name].as_str().unwrap_or_default()
}

/// JSON has no NaN; the vectors write {"float": "nan"}.
fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value["float"].as_str()?.parse().ok())
}

fn value(value: &Json) -> Value<'_> {
    match value {
        Json::Null => Value::Missing,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::String(text) => Value::Text(text),
        Json::Number(number) if number.is_i64() => Value::Integer(number.as_i64().unwrap()),
        other => Value::Number(number(other).unwrap()),
    }
}

fn entries<'a, V>(map: &'a Json, each: impl Fn(&'a Json) -> V) -> Vec<(&'a str, V)> {
    map.as_object().into_iter().flatten().map(|(name, held)| (name.as_str(), each(held))).collect()
}

fn log_prediction(client: &Client, call: &Json) {
    let of = &call["prediction"];
    let probabilities = entries(&of["probabilities"], |held| number(held).unwrap());
    let answer = match (number(&of["score"]), of["label"].as_str(), number(&of["value"])) {
        (Some(score), _, _) => Answer::Score(score),
        (_, Some(label), _) => Answer::Label(label, &probabilities),
        (_, _, Some(value)) => Answer::Value(value),
        _ => Answer::None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the vectors hold numbers that 32 bits hold")]
    let vector =
        |held: &Json| held.as_array().unwrap().iter().map(|n| n.as_f64().unwrap() as f32).collect::<Vec<_>>();
    let vectors = entries(&call["embeddings"], vector);
    let embeddings: Vec<(&str, &[f32])> = vectors.iter().map(|(name, held)| (*name, &held[..])).collect();
    client.log_prediction(&Prediction {
        model: text(call, "model"),
        version: text(call, "version"),
        event_id: text(call, "event_id"),
        ts_us: call["ts"].as_i64(),
        environment: text(call, "environment"),
        unit_id: text(call, "unit_id"),
        arms: &entries(&call["arms"], |held| held.as_str().unwrap()),
        features: &entries(&call["features"], value),
        embeddings: &embeddings,
        answer,
        latency_us: call["latency_us"].as_u64(),
        status: text(call, "status"),
        trace_id: text(call, "trace_id"),
        span_id: text(call, "span_id"),
        tags: &entries(&call["tags"], |held| held.as_str().unwrap()),
    });
}

fn log(client: &Client, kind: &str, call: &Json) {
    let (event_id, unit_id, ts_us) = (text(call, "event_id"), text(call, "unit_id"), call["ts"].as_i64());
    match kind {
        "predictions" => log_prediction(client, call),
        "outcomes" => {
            let truth = call["label"]
                .as_str()
                .map_or_else(|| Truth::Value(number(&call["value"]).unwrap()), Truth::Label);
            client.log_outcome(&Outcome { model: text(call, "model"), event_id, ts_us, truth });
        }
        "exposures" => {
            let (experiment, arm) = (text(call, "experiment"), text(call, "arm"));
            client.log_exposure(&Exposure { experiment, unit_id, arm, ts_us, event_id });
        }
        _ => {
            let value = number(&call["value"]).unwrap();
            client.log_measurement(&Measurement {
                unit_id,
                metric: text(call, "metric"),
                value,
                ts_us,
                event_id,
            });
        }
    }
}

/// Numbers as doubles, so that 1 and 1.0 are the same.
fn as_doubles(value: &Json) -> Json {
    match value {
        Json::Number(number) => Json::from(number.as_f64()),
        Json::Array(list) => list.iter().map(as_doubles).collect(),
        Json::Object(map) => map.iter().map(|(key, held)| (key.clone(), as_doubles(held))).collect(),
        other => other.clone(),
    }
}

#[test]
fn an_event_is_encoded_as_the_contract_says() {
    for vector in vectors("events") {
        let collector = Collector::start();
        let client = collector.client();
        let kind = vector["kind"].as_str().unwrap();
        log(&client, kind, &vector["call"]);
        assert!(client.flush(Duration::from_secs(20)));
        let found = collector.records(kind);
        assert_eq!(
            found.iter().map(as_doubles).collect::<Vec<_>>(),
            [as_doubles(&vector["record"])],
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn sampling_decides_as_every_language_does() {
    for vector in vectors("sampling") {
        let event_id = vector["event_id"].as_str().unwrap();
        assert_eq!(sampling::point(event_id), vector["point"].as_u64().unwrap(), "{event_id}");
        for (rate, kept) in vector["kept"].as_object().unwrap() {
            assert_eq!(sampling::keeps(event_id, rate.parse().unwrap()), *kept, "{event_id} at {rate}");
        }
    }
}

#[test]
fn assignment_answers_every_vector() {
    for vector in vectors("assignment") {
        let experiment: Experiment = serde_json::from_value(vector["definition"].clone()).unwrap();
        let unit = vector["unit"].as_str().unwrap();
        let (outcome, arm) = match experiment.assign(unit) {
            Assignment::Arm(arm) => ("arm", Some(arm)),
            Assignment::Ramp => ("ramp", None),
            Assignment::Layer => ("layer", None),
            Assignment::Holdout => ("holdout", None),
            Assignment::Undefined => ("undefined", None),
        };
        assert_eq!(
            (outcome, arm),
            (vector["outcome"].as_str().unwrap(), vector["arm"].as_str()),
            "{}",
            vector["name"]
        );
        assert_eq!(point("arm", &experiment.salt, unit), vector["points"]["arm"].as_u64().unwrap());
    }
}

#[test]
fn an_experiment_without_weights_assigns_nobody() {
    let mut experiment = Experiment::new("x", &["A", "B"]);
    for weights in [[0.0, 0.0], [-1.0, 2.0], [f64::NAN, 1.0], [f64::INFINITY, 1.0]] {
        for (arm, weight) in experiment.arms.iter_mut().zip(weights) {
            arm.weight = weight;
        }
        assert_eq!(experiment.assign("u"), Assignment::Undefined, "{weights:?}");
    }
}

#[test]
fn an_experiment_whose_arms_have_no_names_of_their_own_assigns_nobody() {
    for arms in [["A", "B", "A"], ["A", "", "B"]] {
        let experiment = Experiment::new("x", &arms);
        for unit in ["u", "v", "w"] {
            assert_eq!(experiment.assign(unit), Assignment::Undefined, "{arms:?}");
        }
    }
}

// Python raises ValueError and TypeScript RangeError for each of these.
#[test]
fn an_experiment_whose_shares_are_none_assigns_nobody() {
    let layer = |from, to| Some(Layer { name: "l".to_owned(), from, to });
    let holdout = |share| Some(Holdout { name: "h".to_owned(), share });
    let whole = Experiment::new("x", &["A", "B"]);
    for undefined in [
        Experiment { salt: String::new(), ..whole.clone() },
        Experiment { ramp: 25.0, ..whole.clone() },
        Experiment { ramp: -0.1, ..whole.clone() },
        Experiment { ramp: f64::NAN, ..whole.clone() },
        Experiment { layer: layer(0.0, 50.0), ..whole.clone() },
        Experiment { layer: layer(0.5, 0.5), ..whole.clone() },
        Experiment { layer: layer(-0.5, 1.0), ..whole.clone() },
        Experiment { holdout: holdout(-0.1), ..whole.clone() },
        Experiment { holdout: holdout(1.1), ..whole.clone() },
    ] {
        for unit in ["u", "v", "w"] {
            assert_eq!(undefined.assign(unit), Assignment::Undefined, "{undefined:?}");
        }
    }
    let defined = Experiment { ramp: 1.0, layer: layer(0.0, 1.0), holdout: holdout(0.0), ..whole };
    assert!(matches!(defined.assign("u"), Assignment::Arm(_)), "{:?}", defined.assign("u"));
}
