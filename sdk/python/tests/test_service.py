"""The real service: what was logged is in its store, once, whatever happens to it meanwhile; and it is read back."""

import signal
import threading
import time

import pandas
import pytest

import windvane
from kit import Service, accounted, eventually
from windvane.client import Document, Reader, ReadError, _quoted


def start(service, model, **settings):
    fast = {"flush_interval_s": 0.05, "retry_delay_s": 0.05, "retry_delay_max_s": 0.2, "timeout_s": 2.0}
    return windvane.init(service.url, model=model, version="1", **{**fast, **settings})


def log(n):
    """Logs, and answers the longest call in seconds of this thread's own time."""
    longest = 0.0
    for i in range(n):
        begun = time.thread_time()
        windvane.log_prediction({"distance": i, "carrier": "UA", "holiday": i % 2 == 0}, score=0.5, latency_us=830)
        longest = max(longest, time.thread_time() - begun)
    return longest


def check_in_store(service, model, n, client):
    stats = client.stats()
    assert accounted(stats) == stats.logged == n, stats
    eventually(lambda: service.count(model) >= stats.received)
    assert service.count(model) == stats.received + 0 * stats.unconfirmed
    return stats


def test_every_kind_of_event_is_in_the_store_as_it_was_logged(service):
    client = start(service, "kinds")
    event_id = windvane.log_prediction(
        {"distance": 1400, "carrier": "UA", "holiday": False, "temp": None}, score=0.125, latency_us=830, unit_id="N1",
        arms={"x": "B"}, tags={"region": "east"}, embeddings={"text": [0.5, -0.25]},
    )  # fmt: skip
    windvane.log_prediction({"a": float("nan")}, label="late", probabilities={"late": 0.75, "on_time": 0.25})
    windvane.log_dataframe(pandas.DataFrame({"a": [1.5, 2.5], "v": [0.5, float("inf")]}), value="v")
    windvane.log_outcome(event_id, label="late")
    windvane.log_exposure("kinds-test", "N1", "B")
    windvane.log_measurement("N1", "kinds-revenue", 12.5)
    assert windvane.flush(30)
    assert client.stats().received == 7, client.stats()
    eventually(lambda: service.count("kinds") == 4 and service.count("kinds", "outcomes") == 1)
    row = service.query(f"SELECT num, cat, score, label, latency_us, status FROM predictions WHERE event_id = '{event_id}'")[0]
    assert (row["num"], row["cat"]) == ({"distance": 1400}, {"carrier": "UA", "holiday": "false"})
    assert (row["score"], int(row["latency_us"]), row["status"]) == (0.125, 830, "ok")
    assert service.query("SELECT count() AS n FROM predictions WHERE model = 'kinds' AND status = 'non_finite'")[0]["n"] in (1, "1")
    assert service.query("SELECT arm FROM exposures WHERE experiment = 'kinds-test'") == [{"arm": "B"}]
    assert service.query("SELECT value FROM measurements WHERE metric = 'kinds-revenue'") == [{"value": 12.5}]
    client.close()


def test_a_killed_service_costs_nothing_but_time(windvane_binary, tmp_path):
    service = Service(windvane_binary, tmp_path)
    service.start()
    client = start(service, "killed")
    longest = log(200)
    eventually(lambda: client.stats().received > 0)
    service.kill()
    longest = max(longest, log(300))
    service.start()
    longest = max(longest, log(100))
    assert windvane.flush(60)
    stats = check_in_store(service, "killed", 600, client)
    assert (stats.received, stats.dropped, stats.unconfirmed) == (600, {}, 0)
    assert longest < 0.05, "a call costs its own work, and never waits"
    client.close()
    service.stop()


def test_a_service_that_stands_still_is_waited_for(service):
    client = start(service, "stopped", timeout_s=0.5)
    log(50)
    assert windvane.flush(30)
    service.signal(signal.SIGSTOP)
    try:
        thread = threading.Thread(target=log, args=(500,))
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
        eventually(lambda: client.stats().retries > 0)
    finally:
        service.signal(signal.SIGCONT)
    assert windvane.flush(60)
    stats = check_in_store(service, "stopped", 550, client)
    assert stats.received == 550
    client.close()


def test_rejected_records_are_counted_and_the_others_stored(service):
    client = start(service, "rejected")
    log(10)
    windvane.log_prediction({"nested": {"a": 1}}, score=0.5)
    windvane.log_prediction(42, score=0.5)
    windvane.log_prediction({"a": 1}, score=0.5, event_id="x" * 200)
    assert windvane.flush(30)
    stats = check_in_store(service, "rejected", 13, client)
    assert (stats.received, stats.rejected) == (10, 3)
    eventually(lambda: service.query("SELECT sum(value) AS n FROM measurements WHERE metric = 'windvane.sdk.dropped'")[0]["n"] >= 3)
    client.close()


def test_a_full_queue_drops_and_counts_and_the_rest_is_stored(service):
    client = start(service, "full", queue_bytes=50_000)
    service.signal(signal.SIGSTOP)
    try:
        log(2_000)
    finally:
        service.signal(signal.SIGCONT)
    assert windvane.flush(60)
    stats = check_in_store(service, "full", 2_000, client)
    assert stats.dropped["queue_full"] > 1_000 and stats.received + stats.dropped["queue_full"] == 2_000
    client.close()


