//! Claims about decoding: what each shape becomes, and which code refuses each fault.

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::rejection::{Code, Fault};

const NOW_US: i64 = 1_700_000_000_000_000;

fn read<'a, E: Event<'a>>(record: &'a str) -> Result<E, Fault> {
    let mut event = E::default();
    decode(record.as_bytes(), &mut event, &Limits::default(), NOW_US).map(|()| event)
}

fn refused<'a, E: Event<'a> + Debug>(record: &'a str) -> Fault {
    read::<E>(record).expect_err(record)
}

#[test]
fn a_prediction_keeps_every_field_of_the_contract() {
    let record = r#"{"model":"delay","version":"7","event_id":"e1","ts":"2013-01-01T05:17:00.123456Z",
        "environment":"prod","unit_id":"N14228","arms":{"checkout-test":"B"},
        "features":{"distance":1400,"carrier":"UA","holiday":false,"temp":null,"dep":-2.5},
        "embeddings":{"text":[0.5,-0.25]},"prediction":{"label":"late","probabilities":{"late":0.75,"on_time":0.25}},
        "latency_us":830,"status":"ok","trace_id":"t","span_id":"s","tags":{"region":"east"}}"#;
    let prediction: Prediction<'_> = read(record).unwrap();
    assert_eq!(prediction.event_id, "e1");
    assert_eq!(prediction.ts_us, 1_357_017_420_123_456);
    assert_eq!((&*prediction.model, &*prediction.version), ("delay", "7"));
    assert_eq!((&*prediction.environment, &*prediction.unit_id), ("prod", "N14228"));
    assert_eq!(prediction.arms, [("checkout-test".into(), "B".into())]);
    assert_eq!(prediction.num, [("distance".into(), 1400.0), ("dep".into(), -2.5)]);
    assert_eq!(prediction.cat, [("carrier".into(), "UA".into()), ("holiday".into(), "false".into())]);
    assert_eq!(prediction.embeddings, [("text".into(), vec![0.5, -0.25])]);
    assert_eq!(prediction.answer.kind, AnswerKind::Label);
    assert_eq!(prediction.answer.label.as_deref(), Some("late"));
    assert_eq!(prediction.answer.probabilities, [("late".into(), 0.75), ("on_time".into(), 0.25)]);
    assert_eq!(prediction.latency_us, Some(830));
    assert_eq!((&*prediction.status, &*prediction.trace_id, &*prediction.span_id), ("ok", "t", "s"));
    assert_eq!(prediction.tags, [("region".into(), "east".into())]);
}

