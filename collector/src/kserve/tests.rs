//! Pairs in every mode and order, bodies of both versions of the protocol, and what is refused.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;
use windvane_types::event::Limits;
use windvane_types::rejection::Code;

use super::event::Event;
use super::*;
use crate::decode::IdMaker;
use crate::otlp::Prices;

mod bounds;
mod seldon;

const NOW_US: i64 = 1_700_000_000_000_000;

fn taken(events: Vec<Result<Event, Fault>>, joiner: &Joiner) -> Logged {
    taken_within(events, joiner, 32 << 20)
}

fn taken_within(events: Vec<Result<Event, Fault>>, joiner: &Joiner, body_bytes_max: usize) -> Logged {
    let (limits, ids, prices) = (Limits::default(), IdMaker::new(Uuid::from_u128(1)), Prices::default());
    let context = Context {
        limits: &limits,
        ids: &ids,
        prices: &prices,
        body_bytes_max,
        now_us: NOW_US,
        door: crate::door::Door::open(),
    };
    take(events, joiner, &context)
}

fn headers(side: &str, second: u32) -> Attributes {
    let attributes = json!({"specversion": "1.0", "id": "r1", "source": "s", "type": format!("org.kubeflow.serving.inference.{side}"),
        "time": format!("2023-11-14T22:13:{second:02}Z"), "inferenceservicename": "flights", "namespace": "prod", "endpoint": "default",
        "component": "predictor"});
    let Value::Object(attributes) = attributes else { unreachable!() };
    attributes
}

fn binary(side: &str, second: u32, body: &Value) -> Vec<Result<Event, Fault>> {
    events(Mode::Binary, headers(side, second), body.to_string().as_bytes())
}

fn structured(side: &str, second: u32, body: &Value) -> Value {
    let mut event = headers(side, second);
    event.insert("data".to_owned(), body.clone());
    Value::Object(event)
}

/// Rows of predictions and of payloads.
fn rows(logged: &Logged) -> (u32, u32) {
    let of = |table| {
        let parts = logged.intake.parts.iter().filter(|part| part.table == table);
        parts.map(|part| part.rows).sum()
    };
    (of(Table::Predictions), of(Table::Payloads))
}

fn request() -> Value {
    json!({"id": "r1", "inputs": [
        {"name": "distance", "shape": [2, 1], "datatype": "FP32", "data": [1400.0, 7.5], "parameters": {"binary_data": false}},
        {"name": "carrier", "shape": [2], "datatype": "BYTES", "data": ["UA", "AA"]}]})
}

fn response() -> Value {
    json!({"model_name": "flights", "outputs": [{"name": "p", "shape": [2, 2], "datatype": "FP32", "data": [0.25, 0.75, 0.9, 0.1]}]})
}

#[test]
fn a_pair_is_joined_in_either_order_and_mode() {
    let joiner = Joiner::default();
    assert_eq!(rows(&taken(binary("request", 1, &request()), &joiner)), (0, 1), "a payload at once");
    assert_eq!(
        rows(&taken(binary("response", 2, &response()), &joiner)),
        (2, 1),
        "both predictions, and the payload with its answer"
    );
    assert_eq!(
        rows(&taken(binary("response", 2, &response()), &joiner)),
        (2, 0),
        "an answer alone is a prediction"
    );
    assert_eq!(
        rows(&taken(binary("request", 1, &request()), &joiner)),
        (2, 1),
        "and again with its features"
    );
    let batch =
        json!([structured("request", 1, &request()), structured("response", 2, &response())]).to_string();
    let logged = taken(events(Mode::Batch, Attributes::new(), batch.as_bytes()), &joiner);
    assert_eq!((logged.accepted, rows(&logged)), (2, (2, 2)));
    let one = structured("request", 1, &request()).to_string();
    assert_eq!(rows(&taken(events(Mode::Structured, Attributes::new(), one.as_bytes()), &joiner)), (0, 1));
}

