"""Bodies that are taken over into a line say what a record of them would have said, and nothing else."""

import json
import threading
import tracemalloc

import orjson
import pytest

import windvane
from kit import accounted, eventually
from windvane import _encode, _exchange, _inbox
from windvane._client import Client
from windvane._queue import ENTRY_BYTES
from windvane._settings import Settings
from windvane.hooks.asgi import Route

LOADERS = {"json": _exchange._load_by_json, "orjson": orjson.loads}
ENCODERS = {"json": _encode._line_by_json, "orjson": _encode._line_by_orjson}
# As large as bodies of models with many features.
LARGE = json.dumps({f"x{i}": "y" * 50 for i in range(60)}).encode()
FLAT = b'{"distance": 1400, "carrier": "UA", "late": false, "gate": null}'

TAKEN_OVER = {
    "flat": FLAT,
    "tight": b'{"x":1.5e3,"y":"a"}',
    "on lines": b'{\r\n  "x": 1,\n  "y": "a\\nb"\n}\n',
    "spaced colons": b'{"x" : 1, "y"\t: 2, "z"\n:3}',
    "colons in texts": b'{"when": "12:30:00", "at": "https://a"}',
    "other scripts": '{"名": "é😀"}'.encode(),
    "escapes": b'{"a\\"b": "\\u00e9\\\\u", "": -0.0}',
    "large numbers": b'{"x": 1180591620717411303424, "y": 1e300}',
    "blanks around": b'  {"x": 1}\t\n',
}
AS_A_RECORD = {
    "nested": b'{"x": 1, "inner": {"a": 1}, "list": [1, 2], "y": "late"}',
    "nothing but nested": b'{"inner": {"a": 1}}',
    "empty": b"{}",
    "no body": b"",
    "a list": b"[1, 2]",
    "a text": b'"x"',
    "a name twice": b'{"x": 1, "x": 2}',
    "a name twice and blanks": b'{"x" : 1, "x": 2}',
    "a name twice and other blanks": b'{"x"  :1,"x" \t:2,"y":3}',
    "a name twice by an escape": b'{"x": 1, "\\u0078": 2}',
    "not a number": b'{"x": NaN, "y": 1}',
    "infinite": b'{"x": -Infinity, "y": Infinity}',
    "beyond doubles": b'{"x": 1e999, "y": -1e999}',
    "half of a pair": b'{"x": "\\ud800", "\\uD83D": 1}',
    "cut off": b'{"x": 1',
    "more than one": b'{"x": 1}\n{"x": 2}',
    "members in a text": b'{"x": "1},\\"model\\":\\"other\\",\\"y\\":{"}',
    "members that follow": b'{"x": 1},"model":"other","y":{}',
    "a control character": b'{"x": "a\nb"}',
    "not UTF-8": b'{"x": "\xff"}',
    "half of a pair in UTF-8": b'{"x": "\xed\xa0\x80"}',
    "a mark of byte order": b'\xef\xbb\xbf{"x": 1}',
    "UTF-16": '{"x": 1}'.encode("utf-16"),
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "a nested large number": b'{"x": 1180591620717411303424, "y": []}',
    "not JSON": b"\x89PNG\r\n",
}
RESPONSES = {
    "score": (b'{"score": 0.25}', True),
    "label": (b'{"label":"late"}\n', True),
    "value": (b'{"value": 3}', True),
    "score and more": (b'{"score": 0.25, "model": "x", "ms": 3}', False),
    "probabilities": (b'{"label": "late", "probabilities": {"late": 0.75, "on_time": 0.25}}', False),
    "probabilities alone": (b'{"probabilities": {"late": 0.75}}', False),
    "score twice": (b'{"score": 0.25, "score": 0.5}', False),
    "null": (b'{"score": null}', False),
    "null and a value": (b'{"score": null, "value": 1}', False),
    "not finite": (b'{"score": NaN}', False),
    "beyond doubles": (b'{"score": 1e999}', False),
    "other": (b'{"ok": true}', False),
    "text": (b'"late"', False),
    "empty": (b"", False),
    "broken": (b'{"score": 0.2', False),
}


def an_exchange(request=FLAT, response=b'{"score": 0.25}', status=200, route=None, trace=None):
    event_id = "01a21f34-58b3-7060-9514-101d3646d905"
    known = (status, 830.6, 1_356_998_400_123_456_789, trace)
    return _exchange.Exchange(route or Route(model="delay"), event_id, request, response, *known)


def a_client(**settings):
    return Client(Settings("http://127.0.0.1:9", trace_context=False, exit_timeout_s=0, **{"model": "m", **settings}))


