"""Ray Serve: deployments whose calls are predictions.

    @serve.deployment
    @windvane.hooks.ray.watched(url="http://127.0.0.1:8080", model="delay", answer="score")
    class Delay: …

Each replica is a process of its own and sets its client up when it is made. HTTP ingresses take `windvane.hooks.asgi.Middleware`.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, TypeVar

import windvane

T = TypeVar("T", bound=type)
_OF_CALLS = ("features", "answer", "feature_names")


def watched(url: Optional[str] = None, method: str = "__call__", **settings: Any) -> Callable[[T], T]:
    """Decorates a deployment's class, below `@serve.deployment`: `method` is logged as by `windvane.monitor`."""
    calls = {name: settings.pop(name) for name in _OF_CALLS if name in settings}

    def decorate(kind: T) -> T:
        make = kind.__init__  # type: ignore[misc]

        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            windvane.init(url, **settings)
            make(self, *args, **kwargs)

        predict = getattr(kind, method)
        kind.__init__ = __init__  # type: ignore[misc]
        setattr(kind, method, windvane.monitor(**{"features": _argument, **calls})(predict))
        return kind

    return decorate


def _argument(_self: Any, given: Any, *_args: Any, **_kwargs: Any) -> Any:
    return given
