"""Objects with `predict` and its kin: scikit-learn, XGBoost, LightGBM, MLflow's pyfunc models, and what looks like them."""

from __future__ import annotations

import contextvars
import functools
import time
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

import windvane

from .._frames import Table, log_table
from .columns import answers, columns_of

_METHODS = ("predict", "predict_proba", "inplace_predict", "decision_function")
_last: contextvars.ContextVar[Sequence[str]] = contextvars.ContextVar("windvane_event_ids", default=())


def event_ids() -> Sequence[str]:
    """The event ids of the rows of the last watched call of this thread or task."""
    return _last.get()


class Options:
    """What `watch` was told about reading calls."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        shared = dict(fields)
        self.feature_names: Optional[Sequence[str]] = shared.pop("feature_names", None)
        self.features: Any = shared.pop("features", None)
        self.answer: Any = shared.pop("answer", None)
        self.payloads: float = float(shared.pop("payloads", 0.0))
        self.shared = shared


def log_call(
    options: Options, begun_ns: int, read: Callable[[], Mapping[str, Any]], result: Callable[[], Dict[str, Any]]
) -> Sequence[str]:
    """Logs the rows of a call that has ended, and answers their event ids: never raises, whatever the call was."""
    took_us = (time.perf_counter_ns() - begun_ns) / 1000
    client = windvane.current()
    try:
        answered = result()
        features = dict(read())
        columns = [*features.values(), *(c for c in answered.values() if not isinstance(c, dict))]
        n = max((len(column) for column in columns), default=0)
        if not n:
            return ()
        shared = {**options.shared, "latency_us": round(took_us / n)}
        probabilities = answered.pop("probabilities", {})
        if "label" not in answered:
            probabilities = {}
        table = Table(n, features=features, answers=answered, probabilities=probabilities, shared=shared)
        ids = log_table(client, table)
        _last.set(ids)
        return ids
    except Exception as error:
        client._invalid("predictions", error)
        return ()


def log_error(options: Options, begun_ns: int, error: BaseException) -> None:
    """Logs a call that raised."""
    took_us = (time.perf_counter_ns() - begun_ns) / 1000
    shared = {"tags": {}, **options.shared}
    shared["tags"] = {**shared["tags"], "error": type(error).__name__}
    windvane.current()._log_mapping({**shared, "latency_us": took_us, "status": "error"})


class Watched:
    """Stands in for a model: methods that predict are timed and logged, everything else passes through."""

    def __init__(self, target: Any, fields: Mapping[str, Any]) -> None:
        self._windvane_target = target
        self._windvane_options = Options(fields)

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_windvane_", "__")):
            raise AttributeError(name)
        found = getattr(self._windvane_target, name)
        return self._windvane_logged(name, found) if name in _METHODS and callable(found) else found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._windvane_logged("__call__", self._windvane_target)(*args, **kwargs)

    def __repr__(self) -> str:
        return f"windvane.watch({self._windvane_target!r})"

    def _windvane_logged(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        options, target = self._windvane_options, self._windvane_target

        @functools.wraps(method)
        def logged(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter_ns()
            try:
                result = method(*args, **kwargs)
            except Exception as error:
                log_error(options, begun, error)
                raise
            log_call(
                options,
                begun,
                lambda: columns_of(_first(args, kwargs), options, getattr(target, "feature_names_in_", None)),
                lambda: answers(result, options.answer, getattr(target, "classes_", None)),
            )
            return result

        return logged


def _first(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return args[0] if args else next(iter(kwargs.values()))