#[test]
fn a_pair_that_did_not_become_durable_is_met_again() {
    let joiner = Joiner::default();
    taken(binary("request", 1, &request()), &joiner);
    let refused = taken(binary("response", 2, &response()), &joiner);
    assert_eq!(rows(&refused), (2, 1));
    joiner.put_back(refused.taken);
    assert_eq!(rows(&taken(binary("response", 2, &response()), &joiner)), (2, 1), "sent again");
    assert_eq!(rows(&taken(binary("response", 2, &response()), &joiner)), (2, 0), "durable, and met no more");
}

/// The length of the JSON may be said as an attribute, as a header, among the headers that KServe's logger was told to log, or not at all.
#[test]
fn a_pair_with_binary_tensors_becomes_what_a_plain_one_does() {
    let inputs = json!({"inputs": [{"name": "distance", "shape": [2, 1], "datatype": "FP32", "parameters": {"binary_data_size": 8}}]});
    let outputs = json!({"outputs": [{"name": "y", "shape": [2], "datatype": "FP16", "parameters": {"binary_data_size": 4}}]});
    let asked =
        [inputs.to_string().as_bytes(), &1400.0_f32.to_le_bytes()[..], &7.5_f32.to_le_bytes()[..]].concat();
    let answered = [outputs.to_string().as_bytes(), &[0x00, 0x3c, 0x00, 0x7e]].concat();
    let length = inputs.to_string().len();
    let metadata = json!({"Inference-Header-Content-Length": [length.to_string()]}).to_string();
    for said in [
        None,
        Some(("inferenceheadercontentlength", length.to_string())),
        Some(("inference-header-content-length", length.to_string())),
        Some(("metadata", metadata)),
    ] {
        let joiner = Joiner::default();
        let (mut of_request, mut of_response) = (headers("request", 1), headers("response", 2));
        if let Some((name, value)) = &said {
            of_request.insert((*name).to_owned(), json!(value));
            if *name == "metadata" {
                // They are those of the request.
                of_response.insert((*name).to_owned(), json!(value));
            }
        }
        let event = events(Mode::Binary, of_request.clone(), &asked).remove(0).unwrap();
        assert_eq!(
            Batch::of_request(&event.body).features(1, (&Limits::default(), &Keep::All)).unwrap()["distance"],
            json!(7.5)
        );
        assert_eq!(
            rows(&taken(events(Mode::Binary, of_request.clone(), &asked), &joiner)),
            (0, 1),
            "{said:?}"
        );
        let event = events(Mode::Binary, of_response.clone(), &answered).remove(0).unwrap();
        let answers = [0, 1].map(|row| Value::Object(Batch::of_response(&event.body).answer(row).unwrap()));
        assert_eq!(answers, [json!({"value": 1.0}), json!({})], "NaN is no answer");
        assert_eq!(rows(&taken(events(Mode::Binary, of_response, &answered), &joiner)), (2, 1), "{said:?}");
        of_request.insert("inferenceheadercontentlength".to_owned(), json!("many"));
        let refused = taken(events(Mode::Binary, of_request, &asked), &joiner);
        assert_eq!(refused.rejected[0].code, Code::InvalidType);
    }
}

#[test]
fn an_image_is_in_the_payload_and_is_no_feature() {
    let inputs = json!({"inputs": [
        {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 7}},
        {"name": "width", "shape": [1], "datatype": "INT64", "data": [640]},
    ]});
    let asked = [inputs.to_string().as_bytes(), b"\x03\x00\x00\x00\xff\xd8\xff"].concat();
    let joiner = Joiner::default();
    let logged = taken(events(Mode::Binary, headers("request", 1), &asked), &joiner);
    assert_eq!((rows(&logged), logged.refused), ((0, 1), 0));
    let part = &logged.intake.parts[0];
    let columns = Table::Payloads.columns(Table::Payloads.layout()).unwrap();
    let row = windvane_store::read_rows(columns, &part.bytes).unwrap().remove(0);
    assert!(row["inputs"].to_string().contains("data:application/octet-stream;base64,/9j/"), "{row:?}");
    let event = events(Mode::Binary, headers("request", 1), &asked).remove(0).unwrap();
    let batch = Batch::of_request(&event.body);
    let features = batch.features(0, (&Limits::default(), &Keep::All)).unwrap();
    assert_eq!((batch.len(), Value::Object(features)), (1, json!({"width": 640})));
    let answered = json!({"outputs": [{"name": "thumbnail", "shape": [1], "datatype": "BYTES", "data": ["data:application/octet-stream;base64,/9j/"]}]});
    assert_eq!(Batch::of_response(&answered).answer(0), Some(Map::new()));
}

