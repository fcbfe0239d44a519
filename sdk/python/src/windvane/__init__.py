"""Windvane's hooks: record what a model predicts, without slowing it down.

    import windvane

    windvane.init("http://127.0.0.1:8080", model="delay", version="7")
    event_id = windvane.log_prediction({"distance": 1400, "carrier": "UA"}, score=0.12)
    windvane.log_outcome(event_id, label="late")

Nothing here raises into your code or waits for the network, `init` with wrong arguments aside. See `docs/SDK.md`.
"""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Optional, Sequence

from ._client import Client
from ._context import context
from ._counts import Stats
from ._frames import log_dataframe as _log_dataframe
from ._ids import EventIds
from ._monitor import Monitor
from ._processes import close_all, reset_all_after_fork
from ._records import PredictionFields
from ._sender import logger
from ._settings import Settings, from_environment, is_disabled
from .assignment import Assignment, Experiment, Holdout, Layer
from .hooks import event_ids, watch
from .redaction import Redaction

if TYPE_CHECKING:
    from typing_extensions import Unpack

__version__ = "0.1.0"
__all__ = [
    "Assignment",
    "Client",
    "EventIds",
    "Experiment",
    "Holdout",
    "Layer",
    "Redaction",
    "Stats",
    "assign",
    "close",
    "context",
    "current",
    "event_ids",
    "flush",
    "init",
    "log_dataframe",
    "log_exposure",
    "log_measurement",
    "log_outcome",
    "log_prediction",
    "log_predictions",
    "monitor",
    "stats",
    "watch",
]

_current: Optional[Client] = None


class _Off(Client):
    """The client before `init`, and where `WINDVANE_SDK_DISABLED` is set: makes ids, sends nothing."""

    _may_pack = False

    def _log(self, kind: str, record: dict[str, Any], sampled: bool = True) -> None:
        if not is_disabled():
            self._sender.fault("windvane.init was not called, so nothing is recorded")

    def log_rows(self, kind: str, rows: Any) -> None:
        self._log(kind, {})


_off = _Off(Settings("http://127.0.0.1:0", trace_context=False))


def init(url: Optional[str] = None, **settings: Any) -> Client:
    """Sets the process's client up; the module's functions use it. Calling it again closes the one before.

    | setting | default | what |
    |---|---|---|
    | `url` | `WINDVANE_SDK_URL` | the collector, such as `http://127.0.0.1:8080` |
    | `token` | `WINDVANE_SDK_TOKEN` | an API token with the scope `ingest` |
    | `model`, `version`, `environment`, `tags` | none | what predictions have that say nothing else |
    | `sample_rate` | 1 | the share of predictions that is kept, by a hash of the event id; outcomes follow |
    | `redaction` | none | a `Redaction`: what never leaves the process |
    | `queue_bytes` | 32 MiB | the most that waiting events may take |
    | `on_full` | `drop_newest` | or `drop_oldest` |
    | `batch_events`, `batch_bytes` | 2,000, 1 MiB | the most of one request |
    | `flush_interval_s` | 1 | how long an event waits for others |
    | `timeout_s` | 10 | of one request, in the background |
    | `retry_for_s` | 600 | how long a batch is tried |
    | `retry_delay_s`, `retry_delay_max_s` | 0.5, 30 | between tries, doubling, with jitter; Retry-After comes first |
    | `exit_timeout_s` | 2 | how long the end of the process may be held up |
    | `spool_dir`, `spool_bytes` | none, 256 MiB | a folder for batches that the server does not take now |
    | `trace_context` | True | take the ids of the open span of OpenTelemetry |
    | `report_drops` | True | tell the collector how many events were lost, as `windvane.sdk.dropped` |
    | `wire` | `auto` | tables as Arrow where the program has imported pyarrow; `arrow` imports it here, `ndjson` never uses it |
    | `tls` | the system's | an `ssl.SSLContext` |

    Raises ValueError or TypeError where a setting is wrong: that is to be seen at the start, not in production.
    """
    global _current
    given = {**from_environment(), **settings}
    if url is not None:
        given["url"] = url
    if "url" not in given:
        raise ValueError("init needs a url, as an argument or as WINDVANE_SDK_URL")
    client = (_Off if is_disabled() else Client)(Settings(**given))
    before, _current = _current, client
    if before is not None:
        before.close()
    return client


def current() -> Client:
    """The process's client. Where `WINDVANE_SDK_URL` is set, it needs no `init`."""
    if _current is not None:
        return _current
    if os.environ.get("WINDVANE_SDK_URL"):
        try:
            return init()
        except Exception as error:
            logger.warning("cannot set up from the environment: %s", error)
    return _off


def log_prediction(features: Optional[Mapping[str, Any]] = None, **fields: Unpack[PredictionFields]) -> str:
    """Logs one answer of a model and returns its event id; see `Client.log_prediction`."""
    return (_current or current())._log_prediction(features, fields)


def log_outcome(event_id: str, **fields: Any) -> None:
    """Logs the truth of a prediction: `label` or `value`; see `Client.log_outcome`."""
    client = current()
    try:
        client.log_outcome(event_id, **fields)
    except TypeError as error:
        client._invalid("outcomes", error)


def log_exposure(experiment: str, unit_id: str, arm: str, *, ts: Any = None) -> None:
    """Logs that a unit was assigned to an arm."""
    current().log_exposure(experiment, unit_id, arm, ts=ts)


def log_measurement(unit_id: str, metric: str, value: float, *, ts: Any = None) -> None:
    """Logs one value of a metric of a unit."""
    current().log_measurement(unit_id, metric, value, ts=ts)


def log_predictions(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Logs many predictions; each mapping holds arguments of `log_prediction`."""
    return current().log_predictions(records)


def log_dataframe(frame: Any, **columns: Any) -> Sequence[str]:
    """Logs the rows of a pandas, polars or Arrow table as predictions; see `windvane._frames.log_dataframe`."""
    return _log_dataframe(current(), frame, **columns)


def assign(experiment: Experiment, unit_id: str, *, expose: bool = True) -> Assignment:
    """The arm of a unit, by the rule that all languages share; logs the exposure."""
    return current().assign(experiment, unit_id, expose=expose)


def monitor(**fields: Any) -> Monitor:
    """A decorator of functions that predict, and a context manager around a prediction; see `Monitor`."""
    return Monitor(current, fields)


def stats() -> Stats:
    """What became of the events so far."""
    return current().stats()


def flush(timeout: float = 10.0) -> bool:
    """Waits until what was logged before has a known fate, or the timeout has run out."""
    return current().flush(timeout)


def close(timeout: Optional[float] = None) -> None:
    """Sends what is queued within the timeout, and ends."""
    current().close(timeout)


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reset_all_after_fork)
