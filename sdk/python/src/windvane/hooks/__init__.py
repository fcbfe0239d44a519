"""One line each: `model = windvane.watch(model, …)` for objects that predict; middleware and processors have modules of their own."""

from __future__ import annotations

import importlib
from typing import Any

from .estimators import Watched, event_ids

# What is imported when it is first asked for: each is for a library of its own.
_MODULES = ("asgi", "bentoml", "genai", "mlflow", "ray", "wsgi")


def __getattr__(name: str) -> Any:
    """`windvane.hooks.asgi` and the others need no import of their own."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def watch(target: Any, **fields: Any) -> Any:
    """Stands in for an object that predicts and logs each of its predictions; what it answers and raises stays the same.

    Known are scikit-learn's estimators and pipelines and what looks like them, the boosters of XGBoost and LightGBM, sessions of
    onnxruntime, PyTorch's modules (which are hooked in place) and MLflow's pyfunc models. `fields` are arguments of `log_prediction`
    that hold for all (`model`, `version` …), and:

    - `feature_names`: names of the columns, where the input has none
    - `features`: a function of the call's arguments that gives columns by name, or False for none
    - `answer`: `score`, `label`, `value`, or a function of the result that gives columns by these names

    - `payloads`, of onnxruntime's sessions: the share of rows whose input tensors are captured for replay; none by default

    After a call, `windvane.event_ids()` holds the ids of its rows.
    """
    package = type(target).__module__.partition(".")[0]
    if package == "onnxruntime":
        from .onnxruntime import Session

        return Session(target, fields)
    if any(kind.__module__.startswith("torch.nn") for kind in type(target).__mro__):
        from .torch import hook

        hook(target, fields)
        return target
    return Watched(target, fields)


__all__ = ["event_ids", "watch"]