#[test]
fn seldons_halves_share_their_request_id() {
    let event = |side: &str, id: &str| {
        let mut headers = headers(side, 1);
        headers.insert("type".to_owned(), json!(format!("io.seldon.serving.inference.{side}")));
        headers.insert("id".to_owned(), json!(id));
        headers.insert("requestid".to_owned(), json!("shared"));
        headers.insert("modelid".to_owned(), json!("classifier"));
        headers
    };
    let joiner = Joiner::default();
    let body = request().to_string();
    taken(events(Mode::Binary, event("request", "1"), body.as_bytes()), &joiner);
    let body = response().to_string();
    let logged = taken(events(Mode::Binary, event("response", "2"), body.as_bytes()), &joiner);
    assert_eq!(rows(&logged), (2, 1));
}

#[test]
fn bodies_of_both_versions_give_features_and_answers() {
    let cases = [
        (request(), json!({"distance": 1400.0, "carrier": "UA"})),
        (
            json!({"instances": [{"distance": 1400, "carrier": "UA"}]}),
            json!({"distance": 1400, "carrier": "UA"}),
        ),
        (json!({"instances": [[1, 2.5]]}), json!({"instances.0": 1, "instances.1": 2.5})),
        (json!({"instances": [3]}), json!({"instances": 3})),
        (
            json!({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "INT64", "data": [[1, 2]]}]}),
            json!({"x.0": 1, "x.1": 2}),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(
            Value::Object(Batch::of_request(&body).features(0, (&Limits::default(), &Keep::All)).unwrap()),
            expected,
            "{body}"
        );
    }
    let output = |name: &str, datatype: &str, data: Value| json!({"outputs": [{"name": name, "datatype": datatype, "shape": [1, data.as_array().map_or(1, Vec::len)], "data": data}]});
    for (body, expected) in [
        (output("y", "FP64", json!([12.5])), json!({"value": 12.5})),
        (output("probability", "FP32", json!([0.5])), json!({"score": 0.5})),
        (output("class", "INT64", json!([3])), json!({"label": 3})),
        (output("class", "BYTES", json!(["late"])), json!({"label": "late"})),
        (
            output("p", "FP32", json!([0.25, 0.75])),
            json!({"label": "1", "probabilities": {"0": 0.25, "1": 0.75}}),
        ),
        (output("embedding", "FP32", json!([2.0, 3.0])), json!({})),
        (json!({"predictions": [0.5]}), json!({"value": 0.5})),
        (json!({"predictions": ["late"]}), json!({"label": "late"})),
        (
            json!({"predictions": [[0.25, 0.75]]}),
            json!({"label": "1", "probabilities": {"0": 0.25, "1": 0.75}}),
        ),
        (json!({"predictions": [{"score": 0.5, "other": 1}]}), json!({"score": 0.5})),
    ] {
        assert_eq!(Value::Object(Batch::of_response(&body).answer(0).unwrap()), expected, "{body}");
    }
}

#[test]
fn instances_of_one_shape_become_tensors() {
    for (instances, expected) in [
        (
            json!([[1, 2], [3, 4]]),
            Some(json!([{"name": "instances", "datatype": "INT64", "shape": [2, 2], "data": [1, 2, 3, 4]}])),
        ),
        (
            json!([{"a": 1.5}, {"a": 2}]),
            Some(json!([{"name": "a", "datatype": "FP64", "shape": [2], "data": [1.5, 2]}])),
        ),
        (json!([[1], [2, 3]]), None),
        (json!([{"a": 1}, {"b": 2}]), None),
        (json!([{"a": null}]), None),
        (json!([]), None),
    ] {
        assert_eq!(tensors::of(&json!({"instances": instances}), Side::Request), expected, "{instances}");
    }
}

