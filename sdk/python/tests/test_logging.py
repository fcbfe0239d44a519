"""What reaches the collector: decorators, tables, samples, redaction, context."""

import asyncio
import datetime
import decimal
import enum
import threading
import time
import tracemalloc
import uuid

import numpy
import pandas
import pyarrow
import pytest

import windvane
from kit import accounted, eventually
from windvane import _encode, _inbox, _packed


class Colour(enum.Enum):
    RED = "red"


def sent(collector, kind="predictions"):
    assert windvane.flush(20)
    return collector.records.get(kind, [])


def test_a_decorated_function_is_timed_and_its_answer_logged(client, collector):
    @windvane.monitor(model="delay", version="7", answer="score")
    def predict(features, threshold=0.5):
        """Says how late."""
        return features["distance"] / 10_000

    assert predict({"distance": 1400, "carrier": "UA"}) == 0.14
    assert (predict.__name__, predict.__doc__) == ("predict", "Says how late.")
    (record,) = sent(collector)
    assert record["features"] == {"distance": 1400, "carrier": "UA"}
    assert (record["prediction"], record["model"], record["version"]) == ({"score": 0.14}, "delay", "7")
    assert 0 <= record["latency_us"] < 1_000_000


@pytest.mark.parametrize(
    ("result", "answer", "prediction"),
    [
        ("late", None, {"label": "late"}),
        (True, None, {"label": True}),
        (12.5, None, {"value": 12.5}),
        (numpy.float32(0.5), None, {"value": 0.5}),
        (numpy.float64(0.25), "score", {"score": 0.25}),
        ({"label": "late", "probabilities": {"late": 1.0}}, None, {"label": "late", "probabilities": {"late": 1.0}}),
        ([0.25, 0.75], lambda result: {"score": result[1]}, {"score": 0.75}),
        (None, None, None),
    ],
    ids=str,
)
def test_an_answer_is_read_by_its_shape_or_as_told(result, answer, prediction, client, collector):
    windvane.monitor(answer=answer)(lambda x: result)(1)
    (record,) = sent(collector)
    assert record.get("prediction") == prediction
    assert record["features"] == {"x": 1}


def test_what_a_function_raises_goes_on_and_is_logged_as_an_error(client, collector):
    @windvane.monitor()
    def predict(x):
        raise KeyError("no such model")

    with pytest.raises(KeyError, match="no such model"):
        predict(3)
    (record,) = sent(collector)
    assert (record["status"], record["tags"], record["features"]) == ("error", {"error": "KeyError"}, {"x": 3})


def test_coroutines_are_decorated_too(client, collector):
    @windvane.monitor(features=lambda request: request["row"], answer="value")
    async def predict(request):
        request["row"].clear()  # what was seen was seen before
        await asyncio.sleep(0.01)
        return 1.5

    assert asyncio.run(predict({"row": {"a": 1}})) == 1.5
    (record,) = sent(collector)
    assert (record["features"], record["prediction"]) == ({"a": 1}, {"value": 1.5})
    assert record["latency_us"] >= 9_000


def test_a_block_is_timed_and_named_by_hand(client, collector):
    with windvane.monitor(features={"a": 1}, unit_id="u1") as call:
        call.set(score=0.5)
        event_id = call.event_id
    with pytest.raises(ZeroDivisionError), windvane.monitor(features={"a": 2}):
        1 / 0
    first, second = sent(collector)
    assert (first["event_id"], first["prediction"], first["unit_id"]) == (event_id, {"score": 0.5}, "u1")
    assert second["status"] == "error"


