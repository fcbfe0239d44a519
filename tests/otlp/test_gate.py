"""What the gate answers calls over gRPC, as gRPC's own client reads it."""

import os
import subprocess
import time

import grpc
from conftest import ENVIRONMENT, STORED_S, running
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc


def token(service, *words: str) -> str:
    command = [os.environ["WINDVANE"], "token", "create", *words, "--config", str(service.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=ENVIRONMENT).stdout.strip()


class Exporter:
    """Exports a span a call, each another one."""

    def __init__(self, channel: grpc.Channel):
        self.stub = trace_service_pb2_grpc.TraceServiceStub(channel)
        self.taken = 0

    def refusal(self, bearer: str | None = None) -> grpc.RpcError | None:
        request = wire.ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        span_id = (self.taken + 1).to_bytes(8, "big")
        scope.spans.add(trace_id=b"t" * 16, span_id=span_id, name="gate", start_time_unix_nano=1_700_000_000_000_000_000)
        metadata = [("authorization", f"Bearer {bearer}")] if bearer else []
        try:
            self.stub.Export(request, metadata=metadata, timeout=20)
        except grpc.RpcError as refused:
            return refused
        self.taken += 1
        return None


def test_refusals_of_the_gate_have_the_codes_of_grpc(tmp_path):
    with running(tmp_path) as service:
        reader = token(service, "--name", "reader", "--scope", "read")
        sender = token(service, "--name", "sender", "--scope", "ingest", "--requests-per-s", "1")
        with grpc.insecure_channel(service.grpc.removeprefix("http://")) as channel:
            exporter = Exporter(channel)
            deadline = time.monotonic() + STORED_S
            while exporter.refusal() is None:
                assert time.monotonic() < deadline, "the first token closes the service"
                time.sleep(0.1)
            for bearer, code, word in [
                (None, grpc.StatusCode.UNAUTHENTICATED, "token_missing"),
                ("wvt_00000000_x", grpc.StatusCode.UNAUTHENTICATED, "token_invalid"),
                (reader, grpc.StatusCode.PERMISSION_DENIED, "scope_missing"),
            ]:
                refused = exporter.refusal(bearer)
                assert refused.code() == code, refused
                assert refused.details().startswith(f"{word}: "), refused
            # Two of a second come at once, and one more each second.
            while (refused := exporter.refusal(sender)) is None:
                assert time.monotonic() < deadline, "a token has its rate"
            assert refused.code() == grpc.StatusCode.UNAVAILABLE, refused
            assert refused.details().startswith("rate_exceeded: "), refused
            details = dict(refused.trailing_metadata())["grpc-status-details-bin"]
            retry = error_details_pb2.RetryInfo()
            assert status_pb2.Status.FromString(details).details[0].Unpack(retry)
            assert retry.retry_delay.seconds == 1
        service.stored("SELECT count() FROM windvane.spans", exporter.taken)
