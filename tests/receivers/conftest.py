"""Sinks that stand in for receivers: an HTTP server and an SMTP server, on free ports of this machine."""

import asyncio
import json
import os
import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from service import Process, reserved_port

LIMIT_S = 90


@dataclass
class Answered:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class HttpSink:
    """Answers requests with the prepared answers in turn, the last one again and again; keeps what came."""

    answers: list
    requests: list = field(default_factory=list)
    url: str = ""


@pytest.fixture(autouse=True)
def ended():
    """No program outlives its test, whatever happens."""
    yield
    for process in Process.running:
        process.kill()
    Process.running.clear()


@pytest.fixture
def windvane(tmp_path):
    """Writes a configuration and runs `windvane alerts test` on it."""

    def run(receivers: str, name: str, **environment) -> Answered:
        config = tmp_path / "windvane.toml"
        config.write_text(f'[store]\ndata_dir = "{tmp_path}/data"\n{receivers}')
        command = [os.environ["WINDVANE"], "alerts", "test", "--receiver", name, "--config", str(config)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, env={**os.environ, **environment}
        )
        return Answered(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def http_sink():
    """Makes HTTP sinks. An answer is (status, headers, body), or a word: "close" closes before the answer's head, "half" breaks
    off in the body of a 200, "hang" keeps the connection open and says nothing."""
    servers = []

    def make(*answers) -> HttpSink:
        sink = HttpSink(list(answers))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.requests.append((self.path, self.headers, body))
                answer = sink.answers.pop(0) if len(sink.answers) > 1 else sink.answers[0]
                if answer == "close":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                if answer == "half":
                    self.send_response(200)
                    self.send_header("Content-Length", "100")
                    self.end_headers()
                    self.wfile.write(b"ten bytes.")
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                if answer == "hang":
                    hung.wait(LIMIT_S)
                    self.close_connection = True
                    return
                status, headers, text = answer
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        hung = threading.Event()
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append((server, hung))
        sink.url = f"http://127.0.0.1:{server.server_port}"
        return sink

    yield make
    for server, hung in servers:
        hung.set()
        server.shutdown()
        server.server_close()


class Mails:
    """Keeps what came; the first answers can be prepared."""

    def __init__(self, answers=()):
        self.answers = list(answers)
        self.kept = []
        self.tries = 0
        self.peers = []  # Who brought each mail: another one for each connection.
        self.farewells = []  # Who took leave.
        self.unknown = []  # Addresses that there are not.
        self.looks_s = 0  # How long it looks at a mail before it says that it takes it.

    async def handle_QUIT(self, _server, session, _envelope):
        self.farewells.append(session.peer)
        return "221 bye"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        if address in self.unknown:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, _server, session, envelope):
        self.tries += 1
        self.peers.append(session.peer)
        await asyncio.sleep(self.looks_s)
        if self.answers:
            return self.answers.pop(0)
        self.kept.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content, session.authenticated))
        return "250 kept as number one"


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def smtp(authority):
    """Makes SMTP servers: tls is none, starttls or wrapper; login is (user, password)."""
    ends = ExitStack()

    def make(tls="none", login=None, answers=(), port=None):
        mails = Mails(answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        options = {}
        if login:
            expected = tuple(text.encode() for text in login)

            def authenticate(_server, _session, _envelope, _mechanism, data):
                return AuthResult(success=(data.login, data.password) == expected, handled=False)

            options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": tls == "starttls"}
        if tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if port is None:
            port = ends.enter_context(reserved_port())
        ssl_context = context if tls == "wrapper" else None
        controller = Controller(mails, hostname="127.0.0.1", port=port, ssl_context=ssl_context, **options)
        controller.start()
        ends.callback(controller.stop)
        return mails, port

    with ends:
        yield make


@pytest.fixture
def body():
    """The JSON of the nth request of a sink."""
    return lambda sink, at=0: json.loads(sink.requests[at][2])
