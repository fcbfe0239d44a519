//! Rows of the tables that OpenTelemetry fills, on a real ClickHouse: lists, nested columns and maps come back as they went in.

use bytes::Bytes;
use windvane_store::spans::{SpanEvent, SpanLink};
use windvane_store::{Attributes, Block, Store, Table, llm_calls, logs, metrics, payloads, spans};

use crate::endpoint::Running;

/// 2100, in microseconds: a time of ingestion that no retention has passed.
const NOW_US: i64 = 4_102_444_800_000_000;
const TS_NS: i64 = 1_700_000_000_123_456_789;

fn attributes(entries: &[(&str, &str)]) -> Attributes {
    let mut attributes = Attributes::default();
    entries.iter().for_each(|(key, value)| attributes.push(key, value));
    attributes
}

fn span(n: usize, out: &mut Vec<u8>) {
    span_at(TS_NS, n, out);
}

fn span_at(ts_ns: i64, n: usize, out: &mut Vec<u8>) {
    let event = |n: usize| SpanEvent {
        ts_ns: TS_NS + i64::try_from(n).unwrap(),
        name: ["first", "second"][n % 2],
        attributes: attributes(&[("n", "1"), ("text", "\u{e9}")][..n % 3]),
    };
    let link = |n: usize| SpanLink {
        trace_id: format!("{n:032x}"),
        span_id: format!("{n:016x}"),
        trace_state: "a=b",
        attributes: attributes(&[("why", "test")][..n % 2]),
    };
    let events: Vec<_> = (0..n).map(event).collect();
    let links: Vec<_> = (0..n / 2).map(link).collect();
    spans::Row {
        ts_ns,
        trace_id: &format!("{n:032x}"),
        span_id: &format!("{n:016x}"),
        parent_span_id: "",
        trace_state: "",
        name: "GET /",
        kind: "Server",
        service: "shop",
        resource: &attributes(&[("service.name", "shop")]),
        scope_name: "lib",
        scope_version: "",
        attributes: &attributes(&[("a", ""), ("b", "2"), ("c", "3")][..n % 4]),
        duration_ns: 7,
        status: "Unset",
        status_message: "",
        events: &events,
        links: &links,
        ingested_at_us: NOW_US,
    }
    .encode(out);
}

fn call(n: usize, out: &mut Vec<u8>) {
    let span_id = format!("{n:016x}");
    let some = |of: u64| n.is_multiple_of(2).then_some(of);
    let row = llm_calls::Row {
        ts_us: TS_NS / 1000,
        ingested_at_us: NOW_US,
        span_id: &span_id,
        input_tokens: some(1000),
        finish_reasons: ["stop", "length", "stop"][..n % 4].to_vec(),
        streamed: n % 2 == 1,
        time_per_output_token_us: n.is_multiple_of(3).then_some(1.5),
        cost: (n % 3 == 1).then_some(0.25),
        status: "ok",
        ..llm_calls::Row::default()
    };
    row.encode(out);
}

/// What the engine has, as it would come in.
async fn stored(store: &Store, table: Table, order: &str) -> Bytes {
    let columns: Vec<&str> =
        table.columns(table.layout()).unwrap().iter().map(|column| column.name).collect();
    let sql = format!("SELECT {} FROM {table} ORDER BY {order}", columns.join(", "));
    store.text(&sql, "RowBinary").await.unwrap()
}