#[test]
fn only_a_model_is_required_of_a_prediction() {
    let prediction: Prediction<'_> =
        read(r#"{"model":"m","features":null,"ts":null,"event_id":null}"#).unwrap();
    let expected =
        Prediction { model: "m".into(), ts_us: NOW_US, status: "ok".into(), ..Prediction::default() };
    assert_eq!(prediction, expected);
}

#[test]
fn an_arm_without_a_name_is_none() {
    let record = r#"{"model":"m","arms":{"on":"B","off":"","unknown":null},"tags":{"region":""}}"#;
    let prediction: Prediction<'_> = read(record).unwrap();
    assert_eq!(prediction.arms, [("on".into(), "B".into())]);
    assert_eq!(prediction.tags, [("region".into(), "".into())]);
}

#[test]
fn a_reused_event_keeps_nothing_of_the_last_record() {
    let full = r#"{"model":"m","event_id":"e","features":{"a":1,"b":"x"},"prediction":{"label":"l","probabilities":{"l":1}},
        "tags":{"t":"u"},"arms":{"e":"A"},"embeddings":{"v":[1]},"latency_us":3,"unit_id":"u"}"#;
    let (limits, mut reused) = (Limits::default(), Prediction::default());
    decode(full.as_bytes(), &mut reused, &limits, NOW_US).unwrap();
    decode(br#"{"model":"n"}"#, &mut reused, &limits, NOW_US).unwrap();
    assert_eq!(reused, read(r#"{"model":"n"}"#).unwrap());
}

#[test]
fn times_are_rfc_3339_with_an_offset_or_integer_microseconds() {
    for (ts, us) in [
        (r#""2013-01-01T05:17:00.123456Z""#, 1_357_017_420_123_456),
        (r#""2013-01-01T07:17:00.123456+02:00""#, 1_357_017_420_123_456),
        (r#""2013-01-01T05:17:00.1234569Z""#, 1_357_017_420_123_456),
        ("1357017420123456", 1_357_017_420_123_456),
        ("31536000000000", TS_MIN_US),
    ] {
        let record = format!(r#"{{"model":"m","ts":{ts}}}"#);
        assert_eq!(read::<Prediction<'_>>(&record).unwrap().ts_us, us, "{ts}");
    }
    for (ts, code) in [
        (r#""2013-01-01T05:17:00""#, Code::TsInvalid),
        (r#""yesterday""#, Code::TsInvalid),
        (r#""""#, Code::TsInvalid),
        ("1357017420.5", Code::TsInvalid),
        ("true", Code::InvalidType),
        ("1357017420", Code::TsOutOfRange),
        ("1357017420123", Code::TsOutOfRange),
        ("1357017420123456789", Code::TsOutOfRange),
        ("-5", Code::TsOutOfRange),
        (r#""1815-12-10T00:00:00Z""#, Code::TsOutOfRange),
        (r#""2200-01-01T00:00:00Z""#, Code::TsOutOfRange),
    ] {
        let record = format!(r#"{{"model":"m","ts":{ts}}}"#);
        assert_eq!(refused::<Prediction<'_>>(&record).code, code, "{ts}");
    }
    let seconds = refused::<Prediction<'_>>(r#"{"model":"m","ts":1357017420}"#);
    assert!(seconds.message.contains("seconds or milliseconds"), "{seconds}");
}

#[test]
fn a_byte_that_is_no_utf_8_is_refused_with_its_place() {
    for (record, column) in [
        (&b"{\"model\":\"m\",\"status\":\"\xff\"}"[..], 24),
        (&b"{\"model\":\"m\",\"features\":{\"\xc3\":1}}"[..], 27),
        (&b"\x80"[..], 1),
    ] {
        let fault = decode(record, &mut Prediction::default(), &Limits::default(), NOW_US).unwrap_err();
        assert_eq!(fault.code, Code::InvalidJson);
        assert!(fault.message.contains(&format!("at column {column}: a byte that is no UTF-8")), "{fault}");
    }
    let record = "{\"model\":\"m\",\"status\":\"späť\"}";
    assert_eq!(read::<Prediction<'_>>(record).unwrap().status, "späť");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn each_fault_of_a_prediction_has_its_code() {
    let long = "x".repeat(129);
    let long_id = format!(r#"{{"model":"m","event_id":"{long}"}}"#);
    let long_name = format!(r#"{{"model":"{}"}}"#, "x".repeat(257));
    let long_value = format!(r#"{{"model":"m","features":{{"a":"{}"}}}}"#, "x".repeat(4097));
    let deep = format!(r#"{{"model":"m","features":{{"a":{}}}}}"#, "[".repeat(500));
    let wide: Vec<String> = (0..4097).map(|i| format!("\"f{i}\":1")).collect();
    let wide = format!(r#"{{"model":"m","features":{{{}}}}}"#, wide.join(","));
    let twice: Vec<String> = (0..40).map(|i| format!("\"f{}\":1", i % 39)).collect();
    let twice = format!(r#"{{"model":"m","features":{{{}}}}}"#, twice.join(","));
    let large = format!(r#"{{"model":"m","status":"{}"}}"#, "x".repeat(1 << 20));
    for (record, code) in [
        ("", Code::InvalidJson),
        ("{", Code::InvalidJson),
        (r#"{"model":"m"} {}"#, Code::InvalidJson),
        (r#"{"model":"m","features":{"a":NaN}}"#, Code::InvalidJson),
        (r#"{"model":"m","features":{"a":Infinity}}"#, Code::InvalidJson),
        (r#"{"model":"m","features":{"a":01}}"#, Code::InvalidJson),
        (r#"{'model':'m'}"#, Code::InvalidJson),
        ("[]", Code::NotAnObject),
        ("3", Code::NotAnObject),
        ("null", Code::NotAnObject),
        (r#""text""#, Code::NotAnObject),
        (&large, Code::RecordTooLarge),
        (r#"{"modle":"m"}"#, Code::UnknownField),
        (r#"{"model":"m","prediction":{"scoer":1}}"#, Code::UnknownField),
        ("{}", Code::MissingField),
        (r#"{"model":""}"#, Code::MissingField),
        (r#"{"model":null}"#, Code::MissingField),
        (r#"{"model":"m","event_id":""}"#, Code::MissingField),
        (r#"{"model":"m","model":"m"}"#, Code::DuplicateField),
        (r#"{"model":"m","features":{"a":1,"a":2}}"#, Code::DuplicateField),
        (r#"{"model":"m","features":{"a":1,"a":"x"}}"#, Code::DuplicateField),
        (&twice, Code::DuplicateField),
        (r#"{"model":"m","prediction":{"score":1,"score":1}}"#, Code::DuplicateField),
        (r#"{"model":3}"#, Code::InvalidType),
        (r#"{"model":"m","event_id":5}"#, Code::InvalidType),
        (r#"{"model":"m","features":[1]}"#, Code::InvalidType),
        (r#"{"model":"m","tags":{"a":1}}"#, Code::InvalidType),
        (r#"{"model":"m","embeddings":{"a":["x"]}}"#, Code::InvalidType),
        (r#"{"model":"m","embeddings":{"a":[null]}}"#, Code::InvalidType),
        (r#"{"model":"m","prediction":0.5}"#, Code::InvalidType),
        (r#"{"model":"m","prediction":{"score":"high"}}"#, Code::InvalidType),
        (&long_id, Code::EventIdTooLong),
        (&long_name, Code::StringTooLong),
        (&long_value, Code::StringTooLong),
        (r#"{"model":"m","features":{"":1}}"#, Code::NameEmpty),
        (&wide, Code::TooManyEntries),
        (r#"{"model":"m","features":{"a":[1]}}"#, Code::FeatureNotAScalar),
        (r#"{"model":"m","features":{"a":{"b":1}}}"#, Code::FeatureNotAScalar),
        (&deep, Code::FeatureNotAScalar),
        (r#"{"model":"m","features":{"a":1e400}}"#, Code::NumberOutOfRange),
        (r#"{"model":"m","embeddings":{"a":[1e39]}}"#, Code::NumberOutOfRange),
        (r#"{"model":"m","prediction":{}}"#, Code::PredictionShape),
        (r#"{"model":"m","prediction":{"score":1,"value":1}}"#, Code::PredictionShape),
        (r#"{"model":"m","prediction":{"probabilities":{"a":1}}}"#, Code::PredictionShape),
        (
            r#"{"model":"m","prediction":{"label":"a","probabilities":{"a":1.01}}}"#,
            Code::ProbabilityOutOfRange,
        ),
        (
            r#"{"model":"m","prediction":{"label":"a","probabilities":{"a":-0.1}}}"#,
            Code::ProbabilityOutOfRange,
        ),
        (r#"{"model":"m","latency_us":-1}"#, Code::LatencyOutOfRange),
        (r#"{"model":"m","latency_us":-0.5}"#, Code::LatencyOutOfRange),
        (r#"{"model":"m","latency_us":1e300}"#, Code::LatencyOutOfRange),
    ] {
        let fault = refused::<Prediction<'_>>(record);
        let shown: String = record.chars().take(80).collect();
        assert_eq!(fault.code, code, "{shown}: {fault}");
    }
}

#[test]
fn what_is_at_a_bound_is_taken() {
    let id = "x".repeat(128);
    let record = format!(
        r#"{{"model":"m","event_id":"{id}","latency_us":0,"features":{{"big":18446744073709551615,"neg":-9223372036854775808,"e":"\u00e9"}}}}"#
    );
    let prediction: Prediction<'_> = read(&record).unwrap();
    assert_eq!(prediction.event_id.len(), 128);
    assert_eq!(prediction.latency_us, Some(0));
    assert_eq!(prediction.num[0].1, 2f64.powi(64));
    assert_eq!(prediction.num[1].1, -(2f64.powi(63)));
    assert_eq!(prediction.cat, [("e".into(), "é".into())]);
}

#[test]
fn each_bound_on_entries_takes_as_many_and_not_one_more() {
    let limits = Limits {
        features_max: 2,
        tags_max: 2,
        classes_max: 2,
        embeddings_max: 2,
        dimensions_max: 2,
        ..Limits::default()
    };
    let entries =
        |n: usize, value: &str| (0..n).map(|i| format!("\"k{i}\":{value}")).collect::<Vec<_>>().join(",");
    let records = |n: usize| {
        [
            format!(r#"{{"model":"m","features":{{{}}}}}"#, entries(n, "1")),
            format!(r#"{{"model":"m","features":{{{}}}}}"#, entries(n, "true")),
            format!(r#"{{"model":"m","tags":{{{}}}}}"#, entries(n, "\"x\"")),
            format!(r#"{{"model":"m","arms":{{{}}}}}"#, entries(n, "\"x\"")),
            format!(
                r#"{{"model":"m","prediction":{{"label":"k0","probabilities":{{{}}}}}}}"#,
                entries(n, "0.25")
            ),
            format!(r#"{{"model":"m","embeddings":{{{}}}}}"#, entries(n, "[1]")),
            format!(r#"{{"model":"m","embeddings":{{"a":[{}]}}}}"#, vec!["1"; n].join(",")),
        ]
    };
    for (at, beyond) in records(2).iter().zip(&records(3)) {
        let taken = decode(at.as_bytes(), &mut Prediction::default(), &limits, NOW_US);
        assert_eq!(taken, Ok(()), "{at}");
        let fault = decode(beyond.as_bytes(), &mut Prediction::default(), &limits, NOW_US).unwrap_err();
        assert_eq!(fault.code, Code::TooManyEntries, "{beyond}: {fault}");
    }
}

#[test]
fn a_tensor_is_nested_to_its_bound_and_no_deeper() {
    let payload =
        |rest: &str| format!(r#"{{"model":"m","inputs":[{{"name":"x","datatype":"FP32",{rest}}}]}}"#);
    let nested = |depth: usize| payload(&format!(r#""data":{}1{}"#, "[".repeat(depth), "]".repeat(depth)));
    let shaped = |n: usize| payload(&format!(r#""data":[1],"shape":[{}]"#, vec!["1"; n].join(",")));
    assert_eq!(Limits::default().nesting_max, 16);
    // The largest is the one that a configuration may have: the parser's own bound comes after it.
    for nesting_max in [1, 2, 16, 100] {
        let limits = Limits { nesting_max, ..Limits::default() };
        let taken = |record: &str| decode(record.as_bytes(), &mut Payload::default(), &limits, NOW_US);
        for record in [nested(nesting_max), shaped(nesting_max)] {
            assert_eq!(taken(&record), Ok(()), "{record}");
        }
        for (record, code) in
            [(nested(nesting_max + 1), Code::TensorInvalid), (shaped(nesting_max + 1), Code::TooManyEntries)]
        {
            let fault = taken(&record).unwrap_err();
            assert_eq!(fault.code, code, "{record}: {fault}");
            assert!(fault.message.contains(&format!("accepted are up to {nesting_max}")), "{fault}");
        }
    }
}

#[test]
fn messages_say_what_would_have_been_accepted() {
    let messages: Vec<String> = [
        r#"{"modle":"m"}"#,
        r#"{"zzz":1}"#,
        r#"{"model":"m","prediction":{"scoer":1}}"#,
        r#"{"model":3}"#,
        r#"{"model":"m","features":{"a":[1]}}"#,
        r#"{"model":"m","features":{"a":1e999}}"#,
        r#"{"model":"m","latency_us":-1}"#,
        r#"{"model":"m","prediction":{"score":1,"value":2}}"#,
        "[1]",
        "{nope",
    ]
    .iter()
    .map(|record| refused::<Prediction<'_>>(record).to_string())
    .collect();
    insta::assert_snapshot!(messages.join("\n"), @r#"
    unknown field `modle`; the nearest known one is `model`; accepted are model, version, event_id, ts, environment, unit_id, arms, features, embeddings, prediction, latency_us, status, trace_id, span_id, tags
    unknown field `zzz`; the nearest known one is `tags`; accepted are model, version, event_id, ts, environment, unit_id, arms, features, embeddings, prediction, latency_us, status, trace_id, span_id, tags
    `prediction` has the unknown field `scoer`; the nearest known one is `score`; accepted are {"score":number}, {"label":string}, {"label":string,"probabilities":{class:number}} and {"value":number}
    `model`: invalid type: integer `3`, expected a string
    the feature `a` is an array; accepted are a number, a string, a boolean and null
    `features`: a number out of range; accepted are numbers that a 64-bit float holds
    `latency_us` is -1; accepted are microseconds from 0 to 31622400000000
    `prediction` has `score`, `value`; accepted are {"score":number}, {"label":string}, {"label":string,"probabilities":{class:number}} and {"value":number}
    invalid type: sequence, expected a JSON object
    invalid JSON at column 2: key must be a string; accepted is one JSON object a record (no NaN, no Infinity)
    "#);
}

#[test]
fn outcomes_have_exactly_one_truth() {
    let outcome: Outcome<'_> =
        read(r#"{"model":"m","event_id":"e","ts":1357017420123456,"label":"late"}"#).unwrap();
    assert_eq!((outcome.label.as_deref(), outcome.value), (Some("late"), None));
    let outcome: Outcome<'_> = read(r#"{"model":"m","event_id":"e","value":17}"#).unwrap();
    assert_eq!((outcome.label, outcome.value, outcome.ts_us), (None, Some(17.0), NOW_US));
    let outcome: Outcome<'_> = read(r#"{"model":"m","event_id":"e","label":true}"#).unwrap();
    assert_eq!(outcome.label.as_deref(), Some("true"));
    for (record, code) in [
        (r#"{"model":"m","event_id":"e"}"#, Code::OutcomeShape),
        (r#"{"model":"m","event_id":"e","label":"x","value":1}"#, Code::OutcomeShape),
        (r#"{"model":"m","label":"x"}"#, Code::MissingField),
        (r#"{"event_id":"e","label":"x"}"#, Code::MissingField),
        (r#"{"model":"m","event_id":"e","label":1.5}"#, Code::InvalidType),
        (r#"{"model":"m","event_id":"e","value":"1"}"#, Code::InvalidType),
        (r#"{"model":"m","event_id":"e","lable":"x"}"#, Code::UnknownField),
    ] {
        assert_eq!(refused::<Outcome<'_>>(record).code, code, "{record}");
    }
}

#[test]
fn exposures_and_measurements_need_each_of_their_fields() {
    let exposure: Exposure<'_> =
        read(r#"{"experiment":"x","unit_id":"u1","arm":"B","ts":1357017420123456}"#).unwrap();
    assert_eq!((&*exposure.experiment, &*exposure.unit_id, &*exposure.arm), ("x", "u1", "B"));
    for record in [
        r#"{"unit_id":"u","arm":"B"}"#,
        r#"{"experiment":"x","arm":"B"}"#,
        r#"{"experiment":"x","unit_id":"u"}"#,
    ] {
        assert_eq!(refused::<Exposure<'_>>(record).code, Code::MissingField, "{record}");
    }
    let measurement: Measurement<'_> = read(r#"{"unit_id":"u1","metric":"revenue","value":12.5}"#).unwrap();
    assert_eq!((&*measurement.unit_id, &*measurement.metric, measurement.value), ("u1", "revenue", 12.5));
    for record in [
        r#"{"metric":"m","value":1}"#,
        r#"{"unit_id":"u","value":1}"#,
        r#"{"unit_id":"u","metric":"m"}"#,
        r#"{"unit_id":"u","metric":"m","value":null}"#,
    ] {
        assert_eq!(refused::<Measurement<'_>>(record).code, Code::MissingField, "{record}");
    }
}

proptest! {
    /// Whatever the bytes are, decoding answers and does not panic.
    #[test]
    fn decoding_survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut prediction = Prediction::default();
        let _ = decode(&bytes, &mut prediction, &Limits::default(), NOW_US);
    }

    /// Every finite number that JSON writes comes back bit for bit.
    #[test]
    fn numbers_survive_unchanged(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let record = serde_json::json!({"model": "m", "features": {"a": number}}).to_string();
        let prediction: Prediction<'_> = read(&record).unwrap();
        prop_assert_eq!(prediction.num[0].1.to_bits(), number.to_bits());
    }

    /// Cutting a valid record anywhere leaves invalid JSON, never a half-read event.
    #[test]
    fn a_cut_record_is_refused(cut in 0usize..120) {
        let record = r#"{"model":"m","features":{"a":1.5,"b":"x\ny","c":null},"prediction":{"score":0.5},"tags":{"k":"v"},"latency_us":12}"#;
        prop_assume!(cut < record.len());
        prop_assert_eq!(refused::<Prediction<'_>>(&record[..cut]).code, Code::InvalidJson);
    }

    /// A repeated key is found among however many, and keys that differ never count as repeated.
    #[test]
    fn repeated_keys_are_found(
        keys in prop::collection::btree_set("[a-c]{1,6}", 1..100),
        twice in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut keys: Vec<String> = keys.into_iter().collect();
        let record = |keys: &[String]| {
            let features: Vec<String> = keys.iter().map(|key| format!("\"{key}\":1")).collect();
            format!(r#"{{"model":"m","features":{{{}}}}}"#, features.join(","))
        };
        let once = record(&keys);
        prop_assert!(read::<Prediction<'_>>(&once).is_ok());
        keys.insert(at.index(keys.len() + 1), keys[twice.index(keys.len())].clone());
        let twice = record(&keys);
        prop_assert_eq!(refused::<Prediction<'_>>(&twice).code, Code::DuplicateField);
    }
}

#[test]
fn a_null_among_floats_of_a_tensor_is_nan_and_is_written_as_null_again() {
    let record = |datatype: &str, data: &str| {
        format!(
            r#"{{"model":"m","inputs":[{{"name":"x","datatype":"{datatype}","shape":[1,2],"data":{data}}}]}}"#
        )
    };
    for (datatype, data) in [("FP32", "[0.5,null]"), ("FP64", "[[0.5,null]]")] {
        let record = record(datatype, data);
        let payload: Payload<'_> = read(&record).unwrap();
        let written = serde_json::to_value(&payload.inputs[0]).unwrap();
        assert_eq!(written["data"], serde_json::json!([0.5, null]), "{datatype}");
    }
    for (datatype, data) in [("INT64", "[1,null]"), ("BOOL", "[true,null]"), ("BYTES", r#"["a",null]"#)] {
        let record = record(datatype, data);
        let fault = refused::<Payload<'_>>(&record);
        assert_eq!(fault.code, Code::TensorInvalid, "{datatype}");
        let told = format!("of {datatype} has the element null; accepted are elements that {datatype} holds");
        assert!(fault.message.contains(&told), "{}", fault.message);
    }
    let fault = refused::<Payload<'_>>(
        r#"{"model":"m","inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":null}]}"#,
    );
    assert_eq!(fault.code, Code::TensorInvalid);
}