def test_defaults_context_and_arguments_add_up(collector):
    client = windvane.init(
        collector.url, model="m", version="1", environment="prod", tags={"region": "east"}, flush_interval_s=0.02
    )
    with windvane.context(unit_id="u1", tags={"tier": "gold"}), windvane.context(arms={"x": "A"}):
        windvane.log_prediction({"a": 1}, score=0.5, tags={"page": "cart"})
        windvane.log_prediction({"a": 1}, score=0.5, unit_id="u2", version="2", tags={"region": "west"})
        thread = threading.Thread(target=lambda: windvane.log_prediction({"a": 1}, score=0.5))
        thread.start()
        thread.join()
    first, second, other = sent(collector)
    assert (first["version"], first["environment"], first["unit_id"], first["arms"]) == ("1", "prod", "u1", {"x": "A"})
    assert first["tags"] == {"region": "east", "tier": "gold", "page": "cart"}
    assert (second["unit_id"], second["version"], second["tags"]["region"]) == ("u2", "2", "west")
    assert "unit_id" not in other, "a context belongs to its thread"
    client.close()


def test_values_of_other_libraries_are_written_as_plain_ones(client, encoder, collector):
    features = {
        "int64": numpy.int64(3), "bool": numpy.bool_(True), "float32": numpy.float32(0.5), "text": numpy.str_("a"),
        "array": numpy.array(2.5), "decimal": decimal.Decimal("1.5"), "enum": Colour.RED, "nat": pandas.NaT,
        "na": pandas.NA, "nan": float("nan"), "date": datetime.date(2013, 1, 1), "uuid": uuid.UUID(int=1), 7: 1,
        "half a pair": "\ud800",
    }  # fmt: skip
    embeddings = {"text": numpy.array([0.5, -1.0], dtype=numpy.float32)}
    windvane.log_prediction(features, score=numpy.float64(0.5), embeddings=embeddings)
    (record,) = sent(collector)
    assert record["features"] == {
        "int64": 3, "bool": True, "float32": 0.5, "text": "a", "array": 2.5, "decimal": 1.5, "enum": "red", "nat": None,
        "na": None, "nan": None, "date": "2013-01-01", "uuid": str(uuid.UUID(int=1)), "7": 1, "half a pair": "?",
    }  # fmt: skip
    assert (record["embeddings"], record["prediction"]) == ({"text": [0.5, -1.0]}, {"score": 0.5})


@pytest.mark.parametrize(
    "value",
    [numpy.array([0.5]), object(), b"a", [1.0], {"list": [1.0]}, {numpy.str_("a"): 1}, {numpy.int64(3): 1}, Colour.RED],
    ids=repr,
)  # fmt: skip
def test_only_what_is_packed_without_loss_waits_for_the_background(value):
    assert _packed.pack({"features": value}) is None
    assert _packed.Shapes().pack("e", 1, {}, {"a": value}) is None
    plain = {"model": "m", "ts": 1, "features": {"a": 0.5, "b": True, "c": None, "d": "x\ud800", 7: 2**70}, "prediction": {"p": {"q": 0.5}}}
    packed = _packed.pack(plain)
    assert _packed.is_packed(packed) and _packed.unpack(packed) == plain
    assert not _packed.is_packed(_encode.line(plain))


@pytest.mark.parametrize(
    ("fields", "features"),
    [
        ({}, None),
        ({}, {}),
        ({"score": 0.5, "unit_id": None}, {"a": 1.5, "b": None, "c": True, "d": "x\ud800", "e": 2**70}),
        ({"label": "a", "probabilities": {"a": 0.5, "b": 0.5}, "tags": {"t": "x"}}, {"score": 1, "a": {"b": {"c": "d"}}}),
    ],
    ids=str,
)
def test_a_prediction_waits_as_the_number_of_its_names_and_its_values(fields, features):
    shapes = _packed.Shapes()
    packed = [shapes.pack(event_id, 7, fields, features) for event_id in ("e1", "e2")]
    assert [shapes.unpack(_packed.unpack(held)) for held in packed] == [("e1", 7, fields, features), ("e2", 7, fields, features)]
    assert _packed.is_packed(packed[0]) and all(f"{name}".encode() not in packed[0] for name in fields)


