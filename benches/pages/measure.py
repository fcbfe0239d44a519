#!/usr/bin/env python3
"""How long does each page take with ten million predictions in the store?

Usage: benches/pages/measure.py WINDVANE [--predictions N] [--rounds N] [--budget MS]

Starts a service over a new folder, fills its tables through the engine, asks each page and each route of the read API that has
many rows behind it again and again, one request at a time over one connection, and prints median, 95th and 99th percentile, how
much processor time service and engine took for one request, and how large the answer is. `/healthz`, which reads nothing, is the bare
loopback request; the engine's reading of one column of all rows tells a slow page from a busy machine. Only the first block of
predictions is computed; the others are copies under other ids and times, which is ten times as fast. Monitors of each kind have ten
windows, an experiment ten looks, a gate one run, and alerts have come and gone.

Exits with 1 where a page's 95th percentile is above the budget (100 ms).
"""

import argparse
import http.client
import json
import math
import os
import subprocess
import sys
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
[monitors.data]
kind = "quality"
model = "m0"
reference = "previous"
window = "1d"
enabled = false
[monitors.answers]
kind = "performance"
model = "m0"
task = "binary"
positive = "late"
reference = "previous"
window = "1d"
enabled = false
[monitors.speed]
kind = "latency"
model = "m0"
reference = "previous"
window = "1d"
slo = ["99%:5ms"]
enabled = false
[monitors.groups]
kind = "fairness"
model = "m0"
window = "1d"
segment_by = ["c0"]
positive = "late"
enabled = false
[experiments.checkout]
control = "A"
window = "2d"
[experiments.checkout.metrics.revenue]
[experiments.checkout.metrics.bought]
type = "proportion"
"""
MONITORS = ("daily", "data", "answers", "speed", "groups")
LOOKS = 10
DATA = Path(__file__).resolve().parents[2] / "data"
# Ten models in two versions over 30 days; 20 numeric and 5 categorical features. This is the first tenth, three days of it.
PREDICTIONS = """
INSERT INTO windvane.predictions (event_id, ts, ingested_at, model, version, environment, unit_id, num, cat, kind, score, latency_us, status)
SELECT toString(number), fromUnixTimestamp64Micro(1767225600000000 + toInt64(number * {step}), 'UTC'), now64(6), concat('m', toString(number % 10)),
       '7', 'prod', toString(number % 100000),
       CAST((arrayMap(i -> concat('f', toString(i)), range(20)), arrayMap(i -> toFloat64(cityHash64(number, i) % 1000), range(20))), 'Map(LowCardinality(String), Float64)'),
       CAST((arrayMap(i -> concat('c', toString(i)), range(5)), arrayMap(i -> toString(cityHash64(number, i) % 12), range(5))), 'Map(LowCardinality(String), LowCardinality(String))'),
       'score', (cityHash64(number) % 1000) / 1000, 500 + cityHash64(number, 1) % 3000, if(number % 500 = 0, 'timeout', 'ok')
FROM numbers({count})
"""
# The computed block once more, later by so much; from the sixth block on it is another version.
COPY = """
INSERT INTO windvane.predictions (event_id, ts, ingested_at, model, version, environment, unit_id, num, cat, kind, score, latency_us, status)
SELECT concat('{nth}-', event_id), ts + toIntervalMicrosecond({later}), ingested_at, model, if({nth} < 5, '7', '8'), environment, unit_id, num, cat, kind, score, latency_us, status
FROM windvane.predictions
WHERE position(event_id, '-') = 0
"""
OUTCOMES = """
INSERT INTO windvane.outcomes (model, event_id, ts, ingested_at, label)
SELECT concat('m', toString(number % 10)), toString(number), fromUnixTimestamp64Micro(1767225600000000 + toInt64(number * {step}), 'UTC'), now64(6), if(cityHash64(number) % 1000 > cityHash64(number, 2) % 1000, 'late', 'on_time')
FROM numbers({count})
"""
# The outcomes of the copies.
COPY_OUTCOMES = """
INSERT INTO windvane.outcomes (model, event_id, ts, ingested_at, label)
SELECT model, concat(toString(nth), '-', event_id), ts + toIntervalMicrosecond(nth * {later}), ingested_at, label
FROM windvane.outcomes ARRAY JOIN range(1, {copies}) AS nth
"""
# What else pages show: ten windows of attributions, an experiment of three arms, alerts that fired and went.
OTHERS = ("""
INSERT INTO windvane.attribution_findings (run_id, computed_at, model, monitor, reference_kind, window_start, window_end, granularity, column_name, method,
       statistic, ci_low, ci_high, reference_statistic, threshold, place, reference_place, n_reference, n_current, verdict)
