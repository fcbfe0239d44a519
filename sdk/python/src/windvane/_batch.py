"""A batch on its way: lines of one kind, compressed, under one Idempotency-Key for as long as it lives."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Tuple

from . import _encode
from ._counts import INVALID
from ._packed import is_packed, unpack
from ._queue import Item, cost

CONTENT_TYPE = "application/x-ndjson"
# Of one request before compression; the collector's own bound is 32 MiB.
BODY_BYTES_MAX = 8 << 20
# Packed events that are encoded in a row, half a millisecond's work: for so long, no other thread of the process can run.
EVENTS_IN_A_ROW = 32


@dataclass
class Batch:
    """`size` is what its events count for in the queue's bound."""

    key: str
    kind: str
    events: int
    size: int
    body: bytes
    begun: float = 0.0
    in_doubt: bool = False
    spooled: bool = False

    def halves(self, keys: Tuple[str, str]) -> List[Batch]:
        """Two batches of half the events, for a server that finds this one too large."""
        lines = gzip.decompress(self.body).split(b"\n")
        middle = len(lines) // 2
        parts = (lines[:middle], lines[middle:])
        sizes = (0, self.size)
        return [
            Batch(key, self.kind, len(part), size, pack(part), self.begun)
            for key, part, size in zip(keys, parts, sizes)
        ]


def pack(lines: List[bytes]) -> bytes:
    """NDJSON, gzip of level 1: JSON shrinks to a tenth, and higher levels cost the model server's CPU."""
    return gzip.compress(b"\n".join(lines), 1, mtime=0)


@dataclass
class Lines:
    """Lines of one kind with what they count for."""

    lines: List[bytes]
    size: int

    def chunks(self) -> Iterator[Tuple[List[bytes], int]]:
        """Parts within the bound of one request. The last part carries what all count for."""
        start = held = 0
        for end, line in enumerate(self.lines):
            if held + len(line) > BODY_BYTES_MAX and end > start:
                yield self.lines[start:end], 0
                start, held = end, 0
            held += len(line) + 1
        yield self.lines[start:], self.size


def by_kind(
    items: List[Item], rest: Callable[[], None]
) -> Tuple[Dict[str, Lines], Dict[str, int], int]:
    """Lines by kind, what could not be encoded by reason, and what the latter count for in bytes. `rest` is called in between."""
    found: Dict[str, Lines] = {}
    lost: Dict[str, int] = {}
    lost_size = 0
    in_a_row = 0
    for kind, payload in items:
        size = cost(payload)
        dropped: Dict[str, int] = {}
        if not isinstance(payload, bytes):
            lines, dropped = payload.lines()
        elif is_packed(payload):
            lines, dropped = _unpacked(payload)
            in_a_row += 1
            if in_a_row % EVENTS_IN_A_ROW == 0:
                rest()
        else:
            lines = [payload]
        for reason, n in dropped.items():
            lost[reason] = lost.get(reason, 0) + n
        if not lines:
            lost_size += size
            continue
        held = found.setdefault(kind, Lines([], 0))
        held.lines.extend(lines)
        held.size += size
    return found, lost, lost_size


def _unpacked(payload: bytes) -> Tuple[List[bytes], Dict[str, int]]:
    try:
        return [_encode.line(unpack(payload))], {}
    except Exception:  # a whole number of thousands of digits, say
        return [], {INVALID: 1}
