//! Spans into rows of `spans`, and of `llm_calls` and of events where their attributes say so.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use windvane_store::Table;
use windvane_store::spans::{Row, SpanEvent, SpanLink};
use windvane_types::hex;
use windvane_types::rejection::{Code, Fault};

use super::attributes::{Encoded, Origin};
use super::intake::Intake;
use super::windvane::Source;
use super::{Context, beginning, clamped, llm, time, windvane};
use crate::limits::{OfService, Replaced, Word};

/// Bytes of W3C's ids.
const TRACE_ID_BYTES: usize = 16;
const SPAN_ID_BYTES: usize = 8;

/// A span whose ids and times were checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked<'a> {
    pub(super) span: &'a Span,
    pub(super) origin: &'a Origin<'a>,
    pub(super) trace_id: &'a str,
    pub(super) span_id: &'a str,
    pub(super) ts_ns: i64,
    pub(super) duration_ns: u64,
}

impl Checked<'_> {
    pub(super) fn failed(&self) -> bool {
        self.span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
    }
}

pub(super) fn rows(request: &ExportTraceServiceRequest, context: &Context<'_>, intake: &mut Intake) {
    let mut encoded = Encoded::default();
    for of_resource in &request.resource_spans {
        // The table has no column of schemas.
        let origin = Origin::of(of_resource.resource.as_ref(), "", context.door.words);
        for of_scope in &of_resource.scope_spans {
            for span in &of_scope.spans {
                let ids = (hex::encode(&span.trace_id), hex::encode(&span.span_id));
                let added = check(span, &origin, (&ids.0, &ids.1)).and_then(|checked| {
                    encoded.read(&span.attributes, &origin.words);
                    add(&checked, of_scope, (&mut encoded, context), intake)
                });
                if let Err(fault) = added {
                    intake.reject(Table::Spans, fault, 1);
                }
            }
        }
    }
}

fn check<'a>(
    span: &'a Span,
    origin: &'a Origin<'a>,
    (trace_id, span_id): (&'a str, &'a str),
) -> Result<Checked<'a>, Fault> {
    if span.trace_id.len() != TRACE_ID_BYTES || span.span_id.len() != SPAN_ID_BYTES {
        let message = format!(
            "the span `{}` has a trace id of {} bytes and a span id of {}; accepted are {TRACE_ID_BYTES} and {SPAN_ID_BYTES}",
            beginning(&span.name),
            span.trace_id.len(),
            span.span_id.len()
        );
        return Err(Fault::new(Code::TraceIdInvalid, message));
    }
    let ts_ns = time(span.start_time_unix_nano, "start of a span")?;
    let duration_ns = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
    Ok(Checked { span, origin, trace_id, span_id, ts_ns, duration_ns })
}

fn add(
    checked: &Checked<'_>,
    of_scope: &ScopeSpans,
    (encoded, context): (&mut Encoded, &Context<'_>),
    intake: &mut Intake,
) -> Result<(), Fault> {
    let Checked { span, origin, trace_id, span_id, ts_ns, duration_ns } = *checked;
    let name = encoded.word(&origin.words, Word::Span, &span.name);
    let mut replaced = encoded.replaced.and(origin.encoded.replaced);
    let events: Vec<_> = span.events.iter().map(|one| event(one, &origin.words, &mut replaced)).collect();
    let links: Vec<_> = span.links.iter().map(|one| link(one, &origin.words, &mut replaced)).collect();
    let scope = of_scope.scope.as_ref();
    let parent_span_id = hex::encode(&span.parent_span_id);
    let row = Row {
        ts_ns,
        trace_id,
        span_id,
        parent_span_id: &parent_span_id,
        trace_state: &span.trace_state,
        name,
        kind: kind(span.kind()),
        service: origin.service,
        resource: &origin.encoded.attributes,
        scope_name: scope.map_or("", |scope| &scope.name),
        scope_version: scope.map_or("", |scope| &scope.version),
        attributes: &encoded.attributes,
        duration_ns,
        status: status(span),
        status_message: span.status.as_ref().map_or("", |status| &status.message),
        events: &events,
        links: &links,
        ingested_at_us: context.now_us,
    };
    // What it says of a call or of an event goes with it.
    intake.add(Table::Spans, context, |out| row.encode(out))?;
    intake.note(Table::Spans, replaced);
    if let Some(mut call) = llm::call(checked, context) {
        let replaced = llm::bound(&mut call, &origin.words);
        match intake.add(Table::LlmCalls, context, |out| call.encode(out)) {
            Ok(()) => intake.note(Table::LlmCalls, replaced),
            Err(fault) => intake.refuse(Table::LlmCalls, fault, 1),
        }
    }
    windvane::events(&span.attributes, &Source::span(checked), context, intake);
    Ok(())
}

fn event<'e>(event: &'e Event, words: &OfService<'_>, replaced: &mut Replaced) -> SpanEvent<'e> {
    let mut encoded = Encoded::default();
    encoded.read(&event.attributes, words);
    let name = encoded.word(words, Word::SpanEvent, &event.name);
    *replaced = replaced.and(encoded.replaced);
    SpanEvent { ts_ns: clamped(event.time_unix_nano), name, attributes: encoded.attributes }
}

fn link<'l>(link: &'l Link, words: &OfService<'_>, replaced: &mut Replaced) -> SpanLink<'l> {
    let mut encoded = Encoded::default();
    encoded.read(&link.attributes, words);
    *replaced = replaced.and(encoded.replaced);
    SpanLink {
        trace_id: hex::encode(&link.trace_id),
        span_id: hex::encode(&link.span_id),
        trace_state: &link.trace_state,
        attributes: encoded.attributes,
    }
}

/// The exporter's words.
fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "Unspecified",
        SpanKind::Internal => "Internal",
        SpanKind::Server => "Server",
        SpanKind::Client => "Client",
        SpanKind::Producer => "Producer",
        SpanKind::Consumer => "Consumer",
    }
}

fn status(span: &Span) -> &'static str {
    match span.status.as_ref().map(|status| status.code()) {
        None | Some(StatusCode::Unset) => "Unset",
        Some(StatusCode::Ok) => "Ok",
        Some(StatusCode::Error) => "Error",
    }
}
