//! Messages in both encodings, what their attributes become, and bytes that are none.

mod words;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use uuid::Uuid;

use super::attributes::Origin;
use super::spans::Checked;
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

/// What the tests ask of a call.
type Call = (&'static str, &'static str, [Option<u64>; 5], Option<f64>);
/// Finish reasons, time to the first token, time per token.
type Course = (Vec<String>, Option<u64>, Option<f64>);

/// Reads the call that a span is, if it is one.
fn with_call<T>(span: &Span, read: impl FnOnce(&windvane_store::llm_calls::Row<'_>) -> T) -> Option<T> {
    in_context(Door::open(), |context| {
        let origin = Origin::of(None, "", context.door.words);
        let duration_ns = span.end_time_unix_nano - span.start_time_unix_nano;
        let ts_ns = i64::try_from(span.start_time_unix_nano).unwrap();
        let checked = Checked { span, origin: &origin, trace_id: "t", span_id: "s", ts_ns, duration_ns };
        llm::call(&checked, context).map(|call| read(&call))
    })
}

fn call_of(span: &Span) -> Option<(Call, Course)> {
    with_call(span, |call| {
        let tokens = [
            call.input_tokens,
            call.output_tokens,
            call.cache_read_tokens,
            call.cache_write_tokens,
            call.reasoning_tokens,
        ];
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let finish = call.finish_reasons.iter().map(|reason| (*reason).to_owned()).collect();
        let what = (
            leak(&format!("{} {} {}", call.convention, call.operation, call.provider)),
            leak(call.response_model),
            tokens,
            call.cost,
        );
        (what, (finish, call.time_to_first_token_us, call.time_per_output_token_us))
    })
}

/// Each name of docs/FORMATS.md that has a column of its own; where several are there the first one counts.
#[test]
fn names_of_every_convention_give_conversation_finish_and_models() {
    let gen_ai = serde_json::json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"});
    let openinference = serde_json::json!({"openinference.span.kind": "LLM"});
    let openllmetry = serde_json::json!({"llm.request.type": "chat"});
    let cases = [
        (
            &gen_ai,
            serde_json::json!({"gen_ai.conversation.id": "c1", "session.id": "no"}),
            ["c1", "", "m", "m"],
        ),
        (
            &gen_ai,
            serde_json::json!({"gen_ai.response.finish_reasons": ["stop", "length"]}),
            ["", "stop,length", "m", "m"],
        ),
        (
            &openinference,
            serde_json::json!({"session.id": "c2", "llm.finish_reason": "stop"}),
            ["c2", "stop", "", ""],
        ),
        (
            &openinference,
            serde_json::json!({"llm.model_name": "m-1", "llm.invocation_parameters": "{\"model\":\"m\"}"}),
            ["", "", "m", "m-1"],
        ),
        (
            &openinference,
            serde_json::json!({"llm.model_name": "m-1", "llm.invocation_parameters": "{}"}),
            ["", "", "m-1", "m-1"],
        ),
        (
            &openinference,
            serde_json::json!({"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e"}),
            ["", "", "e", "e"],
        ),
        (
            &openllmetry,
            serde_json::json!({"traceloop.association.properties.session_id": "c3", "gen_ai.completion.0.finish_reason": "stop"}),
            ["c3", "stop", "", ""],
        ),
        (
            &openllmetry,
            serde_json::json!({"llm.request.model": "m", "llm.response.model": "m-1", "llm.response.finish_reason": "length"}),
            ["", "length", "m", "m-1"],
        ),
    ];
    for (convention, more, expected) in cases {
        let mut of = convention.clone();
        of.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let found = with_call(&span(of.clone()), |call| {
            [call.conversation_id, &call.finish_reasons.join(","), call.request_model, call.response_model]
                .map(str::to_owned)
        });
        assert_eq!(found.as_ref().map(|found| found.each_ref().map(String::as_str)), Some(expected), "{of}");
    }
}

#[test]
fn tokens_and_providers_have_names_of_openinference_and_openllmetry() {
    let openinference = serde_json::json!({"openinference.span.kind": "LLM", "llm.system": "openai", "llm.token_count.prompt": 10,
        "llm.token_count.completion": 7, "llm.token_count.prompt_details.cache_input": 4,
        "llm.token_count.prompt_details.cache_write": 3, "llm.token_count.completion_details.reasoning": 2});
    let openllmetry = serde_json::json!({"llm.request.type": "completion", "llm.vendor": "openai", "llm.usage.prompt_tokens": 10,
        "llm.usage.completion_tokens": 7, "llm.usage.cache_read_input_tokens": 4, "llm.usage.cache_creation_input_tokens": 3,
        "llm.usage.reasoning_tokens": 2});
    for (of, what) in
        [(openinference, "openinference chat openai"), (openllmetry, "openllmetry text_completion openai")]
    {
        let (call, _) = call_of(&span(of)).unwrap();
        assert_eq!((call.0, call.2), (what, [Some(10), Some(7), Some(4), Some(3), Some(2)]));
    }
}

/// Costs by hand: prices of a million tokens 2.5 in, 10 out, 1.25 from the cache.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_convention_gives_the_same_columns() {
    let today = serde_json::json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 101, "gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.reasoning.output_tokens": 50,
        "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.time_to_first_chunk": 0.5});
    let before = serde_json::json!({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": 101});
    let openinference = serde_json::json!({"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 1000, "llm.token_count.completion": 101, "llm.token_count.prompt_details.cache_read": 400});
    let openllmetry = serde_json::json!({"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": "1000", "gen_ai.usage.completion_tokens": 101, "gen_ai.completion.0.finish_reason": "length"});
    let apart = serde_json::json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1,
        "gen_ai.usage.cache_read_input_tokens": 900, "gen_ai.usage.cache_creation_input_tokens": 90});
    let some = |n: u64| Some(n);
    let cases: [(serde_json::Value, Call, &[&str]); 5] = [
        (
            today,
            (
                "gen_ai chat openai",
                "gpt-4o-2024-08-06",
                [some(1000), some(101), some(400), None, some(50)],
                Some((600.0 * 2.5 + 400.0 * 1.25 + 101.0 * 10.0) / 1e6),
            ),
            &["stop"],
        ),
        (
            before,
            (
                "gen_ai chat openai",
                "gpt-4o",
                [some(1000), some(101), None, None, None],
                Some((1000.0 * 2.5 + 101.0 * 10.0) / 1e6),
            ),
            &[],
        ),
        (
            openinference,
            (
                "openinference chat openai",
                "gpt-4o",
                [some(1000), some(101), some(400), None, None],
                Some((600.0 * 2.5 + 400.0 * 1.25 + 101.0 * 10.0) / 1e6),
            ),
            &[],
        ),
        (
            openllmetry,
            (
                "openllmetry chat OpenAI",
                "gpt-4o",
                [some(1000), some(101), None, None, None],
                Some((1000.0 * 2.5 + 101.0 * 10.0) / 1e6),
            ),
            &["length"],
        ),
        (
            apart,
            ("gen_ai chat anthropic", "claude", [some(1000), some(1), some(900), some(90), None], None),
            &[],
        ),
    ];
    for (of, expected, finish) in cases {
        let (call, (found_finish, first, per_token)) =
            call_of(&span(of.clone())).unwrap_or_else(|| panic!("no call: {of}"));
        assert_eq!((call.0, call.1, call.2), (expected.0, expected.1, expected.2));
        assert_eq!(
            call.3.map(|cost| (cost * 1e9).round()),
            expected.3.map(|cost| (cost * 1e9).round()),
            "{of}"
        );
        assert_eq!(found_finish, finish);
        if of.get("gen_ai.response.time_to_first_chunk").is_some() {
            // 1.5 s for the 100 tokens after the first.
            assert_eq!((first, per_token), (Some(500_000), Some(15_000.0)));
        }
    }
}

#[test]
fn the_first_piece_of_an_answer_may_be_an_event() {
    let mut streamed = span(serde_json::json!({"openinference.span.kind": "LLM", "llm.model_name": "m"}));
    streamed.events = [900, 250]
        .map(|ms| Event {
            time_unix_nano: START_NS + ms * 1_000_000,
            name: "First Token Stream Event".to_owned(),
            ..Event::default()
        })
        .into();
    assert_eq!(call_of(&streamed).unwrap().1.1, Some(250_000));
}

#[test]
fn spans_around_calls_are_no_calls() {
    for of in [
        serde_json::json!({"http.request.method": "GET"}),
        serde_json::json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}),
        serde_json::json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5}),
        serde_json::json!({"openinference.span.kind": "CHAIN", "llm.model_name": "m"}),
    ] {
        let intake = taken(vec![span(of.clone())]);
        assert_eq!((rows_of(&intake, Table::Spans), rows_of(&intake, Table::LlmCalls)), (1, 0), "{of}");
    }
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
