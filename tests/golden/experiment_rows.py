"""Golden values for `windvane experiment` over a file: the same rows through NumPy and SciPy.

In a virtual environment with tests/requirements.txt, `python tests/golden/experiment_rows.py` rewrites
tests/golden/experiment_rows.csv and tests/golden/experiment_rows.json. Nothing here shares code with the program: units are
grouped by dictionaries, sums are exact (math.fsum), p-values are SciPy's.
"""

import csv
import json
import math
from pathlib import Path

import numpy as np
from scipy import stats

HERE = Path(__file__).parent
SEED = 20130101
UNITS = 400
Z = 1.959963984540054


def write_rows():
    rng = np.random.default_rng(SEED)
    rows = []
    for unit in range(UNITS):
        arm = "AB"[int(rng.random() < 0.5)] if unit % 9 else "C"
        level = float(rng.normal(10, 3))
        for visit in range(int(rng.integers(1, 5))):
            first = visit == 0
            revenue = f"{level / 2 + rng.normal(0, 2) + (arm == 'B') * 0.7:.4f}"
            rows.append({
                "user": f"u{unit}",
                "variant": arm,
                "revenue": "" if rng.random() < 0.05 else revenue,
                "before": f"{level:.4f}" if first else "0",
                "bought": str(int(first and rng.random() < 0.2 + (arm == "B") * 0.1)),
                "clicks": str(int(rng.integers(0, 4))),
                "views": str(int(rng.integers(1, 9))),
                "latency": f"{rng.exponential(100):.1f}",
                # One row a unit has a value: sums stay about 1e9.
                "clock": f"{1e9 + rng.normal((arm == 'B') * 0.3, 1):.6f}" if first else "",
            })
    rows.append({**rows[0], "variant": "A" if rows[0]["variant"] != "A" else "B"})
    rows.append({**rows[3], "user": ""})
    rows.append({**rows[3], "user": "u9999", "variant": ""})
    order = rng.permutation(len(rows))
    rows = [rows[i] for i in order]
    with open(HERE / "experiment_rows.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def by_unit(rows):
    arms, units = {}, {}
    for row in rows:
        if row["user"] and row["variant"]:
            arms.setdefault(row["user"], set()).add(row["variant"])
            units.setdefault(row["user"], []).append(row)
    kept = {user: rows for user, rows in units.items() if len(arms[user]) == 1}
    return {user: (next(iter(arms[user])), rows) for user, rows in kept.items()}


def values(rows, column):
    return [float(row[column]) for row in rows if row[column] != ""]


def sums(units, arm, *columns):
    """One tuple a unit of the arm that has a value in every column."""
    found = []
    for own, rows in units.values():
        cells = [values(rows, column) for column in columns]
        if own == arm and all(cells):
            found.append(tuple(math.fsum(cell) for cell in cells))
    return found


def moments(xs, ys=None):
    """Mean of xs, and the covariance with ys over n - 1, around exact means."""
    ys = xs if ys is None else ys
    mx, my = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    return mx, math.fsum((x - mx) * (y - my) for x, y in zip(xs, ys)) / (len(xs) - 1)


def answer(control, arm, extra=None):
    """From (n, estimate, variance of the estimate) of both arms."""
    (n0, m0, v0), (n1, m1, v1) = control, arm
    extra = extra or {}
    change = extra.pop("change", m1 - m0)
    se = math.sqrt(v0 + v1)
    relative_se = extra.pop("relative_se", None) or math.sqrt(v1 / m0**2 + v0 * m1**2 / m0**4)
    df = (v0 + v1) ** 2 / (v0**2 / (n0 - 1) + v1**2 / (n1 - 1))
    t = stats.t.isf(0.025, df)

    def effect(estimate, se):
        p = 2 * stats.t.sf(abs(estimate / se), df)
        return {"estimate": estimate, "se": se, "ci": [estimate - t * se, estimate + t * se], "p_value": p}

    return {
        "n": n1, "n_control": n0, "mean": m1, "mean_control": m0, "df": df,
        "absolute": effect(change, se), "relative": effect(change / abs(m0), relative_se), **extra,
    }


def mean(units, arm, column):
    side = lambda arm: [x for (x,) in sums(units, arm, column)]
    of = lambda xs: (len(xs), moments(xs)[0], moments(xs)[1] / len(xs))
    control, own = side("A"), side(arm)
    # Differences of the values around one point, so that a large mean costs no digits.
    origin = control[0]
    change = math.fsum(x - origin for x in own) / len(own) - math.fsum(x - origin for x in control) / len(control)
    return answer(of(control), of(own), {"change": change})


def proportion(units, arm, column):
    def of(arm):
        xs = [x for (x,) in sums(units, arm, column)]
        p = math.fsum(xs) / len(xs)
        return len(xs), p, p * (1 - p) / len(xs)

    return answer(of("A"), of(arm))


def ratio(units, arm, column, denominator):
    def of(arm):
        pairs = sums(units, arm, column, denominator)
        xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
        (mx, vx), (my, vy), (_, c) = moments(xs), moments(ys), moments(xs, ys)
        return len(pairs), mx / my, (vx / my**2 + vy * mx**2 / my**4 - 2 * c * mx / my**3) / len(pairs)

    return answer(of("A"), of(arm))


def cuped(units, arm, column, covariate):
    control, own = sums(units, "A", column, covariate), sums(units, arm, column, covariate)
    xs = lambda pairs, i: [pair[i] for pair in pairs]
    both = control + own
    theta = moments(xs(both, 0), xs(both, 1))[1] / moments(xs(both, 1))[1]

    def parts(pairs):
        (m, v), (mp, vp), (_, c) = moments(xs(pairs, 0)), moments(xs(pairs, 1)), moments(xs(pairs, 0), xs(pairs, 1))
        return len(pairs), m, mp, v, vp, c

    n0, m0, p0, v0, vp0, c0 = parts(control)
    n1, m1, p1, v1, vp1, c1 = parts(own)
    adjusted = lambda v, vp, c, n: (v + theta**2 * vp - 2 * theta * c) / n
    change = (m1 - theta * p1) - (m0 - theta * p0)
    # The gradient in the control's mean and covariate, as gbstats has it: of the arm's unadjusted mean over the control's.
    a, b = -m1 / m0**2, theta / m0
    relative_variance = adjusted(v1, vp1, c1, n1) / m0**2 + (a * a * v0 + b * b * vp0 + 2 * a * b * c0) / n0
    before = v0 / n0 + v1 / n1
    after = adjusted(v0, vp0, c0, n0) + adjusted(v1, vp1, c1, n1)
    return answer(
        (n0, m0, adjusted(v0, vp0, c0, n0)),
        (n1, m1, adjusted(v1, vp1, c1, n1)),
        {
            "change": change,
            "relative_se": math.sqrt(relative_variance),
            "cuped": {"theta": theta, "variance_reduction": 1 - after / before},
        },
    )


def cuped_ratio(units, arm, columns):
    """Numerator, denominator, and the two before: each unit's part in both ratios, and their covariance row by row."""
    def of(*arms):
        rows = [row for arm in arms for row in sums(units, arm, *columns)]
        x, y, u, v = (np.array(column) for column in zip(*rows))
        r, before = x.sum() / y.sum(), u.sum() / v.sum()
        own, past = (x - r * y) / y.mean(), (u - before * v) / v.mean()
        return len(x), float(r), float(before), np.cov(own, past)

    (n0, r0, before0, c0), (n1, r1, before1, c1) = of("A"), of(arm)
    both = of("A", arm)[3]
    theta = float(both[0, 1] / both[1, 1])
    combined = lambda c, a, b: float(a * a * c[0, 0] + 2 * a * b * c[0, 1] + b * b * c[1, 1])
    v0, v1 = combined(c0, 1, -theta) / n0, combined(c1, 1, -theta) / n1
    relative = combined(c1, 1 / r0, -theta / r0) / n1 + combined(c0, -r1 / r0**2, theta / r0) / n0
    raw = float(c0[0, 0] / n0 + c1[0, 0] / n1)
    return answer((n0, r0, v0), (n1, r1, v1), {
        "change": (r1 - theta * before1) - (r0 - theta * before0),
        "relative_se": math.sqrt(relative),
        "cuped": {"theta": theta, "variance_reduction": 1 - (v0 + v1) / raw},
    })


def quantile(units, arm, column, q):
    def of(arm):
        cells = [values(rows, column) for own, rows in units.values() if own == arm]
        cells = [cell for cell in cells if cell]
        rows = np.sort(np.concatenate(cells))
        n, estimate = len(rows), float(np.quantile(rows, q))
        half = Z * math.sqrt(n * q * (1 - q))
        lo, hi = max(math.floor(n * q - half), 1), min(math.ceil(n * q + half), n)
        width = rows[hi - 1] - rows[lo - 1]
        below, counts = [sum(x <= estimate for x in cell) for cell in cells], [len(cell) for cell in cells]
        (mx, vx), (my, vy), (_, c) = moments(below), moments(counts), moments(below, counts)
        clustered = (vx / my**2 + vy * mx**2 / my**4 - 2 * c * mx / my**3) / len(cells)
        variance = (width / (2 * Z)) ** 2 * (n - 1) / n * clustered / (q * (1 - q) / n)
        return len(cells), estimate, float(variance)

    return answer(of("A"), of(arm))


def always_valid(units, arm, column, q, tuning, alpha=0.05):
    """Howard and Ramdas 2022: beta-binomial evidence of both arms against a common quantile, at every value that was seen, and
    for each arm the order statistics that its own evidence at half of alpha leaves; one row a unit."""
    from scipy.special import betaln

    def evidence(s, n, level):
        log = -2 * math.log(level)
        kappa = tuning / 2 / (log + math.log1p(log))
        a, b = kappa * q, kappa * (1 - q)
        return betaln(a + s, b + n - s) - betaln(a, b) - s * math.log(q) - (n - s) * math.log(1 - q)

    def least(rows, x):
        below, upto = int((rows < x).sum()), int((rows <= x).sum())
        return min(evidence(s, len(rows), alpha) for s in range(below, upto + 1))

    def ends(rows):
        inside = [s for s in range(len(rows) + 1) if evidence(s, len(rows), alpha / 2) < -math.log(alpha / 2)]
        return rows[inside[0] - 1], rows[inside[-1]]

    control, own = (np.sort(np.array([x for (x,) in sums(units, side, column)])) for side in ("A", arm))
    p = min(1.0, math.exp(-min(least(control, x) + least(own, x) for x in np.concatenate([control, own]))))
    (low0, high0), (low1, high1) = ends(control), ends(own)
    return {
        "decision": {"p_value": p, "ci": [float(low1 - high0), float(high1 - low0)]},
        "sequential": {"p_value": p},
    }


def main():
    units = by_unit(write_rows())
    metrics = {
        "clock:mean": lambda arm: mean(units, arm, "clock"),
        "revenue:mean": lambda arm: mean(units, arm, "revenue"),
        "bought:proportion": lambda arm: proportion(units, arm, "bought"),
        "clicks:ratio(views)": lambda arm: ratio(units, arm, "clicks", "views"),
        "latency:quantile(0.9)": lambda arm: quantile(units, arm, "latency", 0.9),
    }
    adjusted = {"revenue:mean": lambda arm: cuped(units, arm, "revenue", "before")}
    anytime = {"clock:quantile(0.6)": lambda arm: always_valid(units, arm, "clock", 0.6, 400)}
    past = ("revenue", "clicks", "before", "views")
    adjusted_ratio = {"revenue:ratio(clicks)": lambda arm: cuped_ratio(units, arm, past)}
    counts = {arm: sum(own == arm for own, _ in units.values()) for arm in "ABC"}
    document = {
        "arms": counts,
        "srm": float(stats.chisquare(list(counts.values()), [sum(counts.values()) * w / 9 for w in (4, 4, 1)]).pvalue),
        "several": 1,
        "plain": {name: {arm: of(arm) for arm in "BC"} for name, of in metrics.items()},
        "adjusted": {name: {arm: of(arm) for arm in "BC"} for name, of in adjusted.items()},
        "anytime": {name: {arm: of(arm) for arm in "BC"} for name, of in anytime.items()},
        "adjusted_ratio": {name: {arm: of(arm) for arm in "BC"} for name, of in adjusted_ratio.items()},
    }
    (HERE / "experiment_rows.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
