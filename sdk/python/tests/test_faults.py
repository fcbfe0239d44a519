"""The server is slow, away, or wrong: the caller never notices, and every event is counted."""

import gc
import logging
import threading
import time
import traceback
import uuid

import pytest

import windvane
from kit import accounted, eventually, run_python
from windvane import _encode
from windvane._ids import IdMaker
from windvane.client import Reader


def log(n, **fields):
    return [windvane.log_prediction({"x": i}, score=0.5, **fields) for i in range(n)]


def check_sum():
    stats = windvane.stats()
    assert accounted(stats) == stats.logged + stats.adopted, stats
    return stats


@pytest.mark.parametrize(
    "plan",
    [
        [],
        ["away"] * 3,
        ["lost"] * 2,
        [500, 503, 502, 504],
        [(429, {"retry-after": "0.05"}), (503, {"retry-after": "0"})],
        [401, 403, 408],
        ["rubbish"],
        ["lost", 500, "away", (429, {"retry-after": "nonsense"}), "rubbish", "lost"],
    ],
    ids=str,
)
def test_each_event_arrives_once_after_any_row_of_faults(plan, client, collector):
    collector.plan = list(plan)
    ids = log(50)
    assert windvane.flush(20)
    stats = check_sum()
    assert (stats.received, stats.logged, stats.retries) == (50, 50, pytest.approx(len(plan), abs=len(plan)))
    assert sorted(record["event_id"] for record in collector.records["predictions"]) == sorted(ids)


def test_retry_after_is_waited_for(client, collector):
    collector.plan = [(429, {"retry-after": "0.4"})]
    begun = time.monotonic()
    log(1)
    assert windvane.flush(20)
    assert time.monotonic() - begun >= 0.4


def test_a_batch_that_is_too_large_is_split(client, collector):
    collector.events_max = 7
    ids = log(100)
    assert windvane.flush(20)
    assert max(n for _, _, n in collector.requests) > 7
    assert sorted(record["event_id"] for record in collector.records["predictions"]) == sorted(ids)
    assert check_sum().received == 100


def test_what_the_server_refuses_for_good_is_dropped_and_counted(collector, caplog):
    client = windvane.init(collector.url, model="m", flush_interval_s=0.02, report_drops=False)
    collector.plan = [422, 404]
    for _ in range(2):
        log(3)
        assert windvane.flush(20)
    log(4)
    assert windvane.flush(20)
    stats = check_sum()
    assert (stats.received, stats.dropped) == (4, {"refused": 6})
    warnings = [record for record in caplog.records if record.name == "windvane"]
    assert len(warnings) == 1 and "422" in warnings[0].message
    client.close()


def test_rejected_records_are_counted_beside_received_ones(client, collector):
    log(3)
    log(2, model="refused")
    assert windvane.flush(20)
    stats = check_sum()
    assert (stats.received, stats.rejected) == (3, 2)
    assert "on purpose" in stats.last_fault


def test_the_collector_is_told_how_many_were_lost(client, collector):
    collector.plan = [422]
    log(3)
    assert windvane.flush(20)
    eventually(lambda: collector.count("measurements"))
    told = collector.records["measurements"][0]
    assert (told["metric"], told["value"]) == ("windvane.sdk.dropped", 3)
    log(1)
    assert windvane.flush(20)
    assert collector.count("measurements") == 1
    assert windvane.stats().logged == 4  # reports are no events of the caller


@pytest.mark.parametrize("policy", ["drop_newest", "drop_oldest"])
def test_the_queue_is_bounded_in_bytes_and_drops_by_its_policy(policy, encoder, collector):
    collector.always = 500
    client = windvane.init(
        collector.url, model="m", queue_bytes=100_000, on_full=policy, retry_delay_s=0.05, exit_timeout_s=0.2
    )
    ids = log(5_000)
    stats = check_sum()
    assert stats.queued_bytes <= 100_000
    assert stats.dropped["queue_full"] > 4_000
    collector.always = None
    assert windvane.flush(20)
    arrived = {record["event_id"] for record in collector.records["predictions"]}
    assert len(arrived) == check_sum().received
    # The batch that is being sent is out of the policy's reach, wherever it began.
    assert set(ids[-100:]) <= arrived if policy == "drop_oldest" else set(ids[:100]) <= arrived
    assert len(arrived) < 1_000
    client.close()


