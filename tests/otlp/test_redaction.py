"""What `[otlp.redaction]` and `[redaction.<MODEL>]` take out of telemetry stands in no row of any table."""

import pytest
from conftest import running
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

HIDDEN = "hidden-words"
TIME = 1_700_000_000_000_000_000
RULES = """
[otlp.redaction]
attributes_deny = ["user.email", "http.request.header.*"]
attributes_hash = ["user.id"]
drop_messages = true

[redaction."*"]
features_deny = ["email"]
unit_key_file = "unit.key"
"""
TABLES = """predictions outcomes exposures measurements payloads spans spans_trace_id_ts llm_calls logs metrics_gauge metrics_sum
    metrics_histogram metrics_exponential_histogram metrics_summary""".split()
# printf alice | openssl dgst -sha256 -hmac key
ALICE = "76fb55e929c06b97b01c35950ee5f72f"


def attributes(values: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


DENIED = {"user.email": HIDDEN, "http.request.header.cookie": HIDDEN, "user.id": "alice", "kept": "kept-words"}


def spans():
    request = trace_service_pb2.ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(attributes({**DENIED, "service.name": "shop"}))
    scope = of_resource.scope_spans.add()
    span = scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="chat", start_time_unix_nano=TIME, end_time_unix_nano=TIME)
    said = ["gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.prompt.0.content"]
    said += ["input.value", "output.value", "llm.input_messages.0.message.content", "retrieval.documents.0.document.content"]
    span.attributes.extend(attributes(DENIED | dict.fromkeys(said, HIDDEN)))
    span.attributes.extend(attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}))
    span.attributes.append(KeyValue(key="gen_ai.usage.input_tokens", value=AnyValue(int_value=7)))
    event = {"windvane.model": "m", "windvane.feature.email": HIDDEN, "windvane.feature.plan": "gold", "windvane.unit_id": "alice"}
    span.attributes.extend(attributes(event))
    span.events.add(name="gen_ai.user.message", time_unix_nano=TIME, attributes=attributes({"content": HIDDEN, "role": "user"}))
    span.links.add(trace_id=b"u" * 16, span_id=b"v" * 8, attributes=attributes(DENIED))
    return "traces", request


def logs():
    request = logs_service_pb2.ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    record = scope.log_records.add(time_unix_nano=TIME, attributes=attributes(DENIED))
    record.body.kvlist_value.values.extend(attributes(DENIED))
    said = scope.log_records.add(time_unix_nano=TIME, event_name="gen_ai.choice")
    said.body.string_value = HIDDEN
    return "logs", request


def metrics():
    request = metrics_service_pb2.ExportMetricsServiceRequest()
    kinds = request.resource_metrics.add().scope_metrics.add().metrics
    for kind in ["gauge", "sum", "histogram", "exponential_histogram", "summary"]:
        point = getattr(kinds.add(name=kind), kind).data_points.add(time_unix_nano=TIME)
        point.attributes.extend(attributes(DENIED))
    return "metrics", request


@pytest.fixture(scope="module")
def redacting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redacting")
    (folder / "unit.key").write_text("key\n")
    with running(folder, RULES) as service:
        for signal, request in [spans(), logs(), metrics()]:
            body = request.SerializeToString()
            assert service.post(f"/v1/{signal}", body, content_type="application/x-protobuf") == (200, b"")
        for table, rows in [("spans", 1), ("llm_calls", 1), ("predictions", 1), ("logs", 2), ("metrics_summary", 1)]:
            service.stored(f"SELECT count() FROM windvane.{table}", rows)
        for table in ["gauge", "sum", "histogram", "exponential_histogram"]:
            service.stored(f"SELECT count() FROM windvane.metrics_{table}", 1)
        yield service


@pytest.mark.parametrize("table", TABLES)
def test_no_row_holds_what_is_redacted(redacting, table):
    for word in [HIDDEN, "alice"]:
        where = f"position(formatRow('JSONEachRow', *), '{word}') > 0"
        [found] = redacting.query(f"SELECT count() AS n FROM windvane.{table} WHERE {where}")
        assert int(found["n"]) == 0, word


def test_what_is_not_redacted_is_kept(redacting):
    [span] = redacting.query("SELECT SpanAttributes, ResourceAttributes, Events.Attributes AS events FROM windvane.spans")
    assert span["SpanAttributes"] == {
        "user.id": ALICE,
        "kept": "kept-words",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": "7",
        "windvane.model": "m",
        "windvane.feature.plan": "gold",
        "windvane.unit_id": ALICE,
    }
    assert span["ResourceAttributes"] == {"user.id": ALICE, "kept": "kept-words", "service.name": "shop"}
    assert span["events"] == [{"role": "user"}]
    [call] = redacting.query("SELECT request_model, input_tokens FROM windvane.llm_calls")
    assert (call["request_model"], int(call["input_tokens"])) == ("gpt-4o", 7)
    [prediction] = redacting.query("SELECT cat, unit_id FROM windvane.predictions")
    assert (prediction["cat"], prediction["unit_id"]) == ({"plan": "gold"}, ALICE)
    service_rows = "SELECT count() FROM windvane.logs WHERE LogAttributes['kept'] = 'kept-words' AND position(Body, 'kept-words') > 0"
    redacting.stored(service_rows, 1)
