//! Log records into rows of `logs`, and of events where their attributes say so.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use windvane_store::logs::Row;
use windvane_store::{Attributes, Table};
use windvane_types::hex;
use windvane_types::rejection::Fault;

use super::attributes::{Origin, encode, text};
use super::intake::Intake;
use super::windvane::Source;
use super::{Context, time, windvane};

/// What the records of a scope share.
struct Shared<'a> {
    origin: &'a Origin<'a>,
    of_resource: &'a ResourceLogs,
    of_scope: &'a ScopeLogs,
    scope: Attributes,
}

pub(super) fn rows(request: &ExportLogsServiceRequest, context: &Context<'_>, intake: &mut Intake) {
    for of_resource in &request.resource_logs {
        let origin = Origin::of(of_resource.resource.as_ref());
        for of_scope in &of_resource.scope_logs {
            let mut scope = Attributes::default();
            if let Some(instrumentation) = &of_scope.scope {
                encode(&instrumentation.attributes, &mut scope);
            }
            let shared = Shared { origin: &origin, of_resource, of_scope, scope };
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
    let Shared { origin, of_resource, of_scope, scope } = shared;
    let ts_ns = time_of(record, context.now_us)?;
    let (trace_id, span_id) = (hex::encode(&record.trace_id), hex::encode(&record.span_id));
    let mut attributes = Attributes::default();
    encode(&record.attributes, &mut attributes);
    let instrumentation = of_scope.scope.as_ref();
    let row = Row {
        ts_ns,
        trace_id: &trace_id,
        span_id: &span_id,
        // The low byte is W3C's; the others are OpenTelemetry's.
        trace_flags: record.flags.to_le_bytes()[0],
        severity: &record.severity_text,
        severity_number: u8::try_from(record.severity_number).unwrap_or_default(),
        service: origin.service,
        body: &record.body.as_ref().map(text).unwrap_or_default(),
        resource_schema_url: &of_resource.schema_url,
        resource: &origin.encoded,
        scope_schema_url: &of_scope.schema_url,
        scope_name: instrumentation.map_or("", |scope| &scope.name),
        scope_version: instrumentation.map_or("", |scope| &scope.version),
        scope,
        attributes: &attributes,
        event_name: &record.event_name,
        ingested_at_us: context.now_us,
    };
    intake.add(Table::Logs, context, |out| row.encode(out))?;
    let source =
        Source { ts_us: ts_ns / 1000, duration_us: None, failed: false, origin, ids: (&trace_id, &span_id) };
    windvane::events(&record.attributes, &source, context, intake);
    Ok(())
}
