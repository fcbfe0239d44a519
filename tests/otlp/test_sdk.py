"""OpenTelemetry's own SDK and exporters, over gRPC and HTTP: everything that they export is stored once."""

import gzip
import json
import logging
import os

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_wire
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, StatusCode

SPANS = int(os.environ.get("WINDVANE_TEST_SPANS", "4000"))
TRANSPORTS = ["grpc", "grpc-gzip", "http", "http-gzip"]


def spans_to(service, transport: str):
    compressed = transport.endswith("gzip")
    if transport.startswith("grpc"):
        compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
        return GrpcSpans(endpoint=service.grpc, insecure=True, compression=compression)
    compression = Compression.Gzip if compressed else Compression.NoCompression
    return HttpSpans(endpoint=f"{service.url}/v1/traces", compression=compression)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_span_is_stored_once(service, transport):
    name = f"sdk-{transport}"
    resource = Resource.create({"service.name": name, "deployment.environment.name": "test"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(spans_to(service, transport), max_queue_size=SPANS + 100))
    tracer = provider.get_tracer("tests", "1.0")
    for n in range(SPANS // 2):
        with tracer.start_as_current_span("outer", kind=SpanKind.SERVER, attributes={"n": n, "half": n / 2}) as outer:
            links = [Link(outer.get_span_context(), {"why": "test"})]
            with tracer.start_as_current_span("inner", links=links) as inner:
                inner.add_event("happened", {"list": ["a", "b"]})
                inner.set_status(StatusCode.ERROR, "on purpose")
    provider.shutdown()
    where = f"FROM windvane.spans WHERE ServiceName = '{name}'"
    service.stored(f"SELECT count() {where}", SPANS)
    service.stored(f"SELECT uniqExact(TraceId, SpanId) {where}", SPANS)
    [seen] = service.query(
        f"""SELECT countIf(SpanKind = 'Server' AND SpanAttributes['n'] != '' AND ParentSpanId = '') AS outer,
            countIf(StatusCode = 'Error' AND StatusMessage = 'on purpose' AND Events.Name = ['happened']
                AND Events.Attributes[1]['list'] = '["a","b"]' AND Links.SpanId = [ParentSpanId]) AS inner,
            countIf(ResourceAttributes['deployment.environment.name'] = 'test' AND ScopeName = 'tests') AS both,
            countIf(abs(dateDiff('second', Timestamp, now64(9))) < 600 AND Duration > 0) AS in_time {where}"""
    )
    halves = str(SPANS // 2)
    assert {key: str(value) for key, value in seen.items()} == {
        "outer": halves,
        "inner": halves,
        "both": str(SPANS),
        "in_time": str(SPANS),
    }
    traces = "SELECT uniqExact(TraceId) FROM windvane.spans_trace_id_ts"
    service.stored(f"{traces} WHERE TraceId IN (SELECT TraceId {where})", SPANS // 2)


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_logs_and_metrics_are_stored(service, transport):
    name = f"signals-{transport}"
    resource = Resource.create({"service.name": name})
    over_grpc = transport == "grpc"
    logs = GrpcLogs(endpoint=service.grpc, insecure=True) if over_grpc else HttpLogs(endpoint=f"{service.url}/v1/logs")
    logger_provider = LoggerProvider(resource=resource)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs))
    logger = logging.getLogger(name)
    logger.addHandler(LoggingHandler(logger_provider=logger_provider))
    for n in range(50):
        logger.warning("line %d", n, extra={"n": n})
    logger_provider.shutdown()
    where = f"FROM windvane.logs WHERE ServiceName = '{name}'"
    service.stored(f"SELECT countIf(startsWith(Body, 'line ') AND LogAttributes['n'] != '' AND SeverityNumber = 13) {where}", 50)

    exporter = (
        GrpcMetrics(endpoint=service.grpc, insecure=True)
        if over_grpc
        else HttpMetrics(endpoint=f"{service.url}/v1/metrics")
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    fine = View(instrument_name="duration", aggregation=ExponentialBucketHistogramAggregation())
    meters = MeterProvider([reader], resource=resource, views=[fine])
    meter = meters.get_meter("tests")
    meter.create_counter("requests").add(7, {"path": "/"})
    meter.create_gauge("load").set(0.5)
    histogram = meter.create_histogram("latency", unit="ms")
    for value in [1, 10, 100]:
        histogram.record(value)
    exponential = meter.create_histogram("duration", unit="s")
    for value in [0, 1, 1, 4]:
        exponential.record(value)
    meters.shutdown()
    of = f"FROM windvane.metrics_{{}} WHERE ServiceName = '{name}'"
    service.stored(f"SELECT countIf(Value = 7 AND Attributes['path'] = '/' AND IsMonotonic) {of.format('sum')}", 1)
    service.stored(f"SELECT countIf(Value = 0.5) {of.format('gauge')}", 1)
    service.stored(
        f"SELECT countIf(Count = 3 AND Sum = 111 AND arraySum(BucketCounts) = 3 AND Max = 100) {of.format('histogram')}", 1
    )
    service.stored(f"SELECT count() {of.format('exponential_histogram')}", 1)
    [seen] = service.query(
        f"""SELECT Count AS count, Sum AS sum, Min AS min, Max AS max, ZeroCount AS zeros, arraySum(PositiveBucketCounts) AS positive,
            arraySum(NegativeBucketCounts) AS negative, AggregationTemporality AS temporality,
            arrayMap((n, i) -> (pow(pow(2, pow(2, -Scale)), PositiveOffset + i), n), PositiveBucketCounts,
                arrayEnumerate(PositiveBucketCounts)) AS uppers {of.format('exponential_histogram')}"""
    )
    # The last bucket ends at or beyond 4, and begins below it: which of the values is where can be read from the columns alone.
    filled = [(upper, int(n)) for upper, n in seen.pop("uppers") if int(n)]
    assert [n for _, n in filled] == [2, 1]
    assert 1 <= filled[0][0] < 4 <= filled[1][0] * 1.000001
    assert {key: float(value) for key, value in seen.items()} == {
        "count": 4,
        "sum": 6,
        "min": 0,
        "max": 4,
        "zeros": 1,
        "positive": 3,
        "negative": 0,
        "temporality": 2,
    }


def test_a_summary_and_a_negative_exponential_histogram_are_stored(service):
    request = metrics_wire.ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    common = {"time_unix_nano": 1_700_000_000_000_000_000, "count": 4}
    summary = metrics.add(name="by-proto-summary").summary.data_points.add(**common, sum=2.5)
    summary.quantile_values.add(quantile=0.5, value=0.25)
    summary.quantile_values.add(quantile=0.99, value=1.0)
    point = metrics.add(name="by-proto-exponential").exponential_histogram.data_points.add(**common, scale=-3, zero_threshold=0.125)
    point.negative.offset = -7
    point.negative.bucket_counts.extend([1, 0, 3])
    status, answer = service.post("/v1/metrics", request.SerializeToString(), content_type="application/x-protobuf")
    assert (status, answer) == (200, b"")
    service.stored(
        """SELECT countIf(Count = 4 AND Sum = 2.5 AND ValueAtQuantiles.Quantile = [0.5, 0.99] AND ValueAtQuantiles.Value = [0.25, 1])
            FROM windvane.metrics_summary WHERE MetricName = 'by-proto-summary'""",
        1,
    )
    service.stored(
        """SELECT countIf(Scale = -3 AND ZeroThreshold = 0.125 AND NegativeOffset = -7 AND NegativeBucketCounts = [1, 0, 3]
                AND empty(PositiveBucketCounts))
            FROM windvane.metrics_exponential_histogram WHERE MetricName = 'by-proto-exponential'""",
        1,
    )


def message(span_id: bytes, start_ns: int = 1_700_000_000_000_000_000) -> wire.ExportTraceServiceRequest:
    request = wire.ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.add(trace_id=b"t" * 16, span_id=span_id, name="one", start_time_unix_nano=start_ns)
    return request


def test_a_message_that_is_sent_again_is_stored_once(service):
    body = message(b"repeated").SerializeToString()
    for _ in range(3):
        status, answer = service.post("/v1/traces", body, content_type="application/x-protobuf")
        assert (status, answer) == (200, b"")
    service.stored(f"SELECT count() FROM windvane.spans WHERE SpanId = '{b'repeated'.hex()}'", 1)


def test_what_is_rejected_is_told_and_the_rest_is_stored(service):
    request = message(b"in  time")
    request.MergeFrom(message(b"too late", 2**63))
    status, answer = service.post("/v1/traces", request.SerializeToString(), content_type="application/x-protobuf")
    told = wire.ExportTraceServiceResponse.FromString(answer).partial_success
    assert (status, told.rejected_spans) == (200, 1)
    assert "ts_out_of_range" in told.error_message
    service.stored(f"SELECT count() FROM windvane.spans WHERE SpanId = '{b'in  time'.hex()}'", 1)


def test_json_is_taken_with_hex_ids_and_answers_in_json(service):
    span = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "json", "kind": 1}
    span |= {"startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": 1_700_000_000_000_000_001, "future": {}}
    body = gzip.compress(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode())
    headers = {"content_type": "application/json", "content_encoding": "gzip"}
    assert service.post("/v1/traces", body, **headers) == (200, b"{}")
    service.stored("SELECT count() FROM windvane.spans WHERE SpanId = 'b7ad6b7169203331' AND Duration = 1", 1)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"\xff\xff", {"content_type": "application/x-protobuf"}, 400, 3),
        (b"{", {"content_type": "application/json"}, 400, 3),
        (b"", {"content_type": "text/plain"}, 415, 3),
        (gzip.compress(b"\0" * (40 << 20)), {"content_type": "application/x-protobuf", "content_encoding": "gzip"}, 413, 8),
    ],
)
def test_a_refusal_is_a_status_message(service, body, headers, status, code):
    from google.rpc import status_pb2

    found, answer = service.post("/v1/traces", body, **headers)
    if headers["content_type"] == "application/json":
        told = json.loads(answer)["code"]
    else:
        told = status_pb2.Status.FromString(answer).code
    assert (found, told) == (status, code)


