//! Spans from a seed, with ten attributes each: as messages of OpenTelemetry's protocol, and as the store's rows.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use windvane_store::Attributes;
use windvane_store::spans::Row;
use windvane_types::{Clock, SystemClock, hex};

use crate::events::BATCH;

/// Different messages; each is sent again under other ids.
const TEMPLATES: usize = 40;
/// Stand where the ids of a span will be.
const TRACE_HOLE: &[u8; 16] = b"id-of-this-trace";
const SPAN_HOLE: &[u8; 8] = b"id-of-it";
/// The field number and the length of a span's id stand behind the id of its trace.
const BETWEEN: usize = 2;

const NAMES: [&str; 4] = ["GET /", "GET /cart", "POST /pay", "predict"];
const WORDS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Messages of spans, with holes for the ids.
#[derive(Debug)]
pub(crate) struct Spans {
    batches: Vec<Batch>,
    resource: Attributes,
}

#[derive(Debug)]
struct Batch {
    /// Each with its attributes as the store has them.
    spans: Vec<(Span, Attributes)>,
    message: Vec<u8>,
    holes: Vec<usize>,
}

impl Spans {
    pub(crate) fn generate() -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let now_us = u64::try_from(SystemClock.now().as_microsecond()).expect("1970 is past");
        let resource = |service: &str| {
            let environment = Value::StringValue("bench".to_owned());
            let service = Value::StringValue(service.to_owned());
            vec![attribute("service.name", service), attribute("deployment.environment.name", environment)]
        };
        let batches = (0..TEMPLATES).map(|_| {
            let spans = (0..BATCH).map(|_| span(&mut random, now_us * 1000)).collect();
            Batch::of(spans, resource("http"))
        });
        Self { batches: batches.collect(), resource: encoded(&resource("direct")) }
    }

    pub(crate) fn bytes_of_one(&self) -> usize {
        self.batches[0].message.len() / self.batches[0].spans.len()
    }

    /// A message, with ids that no other message has.
    pub(crate) fn message(&self, batch: u64) -> Vec<u8> {
        let Batch { message, holes, .. } = self.of(batch);
        let mut message = message.clone();
        for (at, n) in holes.iter().zip(batch * BATCH..) {
            let (trace_id, span_id) = ids(n);
            let span_at = at + trace_id.len() + BETWEEN;
            message[*at..at + trace_id.len()].copy_from_slice(&trace_id);
            message[span_at..span_at + span_id.len()].copy_from_slice(&span_id);
        }
        message
    }

    /// Appends the same spans as the store's rows, of another service.
    pub(crate) fn encode(&self, batch: u64, ingested_at_us: i64, out: &mut Vec<u8>) {
        for ((span, attributes), n) in self.of(batch).spans.iter().zip(batch * BATCH..) {
            let (trace_id, span_id) = ids(n);
            let row = Row {
                ts_ns: i64::try_from(span.start_time_unix_nano).expect("no time after 2262"),
                trace_id: &hex::encode(&trace_id),
                span_id: &hex::encode(&span_id),
                parent_span_id: "",
                trace_state: "",
                name: &span.name,
                kind: "Server",
                service: "direct",
                resource: &self.resource,
                scope_name: "bench",
                scope_version: "",
                attributes,
                duration_ns: span.end_time_unix_nano - span.start_time_unix_nano,
                status: "Unset",
                status_message: "",
                events: &[],
                links: &[],
                ingested_at_us,
            };
            row.encode(out);
        }
    }

    fn of(&self, batch: u64) -> &Batch {
        &self.batches[usize::try_from(batch).unwrap_or(0) % TEMPLATES]
    }
}

impl Batch {
    fn of(spans: Vec<Span>, resource: Vec<KeyValue>) -> Self {
        let scope = InstrumentationScope { name: "bench".to_owned(), ..InstrumentationScope::default() };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource { attributes: resource, ..Resource::default() }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans: spans.clone(),
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        };
        let message = request.encode_to_vec();
        let holes = message.windows(TRACE_HOLE.len()).enumerate().filter(|(_, bytes)| bytes == TRACE_HOLE);
        let holes: Vec<usize> = holes.map(|(at, _)| at).collect();
        assert_eq!(holes.len(), spans.len(), "each span has a hole");
        let spans = spans.into_iter().map(|span| {
            let attributes = encoded(&span.attributes);
            (span, attributes)
        });
        Self { spans: spans.collect(), message, holes }
    }
}

fn span(random: &mut impl Rng, now_ns: u64) -> Span {
    let mut attributes = Vec::new();
    for n in 0..6 {
        let word = WORDS[random.random_range(0..WORDS.len())].to_owned();
        attributes.push(attribute(&format!("text.{n}"), Value::StringValue(word)));
    }
    for n in 0..3 {
        attributes.push(attribute(&format!("count.{n}"), Value::IntValue(random.random_range(0..1000))));
    }
    attributes.push(attribute("share", Value::DoubleValue(random.random())));
    Span {
        trace_id: TRACE_HOLE.to_vec(),
        span_id: SPAN_HOLE.to_vec(),
        name: NAMES[random.random_range(0..NAMES.len())].to_owned(),
        kind: 2,
        start_time_unix_nano: now_ns,
        end_time_unix_nano: now_ns + random.random_range(1_000_000..1_000_000_000_u64),
        attributes,
        ..Span::default()
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Attributes as the collector writes them.
fn encoded(attributes: &[KeyValue]) -> Attributes {
    let mut encoded = Attributes::default();
    for KeyValue { key, value, .. } in attributes {
        let text = match value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(n)) => n.to_string(),
            Some(Value::DoubleValue(n)) => n.to_string(),
            other => panic!("no span here has {other:?}"),
        };
        encoded.push(key, &text);
    }
    encoded
}

/// The ids of span number `n`: its trace's and its own. An id of zeros is none.
fn ids(n: u64) -> ([u8; 16], [u8; 8]) {
    ((u128::from(n) + 1).to_be_bytes(), (n + 1).to_be_bytes())
}
