//! Seldon's events: bodies as its executor and its server of detectors send them.

use super::*;
use crate::kserve::seldon::outcome;
use crate::redact::{Redaction, Rule};

/// An event of Seldon's of request `r1`, of the model `classifier`.
fn event(kind: &str, body: &Value) -> Vec<Result<Event, Fault>> {
    let mut headers = headers("request", 1);
    headers.insert("type".to_owned(), json!(format!("io.seldon.serving.{kind}")));
    headers.insert("id".to_owned(), json!("3z1"));
    headers.insert("requestid".to_owned(), json!("r1"));
    headers.insert("modelid".to_owned(), json!("classifier"));
    events(Mode::Binary, headers, body.to_string().as_bytes())
}

fn took(kind: &str, body: &Value) -> Logged {
    taken(event(kind, body), &Joiner::default())
}

fn rows_of(logged: &Logged, table: Table) -> u32 {
    logged.intake.parts.iter().filter(|part| part.table == table).map(|part| part.rows).sum()
}

/// Whether the rows of a table have these words in them, one behind the other.
fn tells(logged: &Logged, table: Table, words: &[&str]) -> bool {
    let part = logged.intake.parts.iter().find(|part| part.table == table).unwrap();
    let text = String::from_utf8_lossy(&part.bytes);
    words.iter().try_fold(&*text, |rest, word| rest.split_once(word).map(|(_, behind)| behind)).is_some()
}

fn refusals(logged: &Logged) -> Vec<(Option<u64>, Code)> {
    logged.rejected.iter().map(|refusal| (refusal.row, refusal.code)).collect()
}

#[test]
fn outliers_are_measurements_of_their_predictions() {
    // As of a server that was asked for no scores, in JSON and in a JSON string.
    let plain = json!({"data": {"feature_score": null, "instance_score": null, "is_outlier": [1]}, "meta": {"name": "OutlierVAE", "detector_type": "offline", "data_type": "image"}});
    for body in [plain.clone(), Value::String(plain.to_string())] {
        let logged = took("inference.outlier", &body);
        assert_eq!((logged.accepted, rows_of(&logged, Table::Measurements)), (1, 1));
        assert!(
            tells(&logged, Table::Measurements, &["outlier", "r1", "r1"]),
            "under the id of its prediction"
        );
    }
    // By feature, with scores; a score that is missing is none.
    let scored =
        json!({"data": {"is_outlier": [[0, 1], [0, 0], [0, 0]], "instance_score": [2.5, 0.5, null]}});
    let logged = took("inference.outlier", &scored);
    assert_eq!((logged.accepted, rows_of(&logged, Table::Measurements)), (1, 5));
    assert!(tells(
        &logged,
        Table::Measurements,
        &["r1#0", "outlier_score", "r1#0", "r1#1", "outlier_score", "r1#2"]
    ));

    let one_bad = took("inference.outlier", &json!({"data": {"is_outlier": [0, "no"]}}));
    assert_eq!((one_bad.accepted, refusals(&one_bad)), (1, vec![(Some(1), Code::InvalidType)]));
    for (body, code) in [
        (json!({"data": {"is_outlier": null}}), Code::MissingField),
        (json!({"is_outlier": [1]}), Code::MissingField),
        (json!({"data": {"is_outlier": [1], "instance_score": [1, 2]}}), Code::InvalidType),
    ] {
        let refused = took("inference.outlier", &body);
        assert_eq!((refused.refused, refusals(&refused)), (1, vec![(None, code)]), "{body}");
        assert!(refused.rejected[0].message.contains("accepted is"), "{}", refused.rejected[0].message);
    }
}

