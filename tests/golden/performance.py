"""Metrics of performance by scikit-learn, on random and on nasty data, for tests/stories/performance.rs.

Writes performance.json: for each case the rows, as columns, and what scikit-learn says of them. Run it in an environment with
tests/golden/performance_requirements.txt; it needs nothing else.
"""

import json
import pathlib
import warnings

import numpy as np
from sklearn import metrics as sk
from sklearn.preprocessing import label_binarize

HERE = pathlib.Path(__file__).parent
warnings.filterwarnings("ignore")


def specificity(y, said, w):
    return sk.recall_score(1 - y, 1 - said, sample_weight=w)


def ece(y, p, w):
    """Ten bins of equal width, (a, b], as sklearn.calibration.calibration_curve has them."""
    ids = np.searchsorted(np.linspace(0, 1, 11)[1:-1], p)
    return float(sum(abs(np.sum(w[ids == i] * (p - y)[ids == i])) for i in range(10)) / np.sum(w))


def binary(y, p, w, threshold=0.5):
    known = ~np.isnan(y) & ~np.isnan(p)
    y, p, w = y[known].astype(int), p[known], w[known]
    said = (p >= threshold).astype(int)
    both, unit = len(set(y)) == 2, bool(len(p)) and p.min() >= 0 and p.max() <= 1
    return {
        "roc_auc": sk.roc_auc_score(y, p, sample_weight=w) if both else None,
        "pr_auc": sk.average_precision_score(y, p, sample_weight=w) if y.sum() else None,
        "accuracy": sk.accuracy_score(y, said, sample_weight=w) if len(y) else None,
        "precision": sk.precision_score(y, said, sample_weight=w) if said.sum() else None,
        "recall": sk.recall_score(y, said, sample_weight=w) if y.sum() else None,
        "specificity": specificity(y, said, w) if (1 - y).sum() else None,
        "f1": sk.f1_score(y, said, sample_weight=w) if y.sum() + said.sum() else None,
        "log_loss": sk.log_loss(y, p, sample_weight=w, labels=[0, 1]) if unit else None,
        "brier": sk.brier_score_loss(y, p, sample_weight=w) if unit else None,
        "ece": ece(y, p, w) if unit else None,
    }


def multiclass(y, probabilities, w, classes):
    known = np.array([value is not None for value in y])
    y, p, w = np.array([value for value in y if value is not None]), probabilities[known], w[known]
    said = np.array(classes)[p.argmax(axis=1)]
    answers = {"accuracy": sk.accuracy_score(y, said, sample_weight=w)}
    for average in ["macro", "micro", "weighted"]:
        for name in ["precision", "recall", "f1"]:
            score = getattr(sk, f"{name}_score")
            answers[f"{name}_{average}"] = score(y, said, average=average, zero_division=0, sample_weight=w)
    # Scikit-learn has no specificity: of one class against the rest it is the recall of the rest.
    there = [c for c in classes if c in y or c in said]
    negatives = [np.sum(w[y != c]) for c in there]
    rejected = [np.sum(w[(y != c) & (said != c)]) for c in there]
    shares = np.divide(rejected, negatives)
    answers["specificity_macro"] = np.mean(shares)
    answers["specificity_micro"] = np.sum(rejected) / np.sum(negatives)
    answers["specificity_weighted"] = np.average(shares, weights=[np.sum(w[y == c]) for c in there])
    answers["ece"] = np.mean([ece((y == c).astype(int), p[:, i], w) for i, c in enumerate(classes)])
    if len(set(y)) == len(classes):
        hot = label_binarize(y, classes=classes)
        for average in ["macro", "micro", "weighted"]:
            kwargs = dict(average=average, sample_weight=w)
            answers[f"roc_auc_{average}"] = sk.roc_auc_score(y, p, multi_class="ovr", labels=classes, **kwargs)
            answers[f"pr_auc_{average}"] = sk.average_precision_score(hot, p, **kwargs)
    else:
        answers |= {"roc_auc_macro": None, "pr_auc_macro": None}
    answers["log_loss"] = sk.log_loss(y, p, labels=classes, sample_weight=w)
    answers["brier"] = sk.brier_score_loss(y, p, labels=classes, sample_weight=w)
    return answers


