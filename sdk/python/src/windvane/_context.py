"""What predictions take from where they are logged: the fields of `windvane.context`, and the open span of OpenTelemetry."""

from __future__ import annotations

import contextlib
import contextvars
from typing import Any, Iterator, Mapping, MutableMapping, Optional

# Fields that every prediction of a request shares.
shared_fields: contextvars.ContextVar[Optional[Mapping[str, Any]]] = contextvars.ContextVar(
    "windvane_context", default=None
)


@contextlib.contextmanager
def context(**fields: Any) -> Iterator[None]:
    """Within it, predictions of this thread or task take these fields where they have none: `unit_id`, `arms`, `tags` …"""
    token = shared_fields.set({**(shared_fields.get() or {}), **fields})
    try:
        yield
    finally:
        shared_fields.reset(token)


def add_trace(record: MutableMapping[str, Any]) -> None:
    """The span of OpenTelemetry that is open here, so that a prediction leads to its trace."""
    from opentelemetry import trace

    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        record["trace_id"] = f"{span.trace_id:032x}"
        if record.get("span_id") is None:
            record["span_id"] = f"{span.span_id:016x}"
