"""Rules of the user's own, on tables of the user's own: what they would have said of the past, and one that ClickHouse refuses."""

import json
import urllib.request

from service import Service, eventually
from test_story_drift import routes

RULES = '''
[alerts]
every = "1s"
[alerts.rules.QueueDeep]
source = "query"
query = "SELECT queue, toFloat64(argMax(depth, at)) AS value FROM depths GROUP BY queue"
above = 5
no_data = "ok"
[alerts.rules.QueueWasDeep]
source = "query"
query = """
SELECT queue, toFloat64(max(depth)) AS value FROM depths
WHERE at > {now:DateTime64(6, 'UTC')} - INTERVAL 1 HOUR AND at <= {now:DateTime64(6, 'UTC')} GROUP BY queue"""
above = 5
no_data = "ok"
every = "30m"
'''


def owner(service):
    """Runs statements as the user that owns the tables, as whoever keeps tables of their own beside ours does."""
    access = json.loads((service.folder / "data" / "access.json").read_text())
    headers = {"X-ClickHouse-User": access["user"], "X-ClickHouse-Key": access["password"]}

    def run(sql):
        request = urllib.request.Request(f"{service.engine}/?database=windvane", data=sql.encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    return run


def test_a_rule_that_clickhouse_refuses_is_told_and_its_own_alert_neither_ends_nor_is_told_again(tmp_path, http_sink, body):
    sink = http_sink((200, {}, "ok"))
    service = Service(tmp_path, RULES + routes(sink.url))
    own = owner(service)
    create = "CREATE TABLE depths (queue String, at DateTime64(6, 'UTC'), depth UInt32) ENGINE = MergeTree ORDER BY at"
    fill = "INSERT INTO depths VALUES ('delays', '2013-01-01 05:30:00', {})"
    told = lambda: [
        (body(sink, at)["status"], alert["labels"]["alertname"])
        for at in range(len(sink.requests)) for alert in body(sink, at)["alerts"]
    ]
    own(create)
    own(fill.format(9))
    eventually(lambda: ("firing", "QueueDeep") in told(), "the rule's alert is told")

    # Deep from half past five to half past six: what the other query answers about each half hour.
    replayed = json.loads(service.run("alerts", "backtest", "--from", "2013-01-01", "--to", "2013-01-02", "--format", "json"))
    assert replayed["asked"] == [{"rule": "QueueWasDeep", "every_s": 1800.0}] and "QueueDeep" in replayed["skipped"]
    assert replayed["rules"] == [{"rule": "QueueWasDeep", "alerts": 1, "resolved": 1, "firing_s": 3600}], replayed

    own("DROP TABLE depths SYNC")
    eventually(lambda: ("firing", "RuleFailing") in told(), "that the rule fails is told")
    failing = next(
        alert for at in range(len(sink.requests)) for alert in body(sink, at)["alerts"]
        if alert["labels"]["alertname"] == "RuleFailing"
    )
    assert failing["labels"]["rule"] == "QueueDeep" and failing["labels"]["severity"] == "error"
    said = failing["annotations"]
    assert said["summary"] == "the rule QueueDeep cannot be evaluated"
    # What ClickHouse itself says.
    assert "evaluations in a row have failed since 2" in said["description"] and "depths" in said["description"], said
    assert "UNKNOWN_TABLE" in said["description"] or "Unknown table" in said["description"], said
    # A message goes out before the list of what stands is stored.
    listed = lambda: json.loads(service.run("alerts", "list", "--format", "json"))["alerts"]
    standing = {"QueueDeep": "firing", "RuleFailing": "firing"}
    eventually(lambda: {alert["rule"]: alert["state"] for alert in listed()} == standing, "both stand")

    own(create)
    own(fill.format(1))
    eventually(lambda: {("resolved", "QueueDeep"), ("resolved", "RuleFailing")} <= set(told()), "both ends are told")
    assert sorted(told()) == [
        (status, name) for status in ("firing", "resolved") for name in ("QueueDeep", "RuleFailing")
    ], "each once"
    service.end()
