"""Where a prediction waits first: as it was given, until the background packs it a tenth of a second later.

A call at 1,000 a second runs on cold caches, where each function that it enters costs a microsecond: it does as little as it can, which is to
copy a dictionary, to append to a deque and to take an id that was made before. No lock is taken and no thread is woken.

How much such a prediction can take is bounded by what its values are, and how many wait by their number: as long as they wait, the queue
keeps that much of its bound free for them. What is larger, or no scalar of Python, is packed in the call.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from time import perf_counter
from typing import Any, Callable, Dict, Tuple, Union

from ._exchange import Exchange
from ._ids import IdMaker

# Of one prediction, by the arithmetic below.
EVENT_BYTES_MAX = 16 << 10
# Calls of a tenth of a second at 5,000 a second, which is how often the background looks.
EVENTS_MAX = 512
_EVENTS_MIN = 10
# Of some 90 bytes each.
_IDS_MAX = 1_024
# Of the bound of the queue, the share that may be kept free for them.
_SHARE = 4
TICK_S = 0.1
# After so many ticks without a prediction, the background looks once in `flush_interval_s` alone.
_QUIET_TICKS = 3
# A tuple, two dictionaries, an id and a time; then a number or the head of a text, a name of usual length and their places in a dictionary.
_BASE_BYTES = 800
_VALUE_BYTES = 180
_CHARACTER_BYTES = 4
_SMALL = frozenset((bool, type(None)))
# What a column of whole numbers can hold.
_WHOLE_MIN, _WHOLE_MAX = -(1 << 63), (1 << 63) - 1
# Of the bodies of an exchange that waits to be read; the exchange itself and the ids of its span take the rest.
KEPT_BYTES_MAX = 15 << 10
# For so long at most, and for one event, the background works in a row: meanwhile no other thread of the process can run. To rest costs a
# third of that in CPU time, most of it the system's.
IN_A_ROW_S = 40e-6
# Ids that are made before others may run, within some 40 us.
_IDS_IN_A_ROW = 128

# Id, time, arguments and features.
Given = Tuple[str, int, Dict[str, Any], Dict[Any, Any]]


def room_of(queue_bytes: int) -> int:
    """How many predictions may wait beside a queue of this bound; none beside a small one, as they would be too few to be worth a wait."""
    room = min(EVENTS_MAX, queue_bytes // _SHARE // EVENT_BYTES_MAX)
    return room if room >= _EVENTS_MIN else 0


def is_small(features: Dict[Any, Any], fields: Dict[str, Any]) -> bool:
    """Whether a prediction holds scalars of Python alone, and takes no more than `EVENT_BYTES_MAX`.

    Names are not measured, which would double what this takes: a program has them anyway, and one more tenth of a second changes little.
    """
    characters = 0
    for values in (features.values(), fields.values()):
        for value in values:
            kind = type(value)
            if kind is float:
                continue
            if kind is str:
                characters += len(value)
            elif kind is int:
                if not _WHOLE_MIN <= value <= _WHOLE_MAX:
                    return False
            elif kind not in _SMALL:
                return False
    n = len(features) + len(fields)
    return _BASE_BYTES + n * _VALUE_BYTES + characters * _CHARACTER_BYTES <= EVENT_BYTES_MAX


class Inbox:
    """Predictions as they were given, and ids for those to come. Ends of deques are atomic, so that callers need no lock."""

    def __init__(self, ids: IdMaker, log: Callable[..., None], queue_exchanges: Callable[[int], int]) -> None:
        self.events: deque[Union[Given, Exchange]] = deque()
        # Ids that the background made within the last ticks, the oldest first.
        self.ids: deque[str] = deque()
        # How many may wait at this moment, as the queue says; none as long as there is no thread to pack them.
        self.room = 0
        # Whether the background waits for longer than a tick; who finds no id wakes it.
        self.is_asleep = False
        # Ids that callers made since the last tick because none waited; of two at once one may be forgotten.
        self.ids_missed = 0
        self._ids_left = 0
        self._ids_wanted = 0
        self._quiet_ticks = 0
        self._make_ids = ids.make_many
        self._log = log
        # Moves exchanges from the head of `events`, so many at most, and answers how many.
        self._queue_exchanges = queue_exchanges
        # Held while events move on, so that whoever counts finds each in one place. A log handler may count, too.
        self._moving = threading.RLock()

    def drain(self, rest: Callable[[], None] = lambda: None) -> int:
        """Moves to the queue what waits, and answers how many. `rest` is called in between."""
        moved = 0
        # What comes meanwhile waits for the next time, so that callers without end hold nobody up here.
        left = len(self.events)
        begun = perf_counter()
        while left > 0:
            with self._moving:
                n = self._move(left)
            if n == 0:  # another thread was faster
                break
            moved += n
            left -= n
            if left > 0 and perf_counter() - begun > IN_A_ROW_S:
                rest()
                begun = perf_counter()
        # One may be on its way in another thread.
        with self._moving:
            return moved

    def _move(self, most: int) -> int:
        """Moves a prediction, or exchanges as long as others may wait; answers how many."""
        try:
            given = self.events[0]
            if isinstance(given, Exchange):
                return self._queue_exchanges(most)
            self.events.popleft()
        except IndexError:
            return 0
        self._log(*given)
        return 1

    def tend(self, rest: Callable[[], None]) -> None:
        """What the background does at each tick: moves what waits, and has as many ids ready as the next ticks may use."""
        moved = self.drain(rest)
        # Not as many as moved: what is packed in the call takes ids too, and some events bring their own.
        used = self._ids_left - len(self.ids) + self.ids_missed
        self.ids_missed = 0
        self._quiet_ticks = 0 if moved or used else self._quiet_ticks + 1
        # Fewer when fewer are used, slowly: some ticks are short, and others long as a request takes long.
        wanted = max(4 * used, self._ids_wanted - self._ids_wanted // 8 - 1)
        self._ids_wanted = 0 if self.is_quiet else min(_IDS_MAX, wanted)
        with contextlib.suppress(IndexError):  # callers take them at the same time
            for _ in range(len(self.ids) - self._ids_wanted):
                self.ids.popleft()
        while (missing := self._ids_wanted - len(self.ids)) > 0:
            self.ids.extend(self._make_ids(min(missing, _IDS_IN_A_ROW)))
            if missing > _IDS_IN_A_ROW:
                rest()
        self._ids_left = len(self.ids)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came for a while."""
        return self._quiet_ticks >= _QUIET_TICKS
