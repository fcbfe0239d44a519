"""Messages under faults: receivers that fail in every way, kills at every point, ClickHouse away, two processes."""

import contextlib
import json
import os
import signal

import pytest
from service import Service, eventually
from test_story_drift import error, routes, rule  # noqa: F401

OK = (200, {}, "ok")


def keys(sink):
    return [headers["Idempotency-Key"] for _, headers, _ in sink.requests]


def test_a_receiver_that_fails_in_every_way_gets_the_same_message_until_it_takes_it(tmp_path, http_sink):
    sink = http_sink((500, {}, "broken"), "close", (429, {"Retry-After": "1"}, "slow down"), "hang", "half")
    service = Service(tmp_path, rule() + routes(sink.url))
    service.send(error())
    # A 200 whose body breaks off was taken: the head says so.
    eventually(lambda: len(sink.requests) == 5, "it is tried until it is taken")
    eventually(lambda: service.query(
        "SELECT groupArray(outcome), uniq(id) FROM (SELECT * FROM notifications FINAL ORDER BY at)"
    ) == "['later','later','later','later','taken']\t1", "every attempt is kept")
    assert len(set(keys(sink))) == 1 and len({body for _, _, body in sink.requests}) == 1
    service.looked("Errors", 3)
    assert len(sink.requests) == 5
    service.end()


def test_mails_share_a_connection_until_one_is_not_taken(tmp_path, smtp):
    mails, port = smtp()
    config = rule() + routes("unused").replace('type = "webhook"\nurl = "unused"', f'''type = "email"
host = "localhost"
port = {port}
tls = "none"
from = "windvane@example.org"
to = ["ml@example.org"]''')
    service = Service(tmp_path, config)
    service.send(error())
    eventually(lambda: len(mails.kept) == 1, "it is told")
    service.send(error(status="ok"))
    eventually(lambda: len(mails.kept) == 2, "its end is told")
    assert mails.peers[0] == mails.peers[1] and mails.farewells == [], (mails.peers, mails.farewells)
    # One that is not taken ends the connection, and goes on a new one.
    mails.answers = ["451 try later"]
    service.send(error())
    eventually(lambda: len(mails.kept) == 3, "it is told after another try")
    assert mails.tries == 4 and mails.peers[2] == mails.peers[1] and mails.peers[3] != mails.peers[2], mails.peers
    assert mails.farewells == [mails.peers[2]]
    service.end()
    # The server may hear it only when the process has ended.
    eventually(lambda: mails.farewells == [mails.peers[2], mails.peers[3]], "who is done takes leave")


def test_a_refused_message_goes_to_the_fallback(tmp_path, http_sink):
    sink = http_sink((404, {}, "no such channel"))
    log = tmp_path / "log.ndjson"
    config = rule().replace("[alerts]", '[alerts]\nfallback_receiver = "log"', 1) + routes(sink.url)
    service = Service(tmp_path, f'{config}[alerts.receivers.log]\ntype = "file"\npath = "{log}"\n')
    service.send(error())
    eventually(log.exists, "the fallback gets it")
    [line] = eventually(lambda: log.read_text().splitlines(), "a line")
    assert json.loads(line)["notification_reason"] == "fallback" and len(sink.requests) == 1
    assert service.metric('windvane_alerts_undelivered_total{receiver="hook"}') == 1
    service.end()


def test_a_digest_that_falls_back_to_pagerduty_opens_an_incident_of_each_group_and_closes_it(tmp_path, http_sink, body):
    """Of three groups the first is told, and the digest of the others is refused."""
    hook, pager = http_sink(OK, (404, {}, "no such channel")), http_sink((202, {}, "{}"))
    (tmp_path / "key").write_text("R0")
    capped = '[alerts]\nfallback_receiver = "pager"\nmessages_max = 1\nmessages_per = "2s"'
    service = Service(tmp_path, f"""{rule().replace("[alerts]", capped, 1)}{routes(hook.url)}
[alerts.receivers.pager]
type = "pagerduty"
url = "{pager.url}"
routing_key_file = "{tmp_path}/key"
""")
    models = ["a", "b", "c"]
    service.send([event for model in models for event in error(model)])
    eventually(lambda: len(pager.requests) == 2, "an incident of each group of the digest")
    service.send([event for model in models for event in error(model, "ok")])

    def keys_of(action):
        events = [body(pager, at) for at in range(len(pager.requests))]
        return {event["dedup_key"] for event in events if event["event_action"] == action}

    eventually(lambda: keys_of("trigger") <= keys_of("resolve"), "each incident is closed")
    assert len(keys_of("trigger")) == 2 and not any("digest" in key for key in keys_of("trigger")), pager.requests
    service.end()


