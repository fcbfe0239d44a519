#!/usr/bin/env python3
"""How long does each page take with ten million predictions in the store?

Usage: benches/pages/measure.py WINDVANE [--predictions N] [--rounds N]

Starts a service over a new folder, fills its tables through the engine, asks each page again and again, one request at a
time, and prints median and 95th percentile. The engine's own SELECT count() over the same table is timed between the rounds, to
tell a slow page from a busy machine.
"""

import argparse
import json
import math
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

DAYS = 30
CONFIG = """
[server]
listen = "127.0.0.1:0"
[store]
data_dir = "data"
engine_listen = "127.0.0.1:0"
[monitors.daily]
model = "m0"
reference = "previous"
window = "1d"
enabled = false
"""
# Ten models in two versions over 30 days; 20 numeric and 5 categorical features.
PREDICTIONS = """
INSERT INTO windvane.predictions (event_id, ts, ingested_at, model, version, environment, unit_id, num, cat, kind, score, latency_us, status)
SELECT toString(number), fromUnixTimestamp64Micro(1767225600000000 + toInt64(number * {step}), 'UTC'), now64(6), concat('m', toString(number % 10)),
       if(number * {step} < 1500000000000, '7', '8'), 'prod', toString(number % 100000),
       CAST((arrayMap(i -> concat('f', toString(i)), range(20)), arrayMap(i -> toFloat64(cityHash64(number, i) % 1000), range(20))), 'Map(LowCardinality(String), Float64)'),
       CAST((arrayMap(i -> concat('c', toString(i)), range(5)), arrayMap(i -> toString(cityHash64(number, i) % 12), range(5))), 'Map(LowCardinality(String), LowCardinality(String))'),
       'score', (cityHash64(number) % 1000) / 1000, 500 + cityHash64(number, 1) % 3000, if(number % 500 = 0, 'timeout', 'ok')
FROM numbers({first}, {count})
"""
OUTCOMES = """
INSERT INTO windvane.outcomes (model, event_id, ts, ingested_at, label)
SELECT concat('m', toString(number % 10)), toString(number), fromUnixTimestamp64Micro(1767225600000000 + toInt64(number * {step}), 'UTC'), now64(6), 'late'
FROM numbers({count})
"""
PAGES = {
    "fleet": "/",
    "fleet, a year": "/?range=1y",
    "model": "/models/m0",
    "model, a day": "/models/m0?range=24h",
    "model, a year": "/models/m0?range=1y",
    "feature": "/models/m0/features/f0",
    "experiments": "/experiments",
    "pipeline": "/pipeline",
    "settings": "/settings",
    "query": "/sql/traffic?model=m0",
}


class Engine:
    """The engine behind a service."""

    def __init__(self, folder, url):
        access = json.loads((folder / "data/access.json").read_text())
        self.url, self.headers = url, {"X-ClickHouse-User": access["user"], "X-ClickHouse-Key": access["password"]}

    def run(self, sql, **settings):
        address = f"{self.url}/?{urllib.parse.urlencode(settings)}"
        request = urllib.request.Request(address, data=sql.encode(), headers=self.headers)
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode().strip()


def timed(work):
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def fill(engine, windvane, folder, predictions):
    step = DAYS * 86_400_000_000 / predictions
    block = 1_000_000
    for first in range(0, predictions, block):
        engine.run(PREDICTIONS.format(step=step, first=first, count=min(block, predictions - first)))
    engine.run(OUTCOMES.format(step=step, count=predictions // 2))
    config = str(folder / "windvane.toml")
    command = [windvane, "--log", "error", "monitor", "backfill", "daily", "--from", "2026-01-20", "--to", "2026-01-30", "--config", config]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("windvane")
    parser.add_argument("--predictions", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windvane-pages-") as name:
        folder = Path(name)
        (folder / "windvane.toml").write_text(CONFIG)
        command = [asked.windvane, "--log-format", "json", "serve", "--offline", "--config", str(folder / "windvane.toml")]
        service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            up = next(json.loads(line) for line in service.stderr if "windvane is up" in line)
            engine = Engine(folder, up["store"])
            print(f"filling took {timed(lambda: fill(engine, asked.windvane, folder, asked.predictions)) / 1e3:.0f} s")
            measure(engine, up["address"], asked.rounds)
        finally:
            service.terminate()
            service.wait()


def measure(engine, address, rounds):
    rows, parts = (engine.run(sql) for sql in (
        "SELECT count() FROM windvane.predictions",
        "SELECT count() FROM system.parts WHERE database = 'windvane' AND table = 'predictions' AND active"))
    print(f"{rows} predictions in {parts} parts")
    scan = "SELECT quantile(0.99)(latency_us) FROM windvane.predictions SETTINGS optimize_use_projections = 0 FORMAT Null"
    took = {name: [] for name in [*PAGES, "(the engine reads one column)"]}
    for page in PAGES.values():
        fetch(address + page)
    for _ in range(rounds):
        for name, page in PAGES.items():
            took[name].append(timed(lambda: fetch(address + page)))
        took["(the engine reads one column)"].append(timed(lambda: engine.run(scan)))
    print(f"{'page':<32}{'median ms':>10}{'p95 ms':>10}{'kB':>8}")
    for name, all_ms in took.items():
        all_ms.sort()
        size = len(fetch(address + PAGES[name])) / 1e3 if name in PAGES else math.nan
        print(f"{name:<32}{all_ms[len(all_ms) // 2]:>10.1f}{all_ms[math.ceil(len(all_ms) * 0.95) - 1]:>10.1f}{size:>8.1f}")


if __name__ == "__main__":
    main()
