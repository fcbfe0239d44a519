"""A pyfunc model of MLflow that logs what it predicts, also where it is served by others.

    mlflow.pyfunc.log_model(name="delay", python_model=windvane.hooks.mlflow.watched(model, model="delay", version="7"))

Where the model is loaded, `WINDVANE_SDK_URL` says where the collector is. A model that is loaded already is watched by `windvane.watch`.
"""

from __future__ import annotations

from typing import Any

import mlflow.pyfunc
import windvane


class Model(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Stands in for a PythonModel, and is logged in its place."""

    def __init__(self, target: Any, fields: Any) -> None:
        self.target = target
        self.fields = fields

    def load_context(self, context: Any) -> None:
        """As the model's own."""
        self.target.load_context(context)

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        """As the model's own, with each row logged."""
        watched = windvane.watch(_Bound(self.target, context, params), **self.fields)
        return watched.predict(model_input)


class _Bound:
    """A PythonModel with its context, so that its input comes first."""

    def __init__(self, target: Any, context: Any, params: Any) -> None:
        self.predict = lambda given: (
            target.predict(context, given) if params is None else target.predict(context, given, params)
        )


def watched(target: Any, **fields: Any) -> Model:
    """The model, watched; `fields` are those of `windvane.watch`."""
    return Model(target, fields)
