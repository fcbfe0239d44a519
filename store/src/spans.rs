//! The `spans` table: OpenTelemetry spans in the columns of the ClickHouse exporter's `otel_traces`.

use crate::Attributes;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};

/// The layouts of the table's wire rows, oldest first; see [`crate::Table`].
pub(crate) const LAYOUTS: &[&[Column]] = &[&[
    column("Timestamp", Wire::Nanos),
    column("TraceId", Wire::Text),
    column("SpanId", Wire::Text),
    column("ParentSpanId", Wire::Text),
    column("TraceState", Wire::Text),
    column("SpanName", Wire::Word),
    column("SpanKind", Wire::Word),
    column("ServiceName", Wire::Word),
    column("ResourceAttributes", Wire::Attributes),
    column("ScopeName", Wire::Text),
    column("ScopeVersion", Wire::Text),
    column("SpanAttributes", Wire::Attributes),
    column("Duration", Wire::Count),
    column("StatusCode", Wire::Word),
    column("StatusMessage", Wire::Text),
    column("Events.Timestamp", Wire::NanosList),
    column("Events.Name", Wire::WordList),
    column("Events.Attributes", Wire::AttributesList),
    column("Links.TraceId", Wire::TextList),
    column("Links.SpanId", Wire::TextList),
    column("Links.TraceState", Wire::TextList),
    column("Links.Attributes", Wire::AttributesList),
    column("IngestedAt", Wire::Micros),
]];

/// Something that happened within a span.
#[derive(Debug, Clone)]
pub struct SpanEvent<'a> {
    /// When, nanoseconds since 1970 UTC.
    pub ts_ns: i64,
    /// What.
    pub name: &'a str,
    /// More about it.
    pub attributes: Attributes,
}

/// Another span that a span has to do with.
#[derive(Debug, Clone)]
pub struct SpanLink<'a> {
    /// Its trace, hex.
    pub trace_id: String,
    /// The span, hex.
    pub span_id: String,
    /// Its W3C trace state.
    pub trace_state: &'a str,
    /// More about it.
    pub attributes: Attributes,
}

/// One row of `spans` in the current layout, borrowed from the span.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// When it began, nanoseconds since 1970 UTC.
    pub ts_ns: i64,
    /// W3C trace id, hex.
    pub trace_id: &'a str,
    /// W3C span id, hex.
    pub span_id: &'a str,
    /// The span that it is part of, hex; empty of a root.
    pub parent_span_id: &'a str,
    /// W3C trace state.
    pub trace_state: &'a str,
    /// What it does.
    pub name: &'a str,
    /// `Internal`, `Server`, `Client`, `Producer`, `Consumer` or `Unspecified`.
    pub kind: &'a str,
    /// The resource's `service.name`.
    pub service: &'a str,
    /// The resource.
    pub resource: &'a Attributes,
    /// The instrumentation's name.
    pub scope_name: &'a str,
    /// The instrumentation's version.
    pub scope_version: &'a str,
    /// The span's attributes.
    pub attributes: &'a Attributes,
    /// How long it took, nanoseconds.
    pub duration_ns: u64,
    /// `Unset`, `Ok` or `Error`.
    pub status: &'a str,
    /// What went wrong.
    pub status_message: &'a str,
    /// What happened within it.
    pub events: &'a [SpanEvent<'a>],
    /// Other spans that it has to do with.
    pub links: &'a [SpanLink<'a>],
    /// When the collector took it, microseconds since 1970 UTC.
    pub ingested_at_us: i64,
}

impl Row<'_> {
    /// Appends the row in layout 1.
    pub fn encode(self, out: &mut Vec<u8>) {
        rb::i64(out, self.ts_ns);
        rb::string(out, self.trace_id);
        rb::string(out, self.span_id);
        rb::string(out, self.parent_span_id);
        rb::string(out, self.trace_state);
        rb::string(out, self.name);
        rb::string(out, self.kind);
        rb::string(out, self.service);
        self.resource.encode(out);
        rb::string(out, self.scope_name);
        rb::string(out, self.scope_version);
        self.attributes.encode(out);
        rb::u64(out, self.duration_ns);
        rb::string(out, self.status);
        rb::string(out, self.status_message);
        rb::array(out, self.events, |out, event| rb::i64(out, event.ts_ns));
        rb::array(out, self.events, |out, event| rb::string(out, event.name));
        rb::array(out, self.events, |out, event| event.attributes.encode(out));
        rb::array(out, self.links, |out, link| rb::string(out, &link.trace_id));
        rb::array(out, self.links, |out, link| rb::string(out, &link.span_id));
        rb::array(out, self.links, |out, link| rb::string(out, link.trace_state));
        rb::array(out, self.links, |out, link| link.attributes.encode(out));
        rb::i64(out, self.ingested_at_us);
    }
}
