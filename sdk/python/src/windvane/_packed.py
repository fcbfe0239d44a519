"""Records as they wait in the queue: packed in the call, made into JSON by the sender's thread.

Writing JSON with the standard library is most of what a call would cost, half of it the digits of numbers. Packing with `marshal` takes a
third of that time, the check of types included, and is a copy of the values of this instant: smaller than the line, of known length, and
nothing that the garbage collector walks. It never leaves the process. Only exact built-in scalars are packed, and dictionaries of them,
because `marshal` writes what supports the buffer protocol, NumPy's scalars among them, as bytes without a type. Everything else is
encoded in the call, as is everything where redaction is set or the queue is half full.
"""

from __future__ import annotations

import marshal
from typing import Any, Dict, Optional, Tuple

_SCALARS = frozenset((str, float, int, bool, type(None)))
_VALUES = _SCALARS | {dict}
_BRACE = ord("{")


def pack(record: Dict[str, Any]) -> Optional[bytes]:
    """The record's bytes; None where it holds more than scalars and dictionaries of them."""
    return marshal.dumps((record,)) if _is_plain(record) else None


def is_packed(payload: bytes) -> bool:
    """Whether these are the bytes of `pack`: a tuple's, while a line begins with a brace."""
    return payload[0] != _BRACE


def unpack(payload: bytes) -> Dict[str, Any]:
    """The record that was packed."""
    held: Tuple[Dict[str, Any]] = marshal.loads(payload)
    return held[0]


def _is_plain(record: Dict[str, Any]) -> bool:
    for value in record.values():
        kind = type(value)
        if kind is dict:
            if not _SCALARS.issuperset(map(type, value)):
                return False
            if _SCALARS.issuperset(map(type, value.values())):
                continue
            if not (_VALUES.issuperset(map(type, value.values())) and _is_plain(value)):
                return False
        elif kind not in _SCALARS:
            return False
    return True
