"""How long does an acknowledgement take at a steady rate, and does the service's memory stay where it is?

Starts the service over a temporary folder, sends events of 20 numeric and 5 categorical features as NDJSON at a stated rate, and prints a
JSON line every `--every` seconds and one at the end. A request is timed from when it was due, so that a stall counts for all that had to
wait for it. `--rate 0` sends as fast as the store takes them: whoever is too fast for it is slowed down. The table is emptied now and then,
so that half an hour needs no disk of its own. Ends with 1 where a row is lost, where the last third of the run needed a tenth and 8 MiB
more memory than the first, and where `--p99-ms` was passed.

Usage: steady.py BINARY [--rate 5000] [--batch 50] [--seconds 60] [--every 10] [--p99-ms 25]. Python's own library is all it needs.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from service import Service

NUMERIC = [f"number_{n:02}" for n in range(20)]
CATEGORICAL = {
    "carrier": ["UA", "B6", "EV", "DL", "AA"],
    "origin": ["EWR", "JFK", "LGA"],
    "destination": ["ORD", "ATL", "LAX", "BOS"],
    "aircraft": ["A320", "B737", "E190"],
    "season": ["spring", "summer", "autumn", "winter"],
}
TEMPLATES = 20
CONNECTIONS = 4
# With so many rows in the spool a run without a rate waits for the store.
BACKLOG_ROWS_MAX = 1_000_000
EMPTY_EVERY_S = 60
SETTLE_S = 300
# What the last third of a run may need more than the first.
GROWTH_RATIO, GROWTH_MIB = 1.1, 8


def template(generator: random.Random, batch: int) -> bytes:
    """Lines of events with a place for the number of each."""
    lines = []
    for _ in range(batch):
        features = {name: round(generator.uniform(-50, 2000), 3) for name in NUMERIC}
        features |= {name: generator.choice(words) for name, words in CATEGORICAL.items()}
        event = {
            "model": "steady",
            "version": "7",
            "event_id": "%012d",
            "environment": "prod",
            "features": features,
            "prediction": {"score": generator.random()},
            "latency_us": generator.randrange(200, 5000),
            "tags": {"region": "east", "tier": "gold"},
        }
        lines.append(json.dumps(event, separators=(",", ":")))
    return ("\n".join(lines) + "\n").encode()


class Load:
    """Senders that share a schedule."""

    def __init__(self, service: Service, options: argparse.Namespace) -> None:
        self.service, self.options = service, options
        generator = random.Random(7)
        self.templates = [template(generator, options.batch) for _ in range(TEMPLATES)]
        self.numbers, self.lock = itertools.count(), threading.Lock()
        self.times: list[float] = []
        self.waits, self.acknowledged, self.pushed_back = threading.Event(), 0, 0
        self.waits.set()
        self.begun = time.perf_counter()

    def due(self, number: int) -> float:
        """When a batch is to be sent."""
        if self.options.rate == 0:
            return time.perf_counter()
        return self.begun + number * self.options.batch / self.options.rate

    def send(self) -> None:
        connection = http.client.HTTPConnection(self.service.address, timeout=60)
        while True:
            with self.lock:
                number = next(self.numbers)
            self.waits.wait()
            due = self.due(number)
            if due >= self.begun + self.options.seconds:
                return
            time.sleep(max(0.0, due - time.perf_counter()))
            first = number * self.options.batch
            body = self.templates[number % TEMPLATES] % tuple(range(first, first + self.options.batch))
            headers = {"content-type": "application/x-ndjson", "idempotency-key": f"steady-{number}"}
            while True:
                connection.request("POST", "/v1/predictions", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    break
                if answer.status not in (429, 503):
                    raise SystemExit(f"{answer.status}: {text!r}")
                self.pushed_back += 1
                time.sleep(float(answer.headers.get("retry-after", "1")))
            took = time.perf_counter() - due
            with self.lock:
                self.times.append(took)
                self.acknowledged += self.options.batch

    def watch(self) -> list[float]:
        """Prints a line now and then; what the service held at each."""
        held, reported, emptied, seen = [], self.begun, self.begun, 0
        while (now := time.perf_counter()) < self.begun + self.options.seconds:
            metrics = self.service.metrics()
            if self.options.rate == 0:
                (self.waits.clear if metrics["pending_rows"] > BACKLOG_ROWS_MAX else self.waits.set)()
            if now - emptied >= EMPTY_EVERY_S:
                self.service.empty()
                emptied = now
            if now - reported >= self.options.every:
                resident, peak = self.service.memory_mib()
                held.append(resident)
                with self.lock:
                    times, seen = sorted(self.times[seen:]), len(self.times)
                line = {"s": round(now - self.begun), "resident_mib": resident, "peak_mib": peak} | quantiles(times)
                print(json.dumps(line | {"stored": metrics["stored_rows_total"], "waiting": metrics["pending_rows"]}), flush=True)
                reported = now
            time.sleep(0.25)
        self.waits.set()
        return held


def quantiles(times: list[float]) -> dict[str, float]:
    """Of sorted times, in milliseconds."""
    if not times:
        return {}
    at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))] * 1e3, 2)  # noqa: E731
    return {"p50_ms": at(0.5), "p99_ms": at(0.99), "longest_ms": at(1)}


def settled(service: Service) -> dict[str, int]:
    """The counters once nothing waits any more."""
    deadline = time.monotonic() + SETTLE_S
    while (metrics := service.metrics())["pending_rows"] > 0 and time.monotonic() < deadline:
        time.sleep(0.25)
    return metrics


def growth(held: list[float]) -> tuple[float, float] | None:
    """The most that was held in the first and in the last third of a run; none of one that is too short to tell."""
    third = len(held) // 3
    return (max(held[:third]), max(held[-third:])) if third >= 2 else None


def faults(options: argparse.Namespace, result: dict, metrics: dict[str, int]) -> list[str]:
    """What is not as it has to be."""
    found = []
    places = ("stored_rows_total", "rejected_records_total", "dead_lettered_rows_total", "damaged_rows_total", "pending_rows")
    if metrics["received_records_total"] != sum(metrics.get(place, 0) for place in places):
        found.append(f"rows are lost: {metrics}")
    if metrics["stored_rows_total"] != result["acknowledged"]:
        found.append(f"{result['acknowledged']} were acknowledged and {metrics['stored_rows_total']} are stored")
    if result["thirds_mib"] and result["thirds_mib"][1] > result["thirds_mib"][0] * GROWTH_RATIO + GROWTH_MIB:
        found.append("memory is not flat")
    if options.p99_ms and result["p99_ms"] > options.p99_ms:
        found.append(f"p99 is above {options.p99_ms} ms")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--rate", type=int, default=5000, help="events a second; 0 for as fast as the store takes them")
    parser.add_argument("--batch", type=int, default=50, help="events of a request")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--every", type=int, default=10, help="seconds between two lines")
    parser.add_argument("--p99-ms", type=float, help="what the 99th percentile may be")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windvane-steady-") as folder:
        service = Service(os.path.abspath(options.binary), Path(folder))
        idle, _ = service.memory_mib()
        load = Load(service, options)
        senders = [threading.Thread(target=load.send) for _ in range(CONNECTIONS)]
        [sender.start() for sender in senders]
        held = load.watch()
        [sender.join() for sender in senders]
        took = time.perf_counter() - load.begun
        metrics = settled(service)
        after, peak = service.memory_mib()
        result = {
            "rate": options.rate,
            "batch": options.batch,
            "seconds": round(took, 1),
            "acknowledged": load.acknowledged,
            "acknowledged_per_s": round(load.acknowledged / took),
            "pushed_back": load.pushed_back,
            "idle_mib": idle,
            "after_mib": after,
            "peak_mib": peak,
            "thirds_mib": growth(held),
        } | quantiles(sorted(load.times))
        found = faults(options, result, metrics)
        print(json.dumps(result | {"faults": found}), flush=True)
        ended = service.stop()
    return 1 if found or ended != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
