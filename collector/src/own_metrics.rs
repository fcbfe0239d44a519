//! The metrics of this process as a message of OpenTelemetry's protocol, for those who collect by that and not by Prometheus.
//!
//! Names, labels and buckets are those of `/metrics`, so that what is written about one is true of the other.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prometheus::proto::{self, MetricFamily, MetricType};
use prost::Message;

/// Whose metrics they are, and of when.
#[derive(Debug, Clone, Copy)]
pub struct OwnMetrics<'a> {
    /// The attributes of the resource, such as `service.name`.
    pub resource: &'a [(&'a str, &'a str)],
    /// When counting began, microseconds since 1970.
    pub started_us: i64,
    /// Now.
    pub now_us: i64,
}

impl OwnMetrics<'_> {
    /// The body of a request to `/v1/metrics`, in protobuf.
    #[must_use]
    pub fn message(&self, families: &[MetricFamily]) -> Vec<u8> {
        let attributes = self.resource.iter().map(|(key, value)| attribute(key, value)).collect();
        let scope = InstrumentationScope {
            name: "windvane".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_metrics = ScopeMetrics {
            scope: Some(scope),
            metrics: families.iter().filter_map(|family| self.metric(family)).collect(),
            ..ScopeMetrics::default()
        };
        let of_resource = ResourceMetrics {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_metrics: vec![scope_metrics],
            ..ResourceMetrics::default()
        };
        ExportMetricsServiceRequest { resource_metrics: vec![of_resource] }.encode_to_vec()
    }

    /// A family as a metric; we have no summaries.
    fn metric(&self, family: &MetricFamily) -> Option<Metric> {
        let cumulative = AggregationTemporality::Cumulative as i32;
        let all = family.get_metric().iter();
        let data = match family.get_field_type() {
            MetricType::COUNTER => Data::Sum(Sum {
                data_points: all
                    .map(|metric| self.number(metric, metric.get_counter().get_value()))
                    .collect(),
                aggregation_temporality: cumulative,
                is_monotonic: true,
            }),
            MetricType::GAUGE => Data::Gauge(Gauge {
                data_points: all.map(|metric| self.number(metric, metric.get_gauge().get_value())).collect(),
            }),
            MetricType::HISTOGRAM => Data::Histogram(Histogram {
                data_points: all.map(|metric| self.histogram(metric)).collect(),
                aggregation_temporality: cumulative,
            }),
            _ => return None,
        };
        Some(Metric {
            name: family.name().to_owned(),
            description: family.help().to_owned(),
            data: Some(data),
            ..Metric::default()
        })
    }

    fn number(&self, metric: &proto::Metric, value: f64) -> NumberDataPoint {
        NumberDataPoint {
            attributes: labels(metric),
            start_time_unix_nano: nanos(self.started_us),
            time_unix_nano: nanos(self.now_us),
            value: Some(Number::AsDouble(value)),
            ..NumberDataPoint::default()
        }
    }

    /// Prometheus counts what is below a bound, OpenTelemetry what is between two, with one more bucket above the last.
    fn histogram(&self, metric: &proto::Metric) -> HistogramDataPoint {
        let histogram = metric.get_histogram();
        let count = histogram.get_sample_count();
        let finite = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
        let (mut explicit_bounds, mut bucket_counts, mut below) = (Vec::new(), Vec::new(), 0);
        for bucket in finite {
            explicit_bounds.push(bucket.upper_bound());
            bucket_counts.push(bucket.cumulative_count().saturating_sub(below));
            below = bucket.cumulative_count();
        }
        bucket_counts.push(count.saturating_sub(below));
        HistogramDataPoint {
            attributes: labels(metric),
            start_time_unix_nano: nanos(self.started_us),
            time_unix_nano: nanos(self.now_us),
            count,
            sum: Some(histogram.get_sample_sum()),
            bucket_counts,
            explicit_bounds,
            ..HistogramDataPoint::default()
        }
    }
}

fn labels(metric: &proto::Metric) -> Vec<KeyValue> {
    metric.get_label().iter().map(|label| attribute(label.name(), label.value())).collect()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn nanos(us: i64) -> u64 {
    u64::try_from(us).unwrap_or_default().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram as Measured, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

    use super::*;

    fn sent(registry: &Registry) -> Vec<Metric> {
        let own = OwnMetrics { resource: &[("service.name", "windvane")], started_us: 1_000, now_us: 2_000 };
        let message = own.message(&registry.gather());
        let mut request = ExportMetricsServiceRequest::decode(&message[..]).unwrap();
        let mut of_resource = request.resource_metrics.remove(0);
        assert_eq!(of_resource.resource.unwrap().attributes, [attribute("service.name", "windvane")]);
        of_resource.scope_metrics.remove(0).metrics
    }

    #[test]
    fn counters_are_sums_that_only_rise_and_keep_their_labels() {
        let registry = Registry::new();
        let counter = IntCounterVec::new(Opts::new("rows_total", "Rows."), &["table"]).unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.with_label_values(&["spans"]).inc_by(7);
        let metric = sent(&registry).remove(0);
        assert_eq!((metric.name.as_str(), metric.description.as_str()), ("rows_total", "Rows."));
        let Some(Data::Sum(sum)) = metric.data else { panic!("a sum") };
        assert_eq!(
            (sum.is_monotonic, sum.aggregation_temporality()),
            (true, AggregationTemporality::Cumulative)
        );
        let point = &sum.data_points[0];
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1_000_000, 2_000_000));
        assert_eq!(point.value, Some(Number::AsDouble(7.0)));
        assert_eq!(point.attributes, [attribute("table", "spans")]);
    }

    #[test]
    fn gauges_are_gauges() {
        let registry = Registry::new();
        let gauge = IntGauge::new("pending_rows", "Rows that wait.").unwrap();
        registry.register(Box::new(gauge.clone())).unwrap();
        gauge.set(-3);
        let Some(Data::Gauge(gauge)) = sent(&registry).remove(0).data else { panic!("a gauge") };
        assert_eq!(gauge.data_points[0].value, Some(Number::AsDouble(-3.0)));
    }

    #[test]
    fn buckets_hold_what_is_between_their_bounds() {
        let registry = Registry::new();
        let options = HistogramOpts::new("seconds", "Time.").buckets(vec![1.0, 2.0]);
        let measured = Measured::with_opts(options).unwrap();
        registry.register(Box::new(measured.clone())).unwrap();
        for value in [0.5, 0.75, 1.5, 8.0] {
            measured.observe(value);
        }
        let Some(Data::Histogram(histogram)) = sent(&registry).remove(0).data else { panic!("a histogram") };
        let point = &histogram.data_points[0];
        assert_eq!(point.explicit_bounds, [1.0, 2.0]);
        assert_eq!(point.bucket_counts, [2, 1, 1]);
        assert_eq!((point.count, point.sum), (4, Some(10.75)));
    }
}
