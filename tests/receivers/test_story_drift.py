"""From drifted flights to a mail: one message for forty features, one end; and silences, acknowledgements, backtests."""

import email
import email.policy
import json
import os
import re
import time
from datetime import datetime, timezone
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from service import LIMIT_S, Process, Service, eventually

HERE = Path(__file__).resolve().parent
FLIGHTS = HERE.parent.parent / "data" / "flights.parquet"
HOUR_S = 3_600
ROWS = 400
NUMERIC = ["dep_delay", "distance", "scheduled_minutes", "temp", "dewp", "humid", "wind_speed", "pressure", "visib"]


def forty(rows):
    """Forty features of each flight: its own numbers, and their sums by twos."""
    names = [name for name in NUMERIC if name in rows.column_names]
    columns = {name: rows[name].to_pylist() for name in names}
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i:]][: 40 - len(names)]
    for at in range(rows.num_rows):
        own = {name: columns[name][at] for name in names}
        sums = {
            f"{a}_{b}": None if own[a] is None or own[b] is None else own[a] + own[b] for a, b in pairs
        }
        yield {**own, **sums}


def hours(rows, moved):
    """The same flights in three hours: as they are, `moved` as a new version came, and as they are."""
    now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0).timestamp()
    starts = [int(now - ago * HOUR_S) for ago in (3, 2, 1)]
    events = []
    for hour, start in enumerate(starts):
        version = "8" if hour == 1 else "7"
        for at, features in enumerate(forty(rows)):
            if hour == 1:
                features = {name: moved(value) for name, value in features.items()}
            events.append({
                "model": "delay", "version": version, "event_id": f"{hour}-{at}", "ts": (start + at * 9) * 1_000_000,
                "features": features, "prediction": {"score": 0.5},
            })
    return [datetime.fromtimestamp(start, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for start in [*starts, int(now)]], events


def config(port, reference):
    return f"""
[monitors.hourly]
model = "delay"
reference = "window:{reference}"
window = "1h"
delay = "0s"
enabled = false
[alerts]
every = "1s"
external_url = "https://windvane.example.org"
[alerts.rules.FeatureDrift]
match = ["model=delay"]
[alerts.rules.FeatureDrift.labels]
team = "ml"
[alerts.route]
receiver = "mail"
group_wait = "2s"
group_interval = "2s"
[alerts.receivers.mail]
type = "email"
host = "localhost"
port = {port}
tls = "none"
from = "Windvane <windvane@example.org>"
to = ["ml@example.org"]
"""


def mail(content):
    return email.message_from_bytes(content, policy=email.policy.default)


def plain(text):
    """A text without times, so that it can be compared whole."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\dZ", "TIME", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "MINUTE", text).replace("\r\n", "\n")


def same_as(name, text):
    """Compares with what is committed; WRITE_SNAPSHOTS=1 writes it anew."""
    path = HERE / "snapshots" / name
    if os.environ.get("WRITE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def test_forty_features_are_one_mail_with_a_chart_and_one_end(tmp_path, smtp):
    mails, port = smtp()
    rows = parquet.read_table(FLIGHTS).slice(1_000, ROWS)
    times, events = hours(rows, lambda value: None if value is None else value * 3 + 50)
    service = Service(tmp_path, config(port, f"{times[0]}/{times[1]}"))
    service.send(events)
    assert len(events[0]["features"]) == 40

    # The hour without a change: nothing is told, however often it is looked at.
    service.run("monitor", "run", "hourly", "--at", times[1])
    service.looked("FeatureDrift", 3)
    assert mails.kept == [] and service.run("alerts", "list") == "no alerts\n"

    # From the finding to the message in one look, and the time that the group waits: counted in looks, which a slow machine
    # does not change. Each number is read before what it is held against, so that it can only be too small.
    looks = 'windvane_alerts_evaluations_total{outcome="ok",rule="FeatureDrift"}'
    run = Process("monitor", "run", "hourly", "--at", times[2], "--config", service.config)
    drifts = f"SELECT count() FROM drift_findings FINAL WHERE drifted AND window_end = parseDateTimeBestEffort('{times[2]}')"
    eventually(lambda: service.query(drifts) != "0", "it is found")
    at_finding = service.metric(looks)
    told_of = lambda: service.metric("windvane_alerts_waiting_notifications") + service.metric("windvane_alerts_attempts_total")

    def made():
        so_far = service.metric(looks) - at_finding
        if told_of():
            return True
        # One that had begun before the finding, the one that saw it, and those of the two seconds that the group waits.
        assert so_far <= 2 + 2, so_far
        return False

    eventually(made, "a message is made")
    eventually(lambda: mails.kept, "a mail comes")
    assert run.child.wait(timeout=LIMIT_S) == 0, run.log
    service.looked("FeatureDrift", 4)
    [(_, to, content, _)] = mails.kept
    told = mail(content)
    drifted = int(service.query("SELECT uniq(column_name) FROM drift_findings FINAL WHERE drifted"))
    assert to == ["ml@example.org"] and drifted >= 38, drifted
    assert told["Subject"] == f"[FIRING:{drifted}] FeatureDrift delay"
    assert told["List-Id"] == "Windvane <mail.windvane>" and told["Auto-Submitted"] == "auto-generated"
    kinds = [part.get_content_type() for part in told.walk()]
    assert kinds[:5] == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"], kinds
    images = [part for part in told.walk() if part.get_content_type() == "image/png"]
    assert all(image.get_content().startswith(b"\x89PNG") for image in images) and len(images) == 3
    html = next(part for part in told.walk() if part.get_content_type() == "text/html").get_content()
    assert 'src="cid:chart-1"' in html and images[0]["Content-ID"] == "<chart-1>"
    text = next(part for part in told.walk() if part.get_content_type() == "text/plain").get_content()
    assert "before " in text and "Look next: windvane drift --model delay" in text and "p < 0.001" in text
    same_as("drift.txt", plain(text))

    linted = json.loads(service.run("alerts", "lint", "--online", "--format", "json"))
    assert linted["doubts"] == [], "every statement runs"
    observed = {rule["rule"]: rule["observations"] for rule in linted["rules"]}
    # Forty features, and the score.
    assert observed["FeatureDrift"] == 41 and observed["MonitorFailing"] == 1 and observed["IngestionStalled"] == 1, observed
    standing = json.loads(service.run("alerts", "list", "--format", "json"))["alerts"]
    assert len(standing) == drifted and {alert["state"] for alert in standing} == {"firing"}
    assert service.ask("/api/v1/alerts?state=firing&limit=5")[1]["next_offset"] == 5
    assert service.run("alerts", "list", "--fail-on", "firing", code=1)

    service.run("monitor", "run", "hourly", "--at", times[3])
    eventually(lambda: len(mails.kept) == 2, "the end is told")
    service.looked("FeatureDrift", 4)
    assert len(mails.kept) == 2
    ended = mail(mails.kept[1][2])
    assert ended["Subject"] == f"[RESOLVED] FeatureDrift delay ({drifted} alerts)"
    assert ended["References"] == told["References"] and ended["Message-ID"] != told["Message-ID"]
    eventually(lambda: service.query(
        "SELECT countIf(to_state = 'firing'), countIf(to_state = 'resolved'), uniq(fingerprint) FROM alert_events FINAL"
    ) == f"{drifted}\t{drifted}\t{drifted}", "every change is kept")
    eventually(lambda: service.query(
        "SELECT reason, outcome, firing, resolved FROM notifications FINAL ORDER BY at"
    ) == f"first\ttaken\t{drifted}\t0\nall_resolved\ttaken\t0\t{drifted}", "every attempt is kept")
    events_of = service.ask("/api/v1/alerts/events?rule=FeatureDrift&limit=1")[1]
    assert events_of["events"][0]["to_state"] == "resolved" and events_of["next_offset"] == 1

    replayed = json.loads(service.run(
        "alerts", "backtest", "--from", times[0], "--to", times[3], "--format", "json"
    ))
    assert [rule["alerts"] for rule in replayed["rules"] if rule["rule"] == "FeatureDrift"] == [drifted]
    quiet = json.loads(service.run(
        "alerts", "backtest", "--from", "2013-01-01", "--to", "2013-02-01", "--format", "json"
    ))
    assert quiet["messages"] == [] and quiet["rules"] == []
    (tmp_path / "incidents.csv").write_text(f"start,end,model\n{times[1]},{times[2]},delay\n2013-01-01,2013-01-02,\n")
    judged = json.loads(service.run(
        "alerts", "backtest", "--from", times[0], "--to", times[3], "--incidents", tmp_path / "incidents.csv", "--format", "json"
    ))["judgement"]
    assert (judged["false_alarm_share"], judged["incidents_found"]) == (0.0, 1)
    service.end()


def rule(every="1s"):
    return f"""
[alerts]
every = "{every}"
default_rules = false
lease = "3s"
[alerts.rules.Errors]
source = "query"
query = "SELECT model, toFloat64(argMax(status, ts) = 'error') AS value FROM predictions GROUP BY model"
above = 0.5
no_data = "ok"
severity = "error"
[alerts.rules.Errors.annotations]
summary = "{{{{ labels.model }}}} answers with errors"
"""


def routes(url, more=""):
    return f"""
[alerts.route]
receiver = "hook"
group_wait = "0s"
group_interval = "1s"
{more}
[alerts.receivers.hook]
type = "webhook"
url = "{url}"
"""


def error(model="delay", status="error"):
    ts = int(time.time() * 1_000_000)
    return [{"model": model, "version": "7", "ts": ts, "status": status, "features": {}, "prediction": {"score": 0.5}}]


def test_silences_keep_alerts_from_being_told_until_they_end(tmp_path, http_sink, body):
    sink = http_sink((200, {}, "ok"))
    service = Service(tmp_path, rule() + routes(sink.url))
    status, silence = service.ask(
        "/api/v1/silences", "POST", {"matchers": ["model=delay"], "for": "2h", "comment": "retraining", "created_by": "ada"}
    )
    assert status == 200 and silence["state"] == "active"
    service.looked("Errors", 2)
    service.send(error() + error("fraud"))
    eventually(lambda: sink.requests, "the other model is told")
    service.looked("Errors", 3)
    assert [body(sink, at)["commonLabels"]["model"] for at in range(len(sink.requests))] == ["fraud"]
    eventually(lambda: silence["id"] in service.run("alerts", "list"), "the list says who silenced it")
    assert silence["id"] in service.run("alerts", "silence", "list")
    assert service.ask(f"/api/v1/silences/{silence['id']}", "DELETE")[1]["state"] == "expired"
    eventually(lambda: len(sink.requests) == 2, "it is told once the silence has ended")
    assert body(sink, 1)["commonLabels"]["model"] == "delay" and body(sink, 1)["notification_reason"] == "first"
    assert service.ask("/api/v1/silences", "POST", {"matchers": ["x"], "for": "2h", "comment": "c"})[1]["code"] == "invalid_body"
    assert service.ask("/api/v1/silences/none", "DELETE")[1]["code"] == "unknown_silence"
    made = service.run("alerts", "silence", "add", 'model="delay"', "--for", "1h", "--comment", "c").split()[1]
    service.run("alerts", "silence", "add", "model!=delay", "--for", "1h", "--comment", "c", code=64)
    service.run("alerts", "silence", "add", "model=delay", "--from", "2020-01-01", "--comment", "c", code=64)
    service.run("alerts", "silence", "expire", made)
    assert service.run("alerts", "silence", "list") == "no silences\n"
    service.end()


def test_who_does_not_acknowledge_is_helped_and_who_does_is_left_alone(tmp_path, http_sink, body):
    sink, boss = http_sink((200, {}, "ok")), http_sink((200, {}, "ok"))
    more = 'repeat_interval = "2s"\nescalate_after = "2s"\nescalate_to = "boss"'
    lead = f'[alerts.receivers.boss]\ntype = "webhook"\nurl = "{boss.url}"\n'
    service = Service(tmp_path, rule() + routes(sink.url, more) + lead)
    service.send(error())
    eventually(lambda: boss.requests, "somebody else is told")
    assert body(boss)["notification_reason"] == "escalated" and body(boss)["receiver"] == "boss"
    eventually(lambda: len(sink.requests) >= 2, "it is repeated")
    fingerprint = json.loads(service.run("alerts", "list", "--format", "json"))["alerts"][0]["fingerprint"]
    assert "looks after" in service.run("alerts", "ack", fingerprint[:8], "--by", "ada")
    eventually(lambda: "ada looks after it" in service.run("alerts", "list"), "the list says who")
    told = len(sink.requests)
    service.looked("Errors", 5)
    assert len(sink.requests) == told and len(boss.requests) == 1
    service.run("alerts", "ack", "ffff-none", code=64)
    service.end()
