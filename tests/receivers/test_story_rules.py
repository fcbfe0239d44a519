"""Rules of the user's own, on tables of the user's own: what they would have said of the past, and one that ClickHouse refuses; and
rules over what monitors of fairness and attribution find."""

import json
import urllib.request
from datetime import datetime, timedelta, timezone

from service import Process, Service, eventually
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


CREATE = "CREATE TABLE depths (queue String, at DateTime64(6, 'UTC'), depth UInt32) ENGINE = MergeTree ORDER BY at"
FILL = "INSERT INTO depths VALUES ('delays', '2013-01-01 05:30:00', {})"


def owner(folder, engine, database="windvane"):
    """Runs statements as the user that owns the tables, as whoever keeps tables of their own beside ours does."""
    access = json.loads((folder / "data" / "access.json").read_text())
    headers = {"X-ClickHouse-User": access["user"], "X-ClickHouse-Key": access["password"]}

    def run(sql):
        request = urllib.request.Request(f"{engine}/?database={database}", data=sql.encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    return run


def before_the_service(folder, *statements):
    """Runs statements on the engine alone: what they make is there when rules are looked at for the first time."""
    engine = Process("engine", "--data", folder / "data", "--listen", "127.0.0.1:0")
    url = f'http://{engine.line("the engine is ready")["address"]}'
    owner(folder, url, "default")("CREATE DATABASE IF NOT EXISTS windvane")
    own = owner(folder, url)
    for statement in statements:
        own(statement)
    assert engine.end() == 0, "".join(engine.log[-20:])


def test_a_rule_that_clickhouse_refuses_is_told_and_its_own_alert_neither_ends_nor_is_told_again(tmp_path, http_sink, body):
    sink = http_sink((200, {}, "ok"))
    # Without the table from the start the rules would fail for as long as a busy machine takes to make it.
    before_the_service(tmp_path, CREATE, FILL.format(9))
    service = Service(tmp_path, RULES + routes(sink.url))
    own = owner(tmp_path, service.engine)
    told = lambda: [
        (body(sink, at)["status"], alert["labels"]["alertname"])
        for at in range(len(sink.requests)) for alert in body(sink, at)["alerts"]
    ]
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

    own(CREATE)
    own(FILL.format(1))
    eventually(lambda: {("resolved", "QueueDeep"), ("resolved", "RuleFailing")} <= set(told()), "both ends are told")
    assert sorted(told()) == [
        (status, name) for status in ("firing", "resolved") for name in ("QueueDeep", "RuleFailing")
    ], "each once"
    service.end()


def found(own, end, run, fairness, attribution):
    """Writes what two monitors found in the day before `end`; a later run takes the place of an earlier one."""
    window = f"'{end - timedelta(days=1):%F %T}', '{end:%F %T}'"
    columns = "run_id, computed_at, model, monitor, window_start, window_end"
    computed_at = f"{end + timedelta(seconds=run):%F %T}"
    own(f"""
INSERT INTO fairness_findings ({columns}, segment_key, segment_value, reference_value, method, statistic, ci_low, ci_high, value,
    reference_statistic, threshold, p_adjusted, n_reference, n_current, verdict)
VALUES ('f', '{computed_at}', 'delay', 'groups', {window}, 'origin', 'JFK', 'EWR', 'demographic_parity', -0.18, -0.22, -0.14, 0.31,
    0.49, 0.05, 0.0001, 1900, 1400, '{fairness}')""")
    rows = [
        ("''", "'ndcg'", 0.71, 0.66, 0.77, 0.9, 0, 0, f"'{attribution}'"),
        ("'temp'", "'importance'", 0.5, "NULL", "NULL", "NULL", 1, 6, "''"),
        ("'distance'", "'importance'", 0.4, "NULL", "NULL", "NULL", 2, 2, "''"),
        ("'dep_delay'", "'importance'", 0.1, "NULL", "NULL", "NULL", 4, 1, "''"),
    ]
    values = ", ".join(
        f"('a', '{computed_at}', 'delay', 'features', {window}, 'baseline', 'spring', {', '.join(map(str, row))}, 17218, 1400)"
        for row in rows
    )
    own(f"""
INSERT INTO attribution_findings ({columns}, reference_kind, reference_name, column_name, method, statistic, ci_low, ci_high, threshold,
    place, reference_place, verdict, n_reference, n_current) VALUES {values}""")


def test_groups_and_rankings_that_monitors_find_wrong_are_told_and_their_ends_too(tmp_path, http_sink, body):
    sink = http_sink((200, {}, "ok"))
    service = Service(tmp_path, '[alerts]\nevery = "1s"\n' + routes(sink.url))
    own = owner(tmp_path, service.engine)
    alerts = lambda: [alert for at in range(len(sink.requests)) for alert in body(sink, at)["alerts"]]
    told = lambda: {(alert["labels"]["alertname"], alert["status"]): alert["annotations"]["summary"] for alert in alerts()}
    summaries = {
        "AttributionDrift": "delay decides by other features than before: temp 6 → 1, dep_delay 1 → 4",
        "FairnessGap": "delay, demographic parity where origin is JFK: 31.0 % against 49.0 % where it is EWR",
    }
    # Once: midnight may come between the two runs.
    end = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    found(own, end, 1, "fail", "drift")
    firing = {(name, "firing"): summary for name, summary in summaries.items()}
    eventually(lambda: told() == firing, "both are told")
    # The windows were judged again, and nothing is wrong.
    found(own, end, 2, "pass", "no_drift")
    ends = {(name, "resolved"): summary for name, summary in summaries.items()}
    eventually(lambda: told() == firing | ends, "both ends are told, as what they were")
    assert len(alerts()) == 4, "each once"
    service.end()
