//! The `metrics_gauge`, `metrics_sum`, `metrics_histogram`, `metrics_exponential_histogram` and `metrics_summary` tables:
//! OpenTelemetry data points in the columns of the ClickHouse exporter's tables of these kinds, without exemplars.

use crate::Attributes;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};

/// The columns that the kinds begin with, and what each has of its own.
macro_rules! layout {
    ($($name:literal $wire:ident),*) => {
        &[&[
            column("ResourceAttributes", Wire::Attributes),
            column("ResourceSchemaUrl", Wire::Word),
            column("ScopeName", Wire::Text),
            column("ScopeVersion", Wire::Word),
            column("ScopeAttributes", Wire::Attributes),
            column("ScopeSchemaUrl", Wire::Word),
            column("ServiceName", Wire::Word),
            column("MetricName", Wire::Word),
            column("MetricDescription", Wire::Word),
            column("MetricUnit", Wire::Word),
            column("Attributes", Wire::Attributes),
            column("StartTimeUnix", Wire::Nanos),
            column("TimeUnix", Wire::Nanos),
            column("Flags", Wire::Count),
            column("IngestedAt", Wire::Micros),
            $(column($name, Wire::$wire)),*
        ]]
    };
}

pub(crate) const GAUGE_LAYOUTS: &[&[Column]] = layout!("Value" Number);
pub(crate) const SUM_LAYOUTS: &[&[Column]] =
    layout!("Value" Number, "AggregationTemporality" Count, "IsMonotonic" Flag);
pub(crate) const HISTOGRAM_LAYOUTS: &[&[Column]] = layout!(
    "Count" Count,
    "Sum" Number,
    "BucketCounts" CountList,
    "ExplicitBounds" NumberList,
    "Min" Number,
    "Max" Number,
    "AggregationTemporality" Count
);
pub(crate) const EXPONENTIAL_HISTOGRAM_LAYOUTS: &[&[Column]] = layout!(
    "Count" Count,
    "Sum" Number,
    "Scale" Integer,
    "ZeroCount" Count,
    "ZeroThreshold" Number,
    "PositiveOffset" Integer,
    "PositiveBucketCounts" CountList,
    "NegativeOffset" Integer,
    "NegativeBucketCounts" CountList,
    "Min" Number,
    "Max" Number,
    "AggregationTemporality" Count
);
pub(crate) const SUMMARY_LAYOUTS: &[&[Column]] = layout!(
    "Count" Count,
    "Sum" Number,
    "ValueAtQuantiles.Quantile" NumberList,
    "ValueAtQuantiles.Value" NumberList
);

/// What a data point of any kind has.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// The resource.
    pub resource: &'a Attributes,
    /// Of the resource.
    pub resource_schema_url: &'a str,
    /// The instrumentation's name.
    pub scope_name: &'a str,
    /// The instrumentation's version.
    pub scope_version: &'a str,
    /// The instrumentation's attributes.
    pub scope: &'a Attributes,
    /// Of the instrumentation.
    pub scope_schema_url: &'a str,
    /// The resource's `service.name`.
    pub service: &'a str,
    /// The metric.
    pub name: &'a str,
    /// What it says.
    pub description: &'a str,
    /// Its unit, UCUM.
    pub unit: &'a str,
    /// Which series of the metric.
    pub attributes: &'a Attributes,
    /// Since when it counts, nanoseconds since 1970 UTC; 0 where it was not said.
    pub start_ns: i64,
    /// When it was read, nanoseconds since 1970 UTC.
    pub ts_ns: i64,
    /// OpenTelemetry's flags.
    pub flags: u32,
    /// When the collector took it, microseconds since 1970 UTC.
    pub ingested_at_us: i64,
}

/// The rest of a histogram's data point.
#[derive(Debug, Clone, Copy)]
pub struct Histogram<'a> {
    /// How many values.
    pub count: u64,
    /// Their sum; 0 where it was not said.
    pub sum: f64,
    /// How many are in each bucket.
    pub bucket_counts: &'a [u64],
    /// The upper bounds of all buckets but the last.
    pub explicit_bounds: &'a [f64],
    /// The smallest value; 0 where it was not said.
    pub min: f64,
    /// The largest value; 0 where it was not said.
    pub max: f64,
    /// 0 not said, 1 delta, 2 cumulative.
    pub temporality: u8,
}

