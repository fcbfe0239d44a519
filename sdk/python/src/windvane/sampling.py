"""Which events a sample keeps: decided by the event's id alone, so that a prediction, its outcome and its shadows stay together.

The rule is that of `sdk/vectors/sampling.json`, the same in every language:

    point(id) = the first 8 bytes, big-endian, of SHA-256("windvane.sampling/1" 0x00 id), shifted right by 11 bits
    kept      = point(id) < floor(rate * 2^53)
"""

from __future__ import annotations

import hashlib
import math

_START = hashlib.sha256(b"windvane.sampling/1\0")
_POINTS = 2.0**53


def point(event_id: str) -> int:
    """The place of an id among 2^53 points."""
    state = _START.copy()
    state.update(event_id.encode("utf-8", "replace"))
    return int.from_bytes(state.digest()[:8], "big") >> 11


def keeps(event_id: str, rate: float) -> bool:
    """Whether a sample of this rate, from 0 to 1, keeps the event."""
    return rate >= 1.0 or point(event_id) < math.floor(rate * _POINTS)
