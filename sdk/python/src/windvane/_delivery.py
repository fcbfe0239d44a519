"""Batches on their way: each is tried until its fate is known, goes to the spool where the server does not take it now, and is counted once."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from pathlib import Path
from typing import Callable, List, Optional

from ._answer import document, reason, rejection, seconds
from ._batch import Batch, pack
from ._counts import AT_EXIT, DAMAGED, GAVE_UP, REFUSED, Stats, lost_of
from ._ids import IdMaker
from ._queue import Queue
from ._settings import Settings
from ._spool import Spool, Stored
from ._transport import Answer, Transport, Unreachable

_Count = Callable[[Stats], object]

# Answers that are worth another try: too early, too many, ours to heal, or a token that is being changed.
_RETRIED = frozenset((401, 403, 408, 425, 429))


class Delivery:
    """Delivers batches, in the sender's thread. `pause` waits, and says no where the process ends before; `fault` warns."""

    def __init__(
        self, settings: Settings, queue: Queue, ids: IdMaker, pause: Callable[[float], bool], fault: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._ids = ids
        self._pause = pause
        self._fault = fault
        self._transport = Transport(settings.url, settings.token, settings.timeout_s, settings.tls)
        self.in_flight: List[Batch] = []
        self.spool: Optional[Spool] = None
        self.abandoned = False
        # Of the monotonic clock, where the process ends.
        self.deadline = float("inf")
        # Held while a batch goes to disk, so that it is not accounted for twice at the end.
        self.fate = threading.Lock()
        self._asked: Optional[Batch] = None
        self._stored: Optional[Stored] = None
        self._failures = 0
        self._reported = 0
        self._report: Optional[Batch] = None

    def open_spool(self) -> None:
        """Opens the folder of the spool, where there is one."""
        folder = self._settings.spool_dir
        if folder is None or self.spool is not None:
            return
        try:
            self.spool = spool = Spool(Path(folder), self._settings.spool_bytes, self._ids.make())
            self.account(lambda stats: stats.adopt(spool.events))
        except OSError as error:
            self._fault(f"cannot use the spool folder {os.fspath(folder)!r}: {error}")

    def deliver_all(self) -> bool:
        """Delivers what is in flight; says no where the end of the process came first."""
        while self.in_flight and not self.abandoned:
            if not self._deliver(self.in_flight[0]):
                return False
        return not self.abandoned

    def send_spooled(self, batches_max: int) -> None:
        """Sends what waits on disk, the oldest first, as long as the server takes it."""
        while self.spool is not None and batches_max > 0 and not self.abandoned:
            stored = self.spool.oldest()
            if stored is None or time.monotonic() > self.deadline or not self._send_stored(stored):
                return
            batches_max -= 1

    def send_report(self) -> None:
        """Tells the collector how many events were lost, as a measurement beside the others."""
        if not self._settings.report_drops or time.monotonic() > self.deadline or self._failures:
            return
        lost = lost_of(self._queue.snapshot())
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

    def abandon(self) -> List[Batch]:
        """The thread counts nothing from here on; answers what is in flight. The caller holds `fate` and the lock of the queue."""
        self.abandoned = True
        left, self.in_flight = self.in_flight, []
        asked = self._asked  # the thread may be done with it at any moment
        if asked is not None and self._transport.sent:  # it may arrive, or has arrived
            asked.in_doubt = True
        return left

    def keep_or_drop(self, left: List[Batch]) -> None:
        """At the end: batches go to the spool, or are counted as lost."""
        for batch in left:
            kept = self.spool is not None and self.spool.add(batch.key, batch.kind, batch.events, batch.body)
            if kept:
                self.settle(batch.events, batch.size, lambda stats: None)
            else:
                self._drop(batch, AT_EXIT)

    def close(self) -> None:
        """Closes the spool and the connection."""
        if self.spool is not None:
            self.account(lambda stats: None)
            self.spool.close()
        self._transport.close()

    def settle(self, n: int, size: int, count: _Count) -> None:
        """Counts events that leave the queue without being in flight."""
        with self._queue.lock:
            count(self._queue.stats)
            self._queue.settle(n, size)

    def account(self, count: _Count) -> None:
        """Counts, and what is on disk with it."""
        with self._queue.lock:
            count(self._queue.stats)
            self._count_spool()

    def _deliver(self, batch: Batch) -> bool:
        """Tries until the batch's fate is known, and says no where the end of the process came first."""
        while time.monotonic() <= self.deadline:
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
                self._fault(rejection(told, batch.kind, batch.events))
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
                if not self.abandoned:
                    self.in_flight[:1] = halves
            return None
        self._fault(f"{self._settings.url} refuses a batch of {batch.kind} with {status}: {reason(told)}")
        self._finish(batch, lambda stats: stats.drop(REFUSED, batch.events))
        return None

    def _halve_stored(self, batch: Batch) -> Optional[float]:
        with self.fate:
            if self.abandoned or self.spool is None or self._stored is None:
                return 0.0
            try:
                self.spool.halve(self._stored, batch.body)
            except OSError as error:
                return self._again(f"cannot write the halves of {self._stored.path}: {error}", None)
        return None

    def _again(self, message: str, retry_after: Optional[str]) -> float:
        self._failures += 1
        self._fault(message)
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
        with self.fate:
            if self.abandoned or self.spool is None:
                return self.abandoned
            if not self.spool.add(batch.key, batch.kind, batch.events, batch.body):
                return False
            self._finish(batch, lambda stats: None)
            return True

    def _send_stored(self, stored: Stored) -> bool:
        spool = self.spool
        assert spool is not None
        try:
            body = spool.read(stored)
        except (OSError, ValueError) as error:
            self._fault(f"cannot read {stored.path}: {error}")
            spool.set_aside(stored)
            self.account(lambda stats: stats.drop(DAMAGED, stored.events))
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

    def _finish(self, batch: Batch, count: _Count) -> None:
        """The batch's fate is known: it is counted and leaves the queue."""
        with self._queue.lock:
            if self.abandoned:
                return
            count(self._queue.stats)
            if self.in_flight and self.in_flight[0] is batch:
                del self.in_flight[0]
                self._queue.settle(batch.events, batch.size)
            if self.spool is not None and self._stored is not None:
                self.spool.forget(self._stored)
            self._count_spool()

    def _drop(self, batch: Batch, reason: str) -> None:
        self.settle(batch.events, batch.size, lambda stats: _lose(stats, batch, reason))

    def _count_spool(self) -> None:
        if self.spool is not None:
            self._queue.stats.spooled = self.spool.events


def _lose(stats: Stats, batch: Batch, reason: str) -> None:
    if batch.in_doubt:
        stats.unconfirmed += batch.events
    else:
        stats.drop(reason, batch.events)


def _received(stats: Stats, batch: Batch, accepted: int) -> None:
    stats.received += accepted
    stats.rejected += batch.events - accepted