#[test]
fn a_drift_is_gauges_of_the_model() {
    let body = json!({"data": {"is_drift": 1, "distance": [0.5, 0.25], "p_val": [0.01, 0.6], "threshold": 0.05},
        "meta": {"name": "KSDrift", "detector_type": "offline", "data_type": null}});
    let logged = took("inference.drift", &body);
    assert_eq!((logged.accepted, rows_of(&logged, Table::MetricsGauge)), (1, 6));
    let words = [
        "KSDrift",
        "classifier",
        "detector.is_drift",
        "model",
        "classifier",
        "detector.p_value",
        "feature",
        "0",
        "feature",
        "1",
    ];
    assert!(tells(&logged, Table::MetricsGauge, &words));
    for (body, code) in [
        (json!({"data": {"p_val": 0.01}}), Code::MissingField),
        (json!({"data": {"is_drift": 1, "p_val": ["low"]}}), Code::InvalidType),
        (json!({"data": {"is_drift": vec![0; Limits::default().features_max + 1]}}), Code::TooManyEntries),
    ] {
        let refused = took("inference.drift", &body);
        assert_eq!((refused.refused, refusals(&refused)), (1, vec![(None, code)]));
        assert_eq!(rows_of(&refused, Table::MetricsGauge), 0);
    }
}

#[test]
fn the_truth_of_feedback_is_an_outcome_and_a_reward_a_measurement() {
    let probabilities =
        json!({"data": {"names": ["t:0", "t:1"], "ndarray": [[0.25, 0.75]]}, "meta": {"puid": "puid"}});
    let number = json!({"data": {"tensor": {"shape": [1, 1], "values": [12.5]}}});
    for (response, truth, words) in [
        (&probabilities, json!({"data": {"ndarray": [["late"]]}}), ["classifier", "puid", "late"]),
        (&number, json!({"data": {"ndarray": ["late"]}}), ["classifier", "r1", "late"]),
        (&number, json!({"data": {"tensor": {"shape": [1], "values": [17.0]}}}), ["classifier", "r1", ""]),
    ] {
        let logged = took("feedback", &json!({"response": response, "truth": truth, "reward": 0}));
        assert_eq!((logged.accepted, rows_of(&logged, Table::Outcomes)), (1, 1), "{truth}");
        assert!(tells(&logged, Table::Outcomes, &words), "{truth}");
        assert_eq!(rows_of(&logged, Table::Measurements), 0, "no reward was given");
    }
    let rewarded = took("feedback", &json!({"reward": 0.5, "response": probabilities}));
    assert_eq!((rewarded.accepted, rows_of(&rewarded, Table::Outcomes)), (1, 0));
    assert!(tells(&rewarded, Table::Measurements, &["reward", "puid"]));

    let truth = json!({"data": {"ndarray": [["late"], [0.5, 0.25], ["on_time"]]}});
    let logged = took("feedback", &json!({"truth": truth}));
    assert_eq!(refusals(&logged), [(Some(1), Code::OutcomeShape)]);
    assert!(tells(&logged, Table::Outcomes, &["r1#0", "late", "r1#2", "on_time"]));
    for body in [json!({}), json!({"truth": {"strData": "late"}, "reward": 0}), json!({"truth": null})] {
        assert_eq!(refusals(&took("feedback", &body)), [(None, Code::MissingField)], "{body}");
    }
}

#[test]
fn a_truth_is_read_as_its_answer_is() {
    for (row, has_classes, expected) in [
        (json!([1.0]), true, Some(("label", json!("1")))),
        (json!([1.0]), false, Some(("value", json!(1.0)))),
        (json!(0.5), true, Some(("value", json!(0.5)))),
        (json!([1]), false, Some(("label", json!(1)))),
        (json!([true]), false, Some(("label", json!(true)))),
        (json!([0, 0, 1]), true, Some(("label", json!("2")))),
        (json!([0.0, 1.0]), false, Some(("label", json!("1")))),
        (json!([1, 1]), true, None),
        (json!([0, 0]), true, None),
        (json!([0.5, 1]), true, None),
        (json!([null]), true, None),
        (json!([]), true, None),
    ] {
        assert_eq!(outcome(&row, has_classes), expected, "{row}");
    }
}