def test_a_message_over_grpc_may_be_as_long_as_over_http(service):
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

    # Longer than gRPC's usual 4 MiB, of spans that are short enough each.
    whole = wire.ExportTraceServiceRequest()
    for n in range(60):
        request = message(b"long%04d" % n)
        request.resource_spans[0].scope_spans[0].spans[0].name = "n" * 100_000
        whole.MergeFrom(request)
    enormous = message(b"enormous")
    enormous.resource_spans[0].scope_spans[0].spans[0].name = "n" * (33 << 20)
    with grpc.insecure_channel(service.grpc.removeprefix("http://")) as channel:
        stub = trace_service_pb2_grpc.TraceServiceStub(channel)
        assert not stub.Export(whole, timeout=30).HasField("partial_success")
        for compression in [grpc.Compression.NoCompression, grpc.Compression.Gzip]:
            with pytest.raises(grpc.RpcError) as refused:
                stub.Export(enormous, timeout=30, compression=compression)
            assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "accepted are up to 33554432" in refused.value.details()
    service.stored("SELECT count() FROM windvane.spans WHERE startsWith(unhex(SpanId), 'long') AND length(SpanName) = 100000", 60)


def test_attributes_of_a_span_are_a_prediction_and_its_outcome_follows(service):
    provider = TracerProvider(resource=Resource.create({"service.name": "native", "deployment.environment.name": "prod"}))
    provider.add_span_processor(BatchSpanProcessor(GrpcSpans(endpoint=service.grpc, insecure=True)))
    tracer = provider.get_tracer("tests")
    attributes = {"windvane.model": "native", "windvane.version": "7", "windvane.feature.distance": 1400}
    attributes |= {"windvane.feature.carrier": "UA", "windvane.prediction.score": 0.25, "windvane.tag.region": "east"}
    with tracer.start_as_current_span("predict", attributes=attributes) as span:
        ids = span.get_span_context()
    event_id = f"{ids.trace_id:032x}-{ids.span_id:016x}"
    truth = {"windvane.model": "native", "windvane.event_id": event_id, "windvane.outcome.label": "late"}
    with tracer.start_as_current_span("learn", attributes=truth):
        pass
    provider.shutdown()
    service.stored(f"SELECT count() FROM windvane.outcomes WHERE event_id = '{event_id}' AND label = 'late'", 1)
    service.stored(
        f"""SELECT count() FROM windvane.predictions WHERE event_id = '{event_id}' AND model = 'native' AND version = '7'
            AND environment = 'prod' AND num['distance'] = 1400 AND cat['carrier'] = 'UA' AND score = 0.25
            AND tags['region'] = 'east' AND latency_us IS NOT NULL AND status = 'ok' AND span_id != ''""",
        1,
    )