SELECT concat('a', toString(day)), now64(6), 'm0', 'ranking', 'previous', toDateTime64('2026-01-20', 6, 'UTC') + toIntervalDay(day), toDateTime64('2026-01-21', 6, 'UTC') + toIntervalDay(day),
       '1d', if(feature = 0, '', concat('f', toString(feature))), if(feature = 0, 'ndcg', 'importance'), 1 / (1 + feature), if(feature = 0, 0.95, NULL), if(feature = 0, 1, NULL),
       1 / (1 + feature), if(feature = 0, 0.9, NULL), feature, feature, 30000, 30000, if(feature = 0, 'no_drift', '')
FROM (SELECT intDiv(number, 21) AS day, number % 21 AS feature FROM numbers(210))
""", """
INSERT INTO windvane.exposures (experiment, unit_id, arm, ts, event_id, ingested_at)
SELECT 'checkout', concat('u', toString(number)), ['A', 'B', 'C'][number % 3 + 1], toDateTime64('2026-01-05', 6, 'UTC') + toIntervalSecond(number * 40), toString(number), now64(6) FROM numbers(20000)
""", """
INSERT INTO windvane.measurements (unit_id, metric, value, ts, event_id, ingested_at)
SELECT concat('u', toString(intDiv(number, 2))), if(number % 2 = 0, 'revenue', 'bought'), if(number % 2 = 0, 20 + cityHash64(number) % 100 / 10, cityHash64(number) % 10 < 4),
       toDateTime64('2026-01-05', 6, 'UTC') + toIntervalSecond(intDiv(number, 2) * 40 + 3600), toString(number), now64(6) FROM numbers(40000)
""", """
INSERT INTO windvane.alert_events (at, rule, fingerprint, from_state, to_state, reason, severity, model, labels, value, summary, holder)
SELECT toDateTime64('2026-01-20', 6, 'UTC') + toIntervalHour(number), 'FeatureDrift', concat('p', toString(number % 20)), if(intDiv(number, 20) % 2 = 0, 'inactive', 'firing'),
       if(intDiv(number, 20) % 2 = 0, 'firing', 'resolved'), 'condition', 'warning', 'm0', CAST((['model', 'column'], ['m0', concat('f', toString(number % 20))]), 'Map(String, String)'), 2.5,
       'f drifts', 'bench' FROM numbers(240)
