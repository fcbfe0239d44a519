"""A monitor of BentoML: what `bentoml.monitor(…)` logs becomes predictions, by the roles of its columns.

    monitoring:
      enabled: true
      type: windvane.hooks.bentoml.Monitor
      options: {url: "http://127.0.0.1:8080", model: delay, version: "7"}

The columns with the role `feature` are features, of the one with the role `prediction` comes the answer (numerical → `value`, or what
the option `answer` says; categorical → `label`), and one with the role `target` is the outcome.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

import windvane
from bentoml.monitoring import MonitorBase

from .._client import Client


class Monitor(MonitorBase[Any]):  # type: ignore[misc]
    """Sends each record as a prediction, and its targets as outcomes."""

    def __init__(self, name: str, url: Optional[str] = None, **settings: Any) -> None:
        super().__init__(name)
        self._answer: Optional[str] = settings.pop("answer", None)
        self._settings = {"model": name, **settings}
        self._url = url
        self._client: Optional[Client] = None
        self._windvane_schema: Dict[str, Dict[str, str]] = {}

    def export_schema(self, columns_schema: Dict[str, Dict[str, str]]) -> None:
        """Called once, with name, role and data type of each column."""
        self._windvane_schema = columns_schema
        self._client = windvane.init(self._url, **self._settings)

    def export_data(self, datas: Dict[str, Any]) -> None:
        """Called with the columns of some records."""
        client = self._client
        if client is None:
            return
        rows = zip(*(list(datas[name]) for name in datas))
        for row in rows:
            self._log(client, dict(zip(datas, row)))

    def _log(self, client: Client, record: Dict[str, Any]) -> None:
        fields: Dict[str, Any] = {"features": {}}
        target: Dict[str, Any] = {}
        for name, value in record.items():
            spec = self._windvane_schema.get(name, {})
            if name in self.PRESERVED_COLUMNS:
                continue  # BentoML's own time and id of the request
            numerical = spec.get("type", "numerical").startswith("numerical")
            role = spec.get("role", "feature")
            if role == "prediction":
                fields[self._answer or ("value" if numerical else "label")] = value
            elif role == "target":
                target = {"value" if numerical else "label": value}
            elif not isinstance(value, (list, tuple)):
                fields["features"][name] = value
        event_id = client._log_mapping(fields)
        if target:
            client.log_outcome(event_id, **target)

