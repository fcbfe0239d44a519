"""Files for containers, Kubernetes and Grafana: linted, valid against their schemas, and true to what they promise."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
WINDVANE = os.environ["WINDVANE"]
BIN = Path(sys.executable).parent
OBJECTS = list(yaml.safe_load_all((DEPLOY / "kubernetes/windvane.yaml").read_text()))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True)


def test_the_dockerfile_has_no_fault_that_hadolint_finds():
    found = run(BIN / "hadolint", DEPLOY / "Dockerfile")
    assert found.returncode == 0, found.stdout


def test_the_image_runs_as_nobody_in_particular():
    text = (DEPLOY / "Dockerfile").read_text()
    last = text.split("\nFROM ")[-1]
    assert "USER 10001:10001" in last and "useradd" in last.split("USER")[0]


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.yaml")), ids=lambda path: path.name)
def test_yaml_is_written_as_agreed(path):
    found = run(BIN / "yamllint", "--strict", "--config-file", Path(__file__).with_name(".yamllint.yaml"), path)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("thing", OBJECTS, ids=lambda thing: thing["kind"])
def test_objects_fit_the_schemas_of_kubernetes(thing):
    kubernetes_validate.validate(thing, "1.34", strict=True)


def test_the_pod_is_confined_bounded_and_probed():
    pod = next(thing for thing in OBJECTS if thing["kind"] == "StatefulSet")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"] and not confined["allowPrivilegeEscalation"]
        assert confined["capabilities"]["drop"] == ["ALL"]
        assert {"cpu", "memory"} <= set(container["resources"]["limits"])
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]} | {"data"}
    # The service drains for up to 30 s.
    assert pod["terminationGracePeriodSeconds"] > 30


def test_compose_publishes_on_loopback_only_and_bounds_everything():
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["deploy"]["resources"]["limits"], name
        assert not service["image"].endswith(":latest"), name
        assert service["healthcheck"]["test"][0] == "CMD", name
    # ClickHouse's image begins as root and writes its users below /etc.
    for name in ("windvane", "grafana"):
        service = COMPOSE["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"] and "/tmp" in service["tmpfs"], name
    named = {volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    assert {name for name in named if not name.startswith(".")} == set(COMPOSE["volumes"])


@pytest.mark.parametrize("status,healthy", [(200, True), (503, False), (None, False)])
def test_the_probe_of_compose_tells_ready_from_not_ready(status, healthy):
    asked = []

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Ready)
    port = server.server_port
    if status is None:
        server.server_close()
    else:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    words = COMPOSE["services"]["windvane"]["healthcheck"]["test"][1:]
    # Compose makes `$` of `$$`.
    found = run(*[word.replace("$$", "$").replace("/8080", f"/{port}") for word in words])
    assert (found.returncode == 0) == healthy, found.stderr
    assert asked == ([] if status is None else ["/readyz"])
    if status is not None:
        server.shutdown()
        server.server_close()


def configurations():
    yield "deploy/windvane.toml", (DEPLOY / "windvane.toml").read_text()
    yield "deploy/kubernetes/windvane.yaml", next(t for t in OBJECTS if t["kind"] == "ConfigMap")["data"]["windvane.toml"]


@pytest.mark.parametrize("name,text", list(configurations()), ids=lambda value: value if "/" in value and "\n" not in value else "")
def test_configurations_inside_are_right(name, text, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("secret\n")
    config = tmp_path / "windvane.toml"
    config.write_text(re.sub(r'password_file = "[^"]*"', f'password_file = "{secret}"', text))
    found = run(WINDVANE, "check-config", "--config", config)
    assert found.returncode == 0, f"{name}: {found.stderr}"


def test_provisioning_is_yaml_that_grafana_reads(tmp_path):
    made = run(WINDVANE, "dashboards", "write", tmp_path, "--webhook", "http://127.0.0.1:9099/alerts", "--clickhouse-host", "clickhouse")
    assert made.returncode == 0, made.stderr
    files = {path.name: yaml.safe_load(path.read_text()) for path in tmp_path.glob("provisioning/*/*.yaml")}
    assert {document["apiVersion"] for document in files.values()} == {1}
    rules = files["rules.yaml"]["groups"][0]["rules"]
    assert len({rule["uid"] for rule in rules}) == len(rules) >= 4
    for rule in rules:
        assert [step["refId"] for step in rule["data"]] == ["A", "B", "C"] and rule["condition"] == "C"
        assert rule["data"][0]["model"]["rawSql"].startswith("SELECT")
    sources = [path for path in tmp_path.glob("provisioning/datasources/*.yaml")]
    assert yaml.safe_load(sources[0].read_text())["datasources"][0]["uid"] == "windvane"
    for board in tmp_path.glob("dashboards/*.json"):
        check_dashboard(json.loads(board.read_text()))


# What the types of version 10 do not have, and Grafana reads: an annotation's target is the query of its data source, and a
# variable's definition the text that its list of variables shows.
UNTYPED = ("/annotations/list/*/target/", "/templating/list/*/definition")


def lost(before, after, place=""):
    """Places of what was set before and is gone or something else after; members of lists are `*`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{place}/{key}")
            else:
                yield f"{place}/{key}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for old, new in zip(before, after):
            yield from lost(old, new, f"{place}/*")
    elif before != after:
        yield place


def test_a_field_that_grafana_does_not_know_is_found():
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import dashboard as model

    board = {"uid": "a", "title": "A", "panels": [{"type": "stat", "title": "b", "gridpos": {"x": 1}}], "links": [{"title": "c", "ulr": "/d"}]}
    back = json.loads(json.dumps(model.Dashboard.from_json(board), cls=JSONEncoder))
    assert set(lost(board, back)) == {"/panels/*/gridpos", "/links/*/ulr"}


def check_dashboard(board):
    """What Grafana's own types ask of a classic dashboard: read and written back, nothing that was set is lost or changed, but for UNTYPED."""
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import dashboard as model

    assert 39 <= board["schemaVersion"] <= 42
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)), board["uid"]
    plugins.register_default_plugins()
    back = json.loads(json.dumps(model.Dashboard.from_json(board), cls=JSONEncoder))
    gone = {place for place in lost(board, back) if not place.startswith(UNTYPED)}
    assert not gone, f"{board['uid']}: {sorted(gone)}"
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    variables = {variable["name"] for variable in board["templating"]["list"]}
    text = json.dumps(board)
    for name in re.findall(r"\$\{(\w+)(?::\w+)?\}", text):
        assert name in variables or name.startswith("__"), f"{board['uid']}: ${{{name}}}"
