#!/usr/bin/env python3
"""A body of every kind that the description of a service names, plain and compressed, and of those that are refused: each answer as it is described.

Usage: tests/openapi/bodies.py URL

Schemathesis makes bodies of JSON up. Here they are written by the libraries that clients write them with, so that they are taken.
"""

import base64
import gzip
import http.client
import io
import json
import sys
import urllib.parse

import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from interface import PROTOBUF, TAKEN, Answer, Interface, send

JSON, NDJSON = "application/json", "application/x-ndjson"
STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
EVENT, EVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"
TENSORS = [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.5]}]
RECORDS = {
    "predictions": {"model": "bodies", "features": {"distance": 1400.0}, "prediction": {"score": 0.25}},
    "outcomes": {"model": "bodies", "event_id": "e", "label": "late"},
    "exposures": {"experiment": "bodies", "unit_id": "u", "arm": "A"},
    "measurements": {"metric": "revenue", "unit_id": "u", "value": 1.5},
    "payloads": {"model": "bodies", "inputs": TENSORS},
}
PACKED = {"gzip": gzip.compress, "zstd": lambda body: pa.compress(body, codec="zstd", asbytes=True), "identity": bytes}
TIME = 1_700_000_000_000_000_000
SPAN = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "n", "kind": 1, "startTimeUnixNano": str(TIME), "endTimeUnixNano": str(TIME)}
# A message of each signal of OpenTelemetry, as JSON and in protobuf.
SIGNALS = {
    "traces": (
        {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]},
        ExportTraceServiceRequest(
            resource_spans=[{"scope_spans": [{"spans": [{"trace_id": b"t" * 16, "span_id": b"s" * 8, "name": "n", "start_time_unix_nano": TIME, "end_time_unix_nano": TIME}]}]}]
        ),
    ),
    "logs": (
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": str(TIME), "body": {"stringValue": "b"}}]}]}]},
        ExportLogsServiceRequest(resource_logs=[{"scope_logs": [{"log_records": [{"time_unix_nano": TIME, "body": {"string_value": "b"}}]}]}]),
    ),
    "metrics": (
        {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": str(TIME), "asDouble": 1.5}]}}]}]}]},
        ExportMetricsServiceRequest(
            resource_metrics=[{"scope_metrics": [{"metrics": [{"name": "m", "gauge": {"data_points": [{"time_unix_nano": TIME, "as_double": 1.5}]}}]}]}]
        ),
    ),
}
ATTRIBUTES = {"specversion": "1.0", "source": "bodies", "type": "org.kubeflow.serving.inference.request", "id": "i", "inferenceservicename": "bodies"}


def arrow(record, writer):
    """One record as Arrow's own library writes it."""
    table, sink = pa.Table.from_pylist([record]), io.BytesIO()
    with writer(sink, table.schema) as written:
        written.write_table(table)
    return sink.getvalue()


def taken():
    """Path, media, headers and body of what is taken."""
    for name, record in RECORDS.items():
        path, line = f"/v1/{name}", json.dumps(record)
        yield path, JSON, {}, line.encode()
        yield path, JSON, {}, f"[{line},{line}]".encode()
        yield path, NDJSON, {}, f'{line}\n{{"faulty": 1}}\n{line}\n'.encode()
        yield path, STREAM, {}, arrow(record, pa.ipc.new_stream)
        yield path, FILE, {}, arrow(record, pa.ipc.new_file)
    for name, (document, message) in SIGNALS.items():
        yield f"/v1/{name}", JSON, {}, json.dumps(document).encode()
        yield f"/v1/{name}", PROTOBUF, {}, message.SerializeToString()
    data = {"inputs": TENSORS}
    event = {**ATTRIBUTES, "data": data}
    encoded = {**ATTRIBUTES, "data_base64": base64.b64encode(json.dumps(data).encode()).decode()}
    yield "/v1/cloudevents", EVENT, {}, json.dumps(event).encode()
    yield "/v1/cloudevents", EVENT, {}, json.dumps(encoded).encode()
    yield "/v1/cloudevents", EVENTS, {}, json.dumps([event, encoded, {"faulty": 1}]).encode()
    yield "/v1/cloudevents", JSON, {f"ce-{name}": value for name, value in ATTRIBUTES.items()}, json.dumps(data).encode()


def usual_media(path):
    """What most clients send there."""
    return PROTOBUF if path in TAKEN else EVENT if path == "/v1/cloudevents" else JSON


