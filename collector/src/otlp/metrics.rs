//! Data points of gauges, sums, histograms, exponential histograms and summaries into rows of their tables. A metric of any other kind is
//! refused, and the answer says so.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, ScopeMetrics,
    SummaryDataPoint,
};
use windvane_store::Table;
use windvane_store::metrics::{Buckets, ExponentialHistogram, Histogram, Point, Summary};
use windvane_types::rejection::{Code, Fault};

use super::attributes::{Encoded, Origin, Scope};
use super::intake::Intake;
use super::{Context, beginning, clamped, time};
use crate::limits::Word;

/// What the points of a scope share.
struct Shared<'a> {
    origin: &'a Origin<'a>,
    scope: Scope<'a>,
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
        let words = context.door.words;
        let origin = Origin::of(of_resource.resource.as_ref(), &of_resource.schema_url, words);
        for ScopeMetrics { scope, schema_url, metrics } in &of_resource.scope_metrics {
            let scope = Scope::of(scope.as_ref(), schema_url, &origin.words);
            let shared = Shared { origin: &origin, scope, context };
            for metric in metrics {
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
        let Self { origin, scope, context } = self;
        let mut encoded = Encoded::default();
        encoded.read(plain.attributes, &origin.words);
        let mut word = |kind, value| encoded.word(&origin.words, kind, value);
        let name = word(Word::Metric, &metric.name);
        let description = word(Word::MetricDescription, &metric.description);
        let unit = word(Word::MetricUnit, &metric.unit);
        let point = Point {
            resource: &origin.encoded.attributes,
            resource_schema_url: origin.schema_url,
            scope_name: scope.name,
            scope_version: scope.version,
            scope: &scope.encoded.attributes,
            scope_schema_url: scope.schema_url,
            service: origin.service,
            name,
            description,
            unit,
            attributes: &encoded.attributes,
            start_ns: clamped(plain.start_ns),
            ts_ns,
            flags: plain.flags,
            ingested_at_us: context.now_us,
        };
        match intake.add(table, context, |out| encode_row(&point, out)) {
            Ok(()) => {
                let shared = origin.encoded.replaced.and(scope.encoded.replaced);
                intake.note(table, encoded.replaced.and(shared));
            }
            Err(fault) => intake.reject(table, fault, 1),
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
        beginning(&metric.name)
    );
    intake.reject(Table::MetricsGauge, Fault::new(Code::MetricKindUnsupported, message), 1);
}

#[cfg(test)]
mod tests;
