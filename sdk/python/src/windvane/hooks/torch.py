"""PyTorch's modules: a hook before and one after `forward`, in place, so that the module stays itself.

Tensors are copied to the CPU, which waits for the device: watch the module whose answer you read anyway.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Mapping

from .columns import answers, columns_of
from .estimators import Options, log_call


def hook(module: Any, fields: Mapping[str, Any]) -> Callable[[], None]:
    """Logs each call of the module; answers a function that takes the hooks off again."""
    options = Options(fields)
    begun = threading.local()

    def before(_module: Any, _inputs: Any) -> None:
        begun.ns = time.perf_counter_ns()

    def after(_module: Any, inputs: Any, named: Any, output: Any) -> None:
        started = getattr(begun, "ns", None) or time.perf_counter_ns()
        given = [*inputs, *named.values()]
        log_call(
            options,
            started,
            lambda: columns_of(_plain(given[0]) if given else [], options),
            lambda: answers(_plain(output), options.answer),
        )

    handles = [module.register_forward_pre_hook(before), _after(module, after)]

    def remove() -> None:
        for handle in handles:
            handle.remove()

    return remove


def _after(module: Any, hook: Callable[[Any, Any, Any, Any], None]) -> Any:
    """Hooks a module; before version 2, PyTorch does not tell hooks the arguments that have names."""
    try:
        return module.register_forward_hook(hook, with_kwargs=True)
    except TypeError:
        return module.register_forward_hook(lambda made, inputs, output: hook(made, inputs, {}, output))


def _plain(value: Any) -> Any:
    if hasattr(value, "detach"):
        tensor = value.detach().cpu()
        try:
            return tensor.numpy()
        except TypeError:  # bfloat16 and other types that NumPy lacks
            return tensor.float().numpy()
    if isinstance(value, (list, tuple)):
        return [_plain(held) for held in value]
    return value
