"""How many spans a second do Windvane and MLflow take from OpenTelemetry's own exporter, and what does each span cost?

Starts both on this machine, one after the other, and sends the same spans by the same exporter over HTTP, in messages of 512 as the SDK's
batch processor does, until all are sent or `--seconds` have passed. The spans are made before the clock starts; turning them into protobuf
is the exporter's and within it. Each receiver is then asked how many spans it holds. Prints a JSON line a run.

Usage: peer.py WINDVANE [--spans 50000] [--seconds 60] [--rounds 2]. `benches/otlp/peer.sh` installs what it needs.
"""

import argparse
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SPANS_A_MESSAGE = 512
SPANS_A_TRACE = 8
UP_S = 180
SETTLE_S = 60
CONFIG = """[server]
listen = "127.0.0.1:0"
[otlp]
grpc_listen = "127.0.0.1:0"
[store]
data_dir = "data"
engine_listen = "127.0.0.1:0"
"""


def spans(count: int, seed: int) -> list[list[ReadableSpan]]:
    """Messages of spans with ten attributes, in traces of eight."""
    generator, memory = random.Random(seed), InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": f"peer-{seed}"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("bench")

    def attributes() -> dict:
        texts = {f"text.{n}": generator.choice(["alpha", "beta", "gamma", "delta"]) for n in range(6)}
        counts = {f"count.{n}": generator.randrange(1000) for n in range(3)}
        return texts | counts | {"share": generator.random()}

    for _ in range(count // SPANS_A_TRACE):
        with tracer.start_as_current_span("predict", attributes=attributes()):
            for _ in range(SPANS_A_TRACE - 1):
                tracer.start_span(generator.choice(["load", "embed", "rank"]), attributes=attributes()).end()
    made = list(memory.get_finished_spans())
    return [made[at : at + SPANS_A_MESSAGE] for at in range(0, len(made), SPANS_A_MESSAGE)]


def processes(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += processes(int(child))
    return found


def used(pid: int) -> tuple[float, float]:
    """CPU seconds so far and peak memory in MiB, of a process and all below it."""
    cpu = memory = 0.0
    for one in processes(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(") ", 1)[1].split()
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        status = dict(line.split(":", 1) for line in Path(f"/proc/{one}/status").read_text().splitlines())
        memory += int(status["VmHWM"].split()[0]) / 1024
    return cpu, memory


class Windvane:
    """The service with its engine."""

    name = "windvane"

    def __init__(self, binary: str, folder: Path) -> None:
        self.binary, self.config, log = os.path.abspath(binary), folder / "windvane.toml", folder / "log"
        self.config.write_text(CONFIG)
        command = [self.binary, "--log-format", "json", "serve", "--offline", "--config", str(self.config)]
        with log.open("w") as file:
            self.process = subprocess.Popen(command, stderr=file)
        up = until(lambda: next((line for line in log.read_text().splitlines() if "windvane is up" in line), None), UP_S)
        self.endpoint, self.headers = f"{json.loads(up)['address']}/v1/traces", {}

    def count(self) -> int:
        command = [self.binary, "query", "--config", str(self.config), "SELECT count() AS n FROM spans FORMAT JSONEachRow"]
        return int(json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)["n"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


class Mlflow:
    """MLflow's tracking server over SQLite, with one worker."""

    name = "mlflow"

    def __init__(self, _: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.database = folder / "mlflow.db"
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.database}", "--artifacts-destination", str(folder / "artifacts")]
        # Without the workers for jobs of its own, which take memory and time and no spans.
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env=environment, start_new_session=True)
        until(lambda: answers(f"http://127.0.0.1:{port}/health"), UP_S)
        self.endpoint, self.headers = f"http://127.0.0.1:{port}/v1/traces", {"x-mlflow-experiment-id": "0"}

    def count(self) -> int:
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute("SELECT count(*) FROM spans").fetchone()[0]

    def stop(self) -> None:
        # Its first process does not pass a signal on to those below it.
        for one in processes(self.process.pid):
            os.kill(one, signal.SIGTERM)
        self.process.wait(timeout=60)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def is_quiet(pid: int) -> bool:
    """Whether a process and all below it do next to nothing for a second."""
    before, _ = used(pid)
    time.sleep(1)
    return used(pid)[0] - before < 0.1


def until(look, seconds: float):
    """What `look` finds, asked again until then."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise SystemExit("waited in vain")
        time.sleep(0.2)
    return found


def measure(receiver: Windvane | Mlflow, messages: Sequence[list[ReadableSpan]], seconds: float) -> dict:
    exporter = OTLPSpanExporter(endpoint=receiver.endpoint, headers=receiver.headers, timeout=120)
    # What is loaded or made at the first spans is no cost of the others.
    warm, messages = messages[0], messages[1:]
    if exporter.export(warm) is not SpanExportResult.SUCCESS:
        raise SystemExit(f"{receiver.name} refused its first message")
    until(lambda: receiver.count() == len(warm), SETTLE_S)
    until(lambda: is_quiet(receiver.process.pid), SETTLE_S)
    times, sent = [], 0
    cpu_before, _ = used(receiver.process.pid)
    own_before, begun = sum(os.times()[:2]), time.perf_counter()
    for message in messages:
        if time.perf_counter() - begun > seconds:
            break
        before = time.perf_counter()
        if exporter.export(message) is not SpanExportResult.SUCCESS:
            raise SystemExit(f"{receiver.name} refused a message")
        times.append(time.perf_counter() - before)
        sent += len(message)
    took, own = time.perf_counter() - begun, sum(os.times()[:2]) - own_before
    until(lambda: receiver.count() == len(warm) + sent, SETTLE_S)
    stored = time.perf_counter() - begun
    cpu, peak = used(receiver.process.pid)
    times.sort()
    return {
        "receiver": receiver.name,
        "spans": sent,
        "acknowledged_per_s": round(sent / took),
        "counted_after_s": round(stored, 2),
        "p50_ms": round(times[len(times) // 2] * 1e3, 1),
        "p99_ms": round(times[len(times) * 99 // 100] * 1e3, 1),
        "receiver_cpu_us_a_span": round((cpu - cpu_before) / sent * 1e6, 1),
        "exporter_cpu_us_a_span": round(own / sent * 1e6, 1),
        "receiver_peak_mib": round(peak),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("windvane")
    parser.add_argument("--spans", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=60, help="longest time of a run")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    for round_number in range(options.rounds):
        messages = spans(options.spans, round_number)
        for kind in (Windvane, Mlflow):
            with tempfile.TemporaryDirectory(prefix="windvane-peer-") as folder:
                receiver = kind(options.windvane, Path(folder))
                try:
                    print(json.dumps(measure(receiver, messages, options.seconds)), flush=True)
                finally:
                    receiver.stop()


if __name__ == "__main__":
    main()