@pytest.mark.parametrize("value", ["x" * 30_000, {"held": "x" * 30_000}, [0.5] * 8_000], ids=["text", "map", "list"])
def test_values_that_are_suddenly_huge_are_dropped_rather_than_kept(value, collector):
    collector.always = 500
    client = windvane.init(collector.url, model="m", queue_bytes=100_000, retry_delay_s=5.0, exit_timeout_s=0.1)
    log(20)
    for _ in range(20):
        windvane.log_prediction({"x": value}, score=0.5)
        assert client.stats().queued_bytes <= 100_000
    stats = check_sum()
    assert 20 > stats.dropped["queue_full"] > 10, stats
    client.close()


def test_what_finds_the_queue_full_is_dropped_before_it_is_encoded(collector):
    client = windvane.init(collector.url, model="m", queue_bytes=150, report_drops=False)
    log(1)
    windvane.log_prediction({"x": object()}, score=0.5)  # would be invalid
    assert check_sum().dropped == {"queue_full": 2}
    client.close()


@pytest.mark.parametrize("encoder", ["json", "orjson"])
def test_memory_is_bounded_while_the_server_is_away(encoder):
    code = f"""
import resource, windvane
from windvane import _encode
_encode.fast = _encode._line_by_{encoder}
""" + """
windvane.init("http://127.0.0.1:9", model="m", queue_bytes=16 << 20, exit_timeout_s=0.1)
features = {f"feature_{i}": i * 0.37 for i in range(20)}
def log(n):
    for i in range(n):
        windvane.log_prediction(features, score=0.5)
log(200)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
log(40_000)
print(windvane.stats().queued_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = run_python(code)
    queued, grown_kib = map(int, done.stdout.split())
    assert queued <= 16 << 20
    assert grown_kib < 32 << 10, "the queue costs about what it says, and sending has its own"


def test_giving_up_is_counted(collector):
    collector.always = 500
    client = windvane.init(
        collector.url, model="m", retry_for_s=0.1, retry_delay_s=0.02, flush_interval_s=0.02, report_drops=False
    )
    log(5)
    assert windvane.flush(20)
    assert check_sum().dropped == {"gave_up": 5}
    client.close()


def test_a_batch_without_an_answer_is_unconfirmed_and_not_called_dropped(collector, caplog):
    collector.always = "lost"
    client = windvane.init(collector.url, model="m", retry_for_s=0.1, retry_delay_s=0.02, flush_interval_s=0.02)
    log(5)
    assert windvane.flush(20)
    stats = check_sum()
    assert (stats.unconfirmed, stats.dropped) == (5, {})
    client.close()
    assert "0 of 5 events were not delivered and 5 not confirmed: Stats(" in caplog.text
    assert collector.count() == 5


def test_closing_is_bounded_and_accounts_for_the_rest(collector):
    collector.always = 500
    client = windvane.init(collector.url, model="m", retry_delay_s=5.0, flush_interval_s=0.02)
    log(5)
    begun = time.monotonic()
    client.close(0.3)
    assert time.monotonic() - begun < 2.0
    stats = check_sum()
    assert (stats.dropped, stats.queued) == ({"at_exit": 5}, 0)
    windvane.log_prediction({"x": 1}, score=0.5)
    assert check_sum().dropped == {"at_exit": 6}


@pytest.mark.parametrize("spooled", [False, True])
def test_closing_while_events_are_encoded_accounts_for_them_once(spooled, collector, monkeypatch, tmp_path):
    begun, released = threading.Event(), threading.Event()
    fast = _encode.fast

    def held(record):
        if threading.current_thread().name == "windvane":
            begun.set()
            released.wait(30)
        return fast(record)

    monkeypatch.setattr(_encode, "fast", held)
    client = windvane.init(collector.url, model="m", flush_interval_s=0.02, spool_dir=tmp_path if spooled else None)
    log(5)
    assert begun.wait(20)
    log(2)
    client.close(0.05)
    stats = check_sum()
    assert (stats.queued, stats.queued_bytes, stats.spooled, stats.dropped) == (0, 0, *((7, {}) if spooled else (0, {"at_exit": 7})))
    released.set()
    client._sender._thread.join(20)
    assert client.stats() == stats and collector.count() == 0


def test_closing_while_a_request_hangs_says_that_it_may_have_arrived(client, collector):
    released = threading.Event()
    collector.plan = [("slow", released)]
    log(5)
    asked = eventually(collector.count)  # on a busy machine, fewer than five
    log(2)
    client.close(0.05)
    stats = check_sum()
    assert (stats.unconfirmed, stats.dropped, stats.queued, stats.queued_bytes) == (asked, {"at_exit": 7 - asked}, 0, 0)
    released.set()
    client._sender._thread.join(20)
    assert client.stats() == stats


def test_a_slow_server_holds_nobody_up(client, collector):
    released = threading.Event()
    collector.plan = [("slow", released)]
    log(1)
    eventually(lambda: collector.requests)
    begun = time.monotonic()
    log(1_000)
    assert time.monotonic() - begun < 1.0, "1,000 calls while a request is stuck"
    assert not windvane.flush(0.05)
    released.set()
    assert windvane.flush(20)
    assert check_sum().received == 1_001


def test_an_argument_that_there_is_not_is_counted_and_named(client, collector):
    windvane.log_prediction({"x": 1}, colour="red")
    client.log_prediction({"x": 1}, colour="red")
    assert windvane.flush()
    stats = check_sum()
    assert stats.dropped == {"invalid": 2} and "'colour'" in stats.last_fault and "score" in stats.last_fault


def test_a_log_handler_that_raises_takes_neither_a_call_nor_the_background_with_it(client, collector, monkeypatch):
    def handle(record):
        raise RuntimeError("a handler that fails")

    monkeypatch.setattr(logging.getLogger("windvane"), "handle", handle)
    windvane.log_prediction({"x": 1}, score=0.5)
    assert eventually(lambda: client._inbox.room)
    windvane.log_prediction({"x": 1}, colour="red")
    windvane.log_prediction({"x": 1}, score=0.5)
    assert windvane.flush(20)
    stats = check_sum()
    assert (stats.received, stats.dropped) == (2, {"invalid": 1})
    assert client._sender._thread.is_alive()


class Torn:
    def item(self):
        raise RuntimeError(Unreadable())


class Unreadable:
    def __repr__(self):
        raise RuntimeError("even its text raises")

    def __float__(self):
        raise RuntimeError("no number")


def test_no_argument_raises_into_user_code(client, encoder, collector):
    loop = {}
    loop["self"] = loop
    for call in [
        lambda: windvane.log_prediction({"x": Unreadable()}),
        lambda: windvane.log_prediction({"x": object()}),
        lambda: windvane.log_prediction({"x": Torn()}),
        lambda: windvane.log_prediction(loop),
        lambda: windvane.log_prediction(42),
        lambda: windvane.log_prediction({"x": 1}, no_such_field=1),
        lambda: windvane.log_prediction({"x": 1}, ts=object()),
        lambda: windvane.log_prediction({"x": 1}, latency_us="soon"),
        lambda: windvane.log_outcome("e", value=object()),
        lambda: windvane.log_outcome("e", colour="red"),
        lambda: windvane.log_measurement("u", "m", object()),
        lambda: windvane.log_exposure("x", "u", object()),
        lambda: windvane.log_predictions([{"colour": "red"}]),
        lambda: windvane.log_dataframe(object()),
        lambda: windvane.log_dataframe({"a": [1, 2]}, score="nope"),
    ]:
        call()
    assert windvane.flush()
    stats = check_sum()
    # A number where features belong is encoded, and rejected by a real collector.
    assert stats.dropped["invalid"] + stats.received == stats.logged
    assert stats.dropped["invalid"] >= 14


def test_what_fails_to_be_encoded_in_the_background_is_counted_and_takes_nothing_with_it(client, encoder, collector):
    windvane.log_prediction({"x": 10**5_000}, score=0.5)  # more digits than Python writes
    ids = log(2)
    assert windvane.flush(20)
    assert [record["event_id"] for record in collector.records["predictions"]] == ids
    stats = check_sum()
    assert (stats.dropped, stats.received) == ({"invalid": 1}, 2)


def test_an_iterable_that_breaks_off_loses_nothing_that_came_before(client, collector):
    def records():
        yield {"features": {"x": 1}}
        raise RuntimeError("broken off")

    assert len(windvane.log_predictions(records())) == 1
    assert windvane.flush()
    assert collector.count() == 1


def test_before_init_calls_do_nothing_but_warn_once():
    code = """
