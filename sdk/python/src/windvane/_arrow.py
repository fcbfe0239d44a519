"""Tables as Arrow: columns go to the collector as they are, without an object of Python for each cell.

Only the rows of tables and arrays are sent this way. For single events Arrow was measured and left: a third less of the sender's CPU, but
each batch holds the interpreter for 20 ms in one piece, for which all callers wait. What Arrow would say in another way than JSON (dates
as features, numbers as tags, mixed types, answers that are missing) goes as NDJSON, so that the rows in the store are the same.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

CONTENT_TYPE = "application/vnd.apache.arrow.stream"
# With fewer rows a call, columns cost more than rows do; of 2,000 rows with 20 features, each costs 2 us as Arrow and 16 to 33 as a line.
ROWS_MIN = 128


class Inexpressible(Exception):
    """A table that goes as NDJSON."""


class Columns(NamedTuple):
    """What `windvane._frames.Table` holds, and the ids of its rows."""

    length: int
    event_ids: Sequence[str]
    features: Mapping[str, Any]
    answers: Mapping[str, Any]
    probabilities: Mapping[str, Any]
    embeddings: Mapping[str, Any]
    fields: Mapping[str, Any]
    tags: Mapping[str, Any]
    shared: Mapping[str, Any]


def is_loaded() -> bool:
    """Whether the program has imported pyarrow (pandas does): the hooks do not, because that takes the interpreter for a while."""
    return sys.modules.get("pyarrow.compute") is not None and hasattr(sys.modules.get("pyarrow"), "ipc")


def load() -> None:
    """Imports pyarrow.

    Raises ValueError where it is not there.
    """
    try:
        import pyarrow.compute
        import pyarrow.ipc  # noqa: F401
    except ImportError as error:
        raise ValueError(f"wire is 'arrow', which needs pyarrow: {error}; accepted without it are 'auto' and 'ndjson'") from error


def record_batch(columns: Columns, kept: Optional[Sequence[bool]]) -> Any:
    """The rows as a record batch, in the layout of `docs/FORMATS.md`.

    Raises Inexpressible, or what pyarrow raises, where they cannot be one.
    """
    import pyarrow as pa

    n = columns.length
    made: Dict[str, Any] = {"event_id": pa.array(list(columns.event_ids), pa.string())}
    for name, value in columns.shared.items():
        if value is not None and name not in ("tags", "arms") and name not in columns.fields:
            made[name] = _constant(value, n)
    for name, column in columns.fields.items():
        made[name] = _field(name, column)
    for name in ("tags", "arms"):
        texts = _texts(columns.shared.get(name) or {}, columns.tags if name == "tags" else {}, n)
        if texts:
            made[name] = _struct(texts)
    if columns.features:
        made["features"] = _struct({name: _feature(column) for name, column in columns.features.items()})
    if columns.embeddings:
        made["embeddings"] = _struct({name: _vectors(column) for name, column in columns.embeddings.items()})
    if columns.answers:
        made["prediction"], finite = _prediction(columns)
        if finite is not None and "status" not in made:
            made["status"] = _if_else(finite, pa.scalar(None, pa.string()), "non_finite")
    batch = pa.RecordBatch.from_arrays(list(made.values()), names=list(made))
    return batch if kept is None else batch.filter(pa.array(kept, pa.bool_()))


def bodies(batches: List[Any], bytes_max: int) -> List[Tuple[bytes, int]]:
    """Record batches of one schema as streams within a bound, with the rows of each. Buffers are compressed with zstd, each alone."""
    import pyarrow as pa

    table = pa.Table.from_batches(batches)
    parts = -(-max(table.nbytes, 1) // bytes_max)
    rows = -(-table.num_rows // parts)
    return [_written(table.slice(begin, rows)) for begin in range(0, table.num_rows, rows)]


def halves(body: bytes) -> List[Tuple[bytes, int]]:
    """A stream as two of half the rows."""
    import pyarrow as pa

    with pa.ipc.open_stream(body) as reader:
        table = reader.read_all()
    middle = table.num_rows // 2
    return [_written(table.slice(0, middle)), _written(table.slice(middle))]


def _written(table: Any) -> Tuple[bytes, int]:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes(), table.num_rows


def _array(column: Any, nan_is_null: bool) -> Any:
    """A column of pandas, polars, NumPy, Arrow or a list as one array of Arrow."""
    import pyarrow as pa

    to_arrow = getattr(column, "to_arrow", None)  # of polars
    values = column if to_arrow is None else to_arrow()
    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = pa.array(values, from_pandas=nan_is_null)
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held) or str(held) == "string_view")


def _is_code(kind: Any) -> bool:
    """Texts, whole numbers and booleans."""
    import pyarrow as pa

    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return _is_text(held) or bool(pa.types.is_integer(held) or pa.types.is_boolean(held))


def _must(holds: object, name: str, kind: Any) -> None:
    if not holds:
        raise Inexpressible(f"{name} of type {kind}")


def _finite(values: Any) -> Any:
    """Which floats are finite; None where all are."""
    import pyarrow.compute as pc

    finite = pc.is_finite(values)
    return None if pc.all(finite).as_py() in (True, None) else finite


def _if_else(which: Any, values: Any, others: Any) -> Any:
    import pyarrow.compute as pc

    return pc.if_else(which, values, others)


def _feature(column: Any) -> Any:
    """What is not finite is missing."""
    import pyarrow as pa

    values = _array(column, nan_is_null=True)
    if not pa.types.is_floating(values.type):
        _must(_is_code(values.type) or pa.types.is_null(values.type), "a feature", values.type)
        return values
    finite = _finite(values)
    return values if finite is None else _if_else(finite, values, pa.scalar(None, values.type))


def _prediction(columns: Columns) -> Tuple[Any, Any]:
    """Answers as a struct that is null where one of them is not finite; and which are finite, None where all are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    answers = {name: _answer(name, column) for name, column in columns.answers.items()}
    probabilities = {name: _answer("probabilities", column) for name, column in columns.probabilities.items()}
    finite: Any = None
    for values in (*answers.values(), *probabilities.values()):
        found = _finite(values) if pa.types.is_floating(values.type) else None
        finite = found if finite is None else finite if found is None else pc.and_(finite, found)
    if probabilities:
        answers["probabilities"] = _struct(probabilities)
    return _struct(answers, None if finite is None else pc.invert(finite)), finite


