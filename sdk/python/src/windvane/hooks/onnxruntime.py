"""Sessions of onnxruntime: `run` is timed and logged, everything else passes through."""

from __future__ import annotations

import time
from typing import Any, Dict, Mapping, Optional, Sequence

import windvane

from .columns import FEATURES_MAX, answers, matrix
from .estimators import Options, log_call, log_error
from .payloads import capture


class Session:
    """Stands in for an `onnxruntime.InferenceSession`."""

    def __init__(self, session: Any, fields: Mapping[str, Any]) -> None:
        self._windvane_session = session
        self._windvane_options = Options(fields)

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_windvane_", "__")):
            raise AttributeError(name)
        return getattr(self._windvane_session, name)

    def run(self, output_names: Optional[Sequence[str]], feeds: Mapping[str, Any], run_options: Any = None) -> Any:
        """As the session's own."""
        options = self._windvane_options
        begun = time.perf_counter_ns()
        try:
            outputs = self._windvane_session.run(output_names, feeds, run_options)
        except Exception as error:
            log_error(options, begun, error)
            raise
        read, result = lambda: _features(feeds, options), lambda: answers(outputs, options.answer)
        ids = log_call(options, begun, read, result)
        if options.payloads > 0 and ids:
            capture(windvane.current(), options.shared, feeds, ids, options.payloads)
        return outputs


def _features(feeds: Mapping[str, Any], options: Options) -> Dict[str, Any]:
    if options.features is False:
        return {}
    if options.features is not None:
        return dict(options.features(feeds))
    found: Dict[str, Any] = {}
    for name, given in feeds.items():
        found.update(matrix(given, options.feature_names if len(feeds) == 1 else None, name))
    return found if len(found) <= FEATURES_MAX else {}
