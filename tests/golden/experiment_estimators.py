"""What every estimator of an experiment shares, and the estimators, in 40 digits and from the rows, for experiment.py."""

import math
import warnings

import mpmath as mp
import numpy as np
import statsmodels.api as sm
from scipy import stats

warnings.filterwarnings("ignore")
mp.mp.dps = 40
ALPHA = 0.05


def number(value):
    if value is None:
        return None
    value = float(value)
    return value if math.isfinite(value) else None


def near(a, b, tolerance=1e-8):
    assert abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-300), (a, b)


def exact(values):
    return [mp.mpf(float(value)) for value in values]


def mean(values):
    return mp.fsum(values) / len(values)


def variance(values):
    centre = mean(values)
    return mp.fsum([(value - centre) ** 2 for value in values]) / (len(values) - 1)


def student_upper(t, df):
    """P(T > t) without 1 - cdf."""
    half = mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
    return half if t >= 0 else 1 - half


def effect(value, se, df, side="two_sided"):
    """Estimate, standard error, interval and p-value by Student's t."""
    if value is None:
        return None
    if se is None:
        return {"estimate": number(value), "se": None, "lo": None, "hi": None, "p_value": None}
    if se == 0:
        return {"estimate": number(value), "se": 0.0, "lo": number(value), "hi": number(value), "p_value": None}
    t = value / se
    p = {
        "two_sided": 2 * student_upper(abs(t), df),
        "greater": student_upper(t, df),
        "less": student_upper(-t, df),
    }[side]
    width = se * mp.mpf(stats.t.isf(ALPHA / 2 if side == "two_sided" else ALPHA, float(df)))
    return {
        "estimate": number(value),
        "se": number(se),
        "lo": None if side == "less" else number(value - width),
        "hi": None if side == "greater" else number(value + width),
        "p_value": number(p),
    }


def contrast(control, arm):
    """From (n, estimate, variance of the estimate) of both arms: what every estimator shares."""
    (n0, m0, v0), (n1, m1, v1) = control, arm
    change = None if m0 is None or m1 is None else m1 - m0
    known = v0 is not None and v1 is not None
    se = mp.sqrt(v0 + v1) if known else None
    df = None
    if known and v0 + v1 > 0:
        below = sum(v * v / (n - 1) for v, n in ((v0, n0), (v1, n1)) if v > 0)
        df = (v0 + v1) ** 2 / below
    relative = None
    if change is not None and m0 != 0:
        # A lift has no unit: its gradient is that at means over |m0|, divided by it.
        scale, unit = abs(m0), m0 / abs(m0)
        gradient = [mp.diff(lambda x: (m1 / scale - x) / abs(x), unit) / scale, 1 / scale]
        rse = mp.sqrt(gradient[0] ** 2 * v0 + gradient[1] ** 2 * v1) if known else None
        relative = (change / abs(m0), rse)
    return {
        "mean": number(m1),
        "mean_control": number(m0),
        "df": number(df),
        "absolute": effect(change, se, df),
        "relative": effect(*relative, df) if relative else None,
        "greater": effect(change, se, df, "greater"),
        "less": effect(change, se, df, "less"),
    }


def one_mean(values):
    values = exact(values)
    n = len(values)
    return n, mean(values) if n else None, variance(values) / n if n > 1 else None


def welch(name, control, arm):
    answer = contrast(one_mean(control), one_mean(arm))
    usual = min(len(control), len(arm)) > 1 and 1e-6 < max(map(abs, [*control, *arm])) < 1e6
    if usual and answer["df"]:
        peer = stats.ttest_ind(arm, control, equal_var=False)
        near(peer.pvalue, answer["absolute"]["p_value"], 1e-7)
        interval = peer.confidence_interval()
        near(interval.low, answer["absolute"]["lo"], 1e-7)
        near(peer.df, answer["df"])
    return {"name": name, "control": list(control), "arm": list(arm), "expected": answer}


def one_share(successes, n):
    p = mp.mpf(successes) / n if n else None
    return n, p, p * (1 - p) / n if n > 1 else None


def proportion(name, control, arm):
    return {"name": name, "control": control, "arm": arm, "expected": contrast(one_share(*control), one_share(*arm))}


def one_ratio(rows):
    rows = [exact(row) for row in rows]
    n, d = len(rows), mp.fsum([row[1] for row in rows])
    if d == 0:
        return n, None, None
    ratio = mp.fsum([row[0] for row in rows]) / d
    parts = [(row[0] - ratio * row[1]) / (d / n) for row in rows]
    return n, ratio, mp.fsum([part**2 for part in parts]) / (n - 1) / n if n > 1 else None


def ratio(name, control, arm):
    answer = contrast(one_ratio(control), one_ratio(arm))
    return {"name": name, "control": control, "arm": arm, "expected": answer}


