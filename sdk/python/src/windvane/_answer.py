"""What an answer of the collector says: its JSON, the reason of a refusal, how long to wait."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from typing import Optional

RETRY_AFTER_MAX_S = 300.0


def document(body: bytes) -> "dict[str, object]":
    """The body as an object; an empty one where it is none."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def reason(told: "dict[str, object]") -> str:
    """Why a batch was refused."""
    return str(told.get("detail") or told.get("title") or "no reason was given")[:500]


def rejection(told: "dict[str, object]", kind: str, events: int) -> str:
    """Why records of a batch were rejected."""
    rejected = told.get("rejected")
    first = rejected[0] if isinstance(rejected, list) and rejected else {}
    said = first.get("message") if isinstance(first, dict) else None
    return f"the collector rejects some of {events} {kind}; the first: {said}"


def seconds(retry_after: Optional[str]) -> Optional[float]:
    """Retry-After: seconds, or a date. Bounded, so that no server silences a process for good."""
    if not retry_after:
        return None
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            wait = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(wait, 0.0), RETRY_AFTER_MAX_S) if wait == wait else None