def regression(y, v, w, quantile=0.5):
    known = ~np.isnan(y) & ~np.isnan(v)
    y, v, w = y[known], v[known], w[known]
    logs = bool(len(y)) and y.min() > -1 and v.min() > -1
    answers = {
        "mae": sk.mean_absolute_error(y, v, sample_weight=w),
        "mape": sk.mean_absolute_percentage_error(y, v, sample_weight=w),
        "mse": sk.mean_squared_error(y, v, sample_weight=w),
        "rmse": sk.root_mean_squared_error(y, v, sample_weight=w),
        "mean_error": float(np.average(v - y, weights=w)),
        "pinball": sk.mean_pinball_loss(y, v, alpha=quantile, sample_weight=w),
        "r2": sk.r2_score(y, v, sample_weight=w) if np.ptp(y) > 0 else None,
        "msle": sk.mean_squared_log_error(y, v, sample_weight=w) if logs else None,
        "rmsle": sk.root_mean_squared_log_error(y, v, sample_weight=w) if logs else None,
    }
    return answers


def ranking(groups, relevances, scores, k):
    """Groups without a relevant item are left out.

    NDCG by scikit-learn, which averages over tied scores; the others as they are defined, of tied items the less relevant first.
    """
    found = []
    for group in sorted(set(groups)):
        at = np.array(groups) == group
        relevance, score = relevances[at], scores[at]
        if relevance.sum() > 0:
            relevant = relevance[np.lexsort((relevance, -score))] > 0
            hits = np.flatnonzero(relevant[:k]) + 1
            found.append([
                sk.ndcg_score([relevance], [score], k=k) if len(score) > 1 else 1.0,
                np.sum(np.arange(1, len(hits) + 1) / hits) / min(relevant.sum(), k),
                1 / hits[0] if len(hits) else 0.0,
                float(len(hits) > 0),
                len(hits) / k,
                len(hits) / relevant.sum(),
            ])
    names = ["ndcg", "map", "mrr", "hit_rate", "precision_at_k", "recall_at_k"]
    return dict(zip(names, np.mean(found, axis=0)))


def plain(values):
    return [None if value is None or (isinstance(value, float) and np.isnan(value)) else value for value in values]