def clustered(name, control, arm):
    """Units with their rows. statsmodels' sandwich of one arm, times n/(n - 1), is our variance."""
    sums = [[[sum(unit), len(unit)] for unit in side] for side in (control, arm)]
    for side, rows in zip((control, arm), sums):
        y = np.concatenate(side)
        groups = np.repeat(np.arange(len(side)), [len(unit) for unit in side])
        fit = sm.OLS(y, np.ones(len(y))).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
        n = len(side)
        near(fit.bse[0] ** 2 * n / (n - 1), float(one_ratio(rows)[2]))
    answer = contrast(one_ratio(sums[0]), one_ratio(sums[1]))
    return {"name": name, "control": sums[0], "arm": sums[1], "expected": answer}


def adjusted(name, control, arm):
    """Rows of value and covariate."""
    sides = [[exact(row) for row in side] for side in (control, arm)]
    joint = sides[0] + sides[1]
    means = [mean([row[i] for row in joint]) for i in (0, 1)]
    above = mp.fsum([(row[0] - means[0]) * (row[1] - means[1]) for row in joint])
    below = mp.fsum([(row[1] - means[1]) ** 2 for row in joint])
    theta = above / below if below > 0 else mp.mpf(0)
    parts = [[row[0] - theta * row[1] for row in side] for side in sides]
    (n0, m0, v0), (n1, m1, v1) = ((len(part), mean(part), variance(part) / len(part)) for part in parts)
    bases = [mean([row[0] for row in side]) for side in sides]
    answer = contrast((n0, m0, v0), (n1, m1, v1))
    answer["mean"], answer["mean_control"] = number(bases[1]), number(bases[0])
    df = mp.mpf(answer["df"])

    def lift(y1, x1, y0, x0):
        return ((y1 - theta * x1) - (y0 - theta * x0)) / abs(y0)

    # The gradient where the covariates are expected: the same in both arms.
    middle = means[1]
    point = (bases[1], middle, bases[0], middle)
    gradient = [mp.diff(lift, point, order) for order in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))]
    total = mp.mpf(0)
    for side, weights in ((sides[1], gradient[:2]), (sides[0], gradient[2:])):
        total += variance([weights[0] * row[0] + weights[1] * row[1] for row in side]) / len(side)
    answer["relative"] = effect((m1 - m0) / abs(bases[0]), mp.sqrt(total), df)
    raw = sum(variance([row[0] for row in side]) / len(side) for side in sides)
    answer["theta"], answer["variance_reduction"] = number(theta), number(1 - (v0 + v1) / raw)
    return {"name": name, "control": control, "arm": arm, "expected": answer}


def adjusted_ratio(name, control, arm):
    """Rows of numerator, denominator, and both before; linearised values instead of a 4x4 matrix."""

    def linear(side):
        rows = [exact(row) for row in side]
        forms, ratios = [], []
        for i in (0, 2):
            d = mean([row[i + 1] for row in rows])
            value = mean([row[i] for row in rows]) / d
            ratios.append(value)
            forms.append([(row[i] - value * row[i + 1]) / d for row in rows])
        return len(rows), ratios, forms

    sides = [linear(control), linear(arm)]
    _, _, (own, past) = linear(control + arm)
    theta = mp.fsum([a * b for a, b in zip(own, past)]) / mp.fsum([b * b for b in past])
    means = [ratios[0] - theta * ratios[1] for _, ratios, _ in sides]
    bases = [ratios[0] for _, ratios, _ in sides]
    variances = [variance([a - theta * b for a, b in zip(*forms)]) / n for n, _, forms in sides]
    answer = contrast((sides[0][0], means[0], variances[0]), (sides[1][0], means[1], variances[1]))
    answer["mean"], answer["mean_control"] = number(bases[1]), number(bases[0])
    weights = [(1 / bases[0], -theta / bases[0]), (bases[1] / bases[0] ** 2, -theta / bases[0])]
    total = sum(
        variance([w[0] * a + w[1] * b for a, b in zip(*forms)]) / n
        for w, (n, _, forms) in zip(weights, (sides[1], sides[0]))
    )
    answer["relative"] = effect((means[1] - means[0]) / abs(bases[0]), mp.sqrt(total), mp.mpf(answer["df"]))
    answer["theta"] = number(theta)
    return {"name": name, "control": control, "arm": arm, "expected": answer}


def quantile(name, q, control, arm):
    """Units with their rows."""

    def one(units):
        rows = np.sort(np.concatenate(units))
        n, estimate = len(rows), float(np.quantile(rows, q))
        z = mp.mpf(stats.norm.isf(0.025))
        half = z * mp.sqrt(n * mp.mpf(q) * (1 - mp.mpf(q)))
        low, high = int(mp.floor(n * mp.mpf(q) - half)), int(mp.ceil(n * mp.mpf(q) + half))
        if n * min(q, 1 - q) < 3.84 * max(q, 1 - q):
            return len(units), mp.mpf(estimate), None
        width = mp.mpf(rows[min(high, n) - 1] - rows[max(low, 1) - 1]) / (2 * z)
        shares = [[sum(value <= estimate for value in unit), len(unit)] for unit in units]
        inflation = one_ratio(shares)[2] / (mp.mpf(q) * (1 - mp.mpf(q)) / n)
        return len(units), mp.mpf(estimate), width**2 * (n - 1) / n * inflation

    return {"name": name, "q": q, "control": control, "arm": arm, "expected": contrast(one(control), one(arm))}
