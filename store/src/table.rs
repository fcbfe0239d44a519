//! The tables that events are inserted into, and the numbered column layouts of their wire rows.
//!
//! A layout is the list of columns whose values a RowBinary row holds, in order. A frame in the collector's spool
//! records the layout it was encoded with, and the INSERT names those columns, so that frames written by an older
//! binary still go in after a migration added columns. A published layout never changes: a new one is appended.

use std::fmt;

use crate::wire::Column;
use crate::{exposures, llm_calls, logs, measurements, metrics, outcomes, payloads, predictions, spans};

/// A table that events are inserted into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// What models answered.
    Predictions,
    /// The ground truth of predictions.
    Outcomes,
    /// Which arm of an experiment a unit was assigned to.
    Exposures,
    /// Values of metrics of units.
    Measurements,
    /// Tensors that models were given.
    Payloads,
    /// OpenTelemetry spans.
    Spans,
    /// Calls of large language models, read out of spans.
    LlmCalls,
    /// OpenTelemetry log records.
    Logs,
    /// OpenTelemetry data points of gauges.
    MetricsGauge,
    /// OpenTelemetry data points of sums.
    MetricsSum,
    /// OpenTelemetry data points of histograms.
    MetricsHistogram,
    /// OpenTelemetry data points of exponential histograms.
    MetricsExponentialHistogram,
    /// OpenTelemetry data points of summaries.
    MetricsSummary,
}

impl Table {
    /// Every table, in a fixed order.
    pub const ALL: [Self; 13] = [
        Self::Predictions,
        Self::Outcomes,
        Self::Exposures,
        Self::Measurements,
        Self::Payloads,
        Self::Spans,
        Self::LlmCalls,
        Self::Logs,
        Self::MetricsGauge,
        Self::MetricsSum,
        Self::MetricsHistogram,
        Self::MetricsExponentialHistogram,
        Self::MetricsSummary,
    ];

    /// The table's name in the database; also the word of its ingestion path and metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Predictions => "predictions",
            Self::Outcomes => "outcomes",
            Self::Exposures => "exposures",
            Self::Measurements => "measurements",
            Self::Payloads => "payloads",
            Self::Spans => "spans",
            Self::LlmCalls => "llm_calls",
            Self::Logs => "logs",
            Self::MetricsGauge => "metrics_gauge",
            Self::MetricsSum => "metrics_sum",
            Self::MetricsHistogram => "metrics_histogram",
            Self::MetricsExponentialHistogram => "metrics_exponential_histogram",
            Self::MetricsSummary => "metrics_summary",
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The number of the layout that this binary encodes; layouts are numbered from 1.
    #[must_use]
    pub fn layout(self) -> u16 {
        u16::try_from(self.layouts().len()).expect("a table has far fewer than 65,536 layouts")
    }

