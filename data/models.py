"""The three models: a champion, a better candidate, and a broken one; scikit-learn pipelines and their ONNX graphs.

Each graph has one input a feature (shape [rows, 1]; float, or string for a category) and two outputs: `label`, the
strings "late" and "on_time", and `probabilities`, floats [rows, 2] in that order.
"""

from __future__ import annotations

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from flights import CATEGORICAL, FEATURES, NUMERIC

SEED = 2013
OPSET = {"": 18, "ai.onnx.ml": 3}
"""Operator sets that every ONNX Runtime since 1.14 knows."""

CLASSES = ["late", "on_time"]

SWAPPED = [("temp", "distance"), ("humid", "dep_delay")]
"""What the broken model mixes up: the mistake of a serving team that rebuilt the feature order by hand."""
NOT_IMPUTED = "pressure"
"""The feature whose missing values the broken model forgot: its score is NaN where this one is missing."""


def frame(table: pd.DataFrame) -> pd.DataFrame:
    """The features as the models take them: float32 and strings. Float32, so that scikit-learn sees what ONNX sees."""
    return table[FEATURES].astype({name: np.float32 for name in NUMERIC} | {name: object for name in CATEGORICAL})


def champion() -> Pipeline:
    """A logistic regression: what a team ships first."""
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    return Pipeline([
        ("features", ColumnTransformer([("numbers", numbers, NUMERIC), ("categories", _one_hot(), CATEGORICAL)])),
        ("model", LogisticRegression(C=1.0, max_iter=1000)),
    ])


def candidate() -> Pipeline:
    """Gradient-boosted trees trained on the same months, on the features that mean the same in every season.

    Temperature, dew point and pressure are left out on purpose: trees that saw only a winter split on them, and those
    splits say nothing in July.
    """
    numbers = ["hour", "distance", "scheduled_minutes", "dep_delay", "humid", "wind_speed", "precip", "visib"]
    return Pipeline([
        ("features", ColumnTransformer([
            ("numbers", "passthrough", numbers), ("categories", _one_hot(), ["carrier", "origin"])])),
        ("model", HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.1, max_leaf_nodes=8, min_samples_leaf=200, l2_regularization=5.0,
            random_state=SEED)),
    ])


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)


def export(pipeline: Pipeline, name: str) -> onnx.ModelProto:
    """The pipeline as an ONNX graph; probabilities as a tensor, not as a sequence of maps."""
    inputs = [(f, FloatTensorType([None, 1])) for f in NUMERIC] + [(f, StringTensorType([None, 1])) for f in CATEGORICAL]
    options = {id(pipeline.steps[-1][1]): {"zipmap": False}}
    model = to_onnx(pipeline, initial_types=inputs, options=options, target_opset=OPSET, name=name)
    onnx.checker.check_model(model)
    return model


def broken(good: onnx.ModelProto) -> onnx.ModelProto:
    """The champion's graph with two pairs of features swapped and one imputed value lost."""
    model = onnx.ModelProto()
    model.CopyFrom(good)
    model.graph.name = "delay_broken"
    swap = {a: b for pair in SWAPPED for a, b in (pair, pair[::-1])}
    readers = [node for node in model.graph.node if set(node.input) & set(NUMERIC)]
    for node in readers:
        for position, name in enumerate(node.input):
            node.input[position] = swap.get(name, name)
    imputers = [node for node in model.graph.node if node.op_type == "Imputer"]
    assert len(imputers) == 1, "the numbers are imputed in one node"
    filled = next(a for a in imputers[0].attribute if a.name == "imputed_value_floats")
    assert len(filled.floats) == len(NUMERIC)
    filled.floats[NUMERIC.index(NOT_IMPUTED)] = float("nan")
    onnx.checker.check_model(model)
    return model


def probes() -> onnx.ModelProto:
    """A graph that returns its inputs: one of each element type, widths 1 and 3, for tests of the session."""
    cases = [
        ("f32", TensorProto.FLOAT, ["rows", 1]),
        ("f64", TensorProto.DOUBLE, ["rows", 1]),
        ("i64", TensorProto.INT64, ["rows", 1]),
        ("i32", TensorProto.INT32, ["rows", 1]),
        ("flag", TensorProto.BOOL, ["rows", 1]),
        ("text", TensorProto.STRING, ["rows", 1]),
        ("flat", TensorProto.FLOAT, ["rows"]),
        ("wide", TensorProto.FLOAT, ["rows", 3]),
    ]
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in cases]
    outputs = [helper.make_tensor_value_info(f"{name}_out", kind, shape) for name, kind, shape in cases]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name, _, _ in cases]
    graph = helper.make_graph(nodes, "probes", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET[""])], ir_version=8)
    onnx.checker.check_model(model)
    return model
