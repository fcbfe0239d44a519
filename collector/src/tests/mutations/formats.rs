//! The same for the formats of others: Arrow, OpenTelemetry's protocol, CloudEvents.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Float64Type, Int8Type};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;
use windvane_types::event::Kind;

use super::{Random, mutate, rounds};
use crate::fuzzing;

/// Each round is a whole message in several readings, so there are fewer of them than of records.
const ROUNDS: u64 = 600;

/// Damages one body after the other, up to five times each; the rows that came of all of them.
fn rows_of_damaged(seeds: &[Vec<u8>], seed: u64, read: impl Fn(Vec<u8>) -> Result<u64, String>) -> u64 {
    let mut random = Random(seed);
    let mut rows = 0;
    for round in 0..rounds(ROUNDS) {
        let which = random.below(seeds.len());
        let mut body = seeds[which].clone();
        for _ in 0..random.below(6) {
            mutate(&mut random, &mut body);
        }
        rows += read(body).unwrap_or_else(|error| panic!("round {round}, of seed {which}: {error}"));
    }
    rows
}

fn table() -> RecordBatch {
    let word = |word: &str| -> ArrayRef { Arc::new(DictionaryArray::<Int8Type>::from_iter([word; 3])) };
    let text = |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let number: ArrayRef = Arc::new(Float64Array::from(vec![Some(1400.0), None, Some(-0.5)]));
    let vectors = [Some(vec![Some(0.5), Some(-0.25)]), None, Some(vec![Some(1.0)])];
    let vectors: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(vectors));
    let features = StructArray::from(vec![
        (Arc::new(Field::new("distance", number.data_type().clone(), true)), Arc::clone(&number)),
        (Arc::new(Field::new("carrier", word("").data_type().clone(), true)), word("UA")),
    ]);
    let columns: [(&str, ArrayRef); 7] = [
        ("model", word("m")),
        ("event_id", text([Some("e0"), Some("e1"), None])),
        ("ts", Arc::new(TimestampMicrosecondArray::from(vec![1_357_017_420_123_456; 3]))),
        ("features", Arc::new(features)),
        ("embeddings.text", vectors),
        ("prediction.score", number),
        ("tags.region", text([Some("east"), None, Some("west")])),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

/// The table as a stream, as one with compressed buffers, and as a file.
fn streams() -> Vec<Vec<u8>> {
    let table = table();
    let zstd = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).unwrap();
    let mut bodies = Vec::new();
    for options in [IpcWriteOptions::default(), zstd] {
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &table.schema(), options).unwrap();
        writer.write(&table).unwrap();
        writer.finish().unwrap();
        bodies.push(writer.into_inner().unwrap());
    }
    let mut writer = FileWriter::try_new(Vec::new(), &table.schema()).unwrap();
    writer.write(&table).unwrap();
    writer.finish().unwrap();
    bodies.push(writer.into_inner().unwrap());
    bodies
}

#[test]
fn every_arrow_body_is_accepted_or_rejected_record_by_record() {
    let rows = rows_of_damaged(&streams(), 0x0005_eed3, |body| {
        let body = Bytes::from(body);
        Kind::ALL.into_iter().try_fold(0, |rows, kind| {
            let accepted = fuzzing::arrow(kind, &body).map_err(|error| format!("{kind:?}: {error}"))?;
            Ok(rows + accepted)
        })
    });
    assert!(rows > rounds(ROUNDS) / 10, "the seeds are bodies: {rows} rows were accepted");
}

const TRACES: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
    "scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[
        {"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd","name":"call","kind":3,
         "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000002000000000",
         "attributes":[{"key":"gen_ai.system","value":{"stringValue":"openai"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},
            {"key":"gen_ai.usage.input_tokens","value":{"intValue":"7"}}],
         "events":[{"timeUnixNano":"1700000001000000000","name":"first"}],"status":{"code":2,"message":"no"}},
        {"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdce","name":"predict",
         "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000000000001",
         "attributes":[{"key":"windvane.model","value":{"stringValue":"m"}},{"key":"windvane.prediction.value","value":{"doubleValue":1.5}},
            {"key":"windvane.outcome.value","value":{"intValue":"2"}}],
         "links":[{"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd"}]}]}]}]}"#;
const LOGS: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[
    {"timeUnixNano":"1700000000000000000","severityNumber":9,"body":{"stringValue":"hello"}},
    {"observedTimeUnixNano":"1700000000000000000","body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]}}}]}]}]}"#;
const METRICS: &str = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
    {"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"1700000000000000000","asDouble":1.5}]}},
    {"name":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"1700000000000000000","asInt":"4"}]}},
    {"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":"1700000000000000000","count":"3","sum":6,
        "bucketCounts":["1","2"],"explicitBounds":[1.5]}]}}]}]}]}"#;

/// The same message in protobuf.
fn protobuf<M: Message + DeserializeOwned>(json: &str) -> Vec<u8> {
    serde_json::from_str::<M>(json).unwrap().encode_to_vec()
}

