//! Messages in both encodings, what their attributes become, and bytes that are none.

mod calls;
mod words;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::door::Door;

const NOW_US: i64 = 1_700_000_000_000_000;
const START_NS: u64 = 1_700_000_000_000_000_000;

fn prices() -> Prices {
    let price = Price { input: 2.5, output: 10.0, cache_read: 1.25, cache_write: 2.5 };
    Prices { currency: "USD".to_owned(), models: [("gpt-4o".to_owned(), price)].into() }
}

pub(super) fn read_as(signal: Signal, message: &[u8], encoding: Encoding) -> Result<Intake, String> {
    read_within(signal, message, (encoding, 32 << 20))
}

fn read_within(
    signal: Signal,
    message: &[u8],
    (encoding, body_bytes_max): (Encoding, usize),
) -> Result<Intake, String> {
    in_context(Door::open(), |context| {
        rows(signal, message, encoding, &Context { body_bytes_max, ..*context })
    })
}

/// What a message behind this door becomes; nothing of it is refused.
pub(super) fn taken_behind(door: Door<'_>, signal: Signal, message: &serde_json::Value) -> Intake {
    let message = message.to_string();
    let intake =
        in_context(door, |context| rows(signal, message.as_bytes(), Encoding::Json, context)).unwrap();
    assert_eq!((intake.rejected, &intake.why), (0, &None));
    intake
}

fn in_context<T>(door: Door<'_>, run: impl FnOnce(&Context<'_>) -> T) -> T {
    let (limits, ids, prices) = (Limits::default(), IdMaker::new(Uuid::from_u128(1)), prices());
    let body_bytes_max = 32 << 20;
    run(&Context { limits: &limits, ids: &ids, prices: &prices, body_bytes_max, now_us: NOW_US, door })
}

fn value(value: impl Into<serde_json::Value>) -> Option<AnyValue> {
    let value = match value.into() {
        serde_json::Value::String(text) => Value::StringValue(text),
        serde_json::Value::Bool(flag) => Value::BoolValue(flag),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(n) => Value::IntValue(n),
            None => Value::DoubleValue(n.as_f64().unwrap()),
        },
        serde_json::Value::Array(values) => {
            Value::ArrayValue(ArrayValue { values: values.into_iter().filter_map(self::value).collect() })
        }
        other => panic!("no attribute is {other}"),
    };
    Some(AnyValue { value: Some(value) })
}

fn attributes(of: serde_json::Value) -> Vec<KeyValue> {
    let serde_json::Value::Object(entries) = of else { panic!("an object of attributes") };
    entries.into_iter().map(|(key, of)| KeyValue { key, value: value(of), ..KeyValue::default() }).collect()
}

fn span(of: serde_json::Value) -> Span {
    Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        name: "call".to_owned(),
        kind: 3,
        start_time_unix_nano: START_NS,
        end_time_unix_nano: START_NS + 2_000_000_000,
        attributes: attributes(of),
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = serde_json::json!({"service.name": "shop", "deployment.environment.name": "prod"});
    let scope =
        InstrumentationScope { name: "lib".to_owned(), version: "1".to_owned(), ..Default::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: attributes(resource), ..Resource::default() }),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }],
            schema_url: String::new(),
        }],
    }
}

fn taken(spans: Vec<Span>) -> Intake {
    read_as(Signal::Traces, &request(spans).encode_to_vec(), Encoding::Protobuf).unwrap()
}

fn rows_of(intake: &Intake, table: Table) -> u32 {
    intake.parts.iter().filter(|part| part.table == table).map(|part| part.rows).sum()
}

#[test]
fn json_gives_the_rows_that_protobuf_gives() {
    let json = r#"{"resourceSpans":[{"resource":{"attributes":[
            {"key":"deployment.environment.name","value":{"stringValue":"prod"}},
            {"key":"service.name","value":{"stringValue":"shop"}}], "aFieldOfTomorrow": {"x": [1]}},
        "scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[{
            "traceId":"ABABABABABABABABABABABABABABABAB","spanId":"cdcdcdcdcdcdcdcd","name":"call","kind":3,
            "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1700000002000000000,
            "attributes":[{"key":"a","value":{"intValue":"7"}},{"key":"b","value":{"boolValue":true}},
                {"key":"c","value":{"doubleValue":0.5}},{"key":"d","value":{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":2}]}}}],
            "status":{"code":2,"message":"no"}}]}]}]}"#;
    let mut same = span(serde_json::json!({"a": 7, "b": true, "c": 0.5, "d": ["x", 2]}));
    same.status = Some(Status { code: 2, message: "no".to_owned() });
    let from_json = read_as(Signal::Traces, json.as_bytes(), Encoding::Json).unwrap();
    let from_protobuf = taken(vec![same]);
    assert_eq!((from_json.parts.len(), from_json.parts[0].rows), (1, 1));
    assert_eq!(from_json.parts[0].bytes, from_protobuf.parts[0].bytes);
}

