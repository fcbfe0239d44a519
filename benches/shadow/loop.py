"""A tight loop over Python's ONNX Runtime, as the peer of `windvane shadow bench`: the same model, rows, threads and sizes of calls.

`python benches/shadow/loop.py MODEL FLIGHTS SECONDS BATCH…` prints a line of JSON a size: requests a second and the median call.
"""

import json
import sys
import time

import numpy as np
import onnxruntime
import pyarrow.parquet

model, flights, seconds, *batches = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
table = pyarrow.parquet.read_table(flights, columns=[port.name for port in session.get_inputs()]).slice(0, 256)
columns = {
    port.name: np.array(table[port.name].to_pylist(), dtype=np.float32 if "float" in port.type else object)[:, np.newaxis]
    for port in session.get_inputs()
}
for batch in map(int, batches):
    feeds = [{name: column[i : i + batch] for name, column in columns.items()} for i in range(0, 256 - batch + 1, batch)]
    for feed in feeds[:3]:
        session.run(None, feed)
    calls, began = [], time.perf_counter()
    while time.perf_counter() - began < float(seconds):
        start = time.perf_counter()
        session.run(None, feeds[len(calls) % len(feeds)])
        calls.append(time.perf_counter() - start)
    rate = len(calls) * batch / (time.perf_counter() - began)
    print(json.dumps({"batch": batch, "requests_per_s": rate, "p50_us": float(np.median(calls)) * 1e6}))
