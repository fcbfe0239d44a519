"""Captured input tensors, for replay: in the words of the Open Inference Protocol, row by row, under the ids of the predictions.

What is captured is what the model saw; a `Redaction` with a function sees it, too (`inputs`), while names and masks do not reach into
tensors. Where that is not enough, do not capture.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from .. import sampling
from .._client import Client
from .._counts import INVALID, REDACTED
from .._queue import Rows

_DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "int8": "INT8",
    "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
}  # fmt: skip
# Rows of one call that are captured at most, and what a number takes as text.
ROWS_MAX = 100
ELEMENT_BYTES = 20


def capture(client: Client, shared: Mapping[str, Any], feeds: Mapping[str, Any], ids: Sequence[str], rate: float) -> None:
    """Queues the inputs of the rows that a sample of this rate keeps, copied; never raises."""
    try:
        places = [i for i, event_id in enumerate(ids) if sampling.keeps(event_id, rate)][:ROWS_MAX]
        if not places:
            return
        import numpy

        arrays = {name: numpy.asarray(given)[places] for name, given in feeds.items()}
        head = {name: shared[name] for name in ("model", "version", "environment") if shared.get(name)}
        head = {"model": client.settings.model, **client._defaults, **head, "ts": time.time_ns() // 1000}
        size = sum(array.size for array in arrays.values()) * ELEMENT_BYTES
        kept = [ids[i] for i in places]
        client.log_rows("payloads", Rows(len(kept), size, lambda: _lines(client, head, arrays, kept)))
    except Exception as error:
        client._invalid("payloads", error)


def _lines(
    client: Client, head: Mapping[str, Any], arrays: Mapping[str, Any], ids: Sequence[str]
) -> Tuple[List[bytes], Dict[str, int]]:
    made: List[bytes] = []
    lost: Dict[str, int] = {}
    for row, event_id in enumerate(ids):
        try:
            inputs = [_tensor(name, array[row : row + 1]) for name, array in arrays.items()]
            line = client.encode({**head, "event_id": event_id, "inputs": inputs})
        except Exception:
            lost[INVALID] = lost.get(INVALID, 0) + 1
            continue
        if line is None:
            lost[REDACTED] = lost.get(REDACTED, 0) + 1
        else:
            made.append(line)
    return made, lost


def _tensor(name: str, array: Any) -> Dict[str, Any]:
    """One row, its first axis of length 1."""
    datatype = _DATATYPES.get(array.dtype.name, "BYTES")
    data = array.ravel().tolist()
    if datatype == "BYTES":
        data = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in data]
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}
