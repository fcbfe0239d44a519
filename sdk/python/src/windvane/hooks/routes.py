"""What middleware logs of a route: which model answers there, what it saw and what it said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Optional

import windvane

from .._encode import ANSWERS

EVENT_ID = "windvane-event-id"
EVENT_ID_BYTES = EVENT_ID.encode()
# Bodies beyond this are not read, only timed.
BODY_BYTES_MAX = 64 << 10


@dataclass(frozen=True)
class Route:
    """A route of a model server.

    `features` and `unit_id` are functions of the request's JSON, `answer` of the response's, that gives arguments of `log_prediction`.
    Without them, the scalars of a request that is an object are features, and `score`, `label`, `probabilities` and `value` of the
    response are the answer; bodies are then read in the background, up to 15 KiB of both together. Functions run before the request ends.
    """

    model: Optional[str] = None
    version: Optional[str] = None
    features: Optional[Callable[[Any], Mapping[str, Any]]] = None
    answer: Optional[Callable[[Any], Mapping[str, Any]]] = None
    unit_id: Optional[Callable[[Any], Optional[str]]] = None

    @property
    def has_functions(self) -> bool:
        """Whether a function of the caller's reads bodies."""
        return self.features is not None or self.answer is not None or self.unit_id is not None


@dataclass
class Exchange:
    """One request and its response, as far as they were kept."""

    route: Route
    event_id: str
    request: bytes = b""
    response: bytes = b""
    status: int = 500
    latency_us: float = 0.0

    def log(self) -> None:
        """Logs it as a prediction; never raises."""
        client = windvane.current()
        # A function of the caller's may look at what the request's own thread or task has.
        size = BODY_BYTES_MAX if self.route.has_functions else len(self.request) + len(self.response)
        client._log_exchange(self.event_id, size, self._read)

    def _read(self) -> Dict[str, Any]:
        try:
            return self._fields()
        except Exception as error:
            windvane.current()._sender.fault(f"cannot read an exchange: {error!r}")
            return self._known()

    def _known(self) -> Dict[str, Any]:
        status = "ok" if self.status < 400 else f"http_{self.status}"
        known: Dict[str, Any] = {"latency_us": self.latency_us, "status": status}
        if self.route.model is not None:
            known["model"] = self.route.model
        if self.route.version is not None:
            known["version"] = self.route.version
        return known

    def _fields(self) -> Dict[str, Any]:
        route, fields = self.route, self._known()
        asked = _json(self.request)
        if asked is not None:
            features = route.features(asked) if route.features is not None else _scalars(asked)
            if features:
                fields["features"] = features
            if route.unit_id is not None:
                fields["unit_id"] = route.unit_id(asked)
        said = _json(self.response) if self.status < 400 else None
        if said is not None:
            fields.update(route.answer(said) if route.answer is not None else _shaped(said))
        return fields


def _json(body: bytes) -> Any:
    if not body or len(body) > BODY_BYTES_MAX:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None


def _scalars(body: Any) -> Dict[str, Any]:
    if not isinstance(body, dict):
        return {}
    return {name: value for name, value in body.items() if not isinstance(value, (dict, list))}


def _shaped(body: Any) -> Dict[str, Any]:
    if not isinstance(body, dict):
        return {}
    names = (*ANSWERS, "probabilities")
    return {name: body[name] for name in names if body.get(name) is not None}