def write():
    rng = np.random.default_rng(20130101)
    cases = []

    def add(name, task, columns, expected, options=()):
        cases.append({
            "name": name,
            "task": task,
            "columns": {column: plain(values.tolist() if hasattr(values, "tolist") else values) for column, values in columns.items()},
            "options": list(options),
            "expected": {metric: None if value is None else float(value) for metric, value in expected.items()},
        })

    def of_two(name, y, p, w=None, options=(), threshold=0.5):
        y, p = np.asarray(y, float), np.asarray(p, float)
        columns = {"y": y, "p": p} | ({} if w is None else {"w": w})
        options = list(options) + ([] if w is None else ["--weight", "w"])
        add(name, "binary", columns, binary(y, p, np.ones(len(y)) if w is None else w, threshold), options)

    n = 500
    p = rng.uniform(size=n)
    y = (rng.uniform(size=n) < p).astype(float)
    of_two("random", y, p)
    of_two("another threshold", y, p, options=["--threshold", "0.8"], threshold=0.8)
    of_two("ties", y, np.round(p, 1))
    of_two("few distinct scores", y, np.round(p))
    of_two("all tied", y, np.full(n, 0.5))
    of_two("weights", y, np.round(p, 2), w=rng.integers(0, 5, n).astype(float))
    of_two("uneven weights", y, p, w=rng.exponential(size=n))
    of_two("scores that are no probabilities", y, rng.normal(size=n) * 3 + y)
    gone = y.copy()
    gone[rng.uniform(size=n) < 0.3] = np.nan
    of_two("missing targets", gone, p)
    lost = p.copy()
    lost[rng.uniform(size=n) < 0.2] = np.nan
    of_two("missing scores and targets", gone, lost)
    of_two("positives only", np.ones(40), rng.uniform(size=40))
    of_two("negatives only", np.zeros(40), rng.uniform(size=40))
    of_two("none predicted", y[:60], p[:60] / 3)
    of_two("sure and wrong", [1, 0, 1, 0] * 10, [0, 1, 1, 0] * 10)
    of_two("rare", (rng.uniform(size=n) < 0.01).astype(float), p)
    of_two("perfect", (p > 0.5).astype(float), p)
    of_two("field case C32", [1, 0, 0, 1, 1, 1, 0, 1, 0, 0], [0.91, 0.82, 0.73, 0.64, 0.55, 0.46, 0.37, 0.28, 0.19, 0], options=["--threshold", "0.7"], threshold=0.7)
    # A label column decides over the threshold.
    said = (p > 0.3).astype(float)
    with_label = binary(y, p, np.ones(n), 0.3)
    add("a label of its own", "binary", {"y": y, "p": p, "l": said}, with_label, ["--label", "l"])

    classes = ["a", "b", "c", "d"]
    raw = rng.dirichlet(np.ones(4), 400)
    truth = [classes[rng.choice(4, p=row)] for row in raw]
    columns = {f"p_{c}": raw[:, i] for i, c in enumerate(classes)}
    options = ["--probabilities", ",".join(f"{c}=p_{c}" for c in classes)]
    add("four classes", "multiclass", {"y": truth} | columns, multiclass(truth, raw, np.ones(400), classes), options)
    holes = [None if rng.uniform() < 0.3 else value for value in truth]
    add("missing classes", "multiclass", {"y": holes} | columns, multiclass(holes, raw, np.ones(400), classes), options)
    without = ["a" if value == "d" else value for value in truth]
    add("a class that does not occur", "multiclass", {"y": without} | columns, multiclass(without, raw, np.ones(400), classes), options)
    w = rng.exponential(size=400)
    add("weighted classes", "multiclass", {"y": truth, "w": w} | columns, multiclass(truth, raw, w, classes), options + ["--weight", "w"])
    numbers = [str(classes.index(value)) for value in truth]
    columns = {f"p_{i}": raw[:, i] for i in range(4)}
    add("classes that are numbers", "multiclass", {"y": [int(value) for value in numbers]} | columns,
        multiclass(numbers, raw, np.ones(400), ["0", "1", "2", "3"]), ["--probabilities", ",".join(f"{i}=p_{i}" for i in range(4))])

    def of_numbers(name, y, v, w=None, options=(), quantile=0.5):
        y, v = np.asarray(y, float), np.asarray(v, float)
        columns = {"y": y, "v": v} | ({} if w is None else {"w": w})
        options = list(options) + ([] if w is None else ["--weight", "w"])
        add(name, "regression", columns, regression(y, v, np.ones(len(y)) if w is None else w, quantile), options)

    y = rng.lognormal(size=300)
    of_numbers("numbers", y, y + rng.normal(size=300) / 3 - 0.1)
    of_numbers("weighted numbers", y, y * 1.1, w=rng.exponential(size=300))
    of_numbers("a quantile", y, y * 1.3, options=["--quantile", "0.9"], quantile=0.9)
    of_numbers("a large offset", 1e6 + y, 1e6 + y * 1.05)
    of_numbers("negative numbers", rng.normal(size=300) * 5, rng.normal(size=300) * 5)
    of_numbers("zeros", np.r_[np.zeros(5), y[:95]], np.r_[np.full(5, 1e-3), y[:95] * 0.9])
    of_numbers("constant target", np.full(50, 2.0), rng.normal(size=50))
    holes = y.copy()
    holes[::3] = np.nan
    lost = y * 1.2
    lost[::7] = np.nan
    of_numbers("missing numbers", holes, lost)

    groups = [f"g{i}" for i in np.sort(rng.integers(0, 60, 600))]
    relevances = rng.integers(0, 4, 600).astype(float) * (rng.uniform(size=600) < 0.4)
    scores = np.round(rng.uniform(size=600), 1)
    for k in [1, 3, 10]:
        add(f"groups with ties at {k}", "ranking", {"y": relevances, "s": scores, "g": groups},
            ranking(groups, relevances, scores, k), ["--k", str(k)])

    document = {"scikit-learn": __import__("sklearn").__version__, "numpy": np.__version__, "cases": cases}
    (HERE / "performance.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    write()