fn block(table: Table, rows: usize, encode: fn(usize, &mut Vec<u8>)) -> Block {
    let mut body = Vec::new();
    (0..rows).for_each(|n| encode(n, &mut body));
    Block {
        table,
        layout: table.layout(),
        rows: rows as u64,
        token: format!("{table}-1"),
        body: vec![body.into()],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_and_calls_come_back_byte_by_byte() {
    let running = Running::migrated().await;
    for (table, encode) in [(Table::Spans, span as fn(usize, &mut Vec<u8>)), (Table::LlmCalls, call)] {
        let block = block(table, 13, encode);
        // Sent again under its token, a block changes nothing, also not in what a materialized view made of it.
        running.store.insert(&block).await.unwrap();
        running.store.insert(&block).await.unwrap();
        let order = if table == Table::Spans { "SpanId" } else { "span_id" };
        assert_eq!(stored(&running.store, table, order).await, block.body[0], "{table}");
    }
    let traces = "SELECT count(), uniqExact(TraceId), min(Start) = max(End) FROM spans_trace_id_ts";
    assert_eq!(running.store.text(traces, "TSV").await.unwrap(), "13\t13\t1\n");
    running.end().await;
}

/// Spans of 120 months in one INSERT, as a clock that goes wrong or a replay would send them.
#[tokio::test(flavor = "multi_thread")]
async fn the_times_of_spans_do_not_make_partitions() {
    const MONTH_NS: i64 = 30 * 86_400 * 1_000_000_000;
    let running = Running::migrated().await;
    let months = |n: usize, out: &mut Vec<u8>| span_at(TS_NS + MONTH_NS * i64::try_from(n).unwrap(), n, out);
    running.store.insert(&block(Table::Spans, 120, months)).await.unwrap();
    for table in ["spans", "spans_trace_id_ts"] {
        let parts = format!(
            "SELECT uniq(partition), sum(rows) FROM system.parts WHERE active AND database = 'windvane' AND table = '{table}'"
        );
        assert_eq!(running.store.text(&parts, "TSV").await.unwrap(), "1\t120\n", "{table}");
    }
    running.end().await;
}

fn log(_: usize, out: &mut Vec<u8>) {
    let (none, some) = (Attributes::default(), attributes(&[("k", "v")]));
    logs::Row {
        ts_ns: TS_NS,
        trace_id: "",
        span_id: "",
        trace_flags: 255,
        severity: "WARN",
        severity_number: 13,
        service: "shop",
        body: "hello",
        resource_schema_url: "",
        resource: &some,
        scope_schema_url: "",
        scope_name: "",
        scope_version: "",
        scope: &none,
        attributes: &some,
        event_name: "",
        ingested_at_us: NOW_US,
    }
    .encode(out);
}

fn point(kind: usize, out: &mut Vec<u8>) {
    let some = attributes(&[("k", "v")]);
    let point = metrics::Point {
        resource: &some,
        resource_schema_url: "",
        scope_name: "",
        scope_version: "",
        scope: &some,
        scope_schema_url: "",
        service: "shop",
        name: "requests",
        description: "",
        unit: "1",
        attributes: &some,
        start_ns: 0,
        ts_ns: TS_NS,
        flags: 1,
        ingested_at_us: NOW_US,
    };
    let histogram = metrics::Histogram {
        count: 3,
        sum: 1.5,
        bucket_counts: &[1, 2],
        explicit_bounds: &[0.5],
        min: 0.25,
        max: 1.0,
        temporality: 2,
    };
    let summary = metrics::Summary { count: 4, sum: 2.5, quantiles: &[0.5, 0.99], values: &[0.25, 1.0] };
    match kind {
        0 => point.encode_gauge(0.5, out),
        1 => point.encode_sum(7.0, (2, true), out),
        2 => point.encode_histogram(&histogram, out),
        3 => point.encode_exponential_histogram(&exponential_histogram(), out),
        _ => point.encode_summary(&summary, out),
    }
}

/// Indices and scales are negative where values are small or buckets wide.
fn exponential_histogram() -> metrics::ExponentialHistogram<'static> {
    metrics::ExponentialHistogram {
        count: 6,
        sum: -1.5,
        scale: -3,
        zero_count: 1,
        zero_threshold: 0.125,
        positive: metrics::Buckets { offset: -7, counts: &[1, 0, 2] },
        negative: metrics::Buckets { offset: 5, counts: &[2] },
        min: -4.0,
        max: 1.0,
        temporality: 1,
    }
}

fn payload(_: usize, out: &mut Vec<u8>) {
    payloads::Row {
        event_id: "e",
        ts_us: TS_NS / 1000,
        ingested_at_us: NOW_US,
        model: "m",
        version: "",
        environment: "",
        inputs: "[]",
        outputs: "",
    }
    .encode(out);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_metrics_and_payloads_are_taken() {
    let running = Running::migrated().await;
    for (table, encode, expected) in [
        (Table::Logs, log as fn(usize, &mut Vec<u8>), "255,13,'v'"),
        (Table::MetricsGauge, |_, out: &mut Vec<u8>| point(0, out), "0.5,1"),
        (Table::MetricsSum, |_, out: &mut Vec<u8>| point(1, out), "7,2,true"),
        (Table::MetricsHistogram, |_, out: &mut Vec<u8>| point(2, out), "3,[1,2],[0.5],2"),
        (
            Table::MetricsExponentialHistogram,
            |_, out: &mut Vec<u8>| point(3, out),
            "6,-1.5,-3,1,0.125,-7,[1,0,2],5,[2],-4,1,1",
        ),
        (Table::MetricsSummary, |_, out: &mut Vec<u8>| point(4, out), "4,2.5,[0.5,0.99],[0.25,1]"),
        (Table::Payloads, payload, "'e','[]'"),
    ] {
        running.store.insert(&block(table, 1, encode)).await.unwrap();
        let columns = match table {
            Table::Logs => "TraceFlags, SeverityNumber, LogAttributes['k']",
            Table::MetricsGauge => "Value, Flags",
            Table::MetricsSum => "Value, AggregationTemporality, IsMonotonic",
            Table::MetricsHistogram => "Count, BucketCounts, ExplicitBounds, AggregationTemporality",
            Table::MetricsExponentialHistogram => {
                "Count, Sum, Scale, ZeroCount, ZeroThreshold, PositiveOffset, PositiveBucketCounts, \
                 NegativeOffset, NegativeBucketCounts, Min, Max, AggregationTemporality"
            }
            Table::MetricsSummary => "Count, Sum, ValueAtQuantiles.Quantile, ValueAtQuantiles.Value",
            _ => "event_id, inputs",
        };
        let found = running.store.text(&format!("SELECT {columns} FROM {table}"), "Values").await.unwrap();
        assert_eq!(found, format!("({expected})"), "{table}");
    }
    running.end().await;
}
