//! OpenTelemetry's protocol over gRPC: its frame, its bounds, its statuses.

use std::io::Write;
use std::task::Poll;

use axum::Router;
use bytes::{BufMut, Bytes, BytesMut};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Of;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tonic::{Code, Status};

use super::ingestion::endless;
use super::told_sink::Mood;
use super::*;

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(super) const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const PLAIN: Headers<'static> = &[];
pub(super) const GZIP: Headers<'static> = &[("grpc-encoding", "gzip")];

/// A message of one span, which is a prediction, too.
pub(super) fn span(id: u8, name: &str) -> Vec<u8> {
    let attribute = |key: &str, of: Of| {
        let value = Some(AnyValue { value: Some(of) });
        KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
    };
    let span = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![id; 8],
        name: name.to_owned(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_001_000_000_000,
        attributes: vec![
            attribute("windvane.model", Of::StringValue("m".to_owned())),
            attribute("windvane.prediction.score", Of::DoubleValue(0.5)),
        ],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A message in gRPC's frame.
pub(super) fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

/// What a call over gRPC comes to: the answer's message, or the status.
pub(super) async fn call(
    router: Router,
    headers: Headers<'_>,
    body: impl Into<Body>,
) -> Result<Bytes, Status> {
    let mut request =
        Request::post(TRACES).header("content-type", "application/grpc").header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{response:?}");
    assert_eq!(response.headers()["content-type"], "application/grpc");
    if let Some(status) = Status::from_header_map(response.headers()) {
        return Err(status);
    }
    let whole = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    let told = Status::from_header_map(whole.trailers().expect("a status follows the message")).unwrap();
    assert_eq!(told.code(), Code::Ok, "{told:?}");
    let framed = whole.to_bytes();
    assert_eq!(framed[..5], frame(0, &framed[5..])[..5], "a message in its frame");
    Ok(framed.slice(5..))
}

impl Service {
    pub(super) async fn call(&self, headers: Headers<'_>, body: impl Into<Body>) -> Result<Bytes, Status> {
        call(self.collector.grpc_router(), headers, body).await
    }
}

/// Asserts `UNAVAILABLE` with this word, and the seconds of `RetryInfo`, byte by byte as the protocol has them.
pub(super) fn assert_unavailable(status: &Status, word: &str, seconds: u8) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().starts_with(&format!("{word}: ")), "{status:?}");
    let kind = b"type.googleapis.com/google.rpc.RetryInfo";
    let details = status.details();
    let at = memchr::memmem::find(details, kind).unwrap_or_else(|| panic!("{status:?}"));
    // The value of the Any: a field of bytes, in it a duration, in it seconds.
    assert_eq!(details[at + kind.len()..], [0x12, 4, 0x0a, 2, 0x08, seconds], "{status:?}");
}

