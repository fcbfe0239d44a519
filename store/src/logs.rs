//! The `logs` table: OpenTelemetry log records in the columns of the ClickHouse exporter's `otel_logs`.

use crate::Attributes;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};

/// The layouts of the table's wire rows, oldest first; see [`crate::Table`].
pub(crate) const LAYOUTS: &[&[Column]] = &[&[
    column("Timestamp", Wire::Nanos),
    column("TraceId", Wire::Text),
    column("SpanId", Wire::Text),
    column("TraceFlags", Wire::Count),
    column("SeverityText", Wire::Word),
    column("SeverityNumber", Wire::Count),
    column("ServiceName", Wire::Word),
    column("Body", Wire::Text),
    column("ResourceSchemaUrl", Wire::Word),
    column("ResourceAttributes", Wire::Attributes),
    column("ScopeSchemaUrl", Wire::Word),
    column("ScopeName", Wire::Text),
    column("ScopeVersion", Wire::Word),
    column("ScopeAttributes", Wire::Attributes),
    column("LogAttributes", Wire::Attributes),
    column("EventName", Wire::Text),
    column("IngestedAt", Wire::Micros),
]];

/// One row of `logs` in the current layout, borrowed from the record.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// When it happened, nanoseconds since 1970 UTC.
    pub ts_ns: i64,
    /// W3C trace id, hex, or empty.
    pub trace_id: &'a str,
    /// W3C span id, hex, or empty.
    pub span_id: &'a str,
    /// W3C trace flags.
    pub trace_flags: u8,
    /// How severe, in the source's words.
    pub severity: &'a str,
    /// How severe, 1 to 24; 0 where it was not said.
    pub severity_number: u8,
    /// The resource's `service.name`.
    pub service: &'a str,
    /// The text, or JSON of a structure.
    pub body: &'a str,
    /// Of the resource.
    pub resource_schema_url: &'a str,
    /// The resource.
    pub resource: &'a Attributes,
    /// Of the instrumentation.
    pub scope_schema_url: &'a str,
    /// The instrumentation's name.
    pub scope_name: &'a str,
    /// The instrumentation's version.
    pub scope_version: &'a str,
    /// The instrumentation's attributes.
    pub scope: &'a Attributes,
    /// The record's attributes.
    pub attributes: &'a Attributes,
    /// Which event, of an event.
    pub event_name: &'a str,
    /// When the collector took it, microseconds since 1970 UTC.
    pub ingested_at_us: i64,
}

impl Row<'_> {
    /// Appends the row in layout 1.
    pub fn encode(self, out: &mut Vec<u8>) {
        rb::i64(out, self.ts_ns);
        rb::string(out, self.trace_id);
        rb::string(out, self.span_id);
        rb::u64(out, self.trace_flags.into());
        rb::string(out, self.severity);
        rb::u64(out, self.severity_number.into());
        rb::string(out, self.service);
        rb::string(out, self.body);
        rb::string(out, self.resource_schema_url);
        self.resource.encode(out);
        rb::string(out, self.scope_schema_url);
        rb::string(out, self.scope_name);
        rb::string(out, self.scope_version);
        self.scope.encode(out);
        self.attributes.encode(out);
        rb::string(out, self.event_name);
        rb::i64(out, self.ingested_at_us);
    }
}