def test_a_row_of_pandas_has_its_names(client, collector):
    frame = pandas.DataFrame({"distance": [1400, -1], "carrier": ["UA", None], "late": [True, False], "temp": [0.5, float("nan")]})
    for _, row in frame.iterrows():
        windvane.log_prediction(row, score=row["temp"])
    with windvane.context(unit_id="N1"):
        windvane.log_prediction(frame.iloc[0], score=0.5)
    assert windvane.flush()
    first, second, third = collector.records["predictions"]
    assert first["features"] == third["features"] == {"distance": 1400, "carrier": "UA", "late": True, "temp": 0.5}
    assert second["features"] == {"distance": -1, "carrier": None, "late": False, "temp": None}
    assert (second["status"], third["unit_id"]) == ("non_finite", "N1")


def test_scalars_of_numpy_are_packed_as_plain_ones():
    shapes = _packed.Shapes()
    given = {"a": numpy.float32(0.5), "b": numpy.int64(3), "c": numpy.bool_(True), "d": numpy.str_("x"), "e": numpy.array(2.5), "f": 1}
    *_, features = shapes.unpack(_packed.unpack(shapes.pack("e", 1, {}, given)))
    assert {name: (type(value), value) for name, value in features.items()} == {
        "a": (float, 0.5), "b": (int, 3), "c": (bool, True), "d": (str, "x"), "e": (float, 2.5), "f": (int, 1),
    }  # fmt: skip


def test_names_beyond_the_bound_are_sent_with_their_events(client, collector, monkeypatch):
    monkeypatch.setattr(_packed, "SHAPES_MAX", 3)
    monkeypatch.setattr(_packed, "SHAPES_BYTES_MAX", 10_000)
    given = [{f"x{i}": i, "y" * 20_000 if i == 1 else "y": "late"} for i in range(6)] * 2
    for features in given:
        windvane.log_prediction(features, score=0.5)
    # What is packed in the call passes what waits to be.
    assert sorted(map(str, (record["features"] for record in sent(collector)))) == sorted(map(str, given))
    assert len(windvane.current()._records.shapes._shapes) == 3


def test_what_is_changed_after_the_call_is_logged_as_it_was(client, collector):
    features = {"x": 1, "list": [1, 2], "map": {"a": 1}, "array": numpy.array([1.0, 2.0])}
    answer = {"label": "late", "probabilities": {"late": 1.0}}
    tags = {"page": "cart"}
    windvane.log_prediction(features, prediction=answer, tags=tags)
    plain = {"x": 1, "y": 2}
    windvane.log_prediction(plain, prediction=answer, tags=tags)
    features["list"].append(3)
    features["map"]["a"] = features["array"][0] = 9
    plain["x"] = answer["probabilities"]["late"] = 9
    tags.clear()
    first, second = sent(collector)
    assert first["features"] == {"x": 1, "list": [1, 2], "map": {"a": 1}, "array": [1.0, 2.0]}
    assert second["features"] == {"x": 1, "y": 2}
    for record in (first, second):
        assert record["prediction"] == {"label": "late", "probabilities": {"late": 1.0}} and record["tags"] == {"page": "cart"}


@pytest.mark.parametrize(
    "make",
    [lambda i: i * 0.37, lambda i: "é" * i, lambda i: "😀" * i, lambda i: 1 << i % 63, lambda i: f"{i}", lambda i: None],
    ids=["floats", "texts", "emoji", "large numbers", "short texts", "nulls"],
)
def test_what_waits_as_it_was_given_takes_no_more_than_is_set_aside_for_it(make):
    def given(n):
        features = {f"a_feature_of_usual_name_{i}": make(i) for i in range(n)}
        return features, {"score": n / 3, "latency_us": n * 1_000}

    n = max(n for n in range(200) if _inbox.is_small(*given(n)))
    assert 10 < n < 199
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    held = []
    for _ in range(50):
        features, fields = given(n)
        held.append((uuid.uuid4().hex * 2, time.time_ns(), fields, features.copy()))
        del features, fields
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken / len(held) <= _inbox.EVENT_BYTES_MAX


