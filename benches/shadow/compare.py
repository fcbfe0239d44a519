"""Windvane beside a tight loop of Python's ONNX Runtime, in turns, and the memory of a gate over more and more traffic.

`python benches/shadow/compare.py WINDVANE MODEL FLIGHTS [ROUNDS] [SECONDS]` prints lines of JSON and at the end the tables of a record in benches/runs.
Sizes and sides take turns within every round, so that what else the machine does meets all of them alike; a median over rounds is told.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet

BATCHES = ["1", "8", "64"]
LENGTHS = [2_000, 8_000, 32_000]

windvane, model, flights, *more = sys.argv[1:]
rounds, seconds = int(more[0]) if more else 5, more[1] if len(more) > 1 else "2"


def ours() -> list[dict]:
    words = [windvane, "shadow", "bench", model, "--traffic", flights, "--batches", ",".join(BATCHES), "--sessions", "1", "--offline"]
    ran = subprocess.run([*words, "--seconds", seconds, "--format", "json"], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)["points"]


def python() -> list[dict]:
    loop = Path(__file__).parent / "loop.py"
    ran = subprocess.run([sys.executable, loop, model, flights, seconds, *BATCHES], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def gate_memory(rows: int, folder: Path) -> tuple[int, int]:
    """Requests of a gate over the first rows, and the peak memory of the process with both models."""
    traffic = folder / f"{rows}.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(flights).slice(0, rows), traffic, row_group_size=1_000)
    words = [windvane, "shadow", "run", "--offline", "--format", "json", "--champion", model, "--candidate", model, "--batch-max", "64"]
    ran = subprocess.run([*words, "--traffic", traffic], capture_output=True, text=True, check=False)
    document = json.loads(ran.stdout)
    return document["requests"], document["provenance"]["memory_peak_bytes"]


seen: dict[tuple[str, int], list[dict]] = {}
for turn in range(rounds):
    for side, ask in [("windvane", ours), ("python", python)] if turn % 2 == 0 else [("python", python), ("windvane", ours)]:
        for point in ask():
            print(json.dumps({"round": turn, "side": side, **point}), flush=True)
            seen.setdefault((side, point["batch"]), []).append(point)

middle = lambda side, batch, field: statistics.median(point[field] for point in seen[side, batch])
print("\n| requests in a call | median call, windvane | median call, Python | ratio | requests/s, windvane | requests/s, Python | ratio | more per request |")
print("|---:|---:|---:|---:|---:|---:|---:|---:|")
for batch in map(int, BATCHES):
    calls = [middle(side, batch, "p50_us") for side in ("windvane", "python")]
    rates = [middle(side, batch, "requests_per_s") for side in ("windvane", "python")]
    print(f"| {batch} | {calls[0]:.1f} µs | {calls[1]:.1f} µs | {calls[0] / calls[1]:.2f} | {rates[0]:,.0f} | {rates[1]:,.0f} | {rates[0] / rates[1]:.2f} | {(calls[0] - calls[1]) / batch:.2f} µs |")
single = middle("windvane", 1, "requests_per_s")
print(f"\n64 requests in a call are {middle('windvane', 64, 'requests_per_s') / single:.1f} times the requests a second of one at a time.")

print("\n| requests of a gate | peak memory |\n|---:|---:|")
with tempfile.TemporaryDirectory() as folder:
    for rows in LENGTHS:
        requests, peak = gate_memory(rows, Path(folder))
        print(f"| {requests:,} | {peak / 2**20:.0f} MiB |", flush=True)
