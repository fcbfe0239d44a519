"""Estimates by NannyML's CBPE and DLE, for tests/stories/performance_estimates.rs.

Writes performance_nannyml.json: rows, as columns, and what NannyML estimates of each chunk. Run it in an environment with
tests/golden/performance_nannyml_requirements.txt; it needs nothing else.
"""

import json
import os
import pathlib
import warnings

# It would report its use to its makers.
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).parent
ROWS = 400
warnings.filterwarnings("ignore")

BINARY = ["roc_auc", "average_precision", "f1", "precision", "recall", "specificity", "accuracy"]
SEVERAL = ["roc_auc", "f1", "precision", "recall", "specificity", "accuracy"]
NUMBERS = ["mae", "mape", "mse", "rmse", "msle", "rmsle"]


def chunks(estimator, analysis, names):
    frame = estimator.estimate(analysis).filter(period="analysis").to_df()
    return [
        {
            name: {
                "estimate": float(row[(name, "value")]),
                "error": float(row[(name, "sampling_error")]),
                "threshold": [None if pd.isna(row[(name, f"{side}_threshold")]) else float(row[(name, f"{side}_threshold")]) for side in ["lower", "upper"]],
            }
            for name in names
        }
        for _, row in frame.iterrows()
    ]


def plain(frame):
    return {column: frame[column].tolist() for column in frame.columns}


def binary(rng, shift):
    """Scores that are too sure of themselves, so that calibration helps."""
    def rows(n, moved):
        logit = rng.normal(size=n) * 1.5 - 0.5 + moved
        score = np.round(1 / (1 + np.exp(-2.5 * logit)), 7)
        y = (rng.uniform(size=n) < 1 / (1 + np.exp(-logit))).astype(int)
        return pd.DataFrame({"y": y, "p": score, "l": (score >= 0.5).astype(int)})
    return rows(4 * ROWS, 0.0), rows(3 * ROWS, shift)


def several(rng):
    classes = ["a", "b", "c"]
    def rows(n, moved):
        logits = rng.normal(size=(n, 3)) + [moved, 0.0, -0.3]
        truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        said = np.exp(2.2 * logits) / np.exp(2.2 * logits).sum(axis=1, keepdims=True)
        said = np.round(said, 7)
        said[:, 2] = 1 - said[:, 0] - said[:, 1]
        y = [classes[rng.choice(3, p=row)] for row in truth]
        frame = pd.DataFrame({f"p_{c}": said[:, i] for i, c in enumerate(classes)})
        return frame.assign(y=y, l=[classes[i] for i in said.argmax(axis=1)])
    return classes, rows(4 * ROWS, 0.0), rows(2 * ROWS, 0.4)


def numbers(rng):
    """Numbers whose losses grow with a feature and are larger for one of two kinds; the later ones lie where losses are large.

    The kind is a number because NannyML's encoder cannot take what pandas 3 makes of words.
    """
    def rows(n, low):
        x, noise, kind = low + (1 - low) * rng.uniform(size=n), rng.normal(size=n), rng.integers(0, 2, size=n)
        said = 20 + 10 * x
        y = said + (0.3 + 2 * x) * (1 + kind) * rng.normal(size=n)
        return pd.DataFrame({"x": x, "noise": noise, "kind": kind, "v": said, "y": y}).round(4)
    return rows(4 * ROWS, 0.0), rows(3 * ROWS, 0.5)


def write():
    rng = np.random.default_rng(20130101)
    reference, analysis = binary(rng, 0.4)
    estimator = nannyml.CBPE(
        y_pred_proba="p", y_pred="l", y_true="y", problem_type="classification_binary", metrics=BINARY, chunk_size=ROWS,
    ).fit(reference)
    cases = [{
        "name": "binary", "task": "binary", "calibrated": bool(estimator.needs_calibration),
        "reference": plain(reference), "current": plain(analysis[["p", "l"]]), "chunks": chunks(estimator, analysis, BINARY),
    }]
    classes, reference, analysis = several(rng)
    probabilities = {c: f"p_{c}" for c in classes}
    estimator = nannyml.CBPE(
        y_pred_proba=probabilities, y_pred="l", y_true="y", problem_type="classification_multiclass", metrics=SEVERAL, chunk_size=ROWS,
    ).fit(reference)
    cases.append({
        "name": "three classes", "task": "multiclass", "calibrated": True,
        "reference": plain(reference), "current": plain(analysis.drop(columns="y")), "chunks": chunks(estimator, analysis, SEVERAL),
    })
    reference, analysis = numbers(rng)
    estimator = nannyml.DLE(
        feature_column_names=["x", "noise", "kind"], y_pred="v", y_true="y", metrics=NUMBERS, chunk_size=ROWS,
    ).fit(reference)
    cases.append({
        "name": "numbers", "task": "regression", "calibrated": False,
        "reference": plain(reference), "current": plain(analysis.drop(columns="y")), "chunks": chunks(estimator, analysis, NUMBERS),
        "truth": [
            {"mae": float(np.mean(abs(part.v - part.y))), "mse": float(np.mean((part.v - part.y) ** 2))}
            for part in (analysis[at:at + ROWS] for at in range(0, len(analysis), ROWS))
        ],
    })
    document = {"nannyml": nannyml.__version__, "numpy": np.__version__, "rows": ROWS, "cases": cases}
    (HERE / "performance_nannyml.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    write()