#[test]
fn what_is_refused_is_not_sent_back_whole() {
    let name = "é".repeat(1 << 20);
    let span = Span { name: name.clone(), trace_id: vec![1], ..span(serde_json::json!({})) };
    let scope =
        ScopeMetrics { metrics: vec![Metric { name, ..Metric::default() }], ..ScopeMetrics::default() };
    let of_resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    let metrics = ExportMetricsServiceRequest { resource_metrics: vec![of_resource] };
    for (signal, message) in
        [(Signal::Traces, request(vec![span]).encode_to_vec()), (Signal::Metrics, metrics.encode_to_vec())]
    {
        let why = read_as(signal, &message, Encoding::Protobuf).unwrap().why.unwrap();
        assert!(why.contains("éé") && why.contains("accepted are"), "{signal:?}");
        assert!(why.len() < 1_000, "{signal:?}: {} bytes", why.len());
    }
}

#[test]
fn a_span_out_of_time_or_without_ids_is_rejected_alone() {
    let mut early = span(serde_json::json!({}));
    early.start_time_unix_nano = 1_700_000_000; // seconds
    let mut late = span(serde_json::json!({}));
    late.start_time_unix_nano = u64::MAX;
    let mut nameless = span(serde_json::json!({}));
    nameless.span_id.clear();
    let intake = taken(vec![early, span(serde_json::json!({})), late, nameless]);
    assert_eq!((rows_of(&intake, Table::Spans), intake.rejected), (1, 3));
    assert_eq!(intake.parts[0].rejected, [(Code::TsOutOfRange, 2), (Code::TraceIdInvalid, 1)]);
    assert!(intake.why.unwrap().contains("1971 to 2106"));
}

/// So many log records of two bytes, under a resource with one attribute of so many.
fn logs(records: usize, bytes: usize) -> Vec<u8> {
    let resource = Resource {
        attributes: attributes(serde_json::json!({"a": "x".repeat(bytes)})),
        ..Resource::default()
    };
    let scope_logs =
        vec![ScopeLogs { log_records: vec![LogRecord::default(); records], ..ScopeLogs::default() }];
    let of_resource = ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![of_resource] }.encode_to_vec()
}

#[test]
fn what_a_resource_says_is_not_written_without_a_bound() {
    let (encoding, bytes_max) = (Encoding::Protobuf, 100_000);
    let within = |message: Vec<u8>| read_within(Signal::Logs, &message, (encoding, bytes_max)).unwrap();
    let few = within(logs(30, 10_000));
    assert_eq!((few.too_large, few.parts[0].rows), (None, 30));
    let many = within(logs(50, 10_000));
    assert_eq!(
        many.too_large.unwrap(),
        "the rows of the message have more than 400000 bytes; send smaller batches"
    );
    assert!(many.parts.is_empty(), "nothing of it is taken");
    let most = usize::try_from(windvane_store::Block::ROWS_MAX).unwrap();
    let small = read_within(Signal::Logs, &logs(most + 1, 0), (encoding, 1 << 30)).unwrap();
    assert!(small.too_large.unwrap().contains(&format!("{most} rows of logs; send smaller batches")));
}

#[test]
fn a_row_that_is_too_long_is_refused_alone() {
    let max = Limits::default().record_bytes_max;
    let long = read_as(Signal::Logs, &logs(2, max), Encoding::Protobuf).unwrap();
    assert_eq!((long.rejected, long.parts[0].rows, long.parts[0].bytes.len()), (2, 0, 0));
    assert_eq!(long.parts[0].rejected, [(Code::RecordTooLarge, 2)]);
    let spans = vec![span(serde_json::json!({"a": 1})), span(serde_json::json!({"a": "x".repeat(max)}))];
    let intake = taken(spans);
    assert_eq!((intake.rejected, rows_of(&intake, Table::Spans)), (1, 1));
    assert!(intake.why.unwrap().contains(&format!("accepted are up to {max}")));
}