def by_record(client, exchange):
    """The line that the long way gives."""
    fields = exchange.fields(lambda _: None)
    features = fields.pop("features", None)
    records = client._records
    return records.line(records.with_tags(records.prediction(exchange.event_id, exchange.ended_ns // 1000, fields, features)))


def strictly(line):
    """Reads a line as the strictest of readers; answers names and values in order of names."""

    def members(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    def constant(name):
        raise AssertionError(name)

    assert b"\n" not in line and b"\r" not in line
    read = json.loads(str(line, "utf-8"), object_pairs_hook=members, parse_constant=constant)
    json.dumps(read, ensure_ascii=False, allow_nan=False).encode()
    return read


@pytest.fixture(params=[(loader, encoder) for loader in LOADERS for encoder in ENCODERS], ids=" and ".join)
def splice(request, monkeypatch):
    loader, encoder = request.param
    monkeypatch.setattr(_exchange, "load", LOADERS[loader])
    monkeypatch.setattr(_encode, "fast", ENCODERS[encoder])

    def spliced(client, exchange):
        """The line that is made without a record, where there is one, and what it must say."""
        line = client._splicer.line(exchange)
        expected = strictly(by_record(client, exchange))
        if line is not None:
            assert strictly(line) == expected
        return line, expected

    return spliced


@pytest.mark.parametrize("body", TAKEN_OVER.values(), ids=TAKEN_OVER)
def test_a_flat_object_is_taken_over_byte_for_byte(body, splice):
    line, expected = splice(a_client(), an_exchange(body))
    assert b',"features":' + body.replace(b"\n", b" ").replace(b"\r", b" ") + b',"prediction":{"score": 0.25}' in line
    assert (expected["model"], expected["ts"], expected["latency_us"]) == ("delay", 1_356_998_400_123_456, 831)


@pytest.mark.parametrize("body", AS_A_RECORD.values(), ids=AS_A_RECORD)
def test_what_readers_may_take_in_different_ways_is_not_taken_over(body, splice):
    line, _ = splice(a_client(), an_exchange(body))
    assert line is None or b'"features":' + body.strip() not in line


def test_a_pair_of_surrogates_is_taken_over_by_who_knows_that_it_is_one(splice):
    line, expected = splice(a_client(), an_exchange(b'{"x": "\\ud83d\\ude00"}'))
    assert expected["features"] == {"x": "😀"} and (line is None) is (_exchange.load is LOADERS["json"])


@pytest.mark.parametrize(("body", "is_taken_over"), RESPONSES.values(), ids=RESPONSES)
def test_an_answer_is_taken_over_where_it_is_all_of_a_response(body, is_taken_over, splice):
    line, _ = splice(a_client(), an_exchange(response=body))
    assert (line is not None and body != b"" and b'"prediction":' + body.replace(b"\n", b" ") in line) is is_taken_over


def test_a_line_has_what_its_model_its_client_its_trace_and_its_status_say(splice):
    client = a_client(version="1", environment="prod", tags={"shard": "7", "half\ud800": "x"})
    trace = {"trace_id": "0" * 31 + "1", "span_id": "0" * 15 + "2"}
    for route in (Route(), Route(model='a"b', version="2"), Route(version="3")):
        for status, word in ((200, "ok"), (399, "ok"), (404, "http_404"), (503, "http_503"), (_exchange.CANCELLED, "cancelled")):
            for held in (None, {}, trace):
                line, expected = splice(client, an_exchange(status=status, route=route, trace=held))
                assert line is not None and ("trace_id" in expected) is bool(held)
                assert expected["status"] == word
                assert expected["version"] == (route.version or "1") and expected["tags"]["shard"] == "7"


def test_what_redaction_or_a_function_of_the_route_reads_is_never_taken_over():
    redacting = a_client(redaction=windvane.Redaction(drop=["carrier"]))
    assert redacting._splicer.line(an_exchange()) is None
    assert a_client()._splicer.line(an_exchange(route=Route(features=dict))) is None


def started(collector, **settings):
    """A client with a thread, so that exchanges may wait for it."""
    client = windvane.init(collector.url, **{"model": "m", "flush_interval_s": 60, "report_drops": False, **settings})
    windvane.log_measurement("u1", "revenue", 1.0)
    assert eventually(lambda: client._inbox.room)
    return client


def log_some(n, bodies=(FLAT,)):
    """Logs exchanges as middleware does; answers them."""
    made = []
    for i in range(n):
        client = windvane.current()
        exchange = an_exchange(bodies[i % len(bodies)], route=Route())._replace(event_id=client._take_id())
        client._log_exchange(*exchange[:6])
        made.append(exchange)
    return made


@pytest.mark.parametrize("settings", [{}, {"redaction": windvane.Redaction(drop=["carrier"], function=dict)}], ids=["all", "redacted"])
def test_each_exchange_arrives_once_in_whatever_way_it_was_read(settings, collector):
    client = started(collector, **settings)
    bodies = [*TAKEN_OVER.values(), *AS_A_RECORD.values(), LARGE]
    made = log_some(400, bodies)
    assert windvane.flush(20)
    records = {record["event_id"]: record for record in collector.records["predictions"]}
    assert collector.count() == 400 and all(made[i].event_id in records for i in range(400))
    for exchange in made:
        expected = {**strictly(by_record(client, exchange)), "ts": records[exchange.event_id]["ts"]}
        assert records[exchange.event_id] == expected
    if settings:
        assert b'"carrier"' not in b"".join(body for body, _ in collector.keys.values())
        assert all("carrier" not in record.get("features", {}) for record in records.values())
    assert client.stats().received == accounted(client.stats()) == 401
    client.close()


def test_exchanges_are_sampled_and_what_comes_after_the_end_is_counted(collector):
    client = started(collector, sample_rate=0.25)
    made = log_some(200, [FLAT, LARGE])
    assert windvane.flush(20)
    arrived = {record["event_id"] for record in collector.records["predictions"]}
    assert {exchange.event_id for exchange in made if client.keeps(exchange.event_id)} == arrived & {e.event_id for e in made}
    assert client.stats().sampled_out + client.stats().logged == 201
    client.close()
    logged = client.stats().logged
    kept = next(exchange for exchange in made if client.keeps(exchange.event_id))
    client._inbox.events.append(kept)  # of a thread that was in the middle of a request
    stats = client.stats()
    assert stats.dropped == {"at_exit": 1} and accounted(stats) == stats.logged == logged + 1


@pytest.mark.parametrize("on_full", ["drop_newest", "drop_oldest"])
def test_a_full_queue_counts_each_exchange_and_stays_within_its_bound(on_full, collector):
    collector.always = 503
    client = started(collector, queue_bytes=1 << 20, on_full=on_full, retry_delay_s=60, retry_delay_max_s=60)
    body = json.dumps({f"x{i}": "y" * 100 for i in range(60)}).encode()
    most = 0
    for _ in range(100):
        log_some(10, [body, FLAT, LARGE, b'{"x": NaN}'])
        most = max(most, client.stats().queued_bytes)
    stats = client.stats()
    assert (1 << 19) < most <= 1 << 20 and stats.logged == accounted(stats) == 1_001
    assert stats.dropped["queue_full"] > 0
    client.close(0)
    assert client.stats().queued == 0 and accounted(client.stats()) == 1_001


def test_lines_that_were_made_at_once_are_one_item_that_counts_for_all(collector):
    client = started(collector)
    assert windvane.flush(20)
    # No other thread moves them on meanwhile, and no clock ends the burst.
    with client._inbox._moving, pytest.MonkeyPatch.context() as patched:
        patched.setattr("windvane._client.IN_A_ROW_S", 60)
        log_some(5, [LARGE])
        made = list(client._inbox.events)
        client._inbox.events.append(("a prediction", 1_356_998_400_000_000_000, {"score": 0.5}, {"x": 1}))
        log_some(2, [LARGE])
        assert client._inbox._move(8) == 5
        lines = [client._splicer.line(exchange) for exchange in made]
        assert client.stats().queued_bytes > 0 and len(client._inbox.events) == 0
    with client._queue.lock:
        (kind, block), single, *_ = client._queue._items
    assert (kind, block.n, block.lines()) == ("predictions", 5, (lines, {}))
    assert block.size == sum(map(len, lines)) + 4 * ENTRY_BYTES and isinstance(single, bytes)
    assert windvane.flush(20) and client.stats().received == 9
    client.close()


def test_what_comes_when_as_many_wait_as_may_is_read_at_once(collector, monkeypatch):
    client = started(collector)
    assert windvane.flush(20)
    threads = []
    spliced = client._splicer.line
    monkeypatch.setattr(client._splicer, "line", lambda exchange: threads.append(threading.current_thread().name) or spliced(exchange))
    with client._inbox._moving:
        client._queue._inbox_room = 2
        client._queue._fit_inbox()
        log_some(5, [FLAT, b'{"x": NaN}'])
        assert len(client._inbox.events) == 2 and threads == [threading.current_thread().name] * 3
        # With no thread that reads what waits, or no room in the queue, nothing waits, and nothing is taken over.
        client._queue.open_inbox(False)
        log_some(1)
        assert len(client._inbox.events) == 2 and len(threads) == 3
    assert windvane.flush(20) and client.stats().received == accounted(client.stats()) == 7
    client.close()


def test_a_burst_ends_in_time_for_others(collector, monkeypatch):
    client = started(collector)
    assert windvane.flush(20)
    monkeypatch.setattr("windvane._client.IN_A_ROW_S", 0)
    monkeypatch.setattr(_inbox, "IN_A_ROW_S", 0)
    rested = []
    with client._inbox._moving:
        log_some(6, [LARGE])
        assert client._inbox.drain(lambda: rested.append(threading.current_thread().name)) == 6
    assert len(rested) == 5
    assert windvane.flush(20) and client.stats().received == 7
    client.close()


def test_an_exchange_that_waits_takes_no_more_than_is_set_aside_for_it():
    def of_a_request():
        trace = {"trace_id": f"{1 << 127:032x}", "span_id": f"{1 << 63:016x}"}
        made = an_exchange(b"x" * 15_000, b"y" * (_inbox.KEPT_BYTES_MAX - 15_000), status=_exchange.CANCELLED, trace=trace)
        return made._replace(event_id=made.event_id.upper().lower(), latency_us=made.latency_us * 2, ended_ns=made.ended_ns + 1)

    of_a_request()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    held = [of_a_request() for _ in range(50)]
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert _inbox.KEPT_BYTES_MAX < taken / len(held) <= _inbox.EVENT_BYTES_MAX