/// Buckets of an exponential histogram on one side of zero.
#[derive(Debug, Clone, Copy, Default)]
pub struct Buckets<'a> {
    /// The index of the first: the bucket `i` holds what lies above the base to the power `i`, up to the base to the power `i + 1`.
    pub offset: i32,
    /// How many are in each.
    pub counts: &'a [u64],
}

/// The rest of an exponential histogram's data point. The base of its buckets is 2 to the power 2 to the power `-scale`.
#[derive(Debug, Clone, Copy)]
pub struct ExponentialHistogram<'a> {
    /// How many values.
    pub count: u64,
    /// Their sum; 0 where it was not said.
    pub sum: f64,
    /// How fine the buckets are.
    pub scale: i32,
    /// How many are zero, or not farther from it than the threshold.
    pub zero_count: u64,
    /// How far from zero a value counts as zero.
    pub zero_threshold: f64,
    /// Values above zero.
    pub positive: Buckets<'a>,
    /// Values below zero, by how far below.
    pub negative: Buckets<'a>,
    /// The smallest value; 0 where it was not said.
    pub min: f64,
    /// The largest value; 0 where it was not said.
    pub max: f64,
    /// 0 not said, 1 delta, 2 cumulative.
    pub temporality: u8,
}

/// The rest of a summary's data point.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Which quantiles are told.
    pub quantiles: &'a [f64],
    /// Their values, as many.
    pub values: &'a [f64],
}

impl Point<'_> {
    /// Appends a row of `metrics_gauge` in layout 1.
    pub fn encode_gauge(&self, value: f64, out: &mut Vec<u8>) {
        self.encode(out);
        rb::f64(out, value);
    }

    /// Appends a row of `metrics_sum` in layout 1.
    pub fn encode_sum(&self, value: f64, (temporality, is_monotonic): (u8, bool), out: &mut Vec<u8>) {
        self.encode(out);
        rb::f64(out, value);
        rb::u64(out, temporality.into());
        out.push(u8::from(is_monotonic));
    }

    /// Appends a row of `metrics_histogram` in layout 1.
    pub fn encode_histogram(&self, histogram: &Histogram<'_>, out: &mut Vec<u8>) {
        self.encode(out);
        rb::u64(out, histogram.count);
        rb::f64(out, histogram.sum);
        rb::array(out, histogram.bucket_counts, |out, n| rb::u64(out, *n));
        rb::array(out, histogram.explicit_bounds, |out, bound| rb::f64(out, *bound));
        rb::f64(out, histogram.min);
        rb::f64(out, histogram.max);
        rb::u64(out, histogram.temporality.into());
    }

    /// Appends a row of `metrics_exponential_histogram` in layout 1.
    pub fn encode_exponential_histogram(&self, histogram: &ExponentialHistogram<'_>, out: &mut Vec<u8>) {
        self.encode(out);
        rb::u64(out, histogram.count);
        rb::f64(out, histogram.sum);
        rb::i64(out, histogram.scale.into());
        rb::u64(out, histogram.zero_count);
        rb::f64(out, histogram.zero_threshold);
        for buckets in [histogram.positive, histogram.negative] {
            rb::i64(out, buckets.offset.into());
            rb::array(out, buckets.counts, |out, n| rb::u64(out, *n));
        }
        rb::f64(out, histogram.min);
        rb::f64(out, histogram.max);
        rb::u64(out, histogram.temporality.into());
    }

    /// Appends a row of `metrics_summary` in layout 1.
    pub fn encode_summary(&self, summary: &Summary<'_>, out: &mut Vec<u8>) {
        self.encode(out);
        rb::u64(out, summary.count);
        rb::f64(out, summary.sum);
        rb::array(out, summary.quantiles, |out, quantile| rb::f64(out, *quantile));
        rb::array(out, summary.values, |out, value| rb::f64(out, *value));
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.resource.encode(out);
        rb::string(out, self.resource_schema_url);
        rb::string(out, self.scope_name);
        rb::string(out, self.scope_version);
        self.scope.encode(out);
        rb::string(out, self.scope_schema_url);
        rb::string(out, self.service);
        rb::string(out, self.name);
        rb::string(out, self.description);
        rb::string(out, self.unit);
        self.attributes.encode(out);
        rb::i64(out, self.start_ns);
        rb::i64(out, self.ts_ns);
        rb::u64(out, self.flags.into());
        rb::i64(out, self.ingested_at_us);
    }
}