def _answer(name: str, column: Any) -> Any:
    import pyarrow as pa

    values = _array(column, nan_is_null=False)
    kind = values.type
    is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    _must(_is_code(kind) if name == "label" else is_number, name, kind)
    _must(values.null_count == 0, name, "missing")
    return values


def _field(name: str, column: Any) -> Any:
    import pyarrow as pa

    values = _array(column, nan_is_null=True)
    kind = values.type
    is_moment = name == "ts" and pa.types.is_timestamp(kind)
    is_number = name in ("ts", "latency_us") and pa.types.is_integer(kind)
    _must(is_moment or is_number or _is_text(kind), name, kind)
    _must(values.null_count == 0, name, "missing")
    return values


def _vectors(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = column if isinstance(column, (pa.Array, pa.ChunkedArray)) else list(column)
    values = _array(rows, nan_is_null=False)
    kind = values.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    _must(is_list and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)), "an embedding", kind)
    held = pc.list_flatten(values)
    _must(values.null_count == held.null_count == 0, "an embedding", "missing")
    _must(pa.types.is_integer(held.type) or _finite(held) is None, "an embedding", "not finite")
    return values


def _texts(shared: Mapping[str, Any], columns: Mapping[str, Any], n: int) -> Dict[str, Any]:
    """Tags or arms: what all rows share, and what columns say."""
    made = {name: _constant(value, n) for name, value in shared.items()}
    for name, column in columns.items():
        values = _array(column, nan_is_null=True)
        _must(_is_text(values.type) and name not in made, f"the tag {name}", values.type)
        made[name] = values
    _must(all(_is_text(values.type) for values in made.values()), "a tag", "no text")
    return made


def _constant(value: Any, n: int) -> Any:
    import pyarrow as pa

    if type(value) is str:
        return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), n), pa.array([value], pa.string()))
    _must(type(value) is int, "a field", type(value).__name__)
    return pa.repeat(pa.scalar(value, pa.int64()), n)


def _struct(fields: Mapping[str, Any], mask: Any = None) -> Any:
    import pyarrow as pa

    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=mask)
