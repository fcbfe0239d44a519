"""What a service says of its HTTP interface, and its answers held against that."""

import json
import urllib.error
import urllib.request

import jsonschema_rs
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

PROTOBUF = "application/x-protobuf"
TAKEN = {"/v1/traces": ExportTraceServiceResponse, "/v1/logs": ExportLogsServiceResponse, "/v1/metrics": ExportMetricsServiceResponse}


class Unfollowed(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), Unfollowed)


class Answer:
    """A status, headers and, unless it never ends, a body."""

    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.media = response.headers.get_content_type() if "Content-Type" in response.headers else None
        self.body = b"" if self.media == "text/event-stream" else response.read()
        response.close()

    def code(self):
        """The code of a problem, of a batch of which nothing was taken, or of a status of OTLP."""
        if self.media == PROTOBUF:
            return Status.FromString(self.body).message.split(": ")[0]
        document = json.loads(self.body)
        return document.get("code") if isinstance(document.get("code"), str) else document["message"].split(": ")[0]


def send(method, url, body=None, headers=()):
    """Sends a request and reads the answer, whatever its status."""
    request = urllib.request.Request(url, data=body, method=method.upper(), headers=dict(headers))
    if body is not None and not request.has_header("Content-type"):
        # The library says that it is a form otherwise.
        request.add_unredirected_header("Content-type", "application/octet-stream")
    try:
        return Answer(OPENER.open(request, timeout=60))
    except urllib.error.HTTPError as refused:
        return Answer(refused)


def of_protobuf(path, status, body):
    """What OpenTelemetry's protocol answers in protobuf, as JSON has it."""
    message = TAKEN[path] if status == 200 else Status
    return MessageToDict(message.FromString(body))


class Interface:
    """The description of a service."""

    def __init__(self, url, token=None):
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.document = json.loads(send("get", f"{url}/api/openapi.json", headers=headers).body)

    def operations(self):
        """Path, method and description of each."""
        return [(path, method, of) for path, all_of in self.document["paths"].items() for method, of in all_of.items()]

    def faults(self, path, method, answer):
        """In what an answer is not as it is described."""
        where = f"{method} {path} {answer.status}"
        described = self.document["paths"][path][method]["responses"].get(str(answer.status))
        if described is None:
            return [f"{where}: the status is not described: {answer.body[:200]}"]
        found = [f"{where}: {fault}" for fault in self.headers(described, answer)]
        content = described.get("content", {})
        if not content:
            return found
        if answer.media not in content and "*/*" not in content:
            return [*found, f"{where}: {answer.media} is not among {list(content)}"]
        schema = content.get(answer.media, content.get("*/*"))["schema"]
        return found + [f"{where}: {fault}" for fault in self.body(schema, path, answer)]

    def headers(self, described, answer):
        """Headers that are missing, or have another value."""
        for name, header in described.get("headers", {}).items():
            value = answer.headers.get(name)
            if value is None:
                if header["required"]:
                    yield f"the header {name} is missing"
                continue
            value = int(value) if header["schema"]["type"] == "integer" else value
            yield from (f"{name}: {error.message}" for error in self.errors(header["schema"], value))

    def body(self, schema, path, answer):
        """Faults of a body that can be held against its schema."""
        if answer.media == PROTOBUF:
            document = of_protobuf(path, answer.status, answer.body)
        elif answer.media and answer.media.endswith("json"):
            document = json.loads(answer.body)
        else:
            return
        for error in self.errors(schema, document):
            yield f"{error.instance_path}: {error.message}"

    def errors(self, schema, value):
        """Faults of a value; the schema may refer to components."""
        whole = {"allOf": [schema], "components": self.document["components"]}
        return jsonschema_rs.validator_for(whole).iter_errors(value)
