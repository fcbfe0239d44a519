//! OpenTelemetry's protocol: exported traces, logs and metrics into rows of the tables that have their columns, and of the tables of
//! events where attributes say so.
//!
//! Everything here is pure; who received the bytes, and how the rows become durable, is `collector/src/http/otlp.rs` and
//! `collector/src/http/grpc.rs`.

mod attributes;
mod intake;
mod llm;
mod logs;
mod metrics;
mod prices;
mod scrub;
mod spans;
mod windvane;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use windvane_store::Table;
use windvane_types::event::{Kind, Limits};
use windvane_types::rejection::{Code, Fault};

pub(crate) use self::intake::{Intake, Part};
pub use self::prices::{Price, Prices};
use crate::decode::{IdMaker, ROW_BYTES_FACTOR};
use crate::door::Door;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Signal {
    pub(crate) const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// The last word of its path.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }

    /// The path of its gRPC method.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }

    /// The table that its refusals are counted under.
    pub(crate) fn table(self) -> Table {
        match self {
            Self::Traces => Table::Spans,
            Self::Logs => Table::Logs,
            Self::Metrics => Table::MetricsGauge,
        }
    }
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

/// What turning a message into rows needs besides it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'c> {
    /// What every event has to pass.
    pub(crate) door: Door<'c>,
    pub(crate) limits: &'c Limits,
    pub(crate) ids: &'c IdMaker,
    pub(crate) prices: &'c Prices,
    /// Bytes of a body after decompression; rows may take [`ROW_BYTES_FACTOR`] times as many.
    pub(crate) body_bytes_max: usize,
    /// Microseconds since 1970: when the message arrived.
    pub(crate) now_us: i64,
}

/// Reads a message of a signal and turns it into rows.
///
/// # Errors
/// The message is none of its kind: why.
pub(crate) fn rows(
    signal: Signal,
    message: &[u8],
    encoding: Encoding,
    context: &Context<'_>,
) -> Result<Intake, String> {
    let mut intake = Intake::default();
    match signal {
        Signal::Traces => {
            let mut request: ExportTraceServiceRequest = read(message, encoding)?;
            scrub::traces(&mut request, context.door.redaction);
            spans::rows(&request, context, &mut intake);
        }
        Signal::Logs => {
            let mut request: ExportLogsServiceRequest = read(message, encoding)?;
            scrub::logs(&mut request, context.door.redaction);
            logs::rows(&request, context, &mut intake);
        }
        Signal::Metrics => {
            let mut request: ExportMetricsServiceRequest = read(message, encoding)?;
            scrub::metrics(&mut request, context.door.redaction);
            metrics::rows(&request, context, &mut intake);
        }
    }
    Ok(intake)
}

fn read<M>(message: &[u8], encoding: Encoding) -> Result<M, String>
where
    M: Message + Default + serde::de::DeserializeOwned,
{
    match encoding {
        Encoding::Protobuf => {
            M::decode(message).map_err(|error| format!("no valid protobuf message: {error}"))
        }
        Encoding::Json => {
            serde_json::from_slice(message).map_err(|error| format!("no valid OTLP JSON: {error}"))
        }
    }
}

impl Context<'_> {
    /// Bytes of the rows of a message, of all tables together.
    fn rows_bytes_max(&self) -> usize {
        self.body_bytes_max.saturating_mul(ROW_BYTES_FACTOR)
    }

    /// Bytes of one row.
    fn row_bytes_max(&self, table: Table) -> usize {
        let kind = if table == Table::Payloads { Kind::Payload } else { Kind::Prediction };
        self.limits.record_bytes_max(kind)
    }
}

/// The beginning of a name for what is said of it, which its sender is told and logs.
fn beginning(name: &str) -> String {
    const CHARS_MAX: usize = 64;
    name.chars().take(CHARS_MAX).collect()
}

/// The latest time that the tables of telemetry take: where ClickHouse's `DateTime`, which they are sorted by, ends.
const TIME_MAX_NS: u64 = 4_294_967_295 * 1_000_000_000;
/// The earliest: as of events, so that seconds or milliseconds are not taken for nanoseconds.
const TIME_MIN_NS: u64 = 31_536_000 * 1_000_000_000;

/// Checks a time of a record.
pub(crate) fn time(ns: u64, of: &str) -> Result<i64, Fault> {
    match i64::try_from(ns) {
        Ok(valid) if (TIME_MIN_NS..=TIME_MAX_NS).contains(&ns) => Ok(valid),
        _ => Err(Fault::new(
            Code::TsOutOfRange,
            format!("the {of} is at {ns} nanoseconds since 1970; accepted are 1971 to 2106"),
        )),
    }
}

/// A time that only explains another: out of range, it is the nearest in range.
fn clamped(ns: u64) -> i64 {
    i64::try_from(ns.min(TIME_MAX_NS)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