""")
# Each page, then each route of the read API that has many rows behind it.
PAGES = {
    "fleet": "/",
    "fleet, a day": "/?range=24h",
    "fleet, a year": "/?range=1y",
    "model": "/models/m0",
    "model, a day": "/models/m0?range=24h",
    "model, a week": "/models/m0?range=7d",
    "model, a year": "/models/m0?range=1y",
    "feature": "/models/m0/features/f0",
    "experiments": "/experiments",
    "experiment": "/experiments/checkout",
    "gates": "/gates",
    "gate": "/gates/candidate",
    "alerts": "/alerts",
    "pipeline": "/pipeline",
    "settings": "/settings",
    "queries": "/sql",
    "query": "/sql/traffic?model=m0",
}
ROUTES = {
    "API: models": "/api/v1/models",
    "API: drift of a model": "/api/v1/models/m0/drift",
    "API: performance of a model": "/api/v1/models/m0/performance",
    "API: quality of a model": "/api/v1/models/m0/quality",
    "API: latency of a model": "/api/v1/models/m0/latency",
    "API: monitors": "/api/v1/monitors",
    "API: fleet as CSV": "/api/v1/views/fleet?format=csv",
    "API: traffic as Arrow": "/api/v1/views/traffic?model=m0&format=arrow",
    "API: deployments": "/api/v1/views/deployments?model=m0",
}
BARE = "(a bare loopback request)"
SCAN = "(the engine reads one column)"


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


class Service:
    """The service over one connection, with what its processes have taken of the processor."""

    def __init__(self, address, pid):
        self.connection, self.pid = http.client.HTTPConnection(address.removeprefix("http://")), pid

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} answers {answer.status}: {body[:200]!r}")
        return body

    def processor_s(self):
        """Of the service and of the engine below it."""
        pids, ticks = [self.pid], 0
        for pid in pids:
            try:
                pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
                ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
            except FileNotFoundError:
                continue
        return ticks / os.sysconf("SC_CLK_TCK")


def timed(work):
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def fill(engine, windvane, folder, predictions):
    copies, whole_us = 10, DAYS * 86_400_000_000
    count, step, later = predictions // copies, whole_us / predictions, whole_us // copies
    threads = {"max_insert_threads": os.cpu_count()}
    engine.run(PREDICTIONS.format(step=step, count=count), **threads)
    for nth in range(1, copies):
        engine.run(COPY.format(nth=nth, later=nth * later), **threads)
    engine.run(OUTCOMES.format(step=step, count=count // 2))
    engine.run(COPY_OUTCOMES.format(copies=copies, later=later))
    config = str(folder / "windvane.toml")

    def windvane_does(*words, accepted=(0,)):
        ended = subprocess.run([windvane, "--log", "error", *words, "--config", config], stdout=subprocess.DEVNULL).returncode
        if ended not in accepted:
            raise SystemExit(f"windvane {' '.join(words)} ends with {ended}")

    for statement in OTHERS:
        engine.run(statement)
    for monitor in MONITORS:
        windvane_does("monitor", "backfill", monitor, "--from", "2026-01-20", "--to", "2026-01-30")
    for _ in range(LOOKS):
        windvane_does("experiment", "checkout")
    champion, candidate = (str(DATA / "models" / f"{name}.onnx") for name in ("champion", "candidate"))
    windvane_does("shadow", "run", "--champion", champion, "--candidate", candidate, "--traffic", str(DATA / "flights.parquet"),
                  "--sample", "300", "--record", "candidate", accepted=(0, 1, 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("windvane")
    parser.add_argument("--predictions", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--budget", type=float, default=100, help="milliseconds that a page may take at the 95th percentile")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windvane-pages-") as name:
        folder = Path(name)
        (folder / "windvane.toml").write_text(CONFIG)
        command = [asked.windvane, "--log-format", "json", "serve", "--offline", "--config", str(folder / "windvane.toml")]
        with open(folder / "log", "w") as log:
            process = subprocess.Popen(command, stderr=log, text=True)
        try:
            up = started(folder / "log", process)
            engine = Engine(folder, up["store"])
            print(f"filling took {timed(lambda: fill(engine, asked.windvane, folder, asked.predictions)) / 1e3:.0f} s", flush=True)
            slow = measure(engine, Service(up["address"], process.pid), (asked.rounds, asked.budget))
        finally:
            process.terminate()
            process.wait()
    if slow:
        sys.exit(f"above {asked.budget:g} ms at the 95th percentile: {', '.join(slow)}")


def started(log, process):
    """What the service says of itself once it is up."""
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if "windvane is up" in line:
                return json.loads(line)
        time.sleep(0.1)
    raise SystemExit(f"the service has ended: {log.read_text()}")


def measure(engine, service, limits):
    """Prints the table, and returns the pages that are slower than they may be."""
    rounds, budget_ms = limits
    rows, parts = (engine.run(sql) for sql in (
        "SELECT count() FROM windvane.predictions",
        "SELECT count() FROM system.parts WHERE database = 'windvane' AND table = 'predictions' AND active"))
    print(f"{rows} predictions in {parts} parts, {rounds} rounds, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    scan = "SELECT quantile(0.99)(latency_us) FROM windvane.predictions SETTINGS optimize_use_projections = 0 FORMAT Null"
    asks = {name: lambda path=path: service.get(path) for name, path in {BARE: "/healthz", **PAGES, **ROUTES}.items()}
    asks[SCAN] = lambda: engine.run(scan)
    took, processor, size = {name: [] for name in asks}, dict.fromkeys(asks, 0.0), {}
    for name, ask in asks.items():
        size[name] = len(ask()) / 1e3
    for _ in range(rounds):
        for name, ask in asks.items():
            before = service.processor_s()
            took[name].append(timed(ask))
            processor[name] += service.processor_s() - before
    print(f"{'':<32}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'CPU ms':>9}{'kB':>9}")
    for name, all_ms in took.items():
        all_ms.sort()
        at = [all_ms[max(math.ceil(len(all_ms) * share) - 1, 0)] for share in (0.5, 0.95, 0.99)]
        columns = [*at, processor[name] / rounds * 1e3, size[name]]
        print(f"{name:<32}" + "".join(f"{number:>9.1f}" for number in columns))
    return [name for name in PAGES if took[name][math.ceil(rounds * 0.95) - 1] > budget_ms]


if __name__ == "__main__":
    main()