    /// The columns of a layout in wire order; `None` for a layout that this binary does not know.
    #[must_use]
    pub fn columns(self, layout: u16) -> Option<&'static [Column]> {
        self.layouts().get(usize::from(layout).checked_sub(1)?).copied()
    }

    const fn layouts(self) -> &'static [&'static [Column]] {
        match self {
            Self::Predictions => predictions::LAYOUTS,
            Self::Outcomes => outcomes::LAYOUTS,
            Self::Exposures => exposures::LAYOUTS,
            Self::Measurements => measurements::LAYOUTS,
            Self::Payloads => payloads::LAYOUTS,
            Self::Spans => spans::LAYOUTS,
            Self::LlmCalls => llm_calls::LAYOUTS,
            Self::Logs => logs::LAYOUTS,
            Self::MetricsGauge => metrics::GAUGE_LAYOUTS,
            Self::MetricsSum => metrics::SUM_LAYOUTS,
            Self::MetricsHistogram => metrics::HISTOGRAM_LAYOUTS,
            Self::MetricsExponentialHistogram => metrics::EXPONENTIAL_HISTOGRAM_LAYOUTS,
            Self::MetricsSummary => metrics::SUMMARY_LAYOUTS,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_layouts_never_change() {
        let layouts: Vec<String> = Table::ALL
            .into_iter()
            .flat_map(|table| {
                (1..=table.layout()).map(move |n| {
                    let columns = table.columns(n).expect("it exists").iter();
                    let columns: Vec<_> = columns.map(|c| format!("{}:{:?}", c.name, c.wire)).collect();
                    format!("{table} {n}: {}", columns.join(" "))
                })
            })
            .collect();
        insta::assert_snapshot!(layouts.join("\n"), @r"
        predictions 1: event_id:Text ts:Micros ingested_at:Micros model:Word version:Word environment:Word unit_id:Text arms:Words num:Numbers cat:Words embeddings:Vectors kind:Word score:OptionalNumber label:OptionalWord probabilities:Numbers value:OptionalNumber latency_us:OptionalCount status:Word trace_id:Text span_id:Text tags:Words
        outcomes 1: model:Word event_id:Text ts:Micros ingested_at:Micros label:OptionalWord value:OptionalNumber
        exposures 1: experiment:Word unit_id:Text arm:Word ts:Micros event_id:Text ingested_at:Micros
        measurements 1: metric:Word unit_id:Text ts:Micros value:Number event_id:Text ingested_at:Micros
        payloads 1: event_id:Text ts:Micros ingested_at:Micros model:Word version:Word environment:Word inputs:Text outputs:Text
        spans 1: Timestamp:Nanos TraceId:Text SpanId:Text ParentSpanId:Text TraceState:Text SpanName:Word SpanKind:Word ServiceName:Word ResourceAttributes:Attributes ScopeName:Text ScopeVersion:Text SpanAttributes:Attributes Duration:Count StatusCode:Word StatusMessage:Text Events.Timestamp:NanosList Events.Name:WordList Events.Attributes:AttributesList Links.TraceId:TextList Links.SpanId:TextList Links.TraceState:TextList Links.Attributes:AttributesList IngestedAt:Micros
        llm_calls 1: ts:Micros ingested_at:Micros trace_id:Text span_id:Text service:Word environment:Word operation:Word provider:Word request_model:Word response_model:Word response_id:Text conversation_id:Text input_tokens:OptionalCount output_tokens:OptionalCount cache_read_tokens:OptionalCount cache_write_tokens:OptionalCount reasoning_tokens:OptionalCount finish_reasons:WordList streamed:Flag duration_us:Count time_to_first_token_us:OptionalCount time_per_output_token_us:OptionalNumber cost:OptionalNumber currency:Word status:Word convention:Word
        logs 1: Timestamp:Nanos TraceId:Text SpanId:Text TraceFlags:Count SeverityText:Word SeverityNumber:Count ServiceName:Word Body:Text ResourceSchemaUrl:Word ResourceAttributes:Attributes ScopeSchemaUrl:Word ScopeName:Text ScopeVersion:Word ScopeAttributes:Attributes LogAttributes:Attributes EventName:Text IngestedAt:Micros
        metrics_gauge 1: ResourceAttributes:Attributes ResourceSchemaUrl:Word ScopeName:Text ScopeVersion:Word ScopeAttributes:Attributes ScopeSchemaUrl:Word ServiceName:Word MetricName:Word MetricDescription:Word MetricUnit:Word Attributes:Attributes StartTimeUnix:Nanos TimeUnix:Nanos Flags:Count IngestedAt:Micros Value:Number
        metrics_sum 1: ResourceAttributes:Attributes ResourceSchemaUrl:Word ScopeName:Text ScopeVersion:Word ScopeAttributes:Attributes ScopeSchemaUrl:Word ServiceName:Word MetricName:Word MetricDescription:Word MetricUnit:Word Attributes:Attributes StartTimeUnix:Nanos TimeUnix:Nanos Flags:Count IngestedAt:Micros Value:Number AggregationTemporality:Count IsMonotonic:Flag
        metrics_histogram 1: ResourceAttributes:Attributes ResourceSchemaUrl:Word ScopeName:Text ScopeVersion:Word ScopeAttributes:Attributes ScopeSchemaUrl:Word ServiceName:Word MetricName:Word MetricDescription:Word MetricUnit:Word Attributes:Attributes StartTimeUnix:Nanos TimeUnix:Nanos Flags:Count IngestedAt:Micros Count:Count Sum:Number BucketCounts:CountList ExplicitBounds:NumberList Min:Number Max:Number AggregationTemporality:Count
        metrics_exponential_histogram 1: ResourceAttributes:Attributes ResourceSchemaUrl:Word ScopeName:Text ScopeVersion:Word ScopeAttributes:Attributes ScopeSchemaUrl:Word ServiceName:Word MetricName:Word MetricDescription:Word MetricUnit:Word Attributes:Attributes StartTimeUnix:Nanos TimeUnix:Nanos Flags:Count IngestedAt:Micros Count:Count Sum:Number Scale:Integer ZeroCount:Count ZeroThreshold:Number PositiveOffset:Integer PositiveBucketCounts:CountList NegativeOffset:Integer NegativeBucketCounts:CountList Min:Number Max:Number AggregationTemporality:Count
        metrics_summary 1: ResourceAttributes:Attributes ResourceSchemaUrl:Word ScopeName:Text ScopeVersion:Word ScopeAttributes:Attributes ScopeSchemaUrl:Word ServiceName:Word MetricName:Word MetricDescription:Word MetricUnit:Word Attributes:Attributes StartTimeUnix:Nanos TimeUnix:Nanos Flags:Count IngestedAt:Micros Count:Count Sum:Number ValueAtQuantiles.Quantile:NumberList ValueAtQuantiles.Value:NumberList
        ");
    }

    #[test]
    fn a_layout_that_is_not_known_has_no_columns() {
        for table in Table::ALL {
            assert_eq!(table.columns(0), None);
            assert_eq!(table.columns(table.layout() + 1), None);
            assert_eq!(Table::from_name(table.name()), Some(table));
        }
    }
}
