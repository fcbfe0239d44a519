"""A running `windvane serve`, and waiting on conditions with a deadline instead of sleeping."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

LIMIT_S = 90
POLL_S = 0.05


def eventually(look, what="", limit_s=LIMIT_S):
    """Waits until `look()` is truthy and returns it; fails with the last answer."""
    deadline = time.monotonic() + limit_s
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"still not so after {limit_s} s: {what}; last seen: {seen!r}"
        time.sleep(POLL_S)


@contextmanager
def reserved_port():
    """A port that nobody is given by chance: bound and never listening, so that only who names it may listen there."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Process:
    """A program of ours whose log is kept."""

    running = []  # All of them, so that none outlives its test.

    def __init__(self, *words, environment=None):
        command = [os.environ["WINDVANE"], "--log-format", "json", *map(str, words)]
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )
        self.log = []
        Process.running.append(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stderr:
            self.log.append(line)

    def line(self, part, limit_s=LIMIT_S):
        """The first line of the log with this part."""

        def look():
            found = next((line for line in list(self.log) if part in line), None)
            assert found or self.child.poll() is None, "".join(self.log)
            return found

        return json.loads(eventually(look, part, limit_s))

    def kill(self):
        """Ends it at once."""
        self.child.kill()
        self.child.wait()

    def end(self):
        """Asks it to end, and says how it did."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(timeout=40)


class Service:
    """`windvane serve` over a folder, with a configuration."""

    def __init__(self, folder: Path, config: str, *words):
        self.folder, self.config = folder, folder / "windvane.toml"
        head = '[server]\nlisten = "127.0.0.1:0"\n'
        store = "" if "[store]" in config else '[store]\ndata_dir = "data"\nengine_listen = "127.0.0.1:0"\n'
        self.config.write_text(f"{head}{store}{config}")
        self.process = Process("serve", "--offline", "--config", self.config, *words)
        line = self.process.line("windvane is up")
        self.url, self.engine = line["address"], line["store"]

    def run(self, *words, code=0):
        """What a command prints."""
        done = subprocess.run(
            [os.environ["WINDVANE"], "--log", "error", *map(str, words), "--config", str(self.config)],
            capture_output=True, text=True, timeout=LIMIT_S,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def query(self, sql):
        """The answer, tab by tab."""
        return self.run("query", f"{sql} FORMAT TSV").rstrip("\n")

    def ask(self, path, method="GET", body=None):
        """The status and the document of a request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def send(self, events):
        """Sends predictions and waits until they are stored."""
        before = int(self.query("SELECT count() FROM predictions"))
        body = "\n".join(json.dumps(event) for event in events).encode()
        request = urllib.request.Request(
            self.url + "/v1/predictions", data=body, headers={"Content-Type": "application/x-ndjson"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.loads(answer.read())["accepted"] == len(events)
        eventually(lambda: int(self.query("SELECT count() FROM predictions")) == before + len(events), "events are stored")

    def metric(self, start):
        """The sum of the metrics whose lines begin like this."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))

    def looked(self, rule, times):
        """Waits until a rule was looked at so many more times."""
        name = f'windvane_alerts_evaluations_total{{outcome="ok",rule="{rule}"}}'
        goal = self.metric(name) + times
        eventually(lambda: self.metric(name) >= goal, f"{rule} is looked at")

    def kill(self):
        """Ends it at once; its engine leaves by itself."""
        self.process.kill()

    def end(self):
        """Asks it to end."""
        assert self.process.end() == 0, "".join(self.process.log[-20:])