def refused(paths):
    """Path, headers, body, status and code of what is refused."""
    for path in paths:
        is_otlp, is_cloud, media = path in TAKEN, path == "/v1/cloudevents", usual_media(path)
        yield path, {"Content-Type": "text/csv"}, b"a,b", 415, "unsupported_content_type"
        yield path, {"Content-Type": media, "Content-Encoding": "br"}, b"{}", 415, "unsupported_content_encoding"
        yield path, {"Content-Type": media, "Content-Encoding": "gzip"}, b"{}", 400, "invalid_content_encoding"
        bomb = gzip.compress(bytes(33 << 20), 1)
        yield path, {"Content-Type": media, "Content-Encoding": "gzip"}, bomb, 413, "body_too_large"
        yield path, {"Content-Type": media}, b"\xff", 400, "invalid_otlp" if is_otlp else "no_event_accepted"
        if is_otlp:
            yield path, {"Content-Type": JSON}, b"{", 400, "invalid_otlp"
        elif not is_cloud:
            yield path, {"Content-Type": JSON, "Idempotency-Key": "k" * 256}, b"{}", 400, "idempotency_key_invalid"


class Bodies:
    """Sends bodies and gathers what is wrong."""

    def __init__(self, url):
        self.url, self.interface, self.found, self.sent = url, Interface(url), [], set()

    def send(self, path, headers, body, expected):
        """One body, whose answer has to be this status, and this code where it is a refusal."""
        self.hold(path, send("post", self.url + path, body, headers), expected)

    def hold(self, path, answer, expected):
        self.found += self.interface.faults(path, "post", answer)
        seen = answer.status if answer.status == 200 else (answer.status, answer.code())
        if seen != expected:
            self.found.append(f"{path}: {seen} in place of {expected}: {answer.body[:300]}")
        return answer

    def take(self):
        """What is taken, in every compression."""
        for path, media, headers, body in taken():
            for encoding, pack in PACKED.items():
                self.send(path, {"Content-Type": media, "Content-Encoding": encoding, **headers}, pack(body), 200)
            self.sent.add((path, media))

    def refuse(self):
        """What is refused."""
        for path, headers, body, status, code in refused(sorted({path for path, _ in self.sent})):
            self.send(path, headers, body, (status, code))

    def repeat(self):
        """A batch that comes again is answered as at first, and another one under its key is not taken."""
        for name, record in RECORDS.items():
            path, headers = f"/v1/{name}", {"Content-Type": JSON, "Idempotency-Key": "bodies"}
            body = json.dumps(record).encode()
            self.send(path, headers, body, 200)
            again = self.hold(path, send("post", self.url + path, body, headers), 200)
            if again.headers.get("Idempotent-Replayed") != "true":
                self.found.append(f"{path}: not known again")
            self.send(path, headers, body + b" ", (422, "idempotency_key_reused"))

    def stay_away(self):
        """A body that does not come: `collector.body_timeout` of the service is short."""
        waiting = {path: self.begun(path) for path in sorted({path for path, _ in self.sent})}
        for path, connection in waiting.items():
            self.hold(path, Answer(connection.getresponse()), (408, "body_timeout"))
            connection.close()

    def begun(self, path):
        """A connection over which a body is announced, and one byte of it came."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=60)
        connection.putrequest("POST", path)
        connection.putheader("Content-Type", usual_media(path))
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"{")
        return connection

    def unsent(self):
        """Media that the description names and of which nothing was sent."""
        for path, method, operation in self.interface.operations():
            for media in operation.get("requestBody", {}).get("content", {}):
                if path.startswith("/v1/") and (path, media) not in self.sent:
                    self.found.append(f"{method} {path}: nothing was sent as {media}")
        described = {path for path, _, _ in self.interface.operations()}
        self.found += [f"{path} is not described as taking {media}" for path, media in self.sent if path in described and media not in self.media(path)]

    def media(self, path):
        return self.interface.document["paths"][path]["post"]["requestBody"]["content"]


def main(url):
    """Sends all of them."""
    bodies = Bodies(url)
    for step in (bodies.take, bodies.refuse, bodies.repeat, bodies.stay_away, bodies.unsent):
        step()
    if bodies.found:
        sys.exit("\n".join(bodies.found))
    print(f"{len(bodies.sent)} kinds of bodies are taken in each compression, and answered as it is described")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
