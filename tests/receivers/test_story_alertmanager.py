"""Prometheus' own Alertmanager takes our alerts by its API, version 2, groups them and passes them on."""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
from service import Service, eventually, reserved_port
from test_story_drift import error, rule  # noqa: F401

PROGRAM = os.environ.get("ALERTMANAGER") or shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = pytest.mark.skipif(
    not PROGRAM, reason="needs Alertmanager: apt-get install prometheus-alertmanager, or ALERTMANAGER=/path/to/it"
)


@pytest.fixture
def alertmanager(tmp_path, http_sink):
    """A running Alertmanager with a webhook behind it."""
    sink = http_sink((200, {}, "ok"))
    config = tmp_path / "alertmanager.yml"
    config.write_text(f"""
route: {{receiver: sink, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: sink, webhook_configs: [{{url: "{sink.url}/am", send_resolved: true}}]}}]
""")
    with reserved_port() as port:
        process = subprocess.Popen(
            [PROGRAM, f"--config.file={config}", f"--storage.path={tmp_path}/am", f"--web.listen-address=127.0.0.1:{port}",
             "--cluster.listen-address="],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=Path(PROGRAM).resolve().parents[2],
        )
        url = f"http://127.0.0.1:{port}"

        def ready():
            assert process.poll() is None, process.stderr.read()
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
                    return answer.status == 200
            except OSError:
                return False

        eventually(ready, "Alertmanager is up")
        yield url, sink
        process.kill()
        process.wait()


def shown(url):
    with urllib.request.urlopen(f"{url}/api/v2/alerts/groups", timeout=10) as answer:
        return json.loads(answer.read())


def test_alertmanager_groups_our_alerts_and_shows_them(tmp_path, alertmanager, body):
    url, sink = alertmanager
    folder = tmp_path / "windvane"
    folder.mkdir()
    service = Service(folder, rule() + f"""
[alerts.route]
receiver = "am"
group_wait = "0s"
group_interval = "1s"
group_by = ["..."]
[alerts.receivers.am]
type = "alertmanager"
url = "{url}"
""")
    assert "took the test notification" in service.run("alerts", "test", "--receiver", "am")
    service.send(error("delay") + error("fraud"))

    def ours():
        groups = [group for group in shown(url) if group["labels"].get("alertname") == "Errors"]
        return groups if groups and len(groups[0]["alerts"]) == 2 else None

    [group] = eventually(ours, "Alertmanager shows both in one group")
    fingerprints = {alert["fingerprint"] for alert in group["alerts"]}

    def own():
        return {alert["fingerprint"] for alert in json.loads(service.run("alerts", "list", "--format", "json"))["alerts"]}

    eventually(lambda: own() == fingerprints, "both name an alert alike")
    assert group["alerts"][0]["annotations"]["summary"].endswith("answers with errors")
    eventually(lambda: any(
        document["status"] == "firing" and len(document["alerts"]) == 2
        for document in (body(sink, at) for at in range(len(sink.requests)))
    ), "Alertmanager passes them on")
    service.send(error("delay", "ok") + error("fraud", "ok"))
    eventually(lambda: any(
        document["status"] == "resolved" and document["commonLabels"]["alertname"] == "Errors"
        for document in (body(sink, at) for at in range(len(sink.requests)))
    ), "and their end")
    service.end()
