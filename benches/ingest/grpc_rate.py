"""How many spans a second does Windvane acknowledge over gRPC, and when are all of them stored?

Starts the service over a temporary folder, has `benches/otlp/spans.py` send to it, plain and compressed by turns, and waits until the service
says that each is stored. Prints a JSON line a run.
Usage: grpc_rate.py BINARY [SPANS] [ROUNDS], with the environment of `make otlp` (grpcio and OpenTelemetry's messages).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from service import Service

STORED_S = 300
PAUSE_S = 5.0
SENDER = Path(__file__).resolve().parent.parent / "otlp" / "spans.py"


def run(service: Service, spans: int, flags: list[str]) -> dict:
    """What `spans.py` says of one run, and when all was stored."""
    before = service.metrics().get("stored_rows_total", 0)
    sender = [sys.executable, str(SENDER), urlsplit(service.grpc).netloc, str(spans), "bench", *flags]
    # Messages are made before its clock starts.
    result = json.loads(subprocess.run(sender, stdout=subprocess.PIPE, check=True).stdout)
    acknowledged = time.monotonic()
    while service.metrics().get("stored_rows_total", 0) - before < spans:
        if time.monotonic() - acknowledged > STORED_S:
            raise SystemExit(f"not all spans were stored within {STORED_S} s")
        time.sleep(0.02)
    result["stored_s"] = round(result["acknowledged_s"] + time.monotonic() - acknowledged, 3)
    result["stored_per_s"] = round(spans / result["stored_s"])
    return result


def main() -> None:
    spans, rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000, int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with tempfile.TemporaryDirectory() as folder:
        service = Service(os.path.abspath(sys.argv[1]), Path(folder))
        try:
            for flags in [[], ["--gzip"]] * rounds:
                print(" ".join(flags) or "plain", json.dumps(run(service, spans, flags)), flush=True)
                time.sleep(PAUSE_S)
        finally:
            service.stop()


if __name__ == "__main__":
    main()
