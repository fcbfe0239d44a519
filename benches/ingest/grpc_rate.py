"""How many spans a second does Windvane acknowledge over gRPC, and when are all of them stored?

Starts the service over a temporary folder, has `spans.py` send to it, plain and compressed by turns, and waits until the service says that
each is stored. Prints a JSON line a run.
Usage: grpc_rate.py BINARY [SPANS] [ROUNDS], with the environment of `make otlp` (grpcio and OpenTelemetry's messages).
"""

import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

UP_S, STORED_S = 90, 300
PAUSE_S = 5.0
CONFIG = """[server]
listen = "127.0.0.1:{http}"
[otlp]
grpc_listen = "127.0.0.1:{grpc}"
[store]
data_dir = "data"
engine_listen = "127.0.0.1:0"
"""
STORED = re.compile(r'^windvane_collector_stored_rows_total\{table="spans"\} (\S+)$', re.MULTILINE)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait(condition, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"still not so after {seconds} s")
        time.sleep(0.02)


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def is_up(port: int) -> bool:
    try:
        return bool(get(port, "/readyz"))
    except OSError:
        return False


def main() -> None:
    binary = Path(sys.argv[1]).resolve()
    spans, rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000, int(sys.argv[3]) if len(sys.argv) > 3 else 3
    sender = [sys.executable, str(Path(__file__).with_name("spans.py"))]
    with tempfile.TemporaryDirectory() as folder:
        http, grpc = free_port(), free_port()
        config = Path(folder, "windvane.toml")
        config.write_text(CONFIG.format(http=http, grpc=grpc))
        service = subprocess.Popen([binary, "serve", "--offline", "--config", config], cwd=folder, stderr=subprocess.DEVNULL)
        stored = lambda: int(float(found[1])) if (found := STORED.search(get(http, "/metrics"))) else 0  # noqa: E731
        try:
            wait(lambda: is_up(http), UP_S)
            for flags in [[], ["--gzip"]] * rounds:
                before = stored()
                # Messages are made before the clock starts.
                sent = subprocess.run([*sender, f"127.0.0.1:{grpc}", str(spans), "bench", *flags], capture_output=True, check=True)
                acknowledged = time.monotonic()
                wait(lambda: stored() - before >= spans, STORED_S)
                result = json.loads(sent.stdout)
                result["stored_s"] = round(result["acknowledged_s"] + time.monotonic() - acknowledged, 3)
                result["stored_per_s"] = round(spans / result["stored_s"])
                print(" ".join(flags) or "plain", json.dumps(result), flush=True)
                time.sleep(PAUSE_S)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(60)


if __name__ == "__main__":
    main()