@pytest.mark.parametrize(
    "features",
    [{"x": "y" * 20_000}, {"x": 1 << 100_000}, {"x": [1.0]}, {"x": numpy.float64(1)}, {f"{i}": i for i in range(120)}],
    ids=["text", "number", "list", "numpy", "wide"],
)
def test_what_may_be_large_or_change_does_not_wait_as_it_was_given(features, collector):
    assert not _inbox.is_small(features, {}) and _inbox.is_small({"x": 1.5, "y": "late", "z": None}, {"score": 0.5})
    client = windvane.init(collector.url, model="m", flush_interval_s=60)
    windvane.log_prediction({"x": 1}, score=0.5)  # starts the background
    windvane.log_prediction(features, score=0.5)
    assert not client._inbox.events
    windvane.log_prediction({"x": 1}, score=0.5, event_id="x" * 20_000)
    assert not client._inbox.events
    client.close(10)
    # What no JSON can say is counted.
    assert collector.count() + client.stats().dropped_total == 3


def test_predictions_that_wait_as_they_were_given_are_bounded_and_all_counted(collector):
    client = windvane.init(collector.url, model="m", queue_bytes=1 << 20, flush_interval_s=60)
    room = _inbox.room_of(1 << 20)
    windvane.log_prediction({"x": -1}, score=0.5)
    assert 10 < room < 100 and eventually(lambda: client._inbox.room == room)
    with client._inbox._moving:  # nothing moves on meanwhile
        ids = [windvane.log_prediction({"x": i}, score=0.5) for i in range(100)]
        assert len(client._inbox.events) == room
    assert (client.stats().logged, len(client._inbox.events)) == (101, 0)
    client.close(10)
    assert (client.stats().received, len({record["event_id"] for record in collector.records["predictions"]} & set(ids))) == (101, 100)
    windvane.log_prediction({"x": 1}, score=0.5)
    client._inbox.events.append(("late", 1, {}, {"x": 1}))  # of a thread that was in the middle of a call
    assert client.stats().dropped == {"at_exit": 2} and accounted(client.stats()) == 103


@pytest.mark.parametrize("value", [1, numpy.float64(1)], ids=["waits as it was given", "is packed in the call"])
def test_ids_that_wait_are_of_the_last_moments(value, collector):
    client = windvane.init(collector.url, model="m", flush_interval_s=0.01)
    windvane.log_prediction({"x": value}, score=0.5)

    def taken():
        windvane.log_prediction({"x": value}, score=0.5)
        return len(client._inbox.ids)

    assert eventually(taken)
    event_id = windvane.log_prediction({"x": value}, score=0.5)
    assert abs(int(event_id[:8] + event_id[9:13], 16) / 1000 - time.time()) < 2
    assert eventually(lambda: not client._inbox.ids), "nothing was logged for a while"
    client.close()


def test_the_first_call_after_a_pause_wakes_the_background_to_look_and_not_to_send(collector):
    client = windvane.init(collector.url, model="m", flush_interval_s=60)
    windvane.log_prediction({"x": 1}, score=0.5)  # starts the background
    assert eventually(lambda: client._inbox.is_asleep)
    windvane.log_prediction({"x": 2}, score=0.5)
    assert eventually(lambda: client._inbox.ids and not client._inbox.events)
    assert collector.requests == []
    assert windvane.flush(20) and collector.count() == 2
    client.close()


def test_a_call_neither_encodes_nor_redacts_nor_wakes_the_background(collector, monkeypatch):
    def function(record):
        by.append(threading.current_thread().name)
        return record

    by, woken = [], []
    redaction = windvane.Redaction(function=function)
    # Ticks long enough that nothing is taken for quiet, and woken, because this machine is busy.
    client = windvane.init(collector.url, model="m", redaction=redaction, flush_interval_s=0.2)
    monkeypatch.setattr(client._queue.ready, "set", lambda: woken.append(threading.current_thread().name))
    for i in range(100):
        windvane.log_prediction({"x": numpy.float64(i), "y": "late"}, score=0.5, latency_us=3.5)
    assert woken == []
    assert len(sent(collector)) == 100 and set(by) == {"windvane"}
    client.close()


