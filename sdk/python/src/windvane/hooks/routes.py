"""What middleware logs of a route: which model answers there, what it saw and what it said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional

from .._exchange import BODY_BYTES_MAX, CANCELLED

__all__ = ["ABOUT", "BODY_BYTES_MAX", "CANCELLED", "EVENT_ID", "EVENT_ID_BYTES", "Route"]

# Methods of requests that ask about a route, as a browser does before a request to another site; such a request is no prediction.
ABOUT = ("OPTIONS", "HEAD")

EVENT_ID = "windvane-event-id"
EVENT_ID_BYTES = EVENT_ID.encode()


@dataclass(frozen=True)
class Route:
    """A route of a model server.

    `features` and `unit_id` are functions of the request's JSON, `answer` of the response's, that gives arguments of `log_prediction`.
    Without them, the scalars of a request that is an object are features, and `score`, `label`, `probabilities` and `value` of the
    response are the answer. Bodies are then read in the background, up to 15 KiB of both together. Functions run before the request ends.
    """

    model: Optional[str] = None
    version: Optional[str] = None
    features: Optional[Callable[[Any], Mapping[str, Any]]] = None
    answer: Optional[Callable[[Any], Mapping[str, Any]]] = None
    unit_id: Optional[Callable[[Any], Optional[str]]] = None

    # Whether a function of the caller's reads bodies; asked at each request.
    has_functions: bool = field(init=False, repr=False, compare=False, default=False)

    def __post_init__(self) -> None:
        has_functions = self.features is not None or self.answer is not None or self.unit_id is not None
        object.__setattr__(self, "has_functions", has_functions)
