//! The service's own metrics and traces, sent to a receiver of OpenTelemetry's protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;
use windvane_kit::{Service, eventually_async, nothing_is_lost};

/// A message: of metrics, or of spans.
#[derive(Debug)]
enum Message {
    Metrics(ExportMetricsServiceRequest),
    Spans(ExportTraceServiceRequest),
}

/// A receiver that answers 200; ends with the test's process.
fn receiver() -> (String, Receiver<Message>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, messages) = sync_channel(1000);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            take(stream.unwrap(), &sender);
        }
    });
    (url, messages)
}

/// Reads one request of a connection and answers it.
fn take(stream: TcpStream, sender: &SyncSender<Message>) {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "the request ends in its head: {head}");
    }
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    // By this a service knows its own traces, should they come back to it.
    assert!(head.contains("x-windvane-telemetry: own"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    // Before the answer: what was answered is there.
    let message = match head.lines().next() {
        Some("post /v1/metrics http/1.1") => {
            Message::Metrics(ExportMetricsServiceRequest::decode(&body[..]).unwrap())
        }
        Some("post /v1/traces http/1.1") => {
            Message::Spans(ExportTraceServiceRequest::decode(&body[..]).unwrap())
        }
        other => panic!("{other:?}"),
    };
    let _ = sender.send(message);
    (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
}

/// The value of a metric of predictions.
fn of_predictions(message: &ExportMetricsServiceRequest, name: &str) -> Option<f64> {
    let metrics = message.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
    let data = metrics.into_iter().find(|metric| metric.name == name)?.data.as_ref()?;
    let points = match data {
        Data::Sum(sum) => &sum.data_points,
        Data::Gauge(gauge) => &gauge.data_points,
        _ => return None,
    };
    let point = points.iter().find(|point| format!("{:?}", point.attributes).contains("\"predictions\""))?;
    match point.value {
        Some(Value::AsDouble(value)) => Some(value),
        _ => None,
    }
}

/// The names of the spans of a message.
fn names(message: &ExportTraceServiceRequest) -> Vec<String> {
    let spans = message.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
    spans.map(|span| span.name.clone()).collect()
}

#[tokio::test]
async fn own_metrics_and_traces_are_sent_and_once_more_at_the_end() {
    let (endpoint, messages) = receiver();
    let folder = tempfile::tempdir().unwrap();
    let more =
        format!("[telemetry]\notlp_endpoint = \"{endpoint}\"\nmetrics_every = \"1s\"\ntraces_share = 1.0");
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), &more);
    let sent = reqwest::Client::new()
        .post(format!("{}/v1/predictions", service.url()))
        .header("content-type", "application/json")
        .body(r#"{"model":"delay","prediction":{"score":0.12}}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200);
    let own = reqwest::Client::new()
        .post(format!("{}/v1/traces", service.url()))
        .header("content-type", "application/x-protobuf")
        .header("x-windvane-telemetry", "own")
        .body(ExportTraceServiceRequest::default().encode_to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(own.status(), 200);
    let mut spans = Vec::new();
    eventually_async(Duration::from_secs(30), async || {
        match messages.try_recv().map_err(|error| error.to_string())? {
            Message::Spans(message) => {
                spans.extend(names(&message));
                Err("spans came".to_owned())
            }
            Message::Metrics(message) => {
                match of_predictions(&message, "windvane_collector_received_records_total") {
                    Some(1.0) => Ok(()),
                    other => Err(format!("{other:?} were received")),
                }
            }
        }
    })
    .await;
    nothing_is_lost(service.url());
    assert_eq!(service.terminate(), Some(0));
    let mut last = None;
    for message in messages.try_iter() {
        match message {
            Message::Spans(message) => spans.extend(names(&message)),
            Message::Metrics(message) => last = Some(message),
        }
    }
    let last = last.expect("metrics are sent once more at the end");
    assert_eq!(of_predictions(&last, "windvane_collector_stored_rows_total"), Some(1.0));
    assert_eq!(of_predictions(&last, "windvane_collector_pending_rows"), Some(0.0));
    for name in ["POST /v1/predictions", "insert a block"] {
        assert!(spans.iter().any(|span| span == name), "{name} in {spans:?}");
    }
    assert!(!spans.iter().any(|span| span.contains("metrics")), "{spans:?}");
    assert!(
        !spans.iter().any(|span| span == "POST /v1/traces"),
        "a message of own traces is traced: {spans:?}"
    );
}
