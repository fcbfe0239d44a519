"""A batch scorer that records what it predicts: onnxruntime over a table, in parts, with an outcome for each row.

    python onnx_batch.py [--rows 5000]
"""

import argparse
import os

import numpy
import onnx
import onnxruntime
import pandas
from onnx import TensorProto, helper, numpy_helper

import windvane

NAMES = ["distance", "hour"]
ROWS_AT_ONCE = 1_000


def exported() -> bytes:
    """A logistic regression as ONNX: a score for each row."""
    weights = numpy_helper.from_array(numpy.array([[0.001], [0.25]], dtype=numpy.float32), "weights")
    bias = numpy_helper.from_array(numpy.array([-5.0], dtype=numpy.float32), "bias")
    nodes = [
        helper.make_node("Gemm", ["flights", "weights", "bias"], ["odds"]),
        helper.make_node("Sigmoid", ["odds"], ["score"]),
    ]
    flights = helper.make_tensor_value_info("flights", TensorProto.FLOAT, ["rows", 2])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows", 1])
    graph = helper.make_graph(nodes, "delay", [flights], [score], [weights, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model.SerializeToString()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000)
    rows = parser.parse_args().rows
    windvane.init(os.environ.get("WINDVANE_SDK_URL", "http://127.0.0.1:8080"), model="delay-batch", version="1")
    session = windvane.watch(
        onnxruntime.InferenceSession(exported(), providers=["CPUExecutionProvider"]),
        feature_names=NAMES,
        answer="score",
    )
    generator = numpy.random.default_rng(7)
    flights = pandas.DataFrame({"distance": generator.uniform(100, 3_000, rows), "hour": generator.integers(5, 23, rows)})
    late = generator.uniform(size=rows) < 0.3
    for begin in range(0, rows, ROWS_AT_ONCE):
        part = flights.iloc[begin : begin + ROWS_AT_ONCE]
        session.run(None, {"flights": part[NAMES].to_numpy(dtype=numpy.float32)})
        for event_id, was_late in zip(windvane.event_ids(), late[begin:]):
            windvane.log_outcome(event_id, label="true" if was_late else "false")
    windvane.flush(60)
    print(windvane.stats())


if __name__ == "__main__":
    main()