#[test]
fn every_message_of_opentelemetry_is_taken_as_whole_rows_or_refused() {
    let mut seeds: Vec<Vec<u8>> = [TRACES, LOGS, METRICS].map(|json| json.as_bytes().to_vec()).into();
    seeds.push(protobuf::<ExportTraceServiceRequest>(TRACES));
    seeds.push(protobuf::<ExportLogsServiceRequest>(LOGS));
    seeds.push(protobuf::<ExportMetricsServiceRequest>(METRICS));
    for seed in &seeds {
        assert!(fuzzing::otlp(seed).unwrap() > 1, "{}", String::from_utf8_lossy(seed));
    }
    let rows = rows_of_damaged(&seeds, 0x0005_eed4, |message| fuzzing::otlp(&message));
    assert!(rows > rounds(ROUNDS) / 10, "the seeds are messages: {rows} rows were taken");
}

const REQUEST: &str = r#"{"id":"r1","inputs":[{"name":"distance","shape":[2,1],"datatype":"FP32","data":[1400.0,7.5]},
    {"name":"carrier","shape":[2],"datatype":"BYTES","data":["UA","AA"]}]}"#;
const RESPONSE: &str = r#"{"model_name":"flights","outputs":[{"name":"p","shape":[2,2],"datatype":"FP32","data":[0.25,0.75,0.9,0.1]}]}"#;
const INSTANCES: &str = r#"{"instances":[{"distance":1400,"carrier":"UA"},[1,2.5],3]}"#;

const OUTLIERS: &str =
    r#"{"data":{"is_outlier":[1,[0,0]],"instance_score":[0.5,null]},"meta":{"name":"OutlierVAE"}}"#;
const DRIFT: &str =
    r#"{"data":{"is_drift":1,"p_val":[0.01,0.5],"threshold":0.05},"meta":{"name":"KSDrift"}}"#;
const FEEDBACK: &str = r#"{"response":{"meta":{"puid":"r2"},"data":{"ndarray":[[0.25,0.75]]}},"truth":{"data":{"tensor":{"shape":[2,1],"values":[1,0]}}},"reward":0.5}"#;
const MESSAGE: &str = r#"{"data":{"names":["distance","carrier"],"ndarray":[[1400,"UA"],[7.5,"AA"]]}}"#;

/// A body as the data of a structured event.
fn structured(side: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"r2","source":"s","type":"org.kubeflow.serving.inference.{side}","time":"2023-11-14T22:13:21Z","inferenceservicename":"flights","namespace":"prod","endpoint":"canary","component":"predictor","data":{data}}}"#
    )
}

#[test]
fn every_cloudevent_is_accepted_or_rejected_and_what_comes_of_it_is_whole() {
    let (request, response) = (structured("request", REQUEST), structured("response", RESPONSE));
    let batch = format!("[{request},{response},7]");
    let (outliers, drift) = (structured("outlier", OUTLIERS), structured("drift", DRIFT));
    let (message, feedback) = (structured("request", MESSAGE), structured("request", FEEDBACK));
    let feedback = feedback.replace("inference.request", "feedback");
    let of_seldon = format!("[{outliers},{drift},{feedback},{message}]");
    let taken = fuzzing::cloudevents(of_seldon.as_bytes());
    assert_eq!(taken, Ok(3 + 4 + 3 + 1), "measurements, gauges, outcomes with a reward, a payload");
    let bodies = [REQUEST, RESPONSE, INSTANCES, MESSAGE];
    let seeds =
        bodies.into_iter().chain([request.as_str(), response.as_str(), batch.as_str(), of_seldon.as_str()]);
    let seeds: Vec<Vec<u8>> = seeds.map(|seed| seed.as_bytes().to_vec()).collect();
    let rows = rows_of_damaged(&seeds, 0x0005_eed5, |body| fuzzing::cloudevents(&body));
    assert!(rows > rounds(ROUNDS) / 10, "the seeds are events: {rows} rows were taken");
}

/// A body with binary tensors, after the length of its JSON in two bytes.
fn binary(json: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(json.len()).unwrap().to_le_bytes();
    [&length[..], json.as_bytes(), data].concat()
}

#[test]
fn every_body_with_binary_tensors_is_accepted_or_rejected_and_what_comes_of_it_is_whole() {
    let inputs = r#"{"inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","parameters":{"binary_data_size":8}},
        {"name":"carrier","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":12}}]}"#;
    let outputs =
        r#"{"outputs":[{"name":"p","shape":[1,2],"datatype":"FP16","parameters":{"binary_data_size":4}}]}"#;
    let numbers = [1400.0_f32.to_le_bytes(), 7.5_f32.to_le_bytes()].concat();
    let texts = b"\x02\x00\x00\x00UA\x02\x00\x00\x00AA";
    let seeds =
        [binary(inputs, &[&numbers[..], &texts[..]].concat()), binary(outputs, &[0x00, 0x34, 0x00, 0x3a])];
    for seed in &seeds {
        assert!(fuzzing::binary_tensors(seed).unwrap() > 0, "{}", String::from_utf8_lossy(seed));
    }
    let rows = rows_of_damaged(&seeds, 0x0005_eed6, |body| fuzzing::binary_tensors(&body));
    assert!(rows > rounds(ROUNDS) / 10, "the seeds are bodies: {rows} rows were taken");
}
