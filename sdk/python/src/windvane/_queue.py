"""The queue between the caller's thread and the sender's: bounded in bytes, with a stated policy when it is full.

What is queued, what is being sent and what waits for another try all count against the bound, so that the bound is what an
unreachable server can cost in memory.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from ._counts import QUEUE_FULL, Stats
from ._inbox import EVENT_BYTES_MAX, Inbox, room_of

# What a queued event costs beside its bytes: the bytes object's head, a tuple, the deque's slot.
ENTRY_BYTES = 112
# Less than any prediction takes with an id and a time.
_LEAST_BYTES = ENTRY_BYTES + 48
# What waits without a tuple around it: each of those counts towards the next run of the garbage collector, which callers pay for.
BARE_KIND = "predictions"
# From this share of the bound on, callers encode what they log: where the sender does not keep up, they must not outrun it.
_CROWDED = 2
# Up to this share of the bound, the sender has time to let other threads run between events.
_CALM = 8


class Rows:
    """Rows of one call, encoded later in the sender's thread: the caller only pays for a copy."""

    __slots__ = ("n", "size", "lines", "record_batch")

    def __init__(
        self,
        n: int,
        size: int,
        lines: Callable[[], Tuple[List[bytes], Dict[str, int]]],
        record_batch: Callable[[], Any] = lambda: None,
    ) -> None:
        self.n = n
        self.size = size
        # Answers the lines, and by reason how many rows gave none.
        self.lines = lines
        # Answers the rows as Arrow; None where they go as lines.
        self.record_batch = record_batch


Item = Tuple[str, Union[bytes, Rows]]


def cost(payload: Union[bytes, Rows]) -> int:
    """Bytes that an item counts for."""
    return len(payload) + ENTRY_BYTES if isinstance(payload, bytes) else payload.size + ENTRY_BYTES


def events(payload: Union[bytes, Rows]) -> int:
    """Events of an item."""
    return 1 if isinstance(payload, bytes) else payload.n


class Queue:
    """Events by kind, in order. `lock` guards the counts; taking needs none, because a deque's ends are atomic."""

    def __init__(self, bytes_max: int, inbox: Inbox, *, drop_oldest: bool, wake_bytes: int) -> None:
        self.lock = threading.Lock()
        self.ready = threading.Event()
        # Whether the sender is to send when it wakes, and not to look alone.
        self.is_urgent = False
        self.settled = threading.Condition(self.lock)
        self.stats = Stats()
        self.entered = 0
        self.left = 0
        self._items: deque[Union[bytes, Item]] = deque()
        self._bytes_max = bytes_max
        self._inbox = inbox
        self._inbox_room = 0
        self._bytes = 0
        self._drop_oldest = drop_oldest
        self._wake_bytes = wake_bytes
        self._unseen = 0
        self._crowded_bytes = bytes_max // _CROWDED
        self._calm_bytes = bytes_max // _CALM

    def put(self, kind: str, payload: Union[bytes, Rows]) -> None:
        """Queues an item or drops one, and never waits for the network."""
        single = type(payload) is bytes
        size = len(payload) + ENTRY_BYTES if single else cost(payload)  # type: ignore[arg-type]
        n = 1 if single else events(payload)
        with self.lock:
            stats = self.stats
            stats.logged += n
            if self._bytes + size > self._limit() and not self._make_room(size):
                stats.drop(QUEUE_FULL, n)
                return
            self._bytes += size
            self._fit_inbox()
            self.entered += n
            self._items.append(payload if single and kind == BARE_KIND else (kind, payload))  # type: ignore[arg-type]
            self._unseen += size
            if self._unseen < self._wake_bytes:
                return
            self._unseen = 0
        # Waking a thread takes longer than the call: it is done once for many, and the sender wakes by itself after a while.
        self.wake(is_urgent=True)

    def put_lines(self, kind: str, lines: List[bytes]) -> None:
        """Queues lines that were made at once: as one item, or one by one where there may not be room for all."""
        if len(lines) > 1 and not self.is_crowded():
            # Each for what it would count alone.
            size = sum(map(len, lines)) + (len(lines) - 1) * ENTRY_BYTES
            self.put(kind, Rows(len(lines), size, lambda: (lines, {})))
            return
        for line in lines:
            self.put(kind, line)

    def wake(self, *, is_urgent: bool) -> None:
        """Wakes the sender: to send at once, or to look what came."""
        if is_urgent:
            self.is_urgent = True
        self.ready.set()

    def open_inbox(self, is_open: bool) -> None:
        """Lets predictions wait in the inbox, within what is free here, or no longer."""
        with self.lock:
            self._inbox_room = room_of(self._bytes_max) if is_open else 0
            self._fit_inbox()

    def _fit_inbox(self) -> None:
        self._inbox.room = min(self._inbox_room, max(0, self._bytes_max - self._bytes) // EVENT_BYTES_MAX)

    def _limit(self) -> int:
        """What may be queued beside what the inbox may hold. What is on its way from there to here has room, as it was kept free."""
        return self._bytes_max - len(self._inbox.events) * EVENT_BYTES_MAX

    def is_full(self) -> bool:
        """Whether there is no room for any prediction, so that it need not be packed to be dropped."""
        return not self._drop_oldest and self._bytes + _LEAST_BYTES > self._limit()

    def is_crowded(self) -> bool:
        """Whether so much waits that callers do the sender's work."""
        return self._bytes > self._crowded_bytes

    def is_calm(self) -> bool:
        """Whether so little waits that the sender need not hurry."""
        return self._bytes <= self._calm_bytes

    def _make_room(self, size: int) -> bool:
        limit = self._limit()
        if not self._drop_oldest or size > limit:
            return False
        while self._bytes + size > limit:
            try:
                _, oldest = self._pop()
            except IndexError:  # the rest is being sent
                return False
            self._leave(events(oldest), cost(oldest))
            self.stats.drop(QUEUE_FULL, events(oldest))
        return True

    def _pop(self) -> Item:
        item = self._items.popleft()
        return (BARE_KIND, item) if isinstance(item, bytes) else item

    def take(self, events_max: int, bytes_max: int) -> List[Item]:
        """Takes the oldest items, one at least where there is one. They keep counting until `settle`."""
        taken: List[Item] = []
        n = size = 0
        while n < events_max and size < bytes_max:
            try:
                item = self._pop()
            except IndexError:
                break
            taken.append(item)
            n += events(item[1])
            size += cost(item[1])
        return taken

    def settle(self, n: int, size: int) -> None:
        """The fate of taken items is known and counted; the caller holds `lock`."""
        self._leave(n, size)
        self.settled.notify_all()

    def _leave(self, n: int, size: int) -> None:
        self._bytes -= size
        self.left += n
        self._fit_inbox()

    def snapshot(self) -> Stats:
        """The counts of this instant."""
        with self.lock:
            held = dict(vars(self.stats), dropped=dict(self.stats.dropped))
            return Stats(**{**held, "queued": self.entered - self.left, "queued_bytes": self._bytes})

    def wait_until_left(self, target: int, timeout: Optional[float]) -> bool:
        """Waits until so many events have left."""
        with self.settled:
            return self.settled.wait_for(lambda: self.left >= target, timeout)
