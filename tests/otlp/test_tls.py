"""OTLP over gRPC behind TLS: gRPC's own client, a certificate that changes, and clients that speak clear text."""

import re
import shutil
import socket
import ssl
import time
import urllib.request
from pathlib import Path

import grpc
import pytest
from conftest import STORED_S, running
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

MADE = Path(__file__).parent.parent / "stories" / "tls"


class Secured:
    """A service whose certificate can be replaced."""

    def __init__(self, folder: Path):
        self.cert, self.key = folder / "tls.crt", folder / "tls.key"

    def install(self, name: str):
        shutil.copy(MADE / f"{name}.key", self.key)
        shutil.copy(MADE / f"{name}.crt", self.cert)

    def config(self) -> str:
        return f'[server.tls]\ncert_file = "{self.cert}"\nkey_file = "{self.key}"\n'


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    secured = Secured(folder)
    secured.install("first")
    with running(folder, secured.config()) as service:
        assert service.url.startswith("https://127.0.0.1:") and service.grpc.startswith("https://127.0.0.1:")
        secured.service = service
        yield secured


def target(service) -> str:
    return service.grpc.removeprefix("https://")


def export(channel: grpc.Channel, span_id: bytes):
    request = wire.ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.add(trace_id=b"t" * 16, span_id=span_id, name="tls", start_time_unix_nano=1_700_000_000_000_000_000)
    return trace_service_pb2_grpc.TraceServiceStub(channel).Export(request, timeout=20)


def trusting(service, name: str) -> grpc.Channel:
    """A channel of its own, which trusts this certificate alone."""
    credentials = grpc.ssl_channel_credentials((MADE / f"{name}.crt").read_bytes())
    return grpc.secure_channel(target(service), credentials, [("grpc.use_local_subchannel_pool", 1)])


def exports(service, name: str, span_id: bytes) -> grpc.StatusCode:
    """How a call ends over a channel that trusts this certificate."""
    with trusting(service, name) as channel:
        try:
            export(channel, span_id)
            return grpc.StatusCode.OK
        except grpc.RpcError as error:
            return error.code()


def context_of(name: str) -> ssl.SSLContext:
    """What trusts this certificate alone; it is self-signed, and says less of itself than strict readers want."""
    context = ssl.create_default_context(cafile=MADE / f"{name}.crt")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def assert_nothing_is_lost(service, name: str) -> int:
    """Waits until every record that came is stored, rejected, laid aside or pending."""
    came = ["received_records_total", "recovered_rows_total"]
    are = ["stored_rows_total", "rejected_records_total", "dead_lettered_rows_total", "damaged_rows_total", "pending_rows"]
    context = context_of(name)
    deadline = time.monotonic() + STORED_S
    while True:
        with urllib.request.urlopen(f"{service.url}/metrics", timeout=20, context=context) as answer:
            text = answer.read().decode()
        sums = [
            sum(int(n) for name in names for n in re.findall(rf"^windvane_collector_{name}\{{.*\}} (\d+)$", text, re.MULTILINE))
            for names in (came, are)
        ]
        if sums[0] == sums[1]:
            return sums[0]
        assert time.monotonic() < deadline, f"{sums[0]} records came and {sums[1]} are somewhere"
        time.sleep(0.1)


@pytest.mark.parametrize(("offered", "chosen"), [(["h2"], "h2"), (["http/1.1", "h2"], "h2"), ([], None)])
def test_http_2_is_agreed_on_in_the_handshake(secured, offered, chosen):
    host, port = target(secured.service).split(":")
    context = context_of("first")
    if offered:
        context.set_alpn_protocols(offered)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname=host) as connection:
            assert connection.selected_alpn_protocol() == chosen


def test_clear_text_to_a_port_with_tls_is_cut_off_and_others_go_on(secured):
    service = secured.service
    with trusting(service, "first") as held:
        export(held, b"before..")
        with grpc.insecure_channel(target(service)) as channel, pytest.raises(grpc.RpcError) as refused:
            export(channel, b"in clear")
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        host, port = target(service).split(":")
        for clear in [b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 64]:
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                connection.sendall(clear)
                answer = b""
                try:
                    while part := connection.recv(4096):
                        answer += part
                except ConnectionResetError:
                    pass
                assert b"HTTP" not in answer and len(answer) < 100, answer
        export(held, b"after...")
    assert exports(service, "first", b"anew....") == grpc.StatusCode.OK
    service.stored("SELECT count() FROM windvane.spans WHERE unhex(SpanId) IN ('before..', 'after...', 'anew....')", 3)
    service.stored("SELECT count() FROM windvane.spans", 3)
    assert assert_nothing_is_lost(service, "first") == 3


def test_a_new_certificate_is_in_force_over_grpc_without_a_restart(secured):
    # The last of them: the tests before trust the first one.
    service = secured.service
    assert exports(service, "first", b"tls-one.") == grpc.StatusCode.OK
    assert exports(service, "second", b"tls-none") == grpc.StatusCode.UNAVAILABLE
    with trusting(service, "first") as held:
        export(held, b"tls-two.")
        secured.install("second")
        deadline = time.monotonic() + STORED_S
        while exports(service, "second", b"tls-new.") != grpc.StatusCode.OK:
            assert time.monotonic() < deadline, "the new certificate is not in force"
            time.sleep(0.1)
        assert exports(service, "first", b"tls-none") == grpc.StatusCode.UNAVAILABLE
        # A connection that is open stays.
        export(held, b"tls-last")
    of = "FROM windvane.spans WHERE startsWith(unhex(SpanId), 'tls-')"
    service.stored(f"SELECT count() {of}", 4)
    service.stored(f"SELECT count() {of} AND unhex(SpanId) = 'tls-none'", 0)
    assert assert_nothing_is_lost(service, "second") == 3 + 4
