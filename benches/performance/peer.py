"""The daily performance of 30 days by 5 segments with pandas and scikit-learn: reads two files, joins them, prints JSON.

The five days that run.sh takes as reference are among the thirty, so that pandas computes them once: this favours pandas."""

import json
import pathlib
import sys

import pandas as pd
from sklearn import metrics as sk

work = pathlib.Path(sys.argv[1])


def measure(rows):
    y, p = rows["y"].to_numpy(), rows["score"].to_numpy()
    said = (p >= 0.5).astype(int)
    tn, fp, fn, tp = sk.confusion_matrix(y, said, labels=[0, 1]).ravel()
    return {
        "roc_auc": sk.roc_auc_score(y, p),
        "pr_auc": sk.average_precision_score(y, p),
        "accuracy": sk.accuracy_score(y, said),
        "precision": sk.precision_score(y, said),
        "recall": sk.recall_score(y, said),
        "specificity": tn / (tn + fp),
        "f1": sk.f1_score(y, said),
        "log_loss": sk.log_loss(y, p),
        "brier": sk.brier_score_loss(y, p),
    }


predictions = pd.read_parquet(work / "predictions.parquet")
outcomes = pd.read_parquet(work / "outcomes.parquet")
joined = predictions.merge(outcomes, on="event_id", how="left")
joined["day"] = joined["ts"].dt.floor("D")
coverage = joined.groupby("day")["label"].count() / joined.groupby("day").size()
known = joined[joined["label"].notna()].copy()
known["y"] = known["label"].astype(int)
days = {str(day): measure(rows) for day, rows in known.groupby("day")}
segments = {f"{day} {region}": measure(rows) for (day, region), rows in known.groupby(["day", "region"])}
print(json.dumps({"days": days, "segments": segments, "coverage": coverage.tolist()}))