#[test]
fn events_that_are_none_are_rejected_alone() {
    let mut unknown = headers("request", 1);
    unknown.insert("type".to_owned(), json!("io.seldon.serving.feedback.metrics"));
    unknown.insert("data".to_owned(), json!({}));
    let mut nameless = headers("request", 1);
    nameless.remove("inferenceservicename");
    nameless.insert("data".to_owned(), json!({}));
    let mut badly_timed = headers("request", 1);
    badly_timed.insert("time".to_owned(), json!("yesterday"));
    badly_timed.insert("data".to_owned(), json!({}));
    let batch = json!([unknown, structured("request", 1, &request()), nameless, 7, badly_timed]).to_string();
    let logged = taken(events(Mode::Batch, Attributes::new(), batch.as_bytes()), &Joiner::default());
    let rejected: Vec<(u64, Code)> = logged.rejected.iter().map(|r| (r.index, r.code)).collect();
    let expected = [
        (0, Code::EventTypeUnsupported),
        (2, Code::MissingField),
        (3, Code::NotAnObject),
        (4, Code::TsInvalid),
    ];
    assert_eq!((logged.accepted, &rejected[..]), (1, &expected[..]));
}

/// As the rows of an Arrow stream are: each alone, and the answer says which.
#[test]
fn a_row_that_cannot_be_kept_is_refused_alone() {
    let limits = Limits::default();
    let too_long = "l".repeat(limits.value_bytes_max + 1);
    let labels = json!({"predictions": ["late", too_long, "on_time", too_long]});
    let batch = json!([structured("request", 1, &request()), structured("response", 2, &labels)]).to_string();
    let joiner = Joiner::default();
    let logged = taken(events(Mode::Batch, Attributes::new(), batch.as_bytes()), &joiner);
    let rejected: Vec<_> = logged.rejected.iter().map(|r| (r.index, r.row, r.code)).collect();
    let expected = [1, 3].map(|row| (1, Some(row), Code::StringTooLong));
    assert_eq!((logged.accepted, logged.refused, rejected), (2, 0, expected.to_vec()));
    assert_eq!(rows(&logged), (2, 2), "the others are kept, and the payload");
    let predictions = logged.intake.parts.iter().find(|part| part.table == Table::Predictions).unwrap();
    assert_eq!(predictions.records(), 4, "each row is counted once: kept, or rejected");
    let answer = serde_json::to_value(&logged.rejected[0]).unwrap();
    assert_eq!(
        (&answer["index"], &answer["row"], &answer["code"]),
        (&json!(1), &json!(1), &json!("string_too_long"))
    );
}

#[test]
fn a_payload_that_cannot_be_kept_does_not_take_its_predictions_with_it() {
    let joiner = Joiner::default();
    let bad = json!({"inputs": [{"name": "x", "shape": [2], "datatype": "UINT8", "data": [1, 300]}]});
    let refused = taken(binary("request", 1, &bad), &joiner);
    let told: Vec<_> = refused.rejected.iter().map(|r| (r.row, r.code)).collect();
    assert_eq!((refused.accepted, refused.refused, told), (0, 1, vec![(None, Code::TensorInvalid)]));
    let logged = taken(binary("response", 2, &response()), &joiner);
    assert_eq!((logged.accepted, logged.refused, rows(&logged)), (1, 0, (2, 0)), "the request is remembered");
    assert_eq!(logged.rejected.len(), 1, "and its payload refused again");
}

#[test]
fn a_request_waits_on_where_its_response_becomes_no_prediction() {
    let joiner = Joiner::default();
    taken(binary("request", 1, &json!({"instances": [[1, 2]]})), &joiner);
    let too_long = json!({"predictions": ["l".repeat(Limits::default().value_bytes_max + 1)]});
    let refused = taken(binary("response", 2, &too_long), &joiner);
    assert_eq!((refused.rejected.len(), rows(&refused), refused.taken.len()), (1, (0, 1), 0));
    let mended = taken(binary("response", 3, &json!({"predictions": ["late"]})), &joiner);
    assert_eq!(
        (mended.rejected.len(), rows(&mended), mended.taken.len()),
        (0, (1, 1), 1),
        "with its features"
    );
}

proptest! {
    // Whatever the bytes are, the events of them are taken or refused, never a panic.
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0..3_usize) {
        let mode = [Mode::Binary, Mode::Structured, Mode::Batch][which];
        taken(events(mode, headers("request", 1), &bytes), &Joiner::default());
    }
}
