"""From the arguments of `log_prediction` to the record that the collector reads, in the sender's thread wherever that can wait."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, TypedDict, Union

from . import _encode
from ._encode import Timestamp
from ._packed import Shapes, unpack
from ._settings import Settings

Scalar = Union[str, bool, int, float, None]
Record = Dict[str, Any]


class PredictionFields(TypedDict, total=False):
    """What `log_prediction` takes beside the features; the answer is a score, a label with or without probabilities, a value, or all as `prediction`."""

    model: Optional[str]
    version: Optional[str]
    prediction: Optional[Mapping[str, Any]]
    score: Optional[float]
    label: Scalar
    probabilities: Optional[Mapping[str, float]]
    value: Optional[float]
    event_id: Optional[str]
    ts: Optional[Timestamp]
    environment: Optional[str]
    unit_id: Optional[str]
    arms: Optional[Mapping[str, str]]
    embeddings: Optional[Mapping[str, Any]]
    latency_us: Optional[float]
    status: Optional[str]
    trace_id: Optional[str]
    span_id: Optional[str]
    tags: Optional[Mapping[str, str]]


_NAMES = frozenset(PredictionFields.__annotations__)
# Fields of the record that are arguments as they are.
_AS_GIVEN = _NAMES - {"model", "event_id", "ts", "latency_us", "prediction", "score", "label", "probabilities", "value"}


def defaults(settings: Settings) -> Record:
    """What every prediction of a client has that says nothing else."""
    given = {"version": settings.version, "environment": settings.environment}
    return {name: value for name, value in given.items() if value is not None}


class Records:
    """Makes records, redacts them and writes their lines. Its methods raise what is wrong with an event."""

    def __init__(self, settings: Settings) -> None:
        self.shapes = Shapes()
        self._settings = settings
        self._defaults = defaults(settings)

    def prediction(
        self, event_id: str, ts: Union[int, str], fields: Mapping[str, Any], features: Any
    ) -> Record:
        """The record of a prediction without the tags of the settings.

        Raises TypeError where there is no such argument.
        """
        record: Record = {"model": fields.get("model") or self._settings.model, "event_id": event_id, "ts": ts, **self._defaults}
        if features is not None:
            # A row of pandas, whose values alone would be a list without names.
            record["features"] = features.to_dict() if hasattr(features, "to_dict") else features
        answer = answer_of(fields)
        if answer is not None:
            record["prediction"] = answer
        for name, value in fields.items():
            if name in _AS_GIVEN:
                if value is not None:
                    record[name] = value
            elif name == "latency_us":
                if value is not None:
                    record[name] = round(value)
            elif name not in _NAMES:
                raise TypeError(f"log_prediction has no argument {name!r}; it has {', '.join(sorted(_NAMES))}")
        return record

    def read(self, payload: bytes) -> Optional[bytes]:
        """The line of what was packed; None where redaction drops it."""
        held = unpack(payload)
        if isinstance(held, dict):
            return self.line(held)
        return self.line(self.with_tags(self.prediction(*self.shapes.unpack(held))))

    def with_tags(self, record: Record) -> Record:
        """The record with the tags of the settings, where it has none of that name."""
        if self._settings.tags:
            record["tags"] = {**self._settings.tags, **record.get("tags", {})}
        return record

    def line(self, record: Record) -> Optional[bytes]:
        """The line of a record after redaction; None where redaction drops it."""
        redaction = self._settings.redaction
        if redaction is not None:
            redacted = redaction.apply(record)
            if redacted is None:
                return None
            record = redacted
        return _encode.line(record)


def answer_of(fields: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """The answer in the shape of a record, from what `log_prediction` takes."""
    if (score := fields.get("score")) is not None:
        return {"score": score}
    if (label := fields.get("label")) is not None:
        probabilities = fields.get("probabilities")
        return {"label": label} if probabilities is None else {"label": label, "probabilities": probabilities}
    if (value := fields.get("value")) is not None:
        return {"value": value}
    prediction: Optional[Mapping[str, Any]] = fields.get("prediction")
    return prediction
