//! What data points become, column by column: of the kinds whose columns are not values alone.

use serde_json::json;
use windvane_store::read_rows;

use super::super::tests::read_as;
use super::super::{Encoding, Signal};
use super::*;

/// The rows that the data of one metric become, by column.
fn rows_of(table: Table, data: &serde_json::Value) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let mut metric = json!({"name": "latency", "unit": "ms"});
    metric.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    let message = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string();
    let intake = read_as(Signal::Metrics, message.as_bytes(), Encoding::Json).unwrap();
    assert_eq!((intake.rejected, intake.parts.len()), (0, 1), "{:?}", intake.why);
    assert_eq!(intake.parts[0].table, table);
    read_rows(table.columns(table.layout()).unwrap(), &intake.parts[0].bytes).unwrap()
}

/// The values of these columns.
fn columns(row: &serde_json::Map<String, serde_json::Value>, names: &[&str]) -> Vec<serde_json::Value> {
    names.iter().map(|name| row[*name].clone()).collect()
}

#[test]
fn an_exponential_histogram_keeps_both_sides_of_zero() {
    let data = json!({"exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [
        {"timeUnixNano": "1700000000000000000", "count": "6", "sum": -1.5, "scale": -3, "zeroCount": "1",
         "zeroThreshold": 0.125, "min": -4.0, "max": 1.0, "flags": 1,
         "attributes": [{"key": "path", "value": {"stringValue": "/"}}],
         "positive": {"offset": -7, "bucketCounts": ["1", "0", "2"]},
         "negative": {"offset": 5, "bucketCounts": ["2"]}},
        {"timeUnixNano": "1700000000000000000", "count": "1"}]}});
    let rows = rows_of(Table::MetricsExponentialHistogram, &data);
    let names =
        ["Count", "Sum", "Scale", "ZeroCount", "ZeroThreshold", "Min", "Max", "AggregationTemporality"];
    let expected =
        [json!(6), json!(-1.5), json!(-3), json!(1), json!(0.125), json!(-4.0), json!(1.0), json!(2)];
    assert_eq!(columns(&rows[0], &names), expected);
    let sides = ["PositiveOffset", "PositiveBucketCounts", "NegativeOffset", "NegativeBucketCounts"];
    assert_eq!(columns(&rows[0], &sides), [json!(-7), json!([1, 0, 2]), json!(5), json!([2])]);
    let shared = ["MetricName", "MetricUnit", "Attributes", "Flags"];
    assert_eq!(columns(&rows[0], &shared), [json!("latency"), json!("ms"), json!({"path": "/"}), json!(1)]);
    assert_eq!(columns(&rows[1], &sides), [json!(0), json!([]), json!(0), json!([])]);
}

#[test]
fn a_summary_keeps_its_quantiles_in_order() {
    let data = json!({"summary": {"dataPoints": [
        {"timeUnixNano": "1700000000000000000", "count": "4", "sum": 2.5, "quantileValues": [
            {"quantile": 0.5, "value": 0.25}, {"quantile": 0.99, "value": 1.0}]},
        {"timeUnixNano": "1700000000000000000", "count": "0"}]}});
    let rows = rows_of(Table::MetricsSummary, &data);
    let names = ["Count", "Sum", "ValueAtQuantiles.Quantile", "ValueAtQuantiles.Value"];
    assert_eq!(columns(&rows[0], &names), [json!(4), json!(2.5), json!([0.5, 0.99]), json!([0.25, 1.0])]);
    assert_eq!(columns(&rows[1], &names), [json!(0), json!(0.0), json!([]), json!([])]);
}
