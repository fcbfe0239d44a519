"""A month without a change: thirty windows are judged, nothing drifts, and nobody is told; a day that does change is."""

import json
import random
from datetime import datetime, timedelta, timezone

import pyarrow.parquet as parquet
from service import Service, eventually
from test_story_drift import FLIGHTS, routes

DAYS = 30
A_DAY = 100
# The bound is of one window: at 0.001 three months of a hundred find something though nothing changed, at the usual 0.05 most
# months do. More than 6 of 30 windows are found at 0.05 in fewer than one month of a thousand.
ALPHA = 0.001
USUAL_ALPHA, USUAL_MAX = 0.05, 6
COLUMNS = ["dep_delay", "distance", "temp", "origin"]


def shuffled(days, seed):
    """Flights of the whole year, each at some time of some day: whatever differs between two days is chance, of this seed."""
    draw = random.Random(seed)
    table = parquet.read_table(FLIGHTS).select(COLUMNS)
    rows = table.take(draw.sample(range(table.num_rows), days * A_DAY)).to_pylist()
    draw.shuffle(rows)
    return [(f"{seed}-{at}", draw.randrange(days * 86_400), row, draw.random()) for at, row in enumerate(rows)]


def event(start, name, second, row, score):
    return {
        "model": "delay", "version": "7", "event_id": name, "ts": (int(start.timestamp()) + second) * 1_000_000,
        "features": row, "prediction": {"score": score},
    }


def day(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_month_without_a_change_tells_nobody(tmp_path, http_sink, body):
    sink = http_sink((200, {}, "ok"))
    # The last windows are of these days, so that the rules that run look at them, too; one day is left for a change.
    end = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    middle, start = end - timedelta(days=DAYS), end - timedelta(days=2 * DAYS)
    service = Service(tmp_path, f"""
[monitors.daily]
model = "delay"
reference = "window:{day(start)}/{day(middle)}"
window = "1d"
delay = "0s"
alpha = {ALPHA}
enabled = false
[alerts]
every = "1s"
{routes(sink.url)}""")
    events = [event(start, *drawn) for drawn in shuffled(2 * DAYS, seed=4)]
    for at in range(0, len(events), 3_000):
        service.send(events[at : at + 3_000])
    service.run("monitor", "backfill", "daily", "--from", day(middle), "--to", day(end))

    windows, columns, judged, drifted, usual = map(int, service.query(
        "SELECT uniq(window_start), uniq(column_name), uniqIf((window_start, column_name), verdict != 'insufficient_data'), "
        f"countIf(drifted), uniqIf(window_start, p_adjusted < {USUAL_ALPHA} AND abs(effect) >= threshold) "
        "FROM drift_findings FINAL"
    ).split("\t"))
    # Each feature, and the score.
    assert (windows, columns, judged) == (DAYS, len(COLUMNS) + 1, DAYS * (len(COLUMNS) + 1))
    assert drifted == 0, service.query("SELECT * FROM drift_findings FINAL WHERE drifted")
    assert usual <= USUAL_MAX

    replayed = json.loads(service.run("alerts", "backtest", "--from", day(middle), "--to", day(end), "--format", "json"))
    assert (replayed["messages"], replayed["rules"]) == ([], []) and "FeatureDrift" not in replayed["skipped"], replayed
    linted = json.loads(service.run("alerts", "lint", "--online", "--format", "json"))
    observed = {rule["rule"]: rule["observations"] for rule in linted["rules"]}
    assert observed["FeatureDrift"] == len(COLUMNS) + 1, "the rules look at the last window"
    service.looked("FeatureDrift", 3)
    assert sink.requests == [] and service.run("alerts", "list") == "no alerts\n"

    # The same rules, receiver and monitor tell of a day that did change.
    service.send([
        event(end, name, second, row | {"temp": (row["temp"] or 50) + 40}, score)
        for name, second, row, score in shuffled(1, seed=5)
    ])
    service.run("monitor", "run", "daily", "--at", day(end + timedelta(days=1)))
    eventually(lambda: sink.requests, "a change is told")
    service.looked("FeatureDrift", 3)
    assert [alert["labels"]["column"] for alert in body(sink)["alerts"]] == ["temp"] and len(sink.requests) == 1
    replayed = json.loads(service.run(
        "alerts", "backtest", "--from", day(middle), "--to", day(end + timedelta(days=1)), "--format", "json"
    ))
    assert [(message["reason"], message["firing"]) for message in replayed["messages"]] == [("first", 1)]
    service.end()