#[test]
fn messages_of_seldons_protocol_are_joined_as_others_are() {
    let request = |data: Value| {
        let event = event("inference.request", &json!({"data": data})).remove(0).unwrap();
        Batch::of_request(&event.body).features(1, (&Limits::default(), &Keep::All)).map(Value::Object)
    };
    let named = json!({"distance": 7.5, "carrier": "AA"});
    let names = ["distance", "carrier"];
    assert_eq!(request(json!({"names": names, "ndarray": [[1400, "UA"], [7.5, "AA"]]})), Some(named));
    let unnamed = json!({"instances.0": 3, "instances.1": 4});
    assert_eq!(request(json!({"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}})), Some(unnamed.clone()));
    assert_eq!(request(json!({"names": ["one"], "ndarray": [[1, 2], [3, 4]]})), Some(unnamed));
    assert_eq!(
        request(json!({"tensor": {"shape": [3, 2], "values": [1, 2, 3, 4]}})),
        None,
        "no rows of one width"
    );

    let joiner = Joiner::default();
    let data = json!({"data": {"names": names, "ndarray": [[1400, "UA"], [7.5, null]]}});
    assert_eq!(
        rows(&taken(event("inference.request", &data), &joiner)),
        (0, 0),
        "no datatype holds text and null"
    );
    let data = json!({"data": {"names": names, "ndarray": [[1400, "UA"], [7.5, "AA"]]}});
    assert_eq!(rows(&taken(event("inference.request", &data), &joiner)), (0, 1));
    let answer = json!({"data": {"names": ["t:0", "t:1"], "tensor": {"shape": [2, 2], "values": [0.25, 0.75, 0.5, 0.5]}}});
    assert_eq!(rows(&taken(event("inference.response", &answer), &joiner)), (2, 1));
}

/// Which value is whose is not known where a row has not one for each name.
#[test]
fn a_name_that_is_not_kept_takes_columns_with_it_that_are_not_told_apart() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let taken = |features: Keep, rows: &Value| {
        let rule = Rule { features, ..Rule::default() };
        let redaction = Redaction::new(vec![("classifier".to_owned(), rule)]);
        let (limits, ids, prices) = (Limits::default(), IdMaker::new(Uuid::from_u128(1)), Prices::default());
        let door = crate::door::Door { redaction: &redaction, ..crate::door::Door::open() };
        let (now_us, body_bytes_max) = (NOW_US, 32 << 20);
        let context = Context { limits: &limits, ids: &ids, prices: &prices, body_bytes_max, now_us, door };
        let data = json!({"data": {"names": ["age", "email"], "ndarray": rows}});
        let mut both = event("inference.request", &data);
        both.extend(event("inference.response", &json!({"data": {"ndarray": [0.5, 0.25]}})));
        take(both, &Joiner::default(), &context)
    };
    let is_told = |logged: &Logged| {
        let holds = |bytes: &[u8]| bytes.windows(8).any(|at| at == b"x@y.test");
        logged.intake.parts.iter().any(|part| holds(&part.bytes))
    };
    let ragged = [
        json!([[1, "x@y.test", 2], [3, "z", 4]]),
        json!([[1, ["x@y.test"]], [3, ["z"]]]),
        json!([[1, "x@y.test"], [3]]),
        json!(["x@y.test", "z"]),
    ];
    for rows in &ragged {
        assert!(is_told(&taken(Keep::All, rows)), "{rows}");
        for features in [
            Keep::AllBut(list(&["email"])),
            Keep::AllBut(list(&["e*"])),
            // A list that lets the names through which the columns have instead.
            Keep::Only(list(&["age", "instances*"])),
        ] {
            let logged = taken(features.clone(), rows);
            assert!(!is_told(&logged), "{features:?} {rows}");
            assert_eq!(rows_of(&logged, Table::Predictions), 2, "the answers are kept: {features:?} {rows}");
            assert_eq!(rows_of(&logged, Table::Payloads), 0, "{features:?} {rows}");
        }
    }
    // Scalars in rows of one width are a tensor, so that there is a payload to refuse.
    let unlike = taken(Keep::AllBut(list(&["email"])), &ragged[3]);
    assert_eq!(refusals(&unlike), [(None, Code::PayloadNotKept); 2], "of the request, and of the pair");
    // Names that are all kept take nothing with them.
    assert!(is_told(&taken(Keep::AllBut(list(&["income"])), &ragged[0])));
}