import windvane
for _ in range(3):
    print(len(windvane.log_prediction({"x": 1}, score=0.5)))
windvane.log_outcome("e", label="late")
assert windvane.flush(1)
"""
    done = run_python(code, {"WINDVANE_SDK_URL": ""})
    assert (done.returncode, done.stdout) == (0, "36\n36\n36\n")
    assert done.stderr.count("windvane.init was not called") == 1


def test_the_environment_sets_a_process_up_or_turns_it_off(collector):
    code = "import windvane; windvane.log_prediction({'x': 1}, model='m', score=0.5)"
    assert run_python(code, {"WINDVANE_SDK_URL": collector.url}).returncode == 0
    assert collector.count() == 1
    off = {"WINDVANE_SDK_URL": collector.url, "WINDVANE_SDK_DISABLED": "1"}
    done = run_python(code, off)
    assert (done.returncode, done.stderr, collector.count()) == (0, "", 1)


def test_wrong_settings_are_told_at_the_start():
    for settings, named in [
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://h:99999"}, "url is 'http://h:99999'"),
        ({"url": "http://h/?model=m"}, "url"),
        ({"url": b"http://h"}, "url"),
        ({"url": "http://x", "on_full": "block"}, "on_full"),
        ({"url": "http://x", "sample_rate": 1.5}, "sample_rate"),
        ({"url": "http://x", "queue_bytes": 0}, "queue_bytes"),
        ({"url": "http://x", "timeout_s": -1}, "timeout_s"),
        ({"url": "http://x", "token": "a\nb"}, "token"),
    ]:
        with pytest.raises(ValueError, match=named):
            windvane.init(**settings)


@pytest.mark.parametrize(
    "url", ["http://user:s3cret@h:1", "https://s3cret@h", "ftp://user:s3cret@h", "user:s3cret@h:1", "http://user:s3/s3cret@h", "http://s3cret:x@h:y"]
)
def test_a_user_and_a_password_in_the_address_are_refused_and_no_secret_is_told(url):
    for make in (windvane.init, Reader):
        with pytest.raises(ValueError, match="url is '.*…@h.*accepted is http:") as raised:
            make(url)
        assert "s3" not in "".join(traceback.format_exception(None, raised.value, None))


def test_a_token_is_sent_and_never_shown(collector, caplog):
    seen = []
    handle = collector._handle
    collector._handle = lambda request: (seen.append(request.headers["authorization"]), handle(request))
    client = windvane.init(collector.url, model="m", token="very-secret", flush_interval_s=0.02)
    collector.plan = [422]
    log(1)
    assert windvane.flush()
    assert seen[0] == "Bearer very-secret"
    assert "very-secret" not in caplog.text + repr(client.settings) + repr(vars(client))
    client.close()


def test_what_is_logged_from_many_threads_all_arrives(client, encoder, collector):
    threads = [threading.Thread(target=log, args=(500,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert windvane.flush(20)
    assert check_sum().received == 4_000
    assert len({record["event_id"] for record in collector.records["predictions"]}) == 4_000


def test_the_event_that_was_logged_is_the_one_of_that_moment(client, encoder, collector):
    features = {"x": 1}
    windvane.log_prediction(features, score=0.5)
    features["x"] = 2
    assert windvane.flush()
    assert collector.records["predictions"][0]["features"] == {"x": 1}


def test_ids_rise_and_a_client_leaves_no_thread(collector, caplog):
    caplog.set_level(logging.DEBUG)
    client = windvane.init(collector.url, model="m")
    ids = log(1_000)
    assert ids == sorted(ids) or sum(a > b for a, b in zip(ids, ids[1:])) < 50  # within a quarter of a microsecond
    assert all(len(made) == 36 and made[14] == "7" for made in ids)
    client.close(5)
    del client
    gc.collect()
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "windvane"], 5)


@pytest.mark.parametrize("n", [0, 1, 128, 4_096])
def test_ids_that_are_made_at_once_are_of_version_7_distinct_and_rise(n):
    maker = IdMaker()
    begun = time.time_ns() // 1_000_000
    ids = [*maker.make_many(n), *maker.make_many(n)]
    made = [uuid.UUID(text) for text in ids]
    assert all((held.version, held.variant, str(held)) == (7, uuid.RFC_4122, text) for held, text in zip(made, ids))
    assert all(begun <= held.int >> 80 <= time.time_ns() // 1_000_000 for held in made)
    assert len({held.int & (1 << 62) - 1 for held in made}) == 2 * n
    assert ids[:n] == sorted(ids[:n])
    if n > 1_000:  # each of the 62 bits is drawn
        assert {bit for bit in range(62) for held in made if held.int >> bit & 1} == set(range(62))


def test_a_batch_is_sent_again_under_the_same_key_with_the_same_bytes(client, collector):
    collector.plan = ["lost", "lost"]
    log(10)
    assert windvane.flush(20)
    keys = [key for kind, key, _ in collector.requests if kind == "predictions"]
    assert len(keys) >= 3 and len(set(keys)) < len(keys)