@pytest.mark.parametrize("point", ["pending", "waiting", "sending", "back_off", "kept", "ended"])
def test_a_kill_neither_loses_nor_repeats_a_message(tmp_path, http_sink, body, point):
    """Killed while the alert is pending, while its group waits, while the receiver keeps the request open, between two attempts,
    and after the message was taken: then the alert ends after the restart, or while nothing runs."""
    failed = {"sending": ["hang"], "back_off": [(500, {}, "broken")] * 3}.get(point, [])
    sink = http_sink(*failed, OK)
    config = rule() + routes(sink.url)
    if point == "pending":
        config = config.replace("above = 0.5\n", 'above = 0.5\nfor = "10s"\n', 1)
    if point == "waiting":
        config = config.replace('group_wait = "0s"', 'group_wait = "10s"', 1)
    service = Service(tmp_path, config)
    service.send(error())
    alerts, attempts = "windvane_alerts_alerts{state=", 'windvane_alerts_attempts_total{outcome="'
    match point:
        case "pending":
            eventually(lambda: service.metric(f'{alerts}"pending"') == 1, "it is pending")
        case "waiting":
            eventually(lambda: service.metric(f'{alerts}"firing"') == 1, "its group waits")
        case "sending":
            eventually(lambda: sink.requests, "it is sent")
        case "back_off":
            eventually(lambda: service.metric(f'{attempts}later"') == len(failed), "it waits for the next attempt")
        case _:
            eventually(lambda: service.metric(f'{attempts}taken"') == 1, "it is taken")
            service.looked("Errors", 1)
    service.kill()
    at_kill = len(sink.requests)
    assert at_kill == (1 if point in ("kept", "ended") else len(failed)), "it was killed where it should be"
    if point == "ended":
        # Nobody judges while this one takes events.
        deaf = Service(tmp_path, config, "--roles", "collector,web")
        deaf.send(error(status="ok"))
        deaf.end()
        assert len(sink.requests) == 1
    again = Service(tmp_path, config)
    statuses = lambda: [body(sink, at)["status"] for at in range(len(sink.requests))]
    if point != "ended":
        eventually(lambda: len(sink.requests) == len(failed) + 1, "it is told")
        again.looked("Errors", 4)
        assert statuses() == ["firing"] * (len(failed) + 1)
        again.send(error(status="ok"))
    eventually(lambda: "resolved" in statuses(), "its end is told")
    again.looked("Errors", 4)
    assert statuses() == ["firing"] * (len(failed) + 1) + ["resolved"]
    assert len(set(keys(sink)[:-1])) == 1, "every attempt under the same key"
    # That it is pending is told once: what it has waited already is not forgotten.
    eventually(lambda: again.query(
        "SELECT countIf(to_state = 'pending'), countIf(to_state = 'firing'), countIf(to_state = 'resolved') FROM alert_events FINAL"
    ) == f"{int(point == 'pending')}\t1\t1", "every change happened once")
    eventually(lambda: again.query(
        "SELECT groupArray(reason) FROM (SELECT reason FROM notifications FINAL WHERE outcome = 'taken' ORDER BY at)"
    ) == "['first','all_resolved']", "each message was taken once")
    again.end()