def test_what_was_recorded_is_read_back(service):
    client = start(service, "read <b>")
    log(20)
    assert windvane.flush(30)
    eventually(lambda: service.count("read <b>") == 20)
    reader = Reader(service.url)
    models = reader.models()
    (row,) = [row for row in models if row["model"] == "read <b>"]
    assert row["version"] == "1"
    frame = models.to_pandas()
    assert list(frame.columns) == models.columns and len(frame) == len(models) == models.to_arrow().num_rows
    page = models._repr_html_()
    assert "read &lt;b&gt;" in page and "<b>" not in page
    assert len(reader.drift("read <b>")) == 0 and len(reader.monitors()) == 0 == len(reader.experiments())
    for found in (reader.performance, reader.quality, reader.latency, reader.fairness, reader.attribution):
        assert len(found("read <b>")) == 0, "a model that nobody looked at has no row"
    assert len(reader.gates()) == 0 == len(reader.alerts(state="firing"))
    traffic = reader.view("traffic", model="read <b>")
    assert sum(row["predictions"] for row in traffic) == 20 and "windvane.predictions" in traffic.documents[0]["sql"]
    one_by_one = reader.view("fleet", limit="1")
    assert [row["model"] for row in one_by_one] == [row["model"] for row in reader.view("fleet")]
    assert reader.view("fleet", limit="1", offset="0").rows == one_by_one.rows
    assert len(one_by_one.documents) > 1 and {"fleet", "traffic"} <= {row["view"] for row in reader.views()}
    with pytest.raises(ReadError, match="404.*no-such-model|no-such-model.*404"):
        reader.drift("no-such-model")
    with pytest.raises(ReadError, match="colour"):
        reader.get("models", colour="red")
    with pytest.raises(ReadError, match="does not answer"):
        Reader("http://127.0.0.1:9", timeout_s=1).models()
    client.close()


def test_findings_of_every_kind_are_read_back_with_their_values(windvane_binary, tmp_path):
    """On a service of its own: other tests count on there being none."""
    service = Service(windvane_binary, tmp_path)
    service.start()
    try:
        service.seed()
        check_findings(Reader(service.url))
    finally:
        service.stop()


def check_findings(reader):
    for read, expected in [
        (reader.drift, {"monitor": "daily", "column": "temp", "method": "psi", "statistic": 0.25, "verdict": "drift"}),
        (reader.performance, {"metric": "roc_auc", "realised": 0.75, "ci": [0.7, 0.8], "labelled": 60, "alert": True}),
        (reader.quality, {"check": "missing_rate", "column": "temp", "observed": 0.2, "verdict": "fail", "count": 24}),
        (reader.latency, {"n": 120, "quantile": "p99", "value": 900.0}),
        (reader.fairness, {"metric": "demographic_parity", "group": {"region": "west"}, "gap": -0.2, "verdict": "fail"}),
        (reader.attribution, {"feature": "temp", "rank_reference": 1, "rank_current": 2, "ndcg": 0.8}),
    ]:
        found = read("delay")
        seen = found.to_pandas().iloc[0]
        assert {name: seen[name] for name in expected} == expected, found
        page = found._repr_html_()
        for name, value in expected.items():
            assert f"<th>{name}</th>" in page, page
            shown = f"{value:.4g}" if isinstance(value, float) else value
            assert isinstance(value, (dict, list)) or f"<td>{shown}</td>" in page, (name, page)
        assert found.to_arrow().num_rows == len(found)
    assert [row["gate"] for row in reader.gates()] == ["delay-8"]
    assert [(row["experiment"], row["verdict"]) for row in reader.experiments()] == [("checkout", "better")]


def test_an_experiment_and_a_gate_are_dictionaries_that_show_themselves(windvane_binary, tmp_path):
    service = Service(windvane_binary, tmp_path)
    service.start()
    try:
        service.seed()
        reader = Reader(service.url)
        experiment = reader.experiment("checkout")
        assert isinstance(experiment, dict) and experiment["control"] == "A"
        frame = experiment.to_pandas()
        assert list(frame[["metric", "arm", "mean", "mean_control", "verdict"]].iloc[0]) == ["revenue", "B", 15.9, 12.95, "better"]
        page = experiment._repr_html_()
        assert "<td>revenue</td>" in page and "comparisons of checkout (1)" in page and "health of checkout (2)" in page
        gate = reader.gate("delay-8")
        assert gate["requests"] == 1000 and gate["latency_us"]["ratio"]["p50"] == 1.25
        assert gate.to_arrow().column("check").to_pylist() == ["agreement", "latency_ratio"] == [row["check"] for row in gate.table]
        page = gate._repr_html_()
        assert "verdict: pass" in page and "<td>latency_ratio</td>" in page
        with pytest.raises(ReadError, match="404.*none"):
            reader.gate("none")
    finally:
        service.stop()


def test_what_a_document_says_is_no_markup():
    shown = Document("<b>", {"source": "<i>&", "checks": [{"check": "<script>"}]}, ("checks",))._repr_html_()
    assert "&lt;b&gt;" in shown and "&lt;i&gt;&amp;" in shown and "&lt;script&gt;" in shown
    assert not any(tag in shown for tag in ("<b>", "<i>", "<script>"))
    assert "(0)" in Document("old", {"checks": None}, ("checks",))._repr_html_(), "another version's document has no list"


def test_no_name_is_a_segment_that_is_taken_out_of_a_path():
    for name, written in [(".", "~."), ("..", "~.."), ("~.", "~~."), ("~", "~"), ("a/b", "a%2Fb"), (".a", ".a")]:
        assert _quoted(name) == written
