"""`windvane.monitor`: times a function or a block that predicts, and logs what it answered.

As a decorator it takes the features from the arguments and the answer from the result; as a context manager both are set by hand. What
the function raises goes on to its caller, and is logged with the status `error`.
"""

from __future__ import annotations

import functools
import inspect
import time
from typing import Any, Callable, Dict, Mapping, Optional, TypeVar, Union, cast

from ._client import Client
from ._encode import ANSWERS, plain

F = TypeVar("F", bound=Callable[..., Any])
Extract = Union[str, Callable[..., Any], None]


class Call:
    """One prediction that is being made."""

    def __init__(self, client: Client, fields: Mapping[str, Any]) -> None:
        self._client = client
        self.fields: Dict[str, Any] = dict(fields)
        self.fields.setdefault("event_id", client.make_id())
        self.begin()

    def begin(self) -> None:
        """Starts the clock, again."""
        self._begun = time.perf_counter_ns()

    def end(self) -> None:
        """Stops the clock."""
        self.fields.setdefault("latency_us", (time.perf_counter_ns() - self._begun) / 1000)

    @property
    def event_id(self) -> str:
        """Under which the outcome is logged later."""
        return str(self.fields["event_id"])

    def set(self, **fields: Any) -> None:
        """Sets arguments of `log_prediction`: `features`, `score`, `label`, `unit_id` …"""
        self.fields.update(fields)

    def finish(self, error: Optional[BaseException] = None) -> None:
        """Logs it, with its latency."""
        self.end()
        fields = self.fields
        if error is not None:
            fields["status"] = "error"
            fields["tags"] = {**(fields.get("tags") or {}), "error": type(error).__name__}
        self._client._log_mapping(fields)

    def fault(self, function: Callable[..., Any], error: Exception) -> None:
        """Arguments or a result that could not be read: the prediction is logged without them."""
        name = getattr(function, "__qualname__", repr(function))
        self._client._sender.fault(f"cannot read a call of {name}: {error!r}")


class Monitor:
    """What `windvane.monitor(...)` returns.

    Arguments are those of `log_prediction`, and for the decorator `features` (a function of the arguments, or the name of the argument
    that holds them) and `answer` (`score`, `label`, `value`, or a function of the result that gives fields).

    Without `features` a single mapping among the arguments is taken, or else all arguments that are numbers, texts or booleans.
    Without `answer` a mapping with `score`, `label` or `value` is taken as it is, a text or boolean as label, a number as value.
    """

    def __init__(self, client: Callable[[], Client], fields: Mapping[str, Any]) -> None:
        self._client = client
        self._fields = dict(fields)
        self._answer: Extract = self._fields.pop("answer", None)
        self._call: Optional[Call] = None

    def __enter__(self) -> Call:
        self._call = Call(self._client(), self._fields)
        return self._call

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.finish(error)

    def __call__(self, function: F) -> F:
        features: Extract = self._fields.pop("features", None)
        signature = inspect.signature(function)

        def begin(args: Any, kwargs: Any) -> Call:
            call = Call(self._client(), self._fields)
            try:  # before the function can change its arguments
                call.fields.setdefault("features", dict(_features(features, signature, args, kwargs)))
            except Exception as error:
                call.fault(function, error)
            call.begin()
            return call

        def finish(call: Call, result: Any) -> None:
            call.end()
            try:
                call.fields.update(_answer(self._answer, result))
            except Exception as error:
                call.fault(function, error)
            call.finish()

        @functools.wraps(function)
        def sync(*args: Any, **kwargs: Any) -> Any:
            call = begin(args, kwargs)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                call.finish(error)
                raise
            finish(call, result)
            return result

        @functools.wraps(function)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            call = begin(args, kwargs)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                call.finish(error)
                raise
            finish(call, result)
            return result

        return cast(F, asynchronous if inspect.iscoroutinefunction(function) else sync)


def _features(extract: Extract, signature: inspect.Signature, args: Any, kwargs: Any) -> Any:
    if callable(extract):
        return extract(*args, **kwargs)
    arguments = signature.bind(*args, **kwargs).arguments
    if extract is not None:
        return arguments[extract]
    mappings = [value for value in arguments.values() if isinstance(value, Mapping)]
    if len(mappings) == 1:
        return mappings[0]
    return {name: value for name, value in arguments.items() if isinstance(value, (str, bool, int, float))}


def _answer(extract: Extract, result: Any) -> Dict[str, Any]:
    if callable(extract):
        found = extract(result)
        return dict(found) if found else {}
    if extract is not None:
        return {extract: result}
    if isinstance(result, Mapping):
        return {"prediction": dict(result)} if any(name in result for name in ANSWERS) else {}
    if not isinstance(result, (str, bool, int, float)):
        result = plain(result)
    if isinstance(result, (str, bool)):
        return {"label": result}
    return {"value": result} if isinstance(result, (int, float)) else {}
