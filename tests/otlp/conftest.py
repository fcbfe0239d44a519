"""A running service on free ports, and an OpenAI server that answers from this file."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

# The service refuses variables that it does not know; this one is for the tests.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "WINDVANE_TEST_SPANS"}
UP_S = 90
STORED_S = 60
CONFIG = """
[server]
listen = "127.0.0.1:0"
[otlp]
grpc_listen = "127.0.0.1:0"
[store]
data_dir = "data"
engine_listen = "127.0.0.1:0"
[llm.prices."gpt-4o"]
input = 2.5
output = 10.0
cache_read = 1.25
"""


@dataclass
class Service:
    """`windvane serve` in a folder of the test."""

    url: str
    grpc: str
    config: Path

    def query(self, sql: str) -> list[dict]:
        """What the store answers."""
        command = [os.environ["WINDVANE"], "query", "--config", str(self.config), f"{sql} FORMAT JSONEachRow"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=ENVIRONMENT)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def stored(self, sql: str, expected):
        """Waits until a statement with one value answers it."""
        deadline = time.monotonic() + STORED_S
        found = None
        while time.monotonic() < deadline:
            rows = self.query(sql)
            found = next(iter(rows[0].values())) if rows else None
            if str(found) == str(expected):
                return
            time.sleep(0.1)
        raise AssertionError(f"{sql}: {found}, not {expected}")

    def post(self, path: str, body: bytes, **headers) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


@contextmanager
def running(folder: Path, more: str = ""):
    """A service in this folder, which has to end well."""
    config = folder / "windvane.toml"
    config.write_text(CONFIG + more)
    command = [os.environ["WINDVANE"], "--log-format", "json", "serve", "--config", str(config)]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log, stdout=log, env=ENVIRONMENT) as process:
        try:
            up = wait_until_up(process, folder / "log")
            yield Service(up["address"], up["otlp"], config)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0, (folder / "log").read_text()[-2000:]
        finally:
            # Where it has ended, this is nothing; where a test did not get so far, nobody waits for it.
            process.kill()


def wait_until_up(process: subprocess.Popen, log: Path) -> dict:
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if "windvane is up" in line:
                return json.loads(line)
        time.sleep(0.1)
    raise AssertionError(f"the service did not come up: {log.read_text()[-2000:]}")


USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 60},
}


class OpenAI(BaseHTTPRequestHandler):
    """Answers every chat completion alike, in one piece or in several."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["model"] == "gpt-forbidden":
            return self.answer(404, json.dumps({"error": {"message": "no such model", "code": "model_not_found"}}))
        common = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-2024-08-06"}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "hello"}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            whole = {**common, "object": "chat.completion", "choices": choices, "usage": USAGE}
            return self.answer(200, json.dumps(whole))
        pieces = [{"delta": {"role": "assistant", "content": "hel"}}, {"delta": {"content": "lo"}, "finish_reason": "stop"}]
        events = [{**common, "object": "chat.completion.chunk", "choices": [{"index": 0, **piece}]} for piece in pieces]
        events.append({**common, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.answer(200, text, "text/event-stream")

    def answer(self, status: int, text: str, content_type: str = "application/json"):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def openai_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), OpenAI)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
