"""`windvane alerts test` with receivers that speak HTTP."""

import hashlib
import hmac
import json

from service import reserved_port

OK = (200, {}, "ok")


def receiver(kind, url, *lines):
    return "\n".join(["[alerts.receivers.ops]", f'type = "{kind}"', f'url = "{url}"', *lines])


def test_a_webhook_gets_the_fourth_version_of_alertmanagers_body(windvane, http_sink, body):
    sink = http_sink(OK)
    done = windvane(receiver("webhook", sink.url + "/hook?a=b"), "ops")
    assert done.code == 0, done.err
    assert "took the test notification" in done.out and "200" in done.out
    [(path, headers, _)] = sink.requests
    assert path == "/hook?a=b"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"]
    document = body(sink)
    assert {key: document[key] for key in ("version", "status", "receiver", "truncatedAlerts")} == {
        "version": "4", "status": "firing", "receiver": "ops", "truncatedAlerts": 0,
    }
    assert document["groupKey"] and document["groupLabels"] == {"alertname": "WindvaneTest"}
    [alert] = document["alerts"]
    assert alert["status"] == "firing" and alert["labels"]["test"] == "true"
    assert alert["endsAt"] == "0001-01-01T00:00:00Z" and len(alert["fingerprint"]) == 16
    assert "test" in alert["annotations"]["summary"].lower()


def test_a_key_signs_the_body(windvane, http_sink):
    sink = http_sink(OK)
    done = windvane(receiver("webhook", sink.url, 'key_env = "HOOK_KEY"'), "ops", HOOK_KEY="s3cret")
    assert done.code == 0, done.err
    _, headers, body = sink.requests[0]
    time, proof = (part.split("=", 1)[1] for part in headers["X-Windvane-Signature"].split(","))
    assert proof == hmac.new(b"s3cret", f"{time}.".encode() + body, hashlib.sha256).hexdigest()


