"""The background thread: takes batches from the queue and delivers each until its fate is known, within bounds of time.

Who stops it: `close`, at the end of the process. What it finishes first: what is queued, as far as it gets within the timeout; the
rest goes to the spool, or is counted as dropped. It never raises, and nobody waits for it but who asked to.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Dict, List, Optional, Tuple

from ._arrow import CONTENT_TYPE as ARROW
from ._batch import Batch, encode, pack
from ._counts import AT_EXIT, INVALID, lost_of
from ._delivery import Delivery
from ._ids import IdMaker
from ._inbox import TICK_S, Inbox
from ._queue import Item, Queue, cost, events
from ._records import Records
from ._settings import Settings, takes_arrow

logger = logging.getLogger("windvane")

# Long enough for a thread that waits for the interpreter to wake up and take it.
_REST_S = 100e-6


class Sender:
    """Delivers what is in the queue."""

    def __init__(self, settings: Settings, queue: Queue, inbox: Inbox, ids: IdMaker, records: Records) -> None:
        self._inbox = inbox
        self._settings = settings
        self._records = records
        self._queue = queue
        self._ids = ids
        # A batch that waits for another try must leave room in the queue for what comes.
        self._batch_bytes = min(settings.batch_bytes, max(1, settings.queue_bytes // 4))
        self._closing = threading.Event()
        self._next_tick = 0.0
        # What was taken from the queue is here until it is in flight, so that `close` can account for it at every instant.
        self._taken: List[Item] = []
        self._taking = threading.Lock()
        self._warned = False
        self._thread: Optional[threading.Thread] = None
        self._delivery = Delivery(settings, queue, ids, self._pause, self.fault)

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
        self._delivery.deadline = time.monotonic() + timeout
        self._closing.set()
        self._queue.wake(is_urgent=True)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        self._abandon()
        stats = self._queue.snapshot()
        if stats.dropped_total or stats.unconfirmed:
            not_confirmed = f" and {stats.unconfirmed} not confirmed" if stats.unconfirmed else ""
            logger.warning("%d of %d events were not delivered%s: %s", lost_of(stats), stats.logged, not_confirmed, stats)

    def fault(self, message: str) -> None:
        """One warning a client; what comes after it is counted."""
        self._queue.stats.last_fault = message
        if not self._warned:
            self._warned = True
            with contextlib.suppress(Exception):  # a handler of the caller's that fails takes neither a call nor the thread with it
                logger.warning("%s (said once; `windvane.stats()` counts what follows)", message)

    def _run(self) -> None:
        self._delivery.open_spool()
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

    def _send_all(self) -> None:
        if not self._delivery.deliver_all():  # what a fault of ours left
            return
        # What comes meanwhile waits for more to come, as a request costs as much as a hundred events; who wants it sent at once wakes this again.
        self._inbox.drain(self._rest)
        wanted = self._queue.entered
        while not self._delivery.abandoned and (self._queue.left < wanted or self._closing.is_set()):
            self._inbox.drain(self._rest)
            taken = self._take()
            if not taken:
                break
            if not self._send(taken):
                return  # the process ends; `close` accounts for what is left
            self._delivery.send_spooled(1)
        self._delivery.send_spooled(1_000_000)
        self._delivery.send_report()

    def _take(self) -> List[Item]:
        with self._taking:
            if not self._delivery.abandoned:
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
            if self._delivery.abandoned:  # `close` has accounted for them
                return False
            self._taken, self._delivery.in_flight = [], batches
            self._queue.stats.drop_all(lost)
            self._queue.settle(sum(lost.values()), lost_size)
        return self._delivery.deliver_all()

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

    def _pause(self, wait: float) -> bool:
        """Waits; says no where the process ends before."""
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            if self._closing.is_set():
                if end > self._delivery.deadline:
                    return False
                time.sleep(left)
            else:
                self._tick(self._closing, left)
        return True

    def _abandon(self) -> None:
        """What is left goes to the spool, or is counted as lost. The thread counts nothing from here on."""
        queue, delivery = self._queue, self._delivery
        with self._taking, delivery.fate, queue.lock:
            left = delivery.abandon()
            taken, self._taken = self._taken, []
        taken = taken + queue.take(1 << 62, 1 << 62)
        if taken and delivery.spool is None:
            delivery.open_spool()
        if taken and delivery.spool is None:
            n, size = sum(events(item[1]) for item in taken), sum(cost(item[1]) for item in taken)
            delivery.settle(n, size, lambda stats: stats.drop(AT_EXIT, n))
        elif taken:
            batches, dropped, size = self._encoded(taken)
            delivery.settle(sum(dropped.values()), size, lambda stats: stats.drop_all(dropped))
            left = left + batches
        delivery.keep_or_drop(left)
        delivery.close()
