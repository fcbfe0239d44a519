"""A batch on its way: lines or rows of one kind, compressed, under one Idempotency-Key for as long as it lives."""

from __future__ import annotations

import gzip
import time
import zlib
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Tuple

from . import _arrow
from ._counts import INVALID, REDACTED
from ._encode import said
from ._inbox import IN_A_ROW_S
from ._packed import is_packed
from ._queue import Item, cost
from ._records import Records

CONTENT_TYPE = "application/x-ndjson"
# The largest window, in the format of gzip.
_GZIP = 16 + zlib.MAX_WBITS
# Of one request before compression; the collector's own bound is 32 MiB.
BODY_BYTES_MAX = 8 << 20
# Lines are joined in parts of so many, because other threads run only while a part is compressed.
_PART_LINES = 64


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
    content_type: str = CONTENT_TYPE

    def halves(self, keys: Tuple[str, str]) -> List[Batch]:
        """Two batches of half the events, for a server that finds this one too large."""
        if self.content_type == _arrow.CONTENT_TYPE:
            parts = _arrow.halves(self.body)
        else:
            lines = gzip.decompress(self.body).split(b"\n")
            middle = len(lines) // 2
            parts = [(pack(part), len(part)) for part in (lines[:middle], lines[middle:])]
        sizes = (0, self.size)
        return [
            Batch(key, self.kind, n, size, body, self.begun, content_type=self.content_type)
            for key, (body, n), size in zip(keys, parts, sizes)
        ]

    def headers(self) -> Dict[str, str]:
        """What a request with this body says of it. Arrow's buffers are compressed within."""
        said = {"content-type": self.content_type, "idempotency-key": self.key}
        return said if self.content_type == _arrow.CONTENT_TYPE else {**said, "content-encoding": "gzip"}


def pack(lines: List[bytes]) -> bytes:
    """NDJSON, gzip of level 1: JSON shrinks to a tenth, and higher levels cost the model server's CPU."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    packed = []
    for begin in range(0, len(lines), _PART_LINES):
        end = begin + _PART_LINES
        packed.append(packer.compress(b"\n".join(lines[begin:end])))
        if end < len(lines):
            packed.append(packer.compress(b"\n"))
    packed.append(packer.flush())
    return b"".join(packed)


@dataclass
class Lines:
    """Lines of one kind with what they count for."""

    lines: List[bytes]
    size: int
    # Of the lines themselves, each with its end.
    body_bytes: int = 0

    def add(self, lines: List[bytes], size: int) -> None:
        """Adds lines that count for so much."""
        self.lines.extend(lines)
        self.size += size
        self.body_bytes += sum(map(len, lines)) + len(lines)

    def chunks(self) -> Iterator[Tuple[List[bytes], int]]:
        """Parts within the bound of one request. The last part carries what all count for."""
        if self.body_bytes <= BODY_BYTES_MAX:
            yield self.lines, self.size
            return
        start = held = 0
        for end, line in enumerate(self.lines):
            if held + len(line) > BODY_BYTES_MAX and end > start:
                yield self.lines[start:end], 0
                start, held = end, 0
            held += len(line) + 1
        yield self.lines[start:], self.size


@dataclass
class Tables:
    """Record batches of one kind and one schema with what they count for."""

    batches: List[Any]
    size: int

    def chunks(self) -> Iterator[Tuple[bytes, int, int]]:
        """Bodies within the bound of one request, with their rows. The last one carries what all count for."""
        bodies = _arrow.bodies(self.batches, BODY_BYTES_MAX)
        for end, (body, n) in enumerate(bodies, 1):
            yield body, n, self.size if end == len(bodies) else 0


@dataclass
class Encoded:
    """Lines by kind, tables by kind and schema, what could not be encoded by reason, and what the latter count for in bytes."""

    lines: Dict[str, Lines] = field(default_factory=dict)
    tables: Dict[Tuple[str, Any], Tables] = field(default_factory=dict)
    lost: Dict[str, int] = field(default_factory=dict)
    lost_size: int = 0
    fault: str = "a row of a table"

    def read(self, records: Records, payload: bytes) -> Tuple[List[bytes], Dict[str, int]]:
        """The line of a packed event, or why there is none."""
        try:
            line = records.read(payload)
        except Exception as error:  # an argument that there is not, a whole number of thousands of digits, a redaction that fails
            self.fault = said(error)
            return [], {INVALID: 1}
        return ([], {REDACTED: 1}) if line is None else ([line], {})

    def add_table(self, kind: str, batch: Any, size: int) -> None:
        """Adds rows that are Arrow."""
        held = self.tables.setdefault((kind, batch.schema), Tables([], 0))
        held.batches.append(batch)
        held.size += size

    def add_lines(self, kind: str, lines: List[bytes], dropped: Dict[str, int], size: int) -> None:
        """Adds the lines of an item, and what of it gave none."""
        for reason, n in dropped.items():
            self.lost[reason] = self.lost.get(reason, 0) + n
        if not lines:
            self.lost_size += size
            return
        self.lines.setdefault(kind, Lines([], 0)).add(lines, size)


def encode(items: List[Item], rest: Callable[[], None], takes_arrow: bool, records: Records) -> Encoded:
    """Items as they will be sent. `rest` is called in between."""
    encoded = Encoded()
    begun = time.perf_counter()
    for kind, payload in items:
        size = cost(payload)
        dropped: Dict[str, int] = {}
        if not isinstance(payload, bytes):
            batch = payload.record_batch() if takes_arrow else None
            if batch is not None:
                encoded.add_table(kind, batch, size)
                continue
            lines, dropped = payload.lines()
        elif is_packed(payload):
            lines, dropped = encoded.read(records, payload)
        else:
            lines = [payload]
        encoded.add_lines(kind, lines, dropped, size)
        if time.perf_counter() - begun > IN_A_ROW_S:
            rest()
            begun = time.perf_counter()
    return encoded