def test_slack_teams_and_pagerduty_get_bodies_of_their_own(windvane, http_sink, body):
    slack, teams, pager = http_sink(OK), http_sink((202, {}, "")), http_sink((202, {}, '{"status":"success"}'))
    assert windvane(receiver("slack", slack.url), "ops").code == 0
    assert "[TEST]" in body(slack)["text"] and body(slack)["blocks"][0]["type"] == "header"
    assert windvane(receiver("teams", teams.url), "ops").code == 0
    [card] = body(teams)["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    done = windvane(receiver("pagerduty", pager.url, 'routing_key_env = "PD"'), "ops", PD="R123")
    assert done.code == 0, done.err
    event = body(pager)
    assert event["routing_key"] == "R123" and event["event_action"] == "trigger" and event["dedup_key"]
    assert event["payload"]["severity"] == "info" and event["payload"]["summary"].startswith("[TEST]")


def test_a_fault_of_the_receiver_is_tried_again_with_the_same_key(windvane, http_sink):
    sink = http_sink((500, {}, "broken"), "close", (503, {"Retry-After": "0"}, ""), OK)
    done = windvane(receiver("webhook", sink.url), "ops")
    assert done.code == 0, done.err
    assert "at try 4" in done.out
    assert len({headers["Idempotency-Key"] for _, headers, _ in sink.requests}) == 1
    assert len({body for _, _, body in sink.requests}) == 1


def test_the_head_of_an_answer_decides_where_its_body_breaks_off(windvane, http_sink):
    sink = http_sink("half", OK)
    done = windvane(receiver("webhook", sink.url), "ops")
    assert done.code == 0, done.err
    assert "took the test notification" in done.out and "200" in done.out and "the body broke off" in done.out
    assert len(sink.requests) == 1


def test_a_receiver_that_asks_for_patience_gets_it(windvane, http_sink):
    sink = http_sink((429, {"Retry-After": "2"}, "slow down"), OK)
    done = windvane(receiver("webhook", sink.url), "ops")
    assert done.code == 0, done.err
    assert "2s" in done.err or "2.0s" in done.err, done.err


def test_a_pause_beyond_the_patience_ends_the_test_at_once(windvane, http_sink):
    sink = http_sink((429, {"Retry-After": "3600"}, "tomorrow"))
    done = windvane(receiver("webhook", sink.url), "ops")
    assert done.code == 69 and done.out == ""
    assert "429" in done.err and "tomorrow" in done.err
    assert len(sink.requests) == 1


def test_five_tries_are_the_most(windvane, http_sink):
    sink = http_sink((500, {"Retry-After": "0"}, "always broken"))
    done = windvane(receiver("webhook", sink.url), "ops")
    assert done.code == 69 and done.out == ""
    assert "always broken" in done.err and "5" in done.err
    assert len(sink.requests) == 5


def test_a_refusal_is_not_tried_again(windvane, http_sink):
    for answer in [(404, {}, "no such hook"), (400, {}, "bad"), (302, {"Location": "http://127.0.0.1:1/x"}, "")]:
        sink = http_sink(answer)
        done = windvane(receiver("webhook", sink.url), "ops")
        assert done.code == 69 and done.out == "", answer
        assert str(answer[0]) in done.err, done.err
        assert len(sink.requests) == 1, answer


def test_a_receiver_that_says_nothing_is_left_and_tried_again(windvane, http_sink):
    sink = http_sink("hang", OK)
    done = windvane(receiver("webhook", sink.url), "ops")
    assert done.code == 0, done.err
    assert "no answer within" in done.err and "at try 2" in done.out


def test_nobody_at_the_address_is_unavailable(windvane):
    with reserved_port() as port:
        done = windvane(receiver("webhook", f"http://127.0.0.1:{port}/"), "ops")
    assert done.code == 69 and "refused" in done.err.lower(), done.err


def test_an_unknown_receiver_is_told_the_names_there_are(windvane, http_sink):
    sink = http_sink(OK)
    done = windvane(receiver("webhook", sink.url), "oops")
    assert done.code == 64 and "`ops`" in done.err and done.out == ""
    assert windvane("", "ops").code == 64


def test_a_wrong_receiver_is_a_wrong_configuration(windvane):
    for lines, said in [
        ('[alerts.receivers.a]\ntype = "pigeon"', "email, webhook, slack, teams, pagerduty, discord"),
        ('[alerts.receivers.a]', "`type` is missing"),
        ('[alerts.receivers.a]\ntype = "webhook"', "`url` is missing"),
        ('[alerts.receivers.a]\ntype = "webhook"\nurl = "http://10.0.0.1/"', "allow_private_targets"),
        ('[alerts.receivers.a]\ntype = "webhook"\nurl = "http://169.254.169.254/"', "allow_private_targets"),
        ('[alerts.receivers.a]\ntype = "slack"\nurl_env = "NOT_SET_ANYWHERE"', "is not set"),
        ('[alerts.receivers.a]\ntype = "slack"\nhost = "x"\nurl = "http://127.0.0.1/"', "goes with email"),
        ('[alerts.receivers.a]\ntype = "pagerduty"', "routing_key_env"),
        ('[alerts.receivers.a]\ntype = "webhook"\nurll = "http://127.0.0.1/"', "alerts.receivers.a.url"),
    ]:
        done = windvane(lines, "a")
        assert done.code == 78 and done.out == "", (lines, done)
        assert said in done.err, (lines, done.err)


def test_a_secret_address_is_not_shown(windvane, http_sink, tmp_path):
    sink = http_sink((500, {"Retry-After": "0"}, "no"))
    (tmp_path / "url").write_text(sink.url + "/T000/SECRET\n")
    done = windvane('[alerts.receivers.ops]\ntype = "slack"\nurl_file = "url"', "ops")
    assert done.code == 69 and "SECRET" not in done.err + done.out
    assert sink.requests[0][0] == "/T000/SECRET"
    assert json.loads(sink.requests[0][2])["text"]
    # Pages of errors repeat it, and so do redirects to https.
    elsewhere = {"Location": "https://hooks.example.org/T000/SECRET"}
    for answer in [(404, {}, "Cannot POST /T000/SECRET"), (301, elsewhere, "moved")]:
        sink = http_sink(answer)
        (tmp_path / "url").write_text(sink.url + "/T000/SECRET\n")
        done = windvane('[alerts.receivers.ops]\ntype = "slack"\nurl_file = "url"', "ops")
        assert done.code == 69 and str(answer[0]) in done.err and "SECRET" not in done.err + done.out, done.err


def test_discord_opsgenie_telegram_and_alertmanager_get_bodies_of_their_own(windvane, http_sink, body):
    discord, genie, telegram, manager = (http_sink(OK) for _ in range(4))
    assert windvane(receiver("discord", discord.url), "ops").code == 0
    assert "[TEST]" in body(discord)["content"] and body(discord)["allowed_mentions"] == {"parse": []}
    done = windvane(receiver("opsgenie", genie.url, 'key_env = "OG"'), "ops", OG="s3cret")
    assert done.code == 0, done.err
    path, headers, _ = genie.requests[0]
    assert path == "/v2/alerts" and headers["Authorization"] == "GenieKey s3cret"
    assert body(genie)["message"].startswith("[TEST]") and len(body(genie)["alias"]) == 64
    done = windvane(receiver("telegram", telegram.url, 'token_env = "TG"', 'chat_id = "-100"'), "ops", TG="1:abc")
    assert done.code == 0, done.err
    assert telegram.requests[0][0] == "/bot1:abc/sendMessage" and body(telegram)["chat_id"] == "-100"
    assert windvane(receiver("alertmanager", manager.url), "ops").code == 0
    [alert] = body(manager)
    assert manager.requests[0][0] == "/api/v2/alerts" and alert["labels"]["alertname"] == "WindvaneTest"


def test_a_token_in_an_address_is_not_shown(windvane, http_sink):
    sink = http_sink((404, {}, "no"))
    done = windvane(receiver("telegram", sink.url, 'token_env = "TG"', 'chat_id = "1"'), "ops", TG="1:s3cret")
    assert done.code == 69 and "s3cret" not in done.err + done.out
    done = windvane('[alerts.receivers.ops]\ntype = "telegram"\nchat_id = "1"', "ops")
    assert done.code == 78 and "`token_env` or `token_file` is missing" in done.err


def test_a_program_and_a_file_are_told(windvane, tmp_path):
    log, kept = tmp_path / "log.ndjson", tmp_path / "kept.json"
    done = windvane(f'[alerts.receivers.log]\ntype = "file"\npath = "{log}"', "log")
    assert done.code == 0, done.err
    assert json.loads(log.read_text())["receiver"] == "log"
    script = tmp_path / "tell"
    script.write_text(f"#!/bin/sh\ncat > {kept}\n")
    script.chmod(0o755)
    done = windvane(f'[alerts.receivers.sh]\ntype = "exec"\ncommand = ["{script}"]', "sh")
    assert done.code == 0, done.err
    assert json.loads(kept.read_text())["version"] == "4"
    done = windvane('[alerts.receivers.sh]\ntype = "exec"\ncommand = ["/nowhere/at/all"]', "sh")
    assert done.code == 69 and "cannot start" in done.err
