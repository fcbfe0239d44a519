"""The real service: what was logged is in its store, once, whatever happens to it meanwhile; and it is read back."""

import signal
import threading
import time

import pandas
import pytest

import windvane
from kit import accounted, eventually
from windvane.client import Reader, ReadError


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
    from kit import Service

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
