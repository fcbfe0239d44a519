//! Data points of gauges, sums, histograms, exponential histograms and summaries into rows of their tables. A metric of any other kind is
//! refused, and the answer says so.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, SummaryDataPoint,
};
use windvane_store::metrics::{Buckets, ExponentialHistogram, Histogram, Point, Summary};
use windvane_store::{Attributes, Table};
use windvane_types::rejection::{Code, Fault};

use super::attributes::{Origin, encode};
use super::intake::Intake;
use super::{Context, clamped, time};

/// What the points of a scope share.
struct Shared<'a> {
    origin: &'a Origin<'a>,
    of_resource: &'a ResourceMetrics,
    of_scope: &'a ScopeMetrics,
    scope: Attributes,
    context: &'a Context<'a>,
}

/// What every kind of point has, in the words of the protocol.
struct Plain<'a> {
    attributes: &'a [KeyValue],
    start_ns: u64,
    ts_ns: u64,
    flags: u32,
}

/// [`Plain`] of a data point: each kind is a type of its own in the protocol, with these fields in all of them.
macro_rules! plain {
    ($point:expr) => {
        Plain {
            attributes: &$point.attributes,
            start_ns: $point.start_time_unix_nano,
            ts_ns: $point.time_unix_nano,
            flags: $point.flags,
        }
    };
}

pub(super) fn rows(request: &ExportMetricsServiceRequest, context: &Context<'_>, intake: &mut Intake) {
    for of_resource in &request.resource_metrics {
        let origin = Origin::of(of_resource.resource.as_ref());
        for of_scope in &of_resource.scope_metrics {
            let mut scope = Attributes::default();
            if let Some(instrumentation) = &of_scope.scope {
                encode(&instrumentation.attributes, &mut scope);
            }
            let shared = Shared { origin: &origin, of_resource, of_scope, scope, context };
            for metric in &of_scope.metrics {
                shared.add(metric, intake);
            }
        }
    }
}

impl Shared<'_> {
    fn add(&self, metric: &Metric, intake: &mut Intake) {
        match &metric.data {
            // What this protocol does not know yet is read as nothing.
            None => refuse(metric, intake),
            Some(Data::Gauge(gauge)) => {
                for point in &gauge.data_points {
                    let (table, value) = (Table::MetricsGauge, number(point));
                    self.write((metric, &plain!(point)), (table, intake), |point, out| {
                        point.encode_gauge(value, out)
                    });
                }
            }
            Some(Data::Sum(sum)) => {
                let kind = (temporality(sum.aggregation_temporality), sum.is_monotonic);
                for point in &sum.data_points {
                    let (table, value) = (Table::MetricsSum, number(point));
                    self.write((metric, &plain!(point)), (table, intake), |point, out| {
                        point.encode_sum(value, kind, out)
                    });
                }
            }
            Some(Data::Histogram(data)) => {
                for point in &data.data_points {
                    let (histogram, plain) = histogram(point, data.aggregation_temporality);
                    let table = Table::MetricsHistogram;
                    self.write((metric, &plain), (table, intake), |point, out| {
                        point.encode_histogram(&histogram, out)
                    });
                }
            }
            Some(Data::ExponentialHistogram(data)) => {
                for point in &data.data_points {
                    let (histogram, plain) = exponential_histogram(point, data.aggregation_temporality);
                    let table = Table::MetricsExponentialHistogram;
                    self.write((metric, &plain), (table, intake), |point, out| {
                        point.encode_exponential_histogram(&histogram, out)
                    });
                }
            }
            Some(Data::Summary(data)) => {
                for point in &data.data_points {
                    self.add_summary(metric, point, intake);
                }
            }
        }
    }

    fn add_summary(&self, metric: &Metric, point: &SummaryDataPoint, intake: &mut Intake) {
        let (quantiles, values): (Vec<f64>, Vec<f64>) =
            point.quantile_values.iter().map(|told| (told.quantile, told.value)).unzip();
        let summary = Summary { count: point.count, sum: point.sum, quantiles: &quantiles, values: &values };
        self.write((metric, &plain!(point)), (Table::MetricsSummary, intake), |point, out| {
            point.encode_summary(&summary, out)
        });
    }

    fn write(
        &self,
        (metric, plain): (&Metric, &Plain<'_>),
        (table, intake): (Table, &mut Intake),
        encode_row: impl FnOnce(&Point<'_>, &mut Vec<u8>),
    ) {
        let ts_ns = match time(plain.ts_ns, "time of a data point") {
            Ok(ts_ns) => ts_ns,
            Err(fault) => return intake.reject(table, fault, 1),
        };
        let mut attributes = Attributes::default();
        encode(plain.attributes, &mut attributes);
        let instrumentation = self.of_scope.scope.as_ref();
        let point = Point {
            resource: &self.origin.encoded,
            resource_schema_url: &self.of_resource.schema_url,
            scope_name: instrumentation.map_or("", |scope| &scope.name),
            scope_version: instrumentation.map_or("", |scope| &scope.version),
            scope: &self.scope,
            scope_schema_url: &self.of_scope.schema_url,
            service: self.origin.service,
            name: &metric.name,
            description: &metric.description,
            unit: &metric.unit,
            attributes: &attributes,
            start_ns: clamped(plain.start_ns),
            ts_ns,
            flags: plain.flags,
            ingested_at_us: self.context.now_us,
        };
        if let Err(fault) = intake.add(table, self.context, |out| encode_row(&point, out)) {
            intake.reject(table, fault, 1);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "the exporter's column is a 64-bit float")]
fn number(point: &NumberDataPoint) -> f64 {
    match point.value {
        Some(Value::AsDouble(n)) => n,
        Some(Value::AsInt(n)) => n as f64,
        None => 0.0,
    }
}

fn histogram(point: &HistogramDataPoint, said: i32) -> (Histogram<'_>, Plain<'_>) {
    let histogram = Histogram {
        count: point.count,
        sum: point.sum.unwrap_or_default(),
        bucket_counts: &point.bucket_counts,
        explicit_bounds: &point.explicit_bounds,
        min: point.min.unwrap_or_default(),
        max: point.max.unwrap_or_default(),
        temporality: temporality(said),
    };
    (histogram, plain!(point))
}

fn exponential_histogram(
    point: &ExponentialHistogramDataPoint,
    said: i32,
) -> (ExponentialHistogram<'_>, Plain<'_>) {
    let histogram = ExponentialHistogram {
        count: point.count,
        sum: point.sum.unwrap_or_default(),
        scale: point.scale,
        zero_count: point.zero_count,
        zero_threshold: point.zero_threshold,
        positive: buckets(point.positive.as_ref()),
        negative: buckets(point.negative.as_ref()),
        min: point.min.unwrap_or_default(),
        max: point.max.unwrap_or_default(),
        temporality: temporality(said),
    };
    (histogram, plain!(point))
}

fn buckets(of: Option<&exponential_histogram_data_point::Buckets>) -> Buckets<'_> {
    of.map(|of| Buckets { offset: of.offset, counts: &of.bucket_counts }).unwrap_or_default()
}

fn temporality(said: i32) -> u8 {
    u8::try_from(said).unwrap_or_default()
}

/// Counts a metric whose data points cannot be counted.
fn refuse(metric: &Metric, intake: &mut Intake) {
    let message = format!(
        "the metric `{}` has no data of a kind that is kept; accepted are gauges, sums, histograms, exponential histograms \
         and summaries",
        metric.name
    );
    intake.reject(Table::MetricsGauge, Fault::new(Code::MetricKindUnsupported, message), 1);
}

#[cfg(test)]
mod tests;
