"""Golden values for segments, strata, days and advice of `windvane experiment`: the same rows through NumPy and SciPy.

In a virtual environment with tests/requirements.txt, `python tests/golden/experiment_parts.py` rewrites
tests/golden/experiment_parts.csv and tests/golden/experiment_parts.json. Nothing here shares code with the program.
"""

import csv
import json
import math
from pathlib import Path

import numpy as np
from scipy import integrate, stats

HERE = Path(__file__).parent
SEED = 20130102
UNITS = 1000
DAYS = 6
FIRST_DAYS = 2


def write_rows():
    rng = np.random.default_rng(SEED)
    rows = []
    for unit in range(UNITS):
        # More of B come from FR, where everyone spends more: what strata put right.
        country = "XX" if unit < 5 else rng.choice(["DE", "FR", "it's", ""], p=[0.5, 0.3, 0.12, 0.08])
        arm = "B" if rng.random() < (0.58 if country == "FR" else 0.48) else "A"
        day = unit % DAYS
        effect = (2.5 if day < FIRST_DAYS else 0.1) * (arm == "B")
        total = 10 + 6 * (country == "FR") + effect + rng.normal(0, 2)
        bought = int(rng.random() < 0.2 + 0.1 * (arm == "B"))
        parts = [total / 3, total * 2 / 3] if unit % 5 == 0 else [total]
        for i, part in enumerate(parts):
            seen = f"2013-01-{1 + day + 2 * i:02d}T{unit % 24:02d}:30:00Z"
            rows.append({"user": f"u{unit}", "variant": arm, "country": country, "seen": seen,
                         "revenue": f"{part:.4f}", "bought": str(bought if i == 0 else 0)})
    rows.append({**rows[0], "variant": "A" if rows[0]["variant"] == "B" else "B"})
    rows = [rows[i] for i in rng.permutation(len(rows))]
    with open(HERE / "experiment_parts.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def units_of(rows):
    found = {}
    for row in rows:
        unit = found.setdefault(row["user"], {"arms": set(), "revenue": [], "bought": 0, "day": 99, "country": None})
        unit["arms"].add(row["variant"])
        unit["revenue"].append(float(row["revenue"]))
        unit["bought"] += int(row["bought"])
        unit["day"] = min(unit["day"], int(row["seen"][8:10]))
        unit["country"] = row["country"] or None
    kept = [unit for unit in found.values() if len(unit["arms"]) == 1]
    for unit in kept:
        unit["arm"], unit["revenue"] = unit["arms"].pop(), math.fsum(unit["revenue"])
    return kept


def of(units, arm, column):
    return np.array([unit[column] for unit in units if unit["arm"] == arm], float)


def welch(units):
    a, b = of(units, "A", "revenue"), of(units, "B", "revenue")
    found = stats.ttest_ind(b, a, equal_var=False)
    ci = found.confidence_interval(0.95)
    return {"n": len(b), "n_control": len(a), "mean": b.mean(), "mean_control": a.mean(), "p_value": found.pvalue,
            "absolute": {"estimate": b.mean() - a.mean(), "ci": [ci.low, ci.high]}}


def proportions(units):
    a, b = of(units, "A", "bought"), of(units, "B", "bought")
    variance = [p * (1 - p) / n for p, n in ((a.mean(), len(a)), (b.mean(), len(b)))]
    df = sum(variance) ** 2 / (variance[0] ** 2 / (len(a) - 1) + variance[1] ** 2 / (len(b) - 1))
    t = (b.mean() - a.mean()) / math.sqrt(sum(variance))
    return {"n": len(b), "n_control": len(a), "mean": b.mean(), "p_value": float(2 * stats.t.sf(abs(t), df))}


def holm(p_values):
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate([(len(p_values) - i) * p_values[at] for i, at in enumerate(order)])
    return np.minimum(adjusted, 1).tolist()


def segments(units):
    countries = sorted({unit["country"] for unit in units if unit["country"] != "XX"}, key=lambda it: (it is not None, it))
    parts = [(None, units)] + [(country, [unit for unit in units if unit["country"] == country]) for country in countries]
    found = [(country, {"revenue": welch(own), "bought": proportions(own)}, own) for country, own in parts]
    adjusted = iter(holm([metric["p_value"] for _, metrics, _ in found for metric in metrics.values()]))
    for _, metrics, _ in found:
        for metric in metrics.values():
            metric["p_adjusted"] = next(adjusted)
    ratio = lambda own: stats.chisquare([len(of(own, arm, "bought")) for arm in "AB"]).pvalue
    return {"whole": found[0][1], "segments": [{"country": country, "srm": ratio(own), **metrics} for country, metrics, own in found[1:]]}


def post_stratified(units, column):
    """Miratrix, Sekhon, Yu 2013: weights of all units; the second part is the spread of the strata's effects.

    XX has one unit in an arm: it joins the smallest of the others, which is the one without a country.
    """
    units = [{**unit, "country": "" if unit["country"] in ("XX", None) else unit["country"]} for unit in units]
    values = sorted({unit["country"] for unit in units})
    total = len(units)
    effect = variance = 0.0
    means, weights, control = [], [], 0.0
    for value in values:
        own = [unit for unit in units if unit["country"] == value]
        a, b = of(own, "A", column), of(own, "B", column)
        w = len(own) / total
        means.append(b.mean() - a.mean())
        weights.append(w)
        effect += w * means[-1]
        control += w * a.mean()
        variance += w * w * (a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    variance += sum(w * (mean - effect) ** 2 for w, mean in zip(weights, means)) / total
    a, b = of(units, "A", column), of(units, "B", column)
    plain = a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)
    return {"absolute": {"estimate": effect, "se": math.sqrt(variance)}, "mean_control": control,
            "stratified": {"strata": len(values), "merged": 1, "variance_reduction": 1 - variance / plain}}


def novelty(units):
    x, y, v, w = [], [], [], []
    for day in range(1, DAYS + 1):
        own = [unit for unit in units if unit["day"] == day]
        a, b = of(own, "A", "revenue"), of(own, "B", "revenue")
        x.append(day - 1)
        y.append(b.mean() - a.mean())
        v.append(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        w.append(1 / (1 / len(a) + 1 / len(b)))
    x, y, v, w = np.array(x), np.array(y), np.array(v), np.array(w)
    # Least squares are linear in y: of each day its part in the slope, and the errors of the parts together.
    parts = np.array([np.polyfit(x, one, 1, w=np.sqrt(w))[0] for one in np.eye(DAYS)])
    pooled = lambda days: ((w[days] * y[days]).sum() / w[days].sum(), (w[days] ** 2 * v[days]).sum() / w[days].sum() ** 2)
    (first, v0), (later, v1) = pooled(x < FIRST_DAYS), pooled(x >= FIRST_DAYS)
    slope = parts @ y / math.sqrt(parts ** 2 @ v)
    p = [2 * stats.norm.sf(abs(slope)), 2 * stats.norm.sf(abs(later - first) / math.sqrt(v0 + v1))]
    return {"observed": min(2 * min(p), 1), "first": f"{first:+.4f}", "later": f"{later:+.4f}"}


def advice(units):
    arms = [of(units, arm, "bought") for arm in "AB"]
    (m0, s0), (m1, s1) = [(a.mean(), math.sqrt(a.mean() * (1 - a.mean()) / len(a))) for a in arms]
    best = integrate.quad(lambda x: stats.norm.pdf(x, m1, s1) * stats.norm.cdf((x - m0) / s0), m1 - 9 * s1, m1 + 9 * s1,
                          epsabs=1e-13)[0]
    chances = [1 - best, best]
    # Two arms: half the time the other one of a drawn pair is taken, so both shares are a half.
    return [{"probability_best": chance, "thompson": min(max(chance, 0.01), 0.99), "top_two": 0.5} for chance in chances]


def outliers(units):
    """The difference without the unit of each arm that is farthest from its mean: one of a thousand, at least one."""
    arms = [of(units, arm, "revenue") for arm in "AB"]
    rest = [np.delete(arm, np.abs(arm - arm.mean()).argmax()) for arm in arms]
    all_units, others = arms[1].mean() - arms[0].mean(), rest[1].mean() - rest[0].mean()
    return {"carried": 1 - others / all_units, "rest": f"{others:+.4f}"}


units = units_of(write_rows())
expected = {**segments(units), "strata": {column: post_stratified(units, column) for column in ["revenue", "bought"]},
            "novelty": novelty(units), "advice": advice(units),
            "outliers": outliers(units)}
(HERE / "experiment_parts.json").write_text(json.dumps(expected, indent=1) + "\n")
