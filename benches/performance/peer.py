"""The daily performance of 30 days by 5 segments with pandas and scikit-learn: reads two files, joins them, prints JSON.

    peer.py WORK points|whole

`points` has the values of the metrics and no more. `whole` has what `windvane performance` says of each chunk: each metric with its interval, the
calibration curve with ECE, and gain and lift by tenths; intervals of the area by DeLong with midranks (Sun, Xu 2014), else in closed form.

The five days that run.sh takes as reference are among the thirty, so that pandas computes them once: this favours pandas."""

import json
import pathlib
import sys

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

work = pathlib.Path(sys.argv[1])
BINS = 10
ALPHA = 0.05
Z = stats.norm.isf(ALPHA / 2)


def points(y, p):
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


def wilson(share, n, z=Z):
    centre, half = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return [(centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)]


def student(values):
    mean, half = values.mean(), stats.t.isf(ALPHA / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return [mean - half, mean + half]


def delong(y, p, auc):
    """The interval of the area as docs and `stats::paired::delong` give it: Wilson's by the pairs that DeLong's error tells."""
    positives, negatives = p[y == 1], p[y == 0]
    sides = [len(positives), len(negatives)]
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    of_positives = (ranks[: sides[0]] - stats.rankdata(positives)) / sides[1]
    of_negatives = 1 - (ranks[sides[0] :] - stats.rankdata(negatives)) / sides[0]
    lost = [n * min(auc, 1 - auc) for n in sides]
    own = [np.var(parts, ddof=1) / len(parts) / (auc * (1 - auc)) for parts in (of_positives, of_negatives)]
    v, w = (max(o, (e * o + 1 / (3 * n)) / (e + 1)) for o, e, n in zip(own, lost, sides))
    degrees = (v + w) ** 2 / (v * v / (sides[0] - 1) + w * w / (sides[1] - 1))
    return wilson(auc, 1 / (v + w), stats.t.isf(ALPHA / 2, degrees))


def average_precision(y, p, average):
    """The interval of average precision as docs and `stats::performance::ranked` give it, on the logit scale."""
    scores, at = np.unique(-p, return_inverse=True)
    hits, rows = np.bincount(at, y, len(scores)), np.bincount(at, minlength=len(scores))
    precision, share = hits.cumsum() / rows.cumsum(), hits / rows.cumsum()
    added, taken = share * (1 - precision), share * precision
    positives, negatives = hits.sum(), len(y) - hits.sum()
    v = (hits * (precision + added[::-1].cumsum()[::-1] - average) ** 2).sum() / positives**2
    w = ((rows - hits) * taken[::-1].cumsum()[::-1] ** 2).sum() / positives**2
    degrees = (v + w) ** 2 / (v * v / (positives - 1) + w * w / (negatives - 1))
    by_delta = stats.t.isf(ALPHA / 2, degrees) * np.sqrt(v + w) / (average * (1 - average))
    half = max(Z / np.sqrt(positives * average * (1 - average)), by_delta)
    logit = np.log(average / (1 - average))
    return [1 / (1 + np.exp(-(logit - half))), 1 / (1 + np.exp(-(logit + half)))]


def whole(y, p):
    values = points(y, p)
    n, positives = len(y), int(y.sum())
    said = p >= 0.5
    tp = int(y[said].sum())
    predicted = int(said.sum())
    losses = -np.log(np.where(y == 1, p, 1 - p).clip(np.finfo(float).eps))
    auc, average = values["roc_auc"], values["pr_auc"]
    observed, mean_score = calibration_curve(y, p, n_bins=BINS)
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], p)
    counts = np.bincount(bins, minlength=BINS)
    gap = p - y
    means = np.bincount(bins, gap, BINS) / counts
    variances = (np.bincount(bins, gap * gap, BINS) / counts - means**2) / (counts - 1)
    values["ece"] = float((counts / n * np.abs(mean_score - observed)).sum())
    wide = Z * np.sqrt(((counts / n) ** 2 * variances).sum())
    # A bin whose gap may be 0 has one of this mean size by chance, so that the lower end lies lower by as much.
    chance = (counts / n * np.sqrt(variances * 2 / np.pi) * (np.abs(means) <= Z * np.sqrt(variances))).sum()
    falls = y[np.argsort(-p, kind="stable")].cumsum()
    gains = falls[np.ceil(np.arange(1, BINS + 1) * n / BINS).astype(int) - 1] / positives
    intervals = {
        "roc_auc": delong(y, p, auc),
        "pr_auc": average_precision(y, p, average),
        "log_loss": student(losses),
        "brier": student(gap * gap),
        "ece": [max(values["ece"] - chance - wide, 0.0), values["ece"] + wide],
        "accuracy": wilson(values["accuracy"], n),
        "precision": wilson(values["precision"], predicted),
        "recall": wilson(values["recall"], positives),
        "specificity": wilson(values["specificity"], n - positives),
        # By Dice: F1 = x / (2 - x), with x the share of all that are positive or said to be, that are both.
        "f1": [2 * x / (1 + x) for x in wilson(tp / (positives + predicted - tp), positives + predicted - tp)],
    }
    return {
        "metrics": values,
        "intervals": intervals,
        "calibration": [
            {"n": int(count), "mean_score": mean, "observed": share, "ci": wilson(share, count)}
            for count, mean, share in zip(counts, mean_score, observed)
        ],
        "lift": [
            {"gain": gain, "lift": gain * BINS / (i + 1), "ci": [end * BINS / (i + 1) for end in wilson(gain, positives)]}
            for i, gain in enumerate(gains)
        ],
    }


measure = {"points": points, "whole": whole}[sys.argv[2]]
predictions = pd.read_parquet(work / "predictions.parquet")
outcomes = pd.read_parquet(work / "outcomes.parquet")
joined = predictions.merge(outcomes, on="event_id", how="left")
joined["day"] = joined["ts"].dt.floor("D")
coverage = joined.groupby("day")["label"].count() / joined.groupby("day").size()
known = joined[joined["label"].notna()].copy()
known["y"] = known["label"].astype(int)
rows = lambda part: (part["y"].to_numpy(), part["score"].to_numpy())
days = {str(day): measure(*rows(part)) for day, part in known.groupby("day")}
segments = {f"{day} {region}": measure(*rows(part)) for (day, region), part in known.groupby(["day", "region"])}
print(json.dumps({"days": days, "segments": segments, "coverage": coverage.tolist()}))
