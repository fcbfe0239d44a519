"""A collector that fails on purpose, a real service as a child process, and waiting with a deadline."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def eventually(look, limit_s=30.0):
    """Waits until `look()` is true and returns it; fails with the last value seen."""
    deadline = time.monotonic() + limit_s
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"still {seen!r} after {limit_s} s"
        time.sleep(0.01)


def accounted(stats):
    """The sum that must be `stats.logged + stats.adopted`."""
    lost = sum(stats.dropped.values()) + stats.rejected + stats.unconfirmed
    return stats.received + lost + stats.spooled + stats.queued


ARROW = "application/vnd.apache.arrow.stream"


def rows_of_arrow(body):
    """The records of a stream; nulls are absent fields."""
    import pyarrow

    with pyarrow.ipc.open_stream(body) as reader:
        return [_present(row) for row in reader.read_all().to_pylist()]


def _present(value):
    if isinstance(value, dict):
        return {name: _present(held) for name, held in value.items() if held is not None}
    return value


class FaultyCollector:
    """Answers as the collector does, once per Idempotency-Key, after the faults that `plan` holds.

    A fault is a status, ("status", {header: value}), "away" (closes before reading), "lost" (stores, then closes without an answer),
    "rubbish" (200 with another body) or ("slow", threading.Event) (stores, answers when the event is set).
    """

    def __init__(self):
        self.plan = []
        self.records = {}  # kind -> records, in the order of storing
        self.requests = []  # (kind, key, events)
        self.forms = []  # content types of these
        self.keys = {}
        self.always = None
        self.events_max = None
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, *arguments):
                pass

            def do_POST(self):
                outer._handle(self)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request, address):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def count(self, kind="predictions"):
        return len(self.records.get(kind, []))

    def _handle(self, request):
        with self._lock:
            fault = self.plan.pop(0) if self.plan else self.always
        if fault == "away":
            return self._hang_up(request)
        body = request.rfile.read(int(request.headers["content-length"]))
        kind = request.path.rsplit("/", 1)[1]
        key = request.headers["idempotency-key"]
        form = request.headers["content-type"]
        records = rows_of_arrow(body) if form == ARROW else [json.loads(line) for line in gzip.decompress(body).splitlines()]
        with self._lock:
            self.requests.append((kind, key, len(records)))
            self.forms.append(form)
        status, headers = (fault, {}) if not isinstance(fault, tuple) else fault
        if isinstance(status, int):
            return self._answer(request, status, {"code": "a_fault", "detail": "on purpose"}, headers)
        if self.events_max is not None and len(records) > self.events_max:
            return self._answer(request, 413, {"code": "body_too_large"})
        answer = self._store(kind, key, body, records)
        if fault == "lost":
            return self._hang_up(request)
        if fault == "rubbish":
            return self._answer(request, 200, ["not", "ours"])
        if status == "slow":
            headers.wait(30)
        self._answer(request, 200 if answer["accepted"] else 400, answer)

    def _store(self, kind, key, body, records):
        with self._lock:
            if key in self.keys:
                assert self.keys[key][0] == body, "a key came back with another body"
                return self.keys[key][1]
            bad = [i for i, record in enumerate(records) if record.get("model") == "refused"]
            kept = [record for i, record in enumerate(records) if i not in bad]
            self.records.setdefault(kind, []).extend(kept)
            rejected = [{"index": i, "code": "bad", "message": "on purpose"} for i in bad]
            answer = {"accepted": len(kept), "rejected": rejected}
            if kept:
                self.keys[key] = (body, answer)
            return answer

    @staticmethod
    def _hang_up(request):
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _answer(request, status, document, headers=()):
        body = json.dumps(document).encode()
        request.send_response(status)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(body)))
        for name, value in dict(headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


class Service:
    """`windvane serve` over a folder; started, stopped, killed and started again on the same port."""

    def __init__(self, binary, folder):
        self.binary = str(binary)
        self.folder = Path(folder)
        self.config = self.folder / "windvane.toml"
        self.url = ""
        self.store = ""
        self._listen = "127.0.0.1:0"
        self._process = None
        self._log = []

    def start(self):
        self.config.write_text(
            f'[server]\nlisten = "{self._listen}"\n[store]\ndata_dir = "data"\nengine_listen = "127.0.0.1:0"\n'
        )
        command = [self.binary, "--log-format", "json", "serve", "--offline", "--config", str(self.config)]
        self._log = []
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        line = eventually(self._up, 90)
        self.url, self.store = json.loads(line)["address"], json.loads(line)["store"]
        self._listen = self.url.removeprefix("http://")

    def _read(self, process):
        for line in process.stderr:
            self._log.append(line)

    def _up(self):
        assert self._process.poll() is None, "".join(self._log)
        return next((line for line in self._log if re.search("windvane is up", line)), None)

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        self._process.kill()
        self._process.wait(30)

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(40) == 0, "".join(self._log[-20:])

    def query(self, sql):
        """The rows of a statement, as dictionaries."""
        command = [self.binary, "--log", "error", "query", f"{sql} FORMAT JSONEachRow", "--config", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def seed(self):
        """Findings of each kind of the model `delay`, the experiment `checkout` and the gate `delay-8`."""
        script = Path(__file__).parents[3] / "tests/openapi/seed.py"
        command = [sys.executable, str(script), self.binary, self.store, str(self.folder / "data/access.json")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def count(self, model, table="predictions"):
        """Events of a model in the store, without FINAL: twice stored would be counted twice."""
        row = self.query(f"SELECT toUInt32(count()) AS n, toUInt32(uniqExact(event_id)) AS ids FROM {table} WHERE model = '{model}'")[0]
        assert row["n"] == row["ids"], row
        return row["n"]


def run_python(code, environment=None, timeout=60):
    """Runs code in a fresh interpreter of this environment."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(environment or {})},
    )