#[test]
fn windvane_attributes_are_events_by_the_rules_of_json() {
    let prediction = serde_json::json!({"windvane.model": "delay", "windvane.version": "7", "windvane.feature.distance": 1400,
        "windvane.feature.carrier": "UA", "windvane.tag.region": "east", "windvane.arm.x": "B",
        "windvane.prediction.label": "late", "windvane.prediction.probability.late": 0.75});
    let outcome = serde_json::json!({"windvane.model": "delay", "windvane.event_id": "e1", "windvane.outcome.label": "late"});
    let both = serde_json::json!({"windvane.model": "delay", "windvane.prediction.value": 1.5, "windvane.outcome.value": 2});
    let unknown = serde_json::json!({"windvane.model": "delay", "windvane.verison": "7"});
    let other = serde_json::json!({"windvane.version": "7"});
    for (of, predictions, outcomes, rejected) in [
        (prediction, 1, 0, &[][..]),
        (outcome, 0, 1, &[]),
        (both, 1, 1, &[]),
        (unknown, 0, 0, &[(Code::UnknownField, 1)]),
        (other, 0, 0, &[]),
    ] {
        let intake = taken(vec![span(of.clone())]);
        let found = (
            rows_of(&intake, Table::Spans),
            rows_of(&intake, Table::Predictions),
            rows_of(&intake, Table::Outcomes),
        );
        assert_eq!(found, (1, predictions, outcomes), "{of}: {:?}", intake.why);
        let part = intake.parts.iter().find(|part| part.table == Table::Predictions);
        assert_eq!(part.map_or(&[][..], |part| &part.rejected), rejected, "{of}");
        assert_eq!(intake.rejected, 0, "the span itself is kept");
        assert_eq!(intake.why.is_some(), !rejected.is_empty());
    }
}

#[test]
fn logs_and_metrics_have_their_tables_and_what_is_not_kept_is_said() {
    let logs = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[
        {"timeUnixNano":"1700000000000000000","severityNumber":9,"body":{"stringValue":"hello"}},
        {"observedTimeUnixNano":"1700000000000000000","body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}}]}}},
        {"body":{"stringValue":"when?"}},
        {"timeUnixNano":"5","body":{"stringValue":"too early"}}]}]}]}"#;
    let intake = read_as(Signal::Logs, logs.as_bytes(), Encoding::Json).unwrap();
    assert_eq!((rows_of(&intake, Table::Logs), intake.rejected), (3, 1));
    let metrics = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"1700000000000000000","asDouble":1.5},{"timeUnixNano":"1700000000000000000","asInt":"3"}]}},
        {"name":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"1700000000000000000","asInt":4}]}},
        {"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":"1700000000000000000","count":"3","sum":6,"bucketCounts":["1","2"],"explicitBounds":[1.5]}]}},
        {"name":"e","exponentialHistogram":{"dataPoints":[{"timeUnixNano":"1700000000000000000","count":"3","scale":1}]}},
        {"name":"future","spline":{"dataPoints":[{"timeUnixNano":"1700000000000000000"}]}},
        {"name":"q","summary":{"dataPoints":[{"timeUnixNano":"1700000000000000000","count":"3"}]}}]}]}]}"#;
    let intake = read_as(Signal::Metrics, metrics.as_bytes(), Encoding::Json).unwrap();
    let kinds = [
        Table::MetricsGauge,
        Table::MetricsSum,
        Table::MetricsHistogram,
        Table::MetricsExponentialHistogram,
        Table::MetricsSummary,
    ];
    assert_eq!((kinds.map(|table| rows_of(&intake, table)), intake.rejected), ([2, 1, 1, 1, 1], 1));
    assert!(intake.why.unwrap().contains("metric_kind_unsupported"));
}

proptest! {
    // Whatever the bytes are, reading them ends with rows or a refusal, never with a panic.
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for signal in Signal::ALL {
            for encoding in [Encoding::Protobuf, Encoding::Json] {
                let _ = read_as(signal, &bytes, encoding);
            }
        }
    }

    // The same for a message in which some bytes are others.
    #[test]
    fn a_message_with_other_bytes_is_taken_or_refused(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let of = serde_json::json!({"windvane.model": "m", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "n": [1, "x"]});
        let mut message = request(vec![span(of.clone()), span(of)]).encode_to_vec();
        for (at, byte) in changes {
            let at = at.index(message.len());
            message[at] = byte;
        }
        for signal in Signal::ALL {
            let _ = read_as(signal, &message, Encoding::Protobuf);
        }
    }
}
