"""The background thread: takes batches from the queue and delivers each until its fate is known, within bounds of time.

Who stops it: `close`, at the end of the process. What it finishes first: what is queued, as far as it gets within the timeout; the
rest goes to the spool, or is counted as dropped. It never raises, and nobody waits for it but who asked to.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import socket
import threading
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

from ._answer import document, reason, rejection, seconds
from ._arrow import CONTENT_TYPE as ARROW
from ._batch import Batch, encode, pack
from ._counts import AT_EXIT, DAMAGED, GAVE_UP, INVALID, REFUSED, Stats
from ._ids import IdMaker
from ._inbox import TICK_S, Inbox
from ._queue import Item, Queue, cost, events
from ._records import Records
from ._settings import Settings, takes_arrow
from ._spool import Spool, Stored
from ._transport import Answer, Transport, Unreachable

logger = logging.getLogger("windvane")

_Count = Callable[[Stats], object]

# Long enough for a thread that waits for the interpreter to wake up and take it.
_REST_S = 100e-6
# Answers that are worth another try: too early, too many, ours to heal, or a token that is being changed.
_RETRIED = frozenset((401, 403, 408, 425, 429))


class Sender:
    """Delivers what is in the queue."""

    def __init__(self, settings: Settings, queue: Queue, inbox: Inbox, ids: IdMaker, records: Records) -> None:
        self._inbox = inbox
        self._settings = settings
        self._records = records
        self._queue = queue
        self._ids = ids
        self._transport = Transport(settings.url, settings.token, settings.timeout_s, settings.tls)
        # A batch that waits for another try must leave room in the queue for what comes.
        self._batch_bytes = min(settings.batch_bytes, max(1, settings.queue_bytes // 4))
        self._spool: Optional[Spool] = None
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._failures = 0
        self._next_tick = 0.0
        # What was taken from the queue is here until it is in flight, so that `close` can account for it at every instant.
        self._taken: List[Item] = []
        self._taking = threading.Lock()
        self._in_flight: List[Batch] = []
        self._asked: Optional[Batch] = None
        self._abandoned = False
        # Held while a batch goes to disk, so that it is not accounted for twice at the end.
        self._fate = threading.Lock()
        self._warned = False
        self._stored: Optional[Stored] = None
        self._reported = 0
        self._report: Optional[Batch] = None
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Starts the thread, where it does not run yet."""
        with self._queue.lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="windvane", daemon=True)
        self._thread.start()

    @property
    def started(self) -> bool:
        """Whether the thread was started."""
        return self._thread is not None

    def close(self, timeout: float) -> None:
        """Ends the thread within the timeout, and accounts for what it could not deliver."""
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        self._queue.wake(is_urgent=True)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        self._abandon()
        stats = self._queue.snapshot()
        if stats.dropped_total or stats.unconfirmed:
            logger.warning("%d of %d events were not delivered: %s", _lost(stats), stats.logged, stats)

    def fault(self, message: str) -> None:
        """One warning a client; what comes after it is counted."""
        self._queue.stats.last_fault = message
        if not self._warned:
            self._warned = True
            with contextlib.suppress(Exception):  # a handler of the caller's that fails takes neither a call nor the thread with it
                logger.warning("%s (said once; `windvane.stats()` counts what follows)", message)

    def _run(self) -> None:
        self._open_spool()
        queue = self._queue
        while not self._closing.is_set():
            end = time.monotonic() + self._settings.flush_interval_s
            while self._tick(queue.ready, end - time.monotonic()) or self._was_woken_to_look(end):
                pass
            queue.is_urgent = False
            self._send_safely()
        self._send_safely()

    def _tick(self, event: threading.Event, left: float) -> bool:
        """Packs what came, and waits for a tick or, where nothing comes, for all that is left; says no where the event is set or none is left."""
        inbox = self._inbox
        try:
            inbox.tend(self._rest)
        except Exception as error:  # no memory, say: the thread lives on, and looks again at the next tick
            self.fault(f"cannot pack what waits: {error!r}")
        self._next_tick = time.monotonic() + TICK_S
        # Before the wait: who finds it asleep sets the event.
        inbox.is_asleep = inbox.is_quiet
        return not event.wait(max(0.0, left if inbox.is_asleep else min(left, TICK_S))) and left > 0

    def _was_woken_to_look(self, end: float) -> bool:
        queue = self._queue
        queue.ready.clear()
        return not queue.is_urgent and not self._closing.is_set() and time.monotonic() < end

    def _send_safely(self) -> None:
        try:
            self._send_all()
        except Exception as error:  # a fault of ours: the thread lives on, and tries again after the next wait
            self.fault(f"cannot send: {error!r}")

    def _open_spool(self) -> None:
        folder = self._settings.spool_dir
        if folder is None or self._spool is not None:
            return
        try:
            self._spool = spool = Spool(Path(folder), self._settings.spool_bytes, self._ids.make())
            self._account(lambda stats: stats.adopt(spool.events))
        except OSError as error:
            self.fault(f"cannot use the spool folder {os.fspath(folder)!r}: {error}")

    def _send_all(self) -> None:
        if not self._deliver_all():  # what a fault of ours left
            return
        # What comes meanwhile waits for more to come, as a request costs as much as a hundred events; who wants it sent at once wakes this again.
        self._inbox.drain(self._rest)
        wanted = self._queue.entered
        while not self._abandoned and (self._queue.left < wanted or self._closing.is_set()):
            self._inbox.drain(self._rest)
            taken = self._take()
            if not taken:
                break
            if not self._send(taken):
                return  # the process ends; `close` accounts for what is left
            self._send_spooled(1)
        self._send_spooled(1_000_000)
        self._send_report()

    def _take(self) -> List[Item]:
        with self._taking:
            if not self._abandoned:
                self._taken = self._queue.take(self._settings.batch_events, self._batch_bytes)
            return self._taken

    def _send(self, taken: List[Item]) -> bool:
        """Delivers items; says no where the end of the process came first."""
        try:
            batches, lost, lost_size = self._encoded(taken)
        except Exception as error:  # a fault of ours loses these events, not the thread
            n, lost_size = sum(events(item[1]) for item in taken), sum(cost(item[1]) for item in taken)
            self.fault(f"cannot encode {n} events: {error!r}")
            batches, lost = [], {INVALID: n}
        with self._queue.lock:
            if self._abandoned:  # `close` has accounted for them
                return False
            self._taken, self._in_flight = [], batches
            self._queue.stats.drop_all(lost)
            self._queue.settle(sum(lost.values()), lost_size)
        return self._deliver_all()

    def _deliver_all(self) -> bool:
        while self._in_flight and not self._abandoned:
            if not self._deliver(self._in_flight[0]):
                return False
        return not self._abandoned

    def _encoded(self, taken: List[Item]) -> Tuple[List[Batch], Dict[str, int], int]:
        """Items as batches; what could not be encoded by reason, and what the latter count for in bytes."""
        encoded = encode(taken, self._rest_between, takes_arrow(self._settings), self._records)
        if INVALID in encoded.lost:
            self.fault(f"cannot encode {encoded.lost[INVALID]} events: {encoded.fault}")
        now = time.monotonic()
        batches = [
            Batch(self._ids.make(), kind, len(part), size, pack(part), now)
            for kind, lines in encoded.lines.items()
            for part, size in lines.chunks()
        ]
        batches += [
            Batch(self._ids.make(), kind, n, size, body, now, content_type=ARROW)
            for (kind, _), tables in encoded.tables.items()
            for body, n, size in tables.chunks()
        ]
        return batches, encoded.lost, encoded.lost_size

    def _rest(self) -> None:
        """Lets other threads run: a thread that waits for the interpreter waits for 5 ms else."""
        if self._queue.is_calm() and not self._closing.is_set():
            time.sleep(_REST_S)

    def _rest_between(self) -> None:
        self._rest()
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + TICK_S
            self._inbox.tend(self._rest)

    def _deliver(self, batch: Batch) -> bool:
        """Tries until the batch's fate is known, and says no where the end of the process came first."""
        while time.monotonic() <= self._deadline:
            wait = self._attempt(batch)
            if wait is None:
                return True
            if self._keep(batch):
                self._pause(wait)
                return True
            if time.monotonic() - batch.begun > self._settings.retry_for_s:
                self._finish(batch, lambda stats: _lose(stats, batch, GAVE_UP))
                return True
            if not self._pause(wait):
                return False
        return False

    def _attempt(self, batch: Batch) -> Optional[float]:
        """Sends once. Answers the seconds to wait before the next try, or None where there is none to make."""
        headers = {**batch.headers(), "user-agent": "windvane-python/0.1.0"}
        path = f"/v1/{batch.kind}"
        self._asked = batch
        try:
            return self._judge(batch, self._transport.request("POST", path, batch.body, headers))
        except Unreachable as error:
            batch.in_doubt |= error.in_doubt
            if error.reused:  # the server closed a connection that was kept open
                return 0.0
            return self._again(f"{self._settings.url} does not answer: {error}", None)
        finally:
            self._asked = None

    def _judge(self, batch: Batch, answer: Answer) -> Optional[float]:
        told = document(answer.body)
        status = answer.status
        taken = told.get("accepted")
        if isinstance(taken, int) and status in (200, 400):
            accepted = min(taken, batch.events)
            self._failures = 0
            if accepted < batch.events:
                self.fault(rejection(told, batch.kind, batch.events))
            self._finish(batch, lambda stats: _received(stats, batch, accepted))
            return None
        if status in _RETRIED or status >= 500 or 200 <= status < 300:
            # A 2xx without our answer comes from something between us and the collector.
            batch.in_doubt |= status in (200, 502, 503, 504)
            return self._again(f"{self._settings.url} answers {status}: {reason(told)}", answer.retry_after)
        if status == 413 and batch.events > 1 and batch.spooled:
            return self._halve_stored(batch)
        if status == 413 and batch.events > 1:
            halves = batch.halves((self._ids.make(), self._ids.make()))
            with self._queue.lock:
                if not self._abandoned:
                    self._in_flight[:1] = halves
            return None
        self.fault(f"{self._settings.url} refuses a batch of {batch.kind} with {status}: {reason(told)}")
        self._finish(batch, lambda stats: stats.drop(REFUSED, batch.events))
        return None

    def _halve_stored(self, batch: Batch) -> Optional[float]:
        with self._fate:
            if self._abandoned or self._spool is None or self._stored is None:
                return 0.0
            try:
                self._spool.halve(self._stored, batch.body)
            except OSError as error:
                return self._again(f"cannot write the halves of {self._stored.path}: {error}", None)
        return None

    def _again(self, message: str, retry_after: Optional[str]) -> float:
        self._failures += 1
        self.fault(message)
        with self._queue.lock:
            self._queue.stats.retries += 1
        settings = self._settings
        doubled = settings.retry_delay_s * 2.0 ** min(self._failures - 1, 30)
        wait = min(settings.retry_delay_max_s, doubled) * random.uniform(0.5, 1.0)
        asked = seconds(retry_after)
        return wait if asked is None else max(asked * random.uniform(1.0, 1.1), min(wait, 1.0))

    def _keep(self, batch: Batch) -> bool:
        """Moves a batch that failed to the spool, so that it costs no memory while it waits."""
        if batch.spooled:
            return True
        with self._fate:
            if self._abandoned or self._spool is None:
                return self._abandoned
            if not self._spool.add(batch.key, batch.kind, batch.events, batch.body):
                return False
            self._finish(batch, lambda stats: None)
            return True

    def _send_spooled(self, batches_max: int) -> None:
        """Sends what waits on disk, the oldest first, as long as the server takes it."""
        while self._spool is not None and batches_max > 0 and not self._abandoned:
            stored = self._spool.oldest()
            if stored is None or time.monotonic() > self._deadline or not self._send_stored(stored):
                return
            batches_max -= 1

    def _send_stored(self, stored: Stored) -> bool:
        spool = self._spool
        assert spool is not None
        try:
            body = spool.read(stored)
        except (OSError, ValueError) as error:
            self.fault(f"cannot read {stored.path}: {error}")
            spool.set_aside(stored)
            self._account(lambda stats: stats.drop(DAMAGED, stored.events))
            return True
        batch = Batch(stored.key, stored.kind, stored.events, 0, body, spooled=True)
        self._stored = stored
        wait = self._attempt(batch)
        self._stored = None
        if wait is not None:
            if self._queue.entered == self._queue.left:  # else the queue's own tries keep the pace
                self._pause(wait)
            return False
        spool.delete(stored)
        return True

    def _pause(self, wait: float) -> bool:
        """Waits; says no where the process ends before."""
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            if self._closing.is_set():
                if end > self._deadline:
                    return False
                time.sleep(left)
            else:
                self._tick(self._closing, left)
        return True

    def _send_report(self) -> None:
        """Tells the collector how many events were lost, as a measurement beside the others."""
        if not self._settings.report_drops or time.monotonic() > self._deadline or self._failures:
            return
        lost = _lost(self._queue.snapshot())
        if self._report is None and lost > self._reported:
            record = {
                "unit_id": f"python/{socket.gethostname()}/{os.getpid()}",
                "metric": "windvane.sdk.dropped",
                "value": lost - self._reported,
                "ts": time.time_ns() // 1000,
                "event_id": self._ids.make(),
            }
            line = json.dumps(record).encode()
            self._report = Batch(self._ids.make(), "measurements", 0, 0, pack([line]), spooled=True)
            self._reported = lost
        if self._report is not None and self._attempt(self._report) is None:
            self._report = None

    def _finish(self, batch: Batch, count: _Count) -> None:
        """The batch's fate is known: it is counted and leaves the queue."""
        with self._queue.lock:
            if self._abandoned:
                return
            count(self._queue.stats)
            if self._in_flight and self._in_flight[0] is batch:
                del self._in_flight[0]
                self._queue.settle(batch.events, batch.size)
            if self._spool is not None and self._stored is not None:
                self._spool.forget(self._stored)
            self._count_spool()

    def _settle(self, n: int, size: int, count: _Count) -> None:
        with self._queue.lock:
            count(self._queue.stats)
            self._queue.settle(n, size)

    def _drop(self, batch: Batch, reason: str) -> None:
        self._settle(batch.events, batch.size, lambda stats: _lose(stats, batch, reason))

    def _account(self, count: _Count) -> None:
        with self._queue.lock:
            count(self._queue.stats)
            self._count_spool()

    def _count_spool(self) -> None:
        if self._spool is not None:
            self._queue.stats.spooled = self._spool.events

    def _abandon(self) -> None:
        """What is left goes to the spool, or is counted as lost. The thread counts nothing from here on."""
        queue = self._queue
        with self._taking, self._fate, queue.lock:
            self._abandoned = True
            taken, self._taken = self._taken, []
            left, self._in_flight = self._in_flight, []
            asked = self._asked  # the thread may be done with it at any moment
            if asked is not None and self._transport.sent:  # it may arrive, or has arrived
                asked.in_doubt = True
        taken = taken + queue.take(1 << 62, 1 << 62)
        if taken and self._spool is None:
            self._open_spool()
        if taken and self._spool is None:
            n, size = sum(events(item[1]) for item in taken), sum(cost(item[1]) for item in taken)
            self._settle(n, size, lambda stats: stats.drop(AT_EXIT, n))
        elif taken:
            batches, lost, lost_size = self._encoded(taken)
            self._settle(sum(lost.values()), lost_size, lambda stats: stats.drop_all(lost))
            left = left + batches
        for batch in left:
            kept = self._spool is not None and self._spool.add(
                batch.key, batch.kind, batch.events, batch.body
            )
            if kept:
                self._settle(batch.events, batch.size, lambda stats: None)
            else:
                self._drop(batch, AT_EXIT)
        if self._spool is not None:
            self._account(lambda stats: None)
            self._spool.close()
        self._transport.close()


def _lose(stats: Stats, batch: Batch, reason: str) -> None:
    if batch.in_doubt:
        stats.unconfirmed += batch.events
    else:
        stats.drop(reason, batch.events)


def _received(stats: Stats, batch: Batch, accepted: int) -> None:
    stats.received += accepted
    stats.rejected += batch.events - accepted


def _lost(stats: Stats) -> int:
    return stats.dropped_total + stats.rejected