#[tokio::test]
async fn a_call_over_grpc_is_stored_and_answered_with_its_status_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let zstd = zstd::encode_all(&span(3, "three")[..], 1).unwrap();
    for (headers, body) in [
        (PLAIN, frame(0, &span(1, "one"))),
        (GZIP, frame(1, &gzip(&span(2, "two")))),
        (&[("grpc-encoding", "zstd")][..], frame(1, &zstd)),
        (GZIP, frame(0, &span(4, "four"))),
    ] {
        assert_eq!(service.call(headers, body).await.unwrap(), Bytes::new(), "{headers:?}");
    }
    let mut late = ExportTraceServiceRequest::decode(&span(5, "five")[..]).unwrap();
    late.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = u64::MAX;
    let answer = service.call(&[], frame(0, &late.encode_to_vec())).await.unwrap();
    let told = ExportTraceServiceResponse::decode(answer).unwrap().partial_success.unwrap();
    assert_eq!(told.rejected_spans, 1, "{told:?}");
    until(4, async || service.sink.rows("spans")).await;
    service.stored(4).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_message_over_grpc_has_the_bounds_of_one_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { body_bytes_max: 10_000, ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let long = |bytes: usize| span(1, &"n".repeat(bytes));
    let fits = long(10_000 - span(1, "").len() - 10);
    assert!((9_990..=10_000).contains(&fits.len()), "{}", fits.len());
    service.call(&[], frame(0, &fits)).await.unwrap();
    let bomb = gzip(&vec![0; 10 << 20]);
    let random: Vec<u8> = (0..12_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for (headers, body) in [
        (PLAIN, frame(0, &long(10_000))),
        (GZIP, frame(1, &gzip(&long(20_000)))),
        (GZIP, frame(1, &gzip(&random))),
        (GZIP, frame(1, &bomb[..9_000])),
    ] {
        let status = service.call(headers, body).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        let (bound, key) = ("accepted are up to 10000", "collector.body_bytes_max");
        assert!(status.message().contains(bound) && status.message().contains(key), "{status:?}");
    }
    assert_eq!(service.refused("body_too_large").await, 4);
    until(1, async || service.sink.rows("spans")).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_call_that_is_none_is_refused_with_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    for (headers, body, code, word) in [
        (PLAIN, Bytes::new(), Code::InvalidArgument, "invalid_otlp"),
        (PLAIN, frame(0, b"\xff\xff"), Code::InvalidArgument, "invalid_otlp"),
        (PLAIN, frame(1, &gzip(b"")), Code::InvalidArgument, "invalid_otlp"),
        (PLAIN, Bytes::from([frame(0, b""), frame(0, b"")].concat()), Code::InvalidArgument, "invalid_otlp"),
        (GZIP, frame(1, b"no gzip"), Code::InvalidArgument, "invalid_content_encoding"),
        (&[("grpc-encoding", "br")][..], frame(0, b""), Code::Unimplemented, "unsupported_content_encoding"),
    ] {
        let status = service.call(headers, body).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().starts_with(word), "{status:?}");
        if code == Code::Unimplemented {
            let accepted = status.metadata().get("grpc-accept-encoding").unwrap();
            assert_eq!(accepted.to_str().unwrap(), "gzip,zstd,identity");
        }
    }
    assert_eq!(service.refused("invalid_otlp").await, 4);
    assert_eq!(service.metric("windvane_collector_received_records_total").await, 0);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_call_has_its_place_before_its_body_is_read_and_is_given_up_when_that_stays_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = CollectorOptions { requests_max: 1, ..options(folder.path()) };
    let service = start_with(options.clone(), &Arc::default());
    {
        let mut held = std::pin::pin!(service.call(&[], endless()));
        let waits = std::future::poll_fn(|context| Poll::Ready(held.as_mut().poll(context).is_pending()));
        assert!(waits.await);
        let status = service.call(&[], frame(0, &span(1, "one"))).await.unwrap_err();
        assert_unavailable(&status, "too_many_requests_in_work", 1);
        let reply = service.post("/v1/traces", &[PROTOBUF], span(1, "one")).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "places are the same over HTTP: {reply:?}");
    }
    service.call(&[], frame(0, &span(1, "one"))).await.unwrap();
    assert_eq!(service.refused("too_many_requests_in_work").await, 2);
    service.stored(1).await;
    service.assert_nothing_is_lost().await;

    let folder = tempfile::tempdir().unwrap();
    options.spool = SpoolOptions::new(folder.path().join("spool"));
    options.body_timeout = Duration::from_millis(20);
    let service = start_with(options, &Arc::default());
    let status = service.call(&[], endless()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(status.message().starts_with("body_timeout: "), "{status:?}");
    service.call(&[], frame(0, &span(1, "one"))).await.unwrap();
    service.stored(1).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_full_spool_is_unavailable_over_grpc_and_says_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.spool.bytes_max = 64 << 10;
    let service = start_with(options, &Arc::default());
    service.sink.be(Mood::Away);
    let message = |id: u8| frame(0, &span(id, &"n".repeat(4_000)));
    let mut taken = 0;
    let status = loop {
        match service.call(&[], message(taken)).await {
            Ok(_) => taken += 1,
            Err(status) => break status,
        }
        assert!(taken < 100, "the spool has a bound");
    };
    assert_unavailable(&status, "spool_full", 5);
    assert_eq!(service.refused("spool_full").await, 1);
    service.assert_nothing_is_lost().await;
    service.sink.be(Mood::Takes);
    until(u64::from(taken), async || service.sink.rows("spans")).await;
    windvane_kit::eventually_async(Duration::from_secs(20), async || {
        service.call(&[], message(taken)).await.map_err(|status| status.to_string())
    })
    .await;
    until(u64::from(taken) + 1, async || service.sink.rows("spans")).await;
    service.stored(u64::from(taken) + 1).await;
    service.assert_nothing_is_lost().await;
}