def test_times_are_taken_in_each_usual_form(client, collector):
    utc = datetime.timezone.utc
    naive = datetime.datetime(2013, 1, 1, 0, 0, 0, 123_456)
    for ts in [
        1_356_998_400_123_456,
        1_356_998_400.123456,
        datetime.datetime(2013, 1, 1, 0, 0, 0, 123_456, tzinfo=utc),
        datetime.datetime(2013, 1, 1, 5, 30, 0, 123_456, tzinfo=datetime.timezone(datetime.timedelta(hours=5.5))),
        naive,
        pandas.Timestamp(naive),
        pandas.Timestamp("2013-01-01T00:00:00.123456789Z"),
        numpy.datetime64("2013-01-01T00:00:00.123456789"),
        numpy.int64(1_356_998_400_123_456),
        numpy.float64(1_356_998_400.123456),
        "2013-01-01T00:00:00.123456Z",
    ]:
        windvane.log_prediction({"a": 1}, score=0.5, ts=ts)
    *numbers, text = [record["ts"] for record in sent(collector)]
    assert numbers == [1_356_998_400_123_456] * 10
    assert text == "2013-01-01T00:00:00.123456Z"


def test_a_time_without_a_zone_is_one_of_utc_wherever_it_stands_and_is_told_once(client, collector, caplog, monkeypatch):
    monkeypatch.setattr(_encode, "_naive_is_told", False)
    naive = datetime.datetime(2013, 1, 1)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        windvane.log_dataframe(pandas.DataFrame({"a": [1], "when": [naive], "s": [0.5]}), score="s", ts="when")
        assert "time zone" not in caplog.text
        for ts in [naive, pandas.Timestamp(naive), numpy.datetime64(naive)]:
            windvane.log_prediction({"a": 1}, score=0.5, ts=ts)
        records = sent(collector)
    time.tzset()
    assert [record["ts"] for record in records] == [1_356_998_400_000_000] * 4
    assert caplog.text.count("a datetime without a time zone is taken as UTC") == 1


FRAME = {
    "id": ["a", "b", "c"],
    "when": [datetime.datetime(2013, 1, 1)] * 3,
    "distance": [1.5, float("nan"), 3.0],
    "carrier": ["UA", None, "DL"],
    "answer": [0.25, 0.5, 0.75],
    "region": ["east", "west", None],
}


@pytest.mark.parametrize("features", [None, ["distance", "carrier"]], ids=["the rest", "named"])
@pytest.mark.parametrize("make", [pandas.DataFrame, pyarrow.table], ids=["pandas", "arrow"])
def test_the_rows_of_a_table_are_predictions(make, features, client, collector):
    columns = {"score": "answer", "event_id": "id", "ts": "when", "tags": ["region"], "features": features}
    ids = windvane.log_dataframe(make(FRAME), version="7", **columns)
    records = sent(collector)
    assert list(ids) == ["a", "b", "c"] == [record["event_id"] for record in records]
    assert [record["features"] for record in records] == [
        {"distance": 1.5, "carrier": "UA"}, {"distance": None, "carrier": None}, {"distance": 3.0, "carrier": "DL"},
    ]  # fmt: skip
    assert [record["prediction"]["score"] for record in records] == [0.25, 0.5, 0.75]
    assert {record["ts"] for record in records} == {1_356_998_400_000_000}
    assert [record.get("tags") for record in records] == [{"region": "east"}, {"region": "west"}, {}]


def test_a_large_table_is_queued_in_parts_and_keeps_its_moment(client, collector):
    frame = pandas.DataFrame({"x": numpy.arange(5_000, dtype=float), "y": ["late", "on_time"] * 2_500})
    ids = windvane.log_dataframe(frame, label="y")
    frame["x"] = -1.0
    records = sent(collector)
    assert [record["features"]["x"] for record in records] == list(range(5_000))
    assert [record["event_id"] for record in records] == list(ids) and len(set(ids)) == 5_000
    assert (ids[-1], ids[4_999:]) == (records[-1]["event_id"], [records[-1]["event_id"]])
    assert accounted(windvane.stats()) == 5_000


