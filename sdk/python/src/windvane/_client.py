"""The client: what the module's functions do, with settings, a queue and a sender of its own."""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Union

from . import sampling
from ._context import add_trace, shared_fields
from ._counts import AT_EXIT, INVALID, QUEUE_FULL, REDACTED, Stats
from ._encode import Timestamp, microseconds, said
from ._exchange import Exchange, Splicer
from ._ids import IdMaker
from ._inbox import IN_A_ROW_S, KEPT_BYTES_MAX, Inbox, is_small
from ._packed import pack
from ._processes import clients, finalize_multiprocessing
from ._queue import Queue, Rows
from ._records import PredictionFields, Record, Records, Scalar, defaults
from ._sender import Sender
from ._settings import Settings
from .assignment import Assignment, Experiment

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .hooks.routes import Route

# Without the call of a function that a named tuple makes of its fields.
_new = tuple.__new__


class Client:
    """Logs events to one collector. Its methods never raise, never wait for the network, and may be called by any thread."""

    # Whether predictions are queued; what sends nothing has no use for it.
    _may_pack = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._defaults = defaults(settings)
        self._is_sampled = settings.sample_rate < 1.0
        self._traces = settings.trace_context
        self._closed = False
        self.reset_after_fork()
        clients.add(self)

    def reset_after_fork(self) -> None:
        """A forked child starts empty: what its parent queued, the parent sends."""
        self._ids = IdMaker()
        self._records = Records(self.settings)
        self._splicer = Splicer(self.settings, self._records)
        self._inbox = Inbox(self._ids, self._log_given, self._queue_exchanges)
        self._queue = Queue(
            self.settings.queue_bytes,
            self._inbox,
            drop_oldest=self.settings.on_full == "drop_oldest",
            wake_bytes=min(self.settings.batch_bytes, max(1, self.settings.queue_bytes // 4)),
        )
        self._sender = Sender(self.settings, self._queue, self._inbox, self._ids, self._records)

    def log_prediction(self, features: Optional[Mapping[str, Any]] = None, **fields: Unpack[PredictionFields]) -> str:
        """Logs one answer of a model and returns its event id, under which its outcome is logged later.

        The answer is a `score`, a `label` with or without `probabilities`, or a `value`; or all of it as `prediction`. Further:
        `model`, `version`, `environment`, `event_id`, `ts`, `unit_id`, `arms`, `embeddings`, `latency_us`, `status`, `trace_id`, `span_id`
        and `tags`. Values are copied here, so that changing them later changes nothing; everything else is done in the background.
        """
        return self._log_prediction(features, fields)

    def _log_prediction(self, features: Any, fields: Any) -> str:
        # A call of a thousand a second finds the caches cold: what is not here and not in `is_small` is not entered.
        now = time_ns()
        inbox = self._inbox
        try:
            event_id = fields.get("event_id") or inbox.ids.popleft()
        except IndexError:
            event_id = self._missed_id(now)
        try:
            if self._traces and "opentelemetry.trace" in sys.modules and fields.get("trace_id") is None:
                add_trace(fields)
            if shared_fields.get() is not None:
                self._log_in_context(event_id, now, fields, features)
            elif len(inbox.events) < inbox.room and type(features) is dict and is_small(features, fields):
                inbox.events.append((event_id, now, fields, features.copy()))
            else:
                self._log_given(event_id, now, fields, features)
        except Exception as error:
            self._invalid("predictions", error)
        return event_id

    def _log_exchange(
        self, route: Route, event_id: str, request: bytes, response: bytes, status: int, latency_us: float
    ) -> None:
        """Logs a request and its response. Their bodies are read in the background, where they may wait for it."""
        # As in `_log_prediction`: what is done here is done on cold caches, at four times the cost of doing it for many at once.
        try:
            inbox = self._inbox
            waits = (
                len(request) + len(response) <= KEPT_BYTES_MAX
                # A function of the caller's may look at what the request's own thread or task has.
                and not route.has_functions
                and shared_fields.get() is None
            )
            trace: Optional[Dict[str, str]] = None
            if waits and self._traces and "opentelemetry.trace" in sys.modules:
                trace = {}
                add_trace(trace)
            exchange = _new(Exchange, (route, event_id, request, response, status, latency_us, time_ns(), trace))
            if waits and len(inbox.events) < inbox.room:
                inbox.events.append(exchange)
            elif waits and inbox.room:  # so many at once that the background does not keep up
                line = self._line_of(exchange)
                if line is not None:
                    self._put("predictions", line)
            else:
                self._log_mapping({**exchange.fields(self._sender.fault), "event_id": event_id})
        except Exception as error:
            self._invalid("predictions", error)

    def _queue_exchanges(self, most: int) -> int:
        """Queues the exchanges that the inbox begins with, as long as others may wait for that, and answers how many."""
        events = self._inbox.events
        lines: List[bytes] = []
        n = 0
        end = perf_counter() + IN_A_ROW_S
        try:
            while n < most and events:
                exchange = events[0]
                if not isinstance(exchange, Exchange):
                    break
                events.popleft()
                n += 1
                line = self._line_of(exchange)
                if line is not None:
                    lines.append(line)
                if perf_counter() > end:
                    break
        finally:
            if not self._closed:
                self._queue.put_lines("predictions", lines)
            elif lines:
                self._drop(AT_EXIT, len(lines))
        return n

    def _line_of(self, exchange: Exchange) -> Optional[bytes]:
        """The line of an exchange; None where the sample does not keep it, or it was queued as a record."""
        try:
            if self._is_sampled and not self.keeps(exchange.event_id):
                self._sample_out()
                return None
            line = self._splicer.line(exchange)
            if line is None:
                fields = exchange.fields(self._sender.fault)
                self._log_given(exchange.event_id, exchange.ended_ns, fields, fields.pop("features", None))
            return line
        except Exception as error:
            self._invalid("predictions", error)
            return None

    def _take_id(self) -> str:
        """An id for a prediction that is logged later."""
        try:
            return self._inbox.ids.popleft()
        except IndexError:
            return self._missed_id(time_ns())

    def _missed_id(self, now: int) -> str:
        """An id where the background has none ready."""
        inbox = self._inbox
        inbox.ids_missed += 1
        if inbox.is_asleep:  # for those that follow
            inbox.is_asleep = False
            self._queue.wake(is_urgent=False)
        return self._ids.make_at(now)

    def _log_given(self, event_id: str, now: int, fields: Any, features: Any) -> None:
        """Queues a prediction as it was given at a time, in nanoseconds; drops what cannot be one."""
        try:
            if self._is_sampled and not self.keeps(event_id):
                self._sample_out()
                return
            fields.pop("event_id", None)
            ts = fields.pop("ts", None)
            ts = now // 1000 if ts is None else microseconds(ts)
            if self._queue.is_full():
                self._drop(QUEUE_FULL, 1)
                return
            payload = self._pack(event_id, ts, fields, features)
            if payload is None:
                record = self._records.prediction(event_id, ts, fields, features)
                self._log("predictions", self._records.with_tags(record), sampled=False)
            else:
                self._put("predictions", payload)
        except Exception as error:
            self._invalid("predictions", error)

    def _pack(self, event_id: str, ts: Union[int, str], fields: Any, features: Any) -> Optional[bytes]:
        # Where the queue grows, callers must not outrun the sender: they encode.
        if self._may_pack and (features is None or isinstance(features, dict)) and not self._queue.is_crowded():
            return self._records.shapes.pack(event_id, ts, fields, features)
        return None

    def _log_in_context(self, event_id: str, now: int, fields: Any, features: Any) -> None:
        ts = fields.get("ts")
        record = self._records.prediction(event_id, now // 1000 if ts is None else microseconds(ts), fields, features)
        self._add_context(record)
        self._log("predictions", record)

    def log_outcome(
        self,
        event_id: str,
        *,
        label: Optional[Scalar] = None,
        value: Optional[float] = None,
        model: Optional[str] = None,
        ts: Optional[Timestamp] = None,
    ) -> None:
        """Logs the truth of a prediction, when it becomes known: a `label` or a `value`."""
        try:
            record = self._record({"model": model or self.settings.model, "event_id": event_id}, ts)
            if label is not None:
                record["label"] = label
            if value is not None:
                record["value"] = value
            self._log("outcomes", record)
        except Exception as error:
            self._invalid("outcomes", error)

    def log_exposure(
        self, experiment: str, unit_id: str, arm: str, *, ts: Optional[Timestamp] = None
    ) -> None:
        """Logs that a unit was assigned to an arm of an experiment."""
        try:
            record = {"experiment": experiment, "unit_id": unit_id, "arm": arm, "event_id": self._ids.make()}
            self._log("exposures", self._record(record, ts), sampled=False)
        except Exception as error:
            self._invalid("exposures", error)

    def log_measurement(
        self, unit_id: str, metric: str, value: float, *, ts: Optional[Timestamp] = None
    ) -> None:
        """Logs one value of a metric of a unit."""
        try:
            record = {"unit_id": unit_id, "metric": metric, "value": value, "event_id": self._ids.make()}
            self._log("measurements", self._record(record, ts), sampled=False)
        except Exception as error:
            self._invalid("measurements", error)

    def log_predictions(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Logs one prediction for each mapping of `log_prediction`'s arguments, and returns their event ids."""
        ids = []
        try:
            for record in records:
                ids.append(self._log_mapping(record))
        except Exception as error:  # of the iterable itself
            self._invalid("predictions", error, n=0)
        return ids

    def _log_mapping(self, record: Mapping[str, Any]) -> str:
        try:
            return self.log_prediction(**record)
        except Exception as error:  # arguments that there are not
            self._invalid("predictions", error)
            return self._ids.make()

    def assign(self, experiment: Experiment, unit_id: str, *, expose: bool = True) -> Assignment:
        """The arm of a unit; logs the exposure of a unit that has one. A unit that is no text has the outcome `undefined`."""
        try:
            assignment = experiment.assign(unit_id)
        except Exception as error:
            self._sender.fault(f"cannot assign: {said(error)}")
            return Assignment("undefined", None)
        if expose and assignment.arm is not None:
            self.log_exposure(experiment.name, unit_id, assignment.arm)
        return assignment

    def log_rows(self, kind: str, rows: Rows) -> None:
        """Queues rows that the sender's thread will encode."""
        try:
            self._put(kind, rows)
        except Exception as error:
            self._invalid(kind, error, n=rows.n)

    def encode(self, record: Record) -> Optional[bytes]:
        """The line of a record after redaction; None where redaction drops it."""
        return self._records.line(record)

    def make_id(self) -> str:
        """A new event id."""
        return self._ids.make()

    def keeps(self, event_id: str) -> bool:
        """Whether the sample keeps an event."""
        return sampling.keeps(event_id, self.settings.sample_rate)

    def stats(self) -> Stats:
        """What became of the events so far."""
        self._inbox.drain()
        return self._queue.snapshot()

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until what was logged before has a known fate; says whether that came within the timeout."""
        self._inbox.drain()
        with self._queue.lock:
            target = self._queue.entered
        if not self._sender.started:
            return self._queue.left >= target
        self._queue.wake(is_urgent=True)
        return self._queue.wait_until_left(target, timeout)

    async def flush_async(self, timeout: float = 10.0) -> bool:
        """`flush` that does not hold the event loop up."""
        return await asyncio.get_running_loop().run_in_executor(None, self.flush, timeout)

    def close(self, timeout: Optional[float] = None) -> None:
        """Sends what is queued within the timeout, and ends. What is logged afterwards is dropped."""
        if not self._closed:
            self._queue.open_inbox(False)
            self._inbox.drain()
            self._closed = True
            self._sender.close(self.settings.exit_timeout_s if timeout is None else timeout)
            # A call or a start that was under way may have come after that.
            self._queue.open_inbox(False)
            self._inbox.drain()

    def _record(self, record: Record, ts: Optional[Timestamp]) -> Record:
        record["ts"] = time_ns() // 1000 if ts is None else microseconds(ts)
        return record

    def _add_context(self, record: Record) -> None:
        fields = shared_fields.get()
        if fields is not None:
            for name, value in fields.items():
                if isinstance(value, Mapping):
                    record[name] = {**value, **record.get(name, {})}
                else:
                    record.setdefault(name, value)
        if self.settings.tags:
            record["tags"] = {**self.settings.tags, **record.get("tags", {})}
        if self.settings.trace_context and "opentelemetry.trace" in sys.modules and "trace_id" not in record:
            add_trace(record)

    def _log(self, kind: str, record: Record, sampled: bool = True) -> None:
        if sampled and self._is_sampled and not self.keeps(record["event_id"]):
            self._sample_out()
            return
        # Where the queue grows, callers must not outrun the sender.
        payload = None if self._queue.is_crowded() else pack(record)
        if payload is None:
            payload = self.encode(record)
        if payload is None:
            self._drop(REDACTED, 1)
        else:
            self._put(kind, payload)

    def _put(self, kind: str, payload: Union[bytes, Rows]) -> None:
        if self._closed:
            self._drop(AT_EXIT, payload.n if isinstance(payload, Rows) else 1)
            return
        self._queue.put(kind, payload)
        if not self._sender.started:
            self._start()

    def _start(self) -> None:
        try:
            finalize_multiprocessing(self)
            self._sender.start()
            self._queue.open_inbox(not self._closed)
        except RuntimeError as error:  # the interpreter is ending; what is queued is counted when it closes
            self._sender.fault(f"cannot start the sender: {error}")

    def _sample_out(self) -> None:
        with self._queue.lock:
            self._queue.stats.sampled_out += 1

    def _drop(self, reason: str, n: int) -> None:
        with self._queue.lock:
            self._queue.stats.logged += n
            self._queue.stats.drop(reason, n)

    def _invalid(self, kind: str, error: BaseException, n: int = 1) -> None:
        self._drop(INVALID, n)
        self._sender.fault(f"cannot log to {kind}: {said(error)}")
