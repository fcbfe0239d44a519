"""Forks, exits and disks: what one process leaves to another, and what it does not."""

import asyncio
import gzip
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

import windvane
from kit import accounted, eventually, run_python

SPOOLING = """
import os, sys, windvane
windvane.init(sys.argv[1], model="m", spool_dir=sys.argv[2], retry_delay_s=0.05, flush_interval_s=0.02, exit_timeout_s=20)
for i in range(int(sys.argv[3])):
    windvane.log_prediction({"x": i}, score=0.5)
"""


def script(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_a_process_that_ends_sends_what_it_has(collector):
    code = "import sys, windvane; windvane.init(sys.argv[1], model='m'); windvane.log_prediction({'x': 1}, score=0.5)"
    done = script(code, collector.url)
    assert (done.returncode, done.stderr, collector.count()) == (0, "", 1)


def test_a_process_that_cannot_send_ends_within_its_bound(collector):
    collector.always = 500
    code = """
import sys, time, windvane
windvane.init(sys.argv[1], model='m')
windvane.log_prediction({'x': 1}, score=0.5)
import atexit
begun = time.monotonic()
atexit.register(lambda: None)
print(begun)
"""
    begun = time.monotonic()
    done = script(code, collector.url)
    assert done.returncode == 0
    assert time.monotonic() - begun < 10
    assert "1 of 1 events were not delivered" in done.stderr and "at_exit" in done.stderr


@pytest.mark.parametrize("faults", [[], [500], ["away", (429, {"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"})]])
def test_the_background_imports_nothing_that_a_fork_could_break_off(faults, collector, tmp_path):
    collector.plan = faults
    code = """
import sys, windvane
windvane.init(sys.argv[1], model='m', spool_dir=sys.argv[2] or None, flush_interval_s=0.01, retry_delay_s=0.01)
before = set(sys.modules)
windvane.log_prediction({'x': 1, 'y': float('nan')}, score=0.5)
assert windvane.flush()
assert not set(sys.modules) - before, set(sys.modules) - before
"""
    done = script(code, collector.url, tmp_path if faults == [500] else "")
    assert (done.returncode, collector.count()) == (0, 1), done.stderr


def test_a_forked_child_sends_its_own_events_and_none_of_its_parent(client, collector):
    collector.always = 500
    parents = windvane.log_prediction({"x": 0}, score=0.5)
    eventually(lambda: collector.requests)  # the sender's thread runs, and is in the middle of something
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            collector.always = None
            assert windvane.stats().logged == 0
            windvane.log_prediction({"x": 1}, score=0.5, event_id="child")
            status = 0 if windvane.current()._sender.started else 2
            windvane.close(0.2)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    collector.always = None
    assert windvane.flush(20)
    assert windvane.stats().received == 1
    arrived = [record["event_id"] for record in collector.records["predictions"]]
    assert arrived.count(parents) == 1


def test_a_forked_child_knows_the_names_of_its_own_events(client, collector):
    windvane.log_prediction({"parent": 1}, score=0.5)
    pid = os.fork()
    if pid == 0:
        try:
            windvane.log_prediction({"child": 2}, value=0.5)
            windvane.log_prediction({"parent": 3}, score=0.5)
            windvane.close(20)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert windvane.flush(20)
    features = [record["features"] for record in collector.records["predictions"]]
    assert sorted(map(str, features)) == ["{'child': 2}", "{'parent': 1}", "{'parent': 3}"]


def _child_logs(n):
    for i in range(n):
        windvane.log_prediction({"x": i}, score=0.5)


@pytest.mark.parametrize("method", ["fork"])
def test_children_of_multiprocessing_send_at_their_end(method, client, collector):
    children = [multiprocessing.get_context(method).Process(target=_child_logs, args=(25,)) for _ in range(4)]
    _child_logs(10)
    for child in children:
        child.start()
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    assert windvane.flush(20)
    assert collector.count() == 110
    assert len({record["event_id"] for record in collector.records["predictions"]}) == 110


def test_the_event_loop_is_not_held_up(client, collector):
    released_at = []

    async def main():
        ticks = 0
        loop = asyncio.get_running_loop()
        collector.plan = ["away"] * 3
        for i in range(2_000):
            windvane.log_prediction({"x": i}, score=0.5)
            if i % 100 == 0:
                await asyncio.sleep(0)
        flushed = asyncio.ensure_future(windvane.current().flush_async(20))
        while not flushed.done():
            await asyncio.sleep(0.001)
            ticks += 1
        released_at.append(loop.time())
        return await flushed, ticks

    flushed, ticks = asyncio.run(main())
    assert flushed and ticks > 0
    assert collector.count() == 2_000


def test_what_cannot_be_sent_waits_on_disk_and_the_next_process_sends_it_once(collector, tmp_path):
    collector.always = "lost"  # stored without an answer: the next process must not store it again
    assert script(SPOOLING, collector.url, tmp_path, 30).returncode == 0
    assert collector.count() == 30
    files = list(tmp_path.rglob("*.ndjson.gz"))
    assert files and sum(int(file.name.split(".")[2]) for file in files) == 30
    collector.always = None
    client = windvane.init(collector.url, model="m", spool_dir=tmp_path, flush_interval_s=0.02)
    windvane.log_prediction({"x": 1}, score=0.5)
    eventually(lambda: windvane.stats().received == 31)
    stats = windvane.stats()
    assert (stats.adopted, stats.spooled, accounted(stats)) == (30, 0, 31)
    assert collector.count() == 31
    # A file goes once its events are counted.
    eventually(lambda: not list(tmp_path.rglob("*.ndjson.gz")))
    client.close()
    assert not list(tmp_path.rglob("*.gz"))


def test_the_spool_takes_what_memory_would_have_to_drop(collector, tmp_path):
    collector.always = 500
    client = windvane.init(
        collector.url, model="m", spool_dir=tmp_path, queue_bytes=60_000, retry_delay_s=0.01, flush_interval_s=0.01,
        retry_delay_max_s=0.02,
    )  # fmt: skip
    for i in range(2_000):
        windvane.log_prediction({"x": i}, score=0.5)
        if i % 100 == 99:
            eventually(lambda: windvane.stats().queued == 0)
    stats = windvane.stats()
    assert (stats.spooled, stats.dropped, accounted(stats)) == (2_000, {}, 2_000)
    collector.always = None
    eventually(lambda: windvane.stats().received == 2_000)
    assert collector.count() == 2_000
    client.close()


def test_a_batch_on_disk_that_is_too_large_is_split(collector, tmp_path):
    collector.always = 500
    client = windvane.init(collector.url, model="m", spool_dir=tmp_path, retry_delay_s=0.01, flush_interval_s=0.01)
    ids = [windvane.log_prediction({"x": i}, score=0.5) for i in range(30)]
    eventually(lambda: windvane.stats().spooled == 30)
    collector.always, collector.events_max = None, 4
    eventually(lambda: windvane.stats().received == 30)
    stats = windvane.stats()
    assert (stats.spooled, stats.dropped, accounted(stats)) == (0, {}, 30)
    assert sorted(record["event_id"] for record in collector.records["predictions"]) == sorted(ids)
    client.close()
    assert not list(tmp_path.iterdir())


def test_halves_beside_their_batch_are_not_sent(collector, tmp_path):
    key = "01a21f34-58b3-7060-9514-101d3646d905"
    folder = tmp_path / key
    folder.mkdir()
    (folder / "lock").touch()
    for end, n in [("", 10), ("-0", 5), ("-1-0", 2)]:
        lines = b"\n".join(b'{"model":"m","event_id":"%d"}' % i for i in range(n))
        (folder / f"{key}{end}.predictions.{n}.ndjson.gz").write_bytes(gzip.compress(lines))
    client = windvane.init(collector.url, model="m", spool_dir=tmp_path, flush_interval_s=0.02)
    windvane.log_prediction({"x": 1}, score=0.5)
    eventually(lambda: windvane.stats().received == 11)
    stats = windvane.stats()
    assert (stats.adopted, stats.spooled, stats.dropped) == (10, 0, {})
    assert collector.count() == 11
    client.close()
    assert not list(folder.glob("*.gz"))


def test_what_is_not_whole_on_disk_is_set_aside_and_counted(collector, tmp_path):
    folder = tmp_path / "01a21f34-58b3-7060-9514-101d3646d905"
    folder.mkdir()
    (folder / "lock").touch()
    whole = gzip.compress(b"\n".join(b'{"model":"m","event_id":"%d"}' % i for i in range(30)))
    left = [("a", 30, whole), ("b", 30, whole[:-9]), ("c", 30, gzip.compress(b"{}")), ("d", 1, b"")]
    for key, events, body in left:
        (folder / f"{key * 36}.predictions.{events}.ndjson.gz").write_bytes(body)
    client = windvane.init(collector.url, model="m", spool_dir=tmp_path, flush_interval_s=0.02, report_drops=False)
    windvane.log_prediction({"x": 1}, score=0.5)
    eventually(lambda: windvane.stats().spooled == 0 and windvane.stats().received == 31)
    stats = windvane.stats()
    assert (stats.adopted, stats.dropped, accounted(stats)) == (91, {"damaged": 61}, 92)
    client.close()
    assert sorted(path.name[0] for path in folder.glob("*.damaged")) == ["b", "c", "d"]


def test_what_no_client_wrote_is_not_taken_into_memory(collector, tmp_path):
    folder = tmp_path / "01a21f34-58b3-7060-9514-101d3646d905"
    folder.mkdir()
    (folder / "lock").touch()
    bomb = gzip.compress(b"\n" * (1 << 20)) * 257
    (folder / f"{'a' * 36}.predictions.3.ndjson.gz").write_bytes(bomb)
    with open(folder / f"{'b' * 36}.predictions.4.ndjson.gz", "wb") as huge:
        huge.truncate(1 << 31)  # takes no room on the disk
    client = windvane.init(collector.url, model="m", spool_dir=tmp_path, flush_interval_s=0.02, report_drops=False)
    windvane.log_prediction({"x": 1}, score=0.5)
    eventually(lambda: windvane.stats().spooled == 0 and windvane.stats().received == 1)
    stats = windvane.stats()
    assert (stats.adopted, stats.dropped, accounted(stats)) == (7, {"damaged": 7}, 8)
    client.close()


def test_a_spool_beside_other_folders_touches_none_of_them(collector, tmp_path):
    for name in ["photos", "01a21f34-58b3-7060-9514-101d3646d905"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious.txt").write_text("mine")
    assert script(SPOOLING, collector.url, tmp_path, 1).returncode == 0
    assert collector.count() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01a21f34-58b3-7060-9514-101d3646d905", "photos"]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["precious.txt"] * 2


def test_the_spool_is_bounded(collector, tmp_path):
    collector.always = 500
    client = windvane.init(
        collector.url, model="m", spool_dir=tmp_path, spool_bytes=2_000, queue_bytes=20_000, retry_delay_s=0.01,
        retry_delay_max_s=0.02, flush_interval_s=0.01,
    )  # fmt: skip
    for i in range(3_000):
        windvane.log_prediction({"x": i}, score=0.5)
    stats = windvane.stats()
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.gz")) <= 2_000
    assert stats.dropped["queue_full"] > 0 and accounted(stats) == 3_000
    client.close(0.2)
    assert accounted(windvane.stats()) == 3_000


def test_two_processes_share_a_spool_folder(collector, tmp_path):
    collector.always = 500
    running = [
        subprocess.Popen([sys.executable, "-c", SPOOLING + "\nsys.stdin.read()", collector.url, str(tmp_path), "20"],
                         stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]  # fmt: skip
    files = eventually(lambda: len(found := list(tmp_path.rglob("*.ndjson.gz"))) >= 2 and found)
    assert len({file.parent for file in files}) == 2
    running[0].send_signal(signal.SIGKILL)
    running[0].wait(10)
    collector.always = None
    running[1].communicate(b"", timeout=20)
    # The killed one's batches wait for a process that starts after it.
    client = windvane.init(collector.url, model="m", spool_dir=tmp_path, flush_interval_s=0.02)
    windvane.log_prediction({"x": 1}, score=0.5)
    eventually(lambda: collector.count() == 41)
    assert len({record["event_id"] for record in collector.records["predictions"]}) == 41
    client.close()


def test_a_folder_that_cannot_be_written_only_warns(client, collector, tmp_path):
    path = tmp_path / "file"
    path.write_text("no folder")
    made = windvane.init(collector.url, model="m", spool_dir=path, flush_interval_s=0.02)
    windvane.log_prediction({"x": 1}, score=0.5)
    assert windvane.flush()
    assert collector.count() == 1
    made.close()


def test_importing_costs_little_and_starts_nothing():
    done = run_python("""
import sys, threading, windvane
windvane.init("http://127.0.0.1:9", model="m")
print(threading.active_count(), sorted({"numpy", "pandas", "pyarrow", "asyncio"} & set(sys.modules)))
""")
    assert done.stdout.startswith("1 ")
    assert "numpy" not in done.stdout