def test_nothing_is_lost_while_clickhouse_is_away(tmp_path, http_sink, body):
    sink = http_sink((503, {}, "not yet"), OK)
    own = Service(tmp_path, rule() + routes(sink.url) + """
[alerts.rules.StoreUnavailable]
source = "own"
measure = "store_unavailable"
above = 0.5
severity = "critical"
""")
    own.send(error())
    eventually(lambda: len(sink.requests) >= 2, "it is told")
    own.looked("Errors", 1)
    # The engine is a child that comes back; while it is held, ClickHouse is away.
    children = [
        int(child)
        for task in os.listdir(f"/proc/{own.process.child.pid}/task")
        for child in open(f"/proc/{own.process.child.pid}/task/{task}/children").read().split()
    ]
    os.kill(children[0], signal.SIGSTOP)
    try:
        told = lambda: [body(sink, at)["commonLabels"]["alertname"] for at in range(len(sink.requests))]
        eventually(lambda: "StoreUnavailable" in told(), "that ClickHouse is away is told")
        # That it fires, and what was sent of it.
        eventually(lambda: own.metric("windvane_alerts_waiting_rows") >= 2, "rows wait for ClickHouse")
    finally:
        # Whoever watches over it may have given it up already.
        with contextlib.suppress(ProcessLookupError):
            os.kill(children[0], signal.SIGCONT)
    eventually(lambda: own.query(
        "SELECT countIf(rule = 'StoreUnavailable' AND to_state = 'firing') >= 1, countIf(rule = 'StoreUnavailable' AND to_state = 'resolved') >= 1 "
        "FROM alert_events FINAL"
    ) == "1\t1", "what happened meanwhile is kept afterwards")
    eventually(lambda: int(own.query(
        "SELECT countIf(outcome = 'taken') FROM notifications FINAL")) >= 3, "and so is what was sent")
    eventually(lambda: own.metric("windvane_alerts_waiting_rows") == 0, "no row waits any more")
    assert own.metric("windvane_alerts_dropped_rows") == 0
    own.end()


def test_two_processes_tell_once_and_one_takes_over(tmp_path, http_sink, body):
    sink = http_sink(OK)
    first = Service(tmp_path, rule(), "--roles", "collector,web")
    access = json.loads((tmp_path / "data" / "access.json").read_text())

    def process(name):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "password").write_text(access["password"])
        store = f'[store]\nurl = "{first.engine}"\nuser = "{access["user"]}"\npassword_file = "password"\n'
        state = f'\n[alerts]\nstate_dir = "{folder}/state"\n'
        config = store + rule().replace("[alerts]", state, 1) + routes(sink.url)
        return Service(folder, config, "--roles", "alerts")

    both = [process("one"), process("two")]
    held = "windvane_alerts_held"
    eventually(lambda: sum(service.metric(held) for service in both) == 1, "one of them judges")
    first.send(error())
    eventually(lambda: sink.requests, "it is told")
    holder = next(service for service in both if service.metric(held) == 1)
    other = next(service for service in both if service is not holder)
    holder.looked("Errors", 3)
    assert len(sink.requests) == 1
    # What the holder knows has reached the store, so that the other one can go on.
    eventually(lambda: first.query("SELECT count() FROM notifications FINAL WHERE outcome = 'taken'") == "1", "it is kept")
    holder.looked("Errors", 2)
    holder.kill()
    eventually(lambda: other.metric(held) == 1, "the other one takes over")
    other.looked("Errors", 3)
    assert len(sink.requests) == 1, "nothing is told again"
    first.send(error(status="ok"))
    eventually(lambda: len(sink.requests) == 2, "the end is told by the other one")
    assert body(sink, 1)["status"] == "resolved"
    # One that is asked to end leaves what it knows at once: a third one, which knows nothing, tells nothing again.
    third = process("three")
    first.send(error())
    eventually(lambda: len(sink.requests) == 3, "it is told anew")
    other.end()
    eventually(lambda: third.metric(held) == 1, "the third one takes over")
    third.looked("Errors", 3)
    assert [body(sink, at)["status"] for at in range(len(sink.requests))] == ["firing", "resolved", "firing"]
    third.end()
