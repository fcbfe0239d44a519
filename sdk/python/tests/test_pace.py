"""When the background sends: what comes while it does so waits for more, unless somebody waits for it."""

import gzip
import threading

import pytest

import windvane
from kit import accounted, eventually
from windvane import _batch


@pytest.mark.parametrize("is_flushed_meanwhile", [False, True])
def test_what_comes_while_a_batch_is_sent_goes_with_the_next(is_flushed_meanwhile, collector):
    answered = threading.Event()
    collector.plan = [("slow", answered)]
    client = windvane.init(collector.url, model="m", flush_interval_s=60)
    flushed = []

    def flush():
        flushed.append(windvane.flush(20))

    windvane.log_prediction({"x": 1}, score=0.5)
    waiting = [threading.Thread(target=flush)]
    waiting[0].start()
    assert eventually(lambda: collector.requests)
    for i in range(2):
        windvane.log_prediction({"x": i}, score=0.5)
    if is_flushed_meanwhile:
        client.stats()  # moves them to the queue
        waiting.append(threading.Thread(target=flush))
        waiting[1].start()
    answered.set()
    for thread in waiting:
        thread.join()
    assert eventually(lambda: client._inbox.is_asleep)
    assert all(flushed) and len(flushed) == len(waiting)
    assert [n for _, _, n in collector.requests] == [1, 2][: len(waiting)]
    client.close(10)
    assert [n for _, _, n in collector.requests] == [1, 2] and client.stats().received == accounted(client.stats()) == 3


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 128, 1_000])
def test_lines_are_compressed_in_parts_and_are_whole(n):
    lines = [b'{"x":%d}' % i for i in range(n)]
    packed = _batch.pack(lines)
    assert gzip.decompress(packed) == b"\n".join(lines) and packed == _batch.pack(lines)


def test_lines_go_in_requests_of_a_bounded_size(monkeypatch):
    monkeypatch.setattr(_batch, "BODY_BYTES_MAX", 100)
    made = _batch.Lines([], 0)
    for i in range(7):
        made.add([b"%039d" % i], 50)
    assert [(len(lines), size) for lines, size in made.chunks()] == [(2, 0), (2, 0), (2, 0), (1, 350)]
    whole = _batch.Lines([], 0)
    whole.add([b"%039d" % i for i in range(2)], 100)
    assert [(len(lines), size) for lines, size in whole.chunks()] == [(2, 100)]
