"""The examples, each started by its one command, against the real service."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from kit import eventually

EXAMPLES = Path(__file__).parents[1] / "examples"


def environment(service):
    return {**os.environ, "WINDVANE_SDK_URL": service.url}


def post(url, body):
    asked = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=20) as response:
        return response.headers.get("windvane-event-id"), json.loads(response.read())


def answers(url):
    try:
        return post(url, {"distance": 1400, "hour": 17})
    except OSError:
        return None


def test_fastapi_and_scikit_learn(service):
    with socket.socket() as held:
        # Bound and never listening: the port is left to who names it.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        command = [sys.executable, str(EXAMPLES / "fastapi_sklearn.py"), "--port", str(port)]
        server = subprocess.Popen(command, env=environment(service))
        try:
            event_id, answer = eventually(lambda: answers(f"http://127.0.0.1:{port}/predict"), 60)
            assert 0 < answer["score"] < 1
            post(f"http://127.0.0.1:{port}/outcome/{event_id}", {"late": True})
        finally:
            server.terminate()
            server.wait(30)
    eventually(lambda: service.count("delay") == 1 and service.count("delay", "outcomes") == 1)
    (row,) = service.query(f"SELECT num, score, version FROM predictions WHERE event_id = '{event_id}'")
    assert row == {"num": {"distance": 1400, "hour": 17}, "score": answer["score"], "version": "7"}


def test_the_batch_scorer(service):
    command = [sys.executable, str(EXAMPLES / "onnx_batch.py"), "--rows", "3000"]
    done = subprocess.run(command, env=environment(service), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "received=6000" in done.stdout, done.stdout + done.stderr
    eventually(lambda: service.count("delay-batch") == 3_000 and service.count("delay-batch", "outcomes") == 3_000)


def test_the_llm_app(service):
    command = [sys.executable, str(EXAMPLES / "llm_app.py"), "--calls", "12"]
    done = subprocess.run(command, env=environment(service), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "received=12" in done.stdout, done.stdout + done.stderr
    eventually(lambda: service.count("will-it-be-late") == 12)
    traces = service.query("SELECT uniqExact(trace_id) AS n FROM predictions WHERE model = 'will-it-be-late'")
    assert int(traces[0]["n"]) == 12
