"""Many predictions at once: the rows of a table or of arrays, copied by the caller and encoded in the sender's thread."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from . import _arrow
from ._client import Client
from ._counts import INVALID, REDACTED
from ._encode import in_utc, microseconds
from ._ids import EventIds
from ._queue import Rows

# Rows of one item of the queue: small enough to be dropped, sent and settled alone.
ROWS_MAX = 2_000
CELL_BYTES = 64


@dataclass
class Table:
    """Columns of equal length: `features`, answers in the shape of `log_prediction`, other fields, and what all rows share."""

    length: int
    features: Dict[str, Any] = field(default_factory=dict)
    answers: Dict[str, Any] = field(default_factory=dict)  # score, label, value
    probabilities: Dict[str, Any] = field(default_factory=dict)
    embeddings: Dict[str, Any] = field(default_factory=dict)
    fields: Dict[str, Any] = field(default_factory=dict)  # ts, unit_id, latency_us …
    tags: Dict[str, Any] = field(default_factory=dict)
    shared: Dict[str, Any] = field(default_factory=dict)

    def part(self, begin: int, end: int) -> Table:
        """Rows `begin` to `end`, copied."""

        def cut(group: Mapping[str, Any]) -> Dict[str, Any]:
            return {name: _slice(column, begin, end) for name, column in group.items()}

        return Table(
            end - begin,
            features=cut(self.features),
            answers=cut(self.answers),
            probabilities=cut(self.probabilities),
            embeddings=cut(self.embeddings),
            fields=cut(self.fields),
            tags=cut(self.tags),
            shared=self.shared,
        )

    def size(self) -> int:
        """Bytes that the columns take, about."""
        groups = (self.features, self.answers, self.probabilities, self.embeddings, self.fields, self.tags)
        return sum(_bytes(column) for group in groups for column in group.values())

    def records(self) -> List[Dict[str, Any]]:
        """One record a row."""
        features = _rows(self.features, self.length)
        answers = _rows(self.answers, self.length)
        probabilities = _rows(self.probabilities, self.length)
        embeddings = _rows(self.embeddings, self.length)
        fields = _rows(self.fields, self.length)
        tags = _rows(self.tags, self.length)
        records = []
        for i in range(self.length):
            record = {**self.shared, **fields[i]}
            if self.features:
                record["features"] = features[i]
            if self.answers:
                record["prediction"] = (
                    {**answers[i], "probabilities": probabilities[i]} if self.probabilities else answers[i]
                )
            if self.embeddings:
                record["embeddings"] = embeddings[i]
            if self.tags:
                record["tags"] = {**record.get("tags", {}), **_texts(tags[i])}
            if "ts" in record:
                record["ts"] = _instant(record["ts"])
            records.append(record)
        return records


def log_table(client: Client, table: Table, event_ids: Optional[Sequence[str]] = None) -> Sequence[str]:
    """Queues the rows of a table; answers their event ids."""
    ids: Sequence[str] = event_ids or EventIds(client.make_id(), table.length)
    try:
        shared = table.shared
        shared.setdefault("model", client.settings.model)
        for name, value in client._defaults.items():
            shared.setdefault(name, value)
        if "ts" not in table.fields:
            shared.setdefault("ts", time.time_ns() // 1000)
        client._add_context(shared)
        for begin in range(0, table.length, ROWS_MAX):
            end = min(begin + ROWS_MAX, table.length)
            _log_part(client, table.part(begin, end), ids[begin:end])
    except Exception as error:
        client._invalid("predictions", error, n=table.length)
    return ids


def _log_part(client: Client, part: Table, ids: Sequence[str]) -> None:
    kept: Optional[List[bool]] = None
    n = part.length
    if client.settings.sample_rate < 1.0:
        kept = [client.keeps(event_id) for event_id in ids]
        with client._queue.lock:
            client._queue.stats.sampled_out += n - sum(kept)
        n = sum(kept)
    if n:
        size = part.size() + n * CELL_BYTES
        rows = Rows(n, size, _encoder(client, part, ids, kept), lambda: _record_batch(part, ids, kept))
        client.log_rows("predictions", rows)


def _encoder(
    client: Client, part: Table, ids: Sequence[str], kept: Optional[List[bool]]
) -> Callable[[], Tuple[List[bytes], Dict[str, int]]]:
    def lines() -> Tuple[List[bytes], Dict[str, int]]:
        made: List[bytes] = []
        lost: Dict[str, int] = {}
        for i, record in enumerate(part.records()):
            if kept is not None and not kept[i]:
                continue
            record.setdefault("event_id", ids[i])
            reason = _append(client, record, made)
            if reason is not None:
                lost[reason] = lost.get(reason, 0) + 1
        return made, lost

    return lines


def _record_batch(part: Table, ids: Sequence[str], kept: Optional[List[bool]]) -> Any:
    """The rows as Arrow; None where they are few, or Arrow cannot say them."""
    if part.length < _arrow.ROWS_MIN:
        return None
    columns = _arrow.Columns(
        part.length,
        ids,
        part.features,
        part.answers,
        part.probabilities,
        part.embeddings,
        part.fields,
        part.tags,
        part.shared,
    )
    try:
        return _arrow.record_batch(columns, kept)
    except Exception:  # pyarrow raises many kinds; the lines will say what is wrong, if something is
        return None


def _append(client: Client, record: Dict[str, Any], made: List[bytes]) -> Optional[str]:
    """Encodes one record; answers why there is no line where there is none."""
    try:
        line = client.encode(record)
    except Exception:
        return INVALID
    if line is None:
        return REDACTED
    made.append(line)
    return None


def log_dataframe(
    client: Client,
    frame: Any,
    *,
    features: Optional[Sequence[str]] = None,
    score: Optional[str] = None,
    label: Optional[str] = None,
    probabilities: Optional[Mapping[str, str]] = None,
    value: Optional[str] = None,
    event_id: Optional[str] = None,
    ts: Optional[str] = None,
    unit_id: Optional[str] = None,
    latency_us: Optional[str] = None,
    embeddings: Sequence[str] = (),
    tags: Sequence[str] = (),
    **shared: Any,
) -> Sequence[str]:
    """Logs the rows of a pandas, polars or Arrow table as predictions.

    `score`, `label`, `value`, `event_id`, `ts`, `unit_id`, `latency_us` name columns; `probabilities` maps classes to columns; `embeddings`
    and `tags` list columns. `features` lists the rest that counts, and is every column that was not named otherwise where it is left out.
    Times without a zone are UTC. Other arguments (`model`, `version` …) hold for all rows.
    """
    try:
        columns = _columns(frame)
        taken = [score, label, value, event_id, ts, unit_id, latency_us, *embeddings, *tags]
        taken += (probabilities or {}).values()
        names = [name for name in columns if name not in taken] if features is None else features
        fields = {"ts": ts, "unit_id": unit_id, "latency_us": latency_us}
        answers = {"score": score, "label": label, "value": value}
        table = Table(
            len(frame),
            {str(name): columns[name] for name in names},
            {name: columns[column] for name, column in answers.items() if column is not None},
            {name: columns[column] for name, column in (probabilities or {}).items()},
            {str(name): columns[name] for name in embeddings},
            {name: columns[column] for name, column in fields.items() if column is not None},
            {str(name): columns[name] for name in tags},
            dict(shared),
        )
        ids = [str(held) for held in _list(columns[event_id])] if event_id is not None else None
    except Exception as error:
        n = len(frame) if hasattr(frame, "__len__") else 1
        client._invalid("predictions", error, n=n)
        return EventIds(client.make_id(), n)
    return log_table(client, table, ids)


def _columns(frame: Any) -> Dict[str, Any]:
    names = getattr(frame, "column_names", None)  # of Arrow
    if names is not None:
        return {name: frame.column(name) for name in names}
    if isinstance(frame, Mapping):
        return dict(frame)
    return {name: frame[name] for name in frame.columns}


def _slice(column: Any, begin: int, end: int) -> Any:
    rows = getattr(column, "iloc", column)[begin:end]
    copy = getattr(rows, "copy", None)
    return copy() if copy is not None else rows


def _list(column: Any) -> List[Any]:
    for name in ("to_pylist", "tolist", "to_list"):
        convert = getattr(column, name, None)
        if convert is not None:
            return list(convert())
    return list(column)


def _bytes(column: Any) -> int:
    for name in ("nbytes", "memory_usage", "estimated_size"):
        found = getattr(column, name, None)
        if found is None:
            continue
        if getattr(column, "dtype", None) == object:
            break
        return int(found() if callable(found) else found)
    return sum(len(value) + CELL_BYTES if isinstance(value, (str, list)) else CELL_BYTES for value in column)


def _rows(columns: Mapping[str, Any], length: int) -> List[Dict[str, Any]]:
    names = list(columns)
    lists = [_list(columns[name]) for name in names]
    return [dict(zip(names, row)) for row in zip(*lists)] if lists else [{} for _ in range(length)]


def _texts(tags: Mapping[str, Any]) -> Dict[str, str]:
    return {name: str(value) for name, value in tags.items() if value is not None and value == value}


def _instant(ts: Any) -> Any:
    """Tables seldom have zones, so that nothing is said of it."""
    return microseconds(in_utc(ts) if isinstance(ts, datetime.datetime) and ts.tzinfo is None else ts)
