"""From arguments to the line that the collector reads: one JSON object, without what JSON cannot say.

Most events are encoded by the sender's thread, see `_packed`. The fast path is one call: of orjson where it is installed, which takes a
third of the time, or of the standard library's C encoder. What it refuses (NaN, keys that are no text, half of a surrogate pair) is
cleaned in a second walk: a number that is not finite becomes a missing feature, and an answer that is not finite becomes the status
`non_finite`.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import math
from typing import Any, Callable, Mapping, Union

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

Timestamp = Union[int, float, str, datetime.datetime]

PREDICTION_FIELDS = frozenset(
    "model version event_id ts environment unit_id arms features embeddings prediction latency_us status trace_id span_id tags".split()
)
ANSWERS = ("score", "label", "value")


def plain(value: Any) -> Any:
    """What a value of another library is in JSON: the scalars of NumPy and pandas, arrays, dates, decimals, enumerations."""
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "ndim", 0) == 0:
        return item()
    to_list = getattr(value, "tolist", None)
    if to_list is not None:
        return to_list()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if hasattr(value, "__float__"):
        return float(value)
    if hasattr(value, "value") and hasattr(value, "name"):
        return value.value
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "hex") and hasattr(value, "urn"):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no number, text, boolean or list of numbers")


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=plain
).encode


def _line_by_orjson(record: dict[str, Any]) -> bytes:
    answer = record.get("prediction")
    if answer is not None and not _is_finite(answer):  # orjson writes null for it
        raise ValueError("an answer that is not finite")
    # A copy of the right size: orjson cuts its bytes off a buffer of kilobytes, and what is cut off serves nothing else while a line waits.
    return bytes(memoryview(orjson.dumps(record, plain)))


def _line_by_json(record: dict[str, Any]) -> bytes:
    return _encode(record).encode()


# The fast path; tests take each in turn.
fast: Callable[[dict[str, Any]], bytes] = _line_by_json if orjson is None else _line_by_orjson


def line(record: dict[str, Any]) -> bytes:
    """The record as one line of NDJSON, without the line's end."""
    try:
        return fast(record)
    except (ValueError, TypeError):  # UnicodeEncodeError is a ValueError
        return _encode(_clean_record(record)).encode("utf-8", "replace")


def _clean_record(record: dict[str, Any]) -> dict[str, Any]:
    cleaned = {str(key): _clean(value) for key, value in record.items()}
    answer = record.get("prediction")
    if isinstance(answer, Mapping) and not _is_finite(answer):
        del cleaned["prediction"]
        cleaned.setdefault("status", "non_finite")
    return cleaned


def _clean(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _clean(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(held) for held in value]
    return _clean(plain(value))


def _is_finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_finite(held) for held in value.values())
    if value is None or isinstance(value, (str, bool, int)):
        return True
    if not isinstance(value, float):
        return _is_finite(plain(value))
    return math.isfinite(value)


def said(error: BaseException) -> str:
    """What an error says; its own text may raise, as it may hold an object of the caller's."""
    try:
        return str(error)
    except Exception:
        return type(error).__name__


def microseconds(ts: Timestamp) -> Union[int, str]:
    """Integer microseconds as they are; seconds (`time.time()`), a `datetime` (naive: UTC) or RFC 3339 text; NumPy's and pandas' of these."""
    if isinstance(ts, (str, int)):
        return ts
    if type(ts).__name__ == "datetime64":  # which is UTC, and whose nanoseconds would be an integer
        moment: Any = ts
        ts = moment.astype("datetime64[us]").item().replace(tzinfo=datetime.timezone.utc)
    if isinstance(ts, datetime.datetime):
        if ts.tzinfo is None:
            _tell_naive()
            ts = in_utc(ts)
        whole = datetime.datetime.astimezone(ts, datetime.timezone.utc)  # pandas' own refuses a naive one
        return (whole - _EPOCH) // _MICROSECOND
    if hasattr(ts, "__index__"):
        return int(ts)
    return round(float(ts) * 1e6)


def in_utc(naive: datetime.datetime) -> datetime.datetime:
    """A time without a zone is one of UTC, as it is in tables, in files and in the store."""
    return naive.replace(tzinfo=datetime.timezone.utc)


def _tell_naive() -> None:
    """Once a process: `datetime.now()` is local time, and would be hours off."""
    global _naive_is_told
    if not _naive_is_told:
        _naive_is_told = True
        with contextlib.suppress(Exception):  # as of a handler of the caller's
            logging.getLogger("windvane").warning(
                "a datetime without a time zone is taken as UTC; give it one, as datetime.now(timezone.utc) does (said once)"
            )


_naive_is_told = False
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)
