//! Log records into rows of `logs`, and of events where their attributes say so.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ScopeLogs};
use windvane_store::Table;
use windvane_store::logs::Row;
use windvane_types::hex;
use windvane_types::rejection::Fault;

use super::attributes::{Encoded, Origin, Scope, text};
use super::intake::Intake;
use super::windvane::Source;
use super::{Context, time, windvane};
use crate::limits::Word;

/// What the records of a scope share.
struct Shared<'a> {
    origin: &'a Origin<'a>,
    scope: Scope<'a>,
}

pub(super) fn rows(request: &ExportLogsServiceRequest, context: &Context<'_>, intake: &mut Intake) {
    for of_resource in &request.resource_logs {
        let words = context.door.words;
        let origin = Origin::of(of_resource.resource.as_ref(), &of_resource.schema_url, words);
        for of_scope in &of_resource.scope_logs {
            let ScopeLogs { scope, schema_url, .. } = of_scope;
            let shared =
                Shared { origin: &origin, scope: Scope::of(scope.as_ref(), schema_url, &origin.words) };
            for record in &of_scope.log_records {
                if let Err(fault) = add(record, &shared, context, intake) {
                    intake.reject(Table::Logs, fault, 1);
                }
            }
        }
    }
}

/// When a record happened: where it does not say, when it was observed, and where it does not say that either, now.
fn time_of(record: &LogRecord, now_us: i64) -> Result<i64, Fault> {
    match (record.time_unix_nano, record.observed_time_unix_nano) {
        (0, 0) => Ok(now_us.saturating_mul(1000)),
        (0, observed) => time(observed, "observation of a log record"),
        (happened, _) => time(happened, "time of a log record"),
    }
}

fn add(
    record: &LogRecord,
    shared: &Shared<'_>,
    context: &Context<'_>,
    intake: &mut Intake,
) -> Result<(), Fault> {
    let Shared { origin, scope } = shared;
    let ts_ns = time_of(record, context.now_us)?;
    let (trace_id, span_id) = (hex::encode(&record.trace_id), hex::encode(&record.span_id));
    let mut encoded = Encoded::default();
    encoded.read(&record.attributes, &origin.words);
    let severity = encoded.word(&origin.words, Word::Severity, &record.severity_text);
    let row = Row {
        ts_ns,
        trace_id: &trace_id,
        span_id: &span_id,
        // The low byte is W3C's; the others are OpenTelemetry's.
        trace_flags: record.flags.to_le_bytes()[0],
        severity,
        severity_number: u8::try_from(record.severity_number).unwrap_or_default(),
        service: origin.service,
        body: &record.body.as_ref().map(text).unwrap_or_default(),
        resource_schema_url: origin.schema_url,
        resource: &origin.encoded.attributes,
        scope_schema_url: scope.schema_url,
        scope_name: scope.name,
        scope_version: scope.version,
        scope: &scope.encoded.attributes,
        attributes: &encoded.attributes,
        event_name: &record.event_name,
        ingested_at_us: context.now_us,
    };
    intake.add(Table::Logs, context, |out| row.encode(out))?;
    intake.note(Table::Logs, encoded.replaced.and(origin.encoded.replaced).and(scope.encoded.replaced));
    let source =
        Source { ts_us: ts_ns / 1000, duration_us: None, failed: false, origin, ids: (&trace_id, &span_id) };
    windvane::events(&record.attributes, &source, context, intake);
    Ok(())
}