def test_many_predictions_go_in_one_call(client, collector):
    ids = windvane.log_predictions([{"features": {"x": i}, "value": i / 2} for i in range(3)])
    assert [record["event_id"] for record in sent(collector)] == ids


def test_a_sample_keeps_a_prediction_and_its_outcome_together(collector):
    client = windvane.init(collector.url, model="m", sample_rate=0.25, flush_interval_s=0.02)
    ids = [windvane.log_prediction({"x": i}, score=0.5) for i in range(400)]
    ids += windvane.log_dataframe(pandas.DataFrame({"x": range(400), "s": 0.5}), score="s")
    for made in ids:
        windvane.log_outcome(made, label="late")
    kept = {record["event_id"] for record in sent(collector)}
    assert kept == {record["event_id"] for record in sent(collector, "outcomes")} == {i for i in ids if client.keeps(i)}
    assert 120 < len(kept) < 280
    stats = windvane.stats()
    assert stats.sampled_out + stats.logged == 1_600 and stats.received == 2 * len(kept)
    client.close()


def test_redaction_leaves_nothing_of_what_it_takes_out(collector, tmp_path):
    redaction = windvane.Redaction(drop=["email", "*_ssn"], hash=["unit_id", "customer"], key="k", mask=[r"\b\d{16}\b"])
    client = windvane.init(collector.url, model="m", redaction=redaction, flush_interval_s=0.02)
    features = {"email": "a@b.c", "tax_ssn": "123-45", "customer": "c1", "note": "card 4111111111111111 ok", "x": 1}
    windvane.log_prediction(features, label="pay 4111111111111111", unit_id="u1", tags={"email": "a@b.c"})
    windvane.log_dataframe(pandas.DataFrame([features]), features=list(features), unit_id="customer")
    windvane.log_measurement("u1", "revenue", 1.0)
    first, second = sent(collector)
    assert set(first["features"]) == {"customer", "note", "x"} == set(second["features"])
    assert first["features"]["note"] == "card *** ok" and first["prediction"] == {"label": "pay ***"}
    assert first["features"]["customer"] == second["features"]["customer"] != "c1"
    assert len(first["unit_id"]) == 16 and first["tags"] == {}
    assert sent(collector, "measurements")[0]["unit_id"] == first["unit_id"], "equal values stay equal"
    assert "a@b.c" not in str(collector.records) and "411111" not in str(collector.records)
    client.close()


def test_a_redaction_of_ones_own_can_change_drop_and_break_but_never_leak(collector):
    def function(record):
        if record["features"]["x"] == 1:
            return None
        if record["features"]["x"] == 2:
            raise RuntimeError("a fault in the redaction")
        return {**record, "features": {"x": "hidden"}}

    client = windvane.init(
        collector.url, model="m", redaction=windvane.Redaction(function=function), flush_interval_s=0.02,
        report_drops=False,
    )  # fmt: skip
    for x in range(3):
        windvane.log_prediction({"x": x}, score=0.5)
    windvane.log_dataframe(pandas.DataFrame({"x": range(3)}))
    assert [record["features"] for record in sent(collector)] == [{"x": "hidden"}] * 2
    stats = windvane.stats()
    assert stats.dropped == {"redacted": 2, "invalid": 2} and accounted(stats) == 6
    client.close()


def test_hashing_needs_a_key():
    with pytest.raises(ValueError, match="key"):
        windvane.Redaction(hash=["unit_id"])


def test_the_open_span_of_opentelemetry_is_recorded(client, collector):
    from opentelemetry.sdk.trace import TracerProvider

    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        windvane.log_prediction({"x": 1}, score=0.5)
    windvane.log_prediction({"x": 1}, score=0.5)
    first, second = sent(collector)
    assert int(first["trace_id"], 16) == span.get_span_context().trace_id
    assert int(first["span_id"], 16) == span.get_span_context().span_id
    assert "trace_id" not in second
