"""Golden values for the statistics of experiments: SciPy, statsmodels and mpmath on small samples, usual and nasty.

In a virtual environment with tests/requirements.txt, statsmodels 0.15 and mpmath 1.4, `python tests/golden/experiment.py`
rewrites tests/golden/experiment.json. Everything is computed from the rows, in 40 digits and by other formulas than the
kernels use: sums of squared linearised values instead of covariances, numerical gradients instead of written ones, roots and
quadrature instead of closed forms. Where SciPy or statsmodels have the same test, the script checks that they agree.
"""

import json
import math
import warnings
from pathlib import Path

import mpmath as mp
import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

HERE = Path(__file__).parent
warnings.filterwarnings("ignore")
mp.mp.dps = 40
ALPHA = 0.05
SIDES = ("two_sided", "greater", "less")


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


# Estimators ---------------------------------------------------------------------------------------------------------------


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
    above = sum(mp.fsum([a * b for a, b in zip(*forms)]) / (n - 1) / n for n, _, forms in sides)
    below = sum(mp.fsum([b * b for b in forms[1]]) / (n - 1) / n for n, _, forms in sides)
    theta = above / below
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


# Modes --------------------------------------------------------------------------------------------------------------------


def sequence(value, se, n, tuning):
    cases = {}
    for side in SIDES:
        alpha = mp.mpf(ALPHA)
        inner = 2 * alpha if side != "two_sided" else alpha
        rho2 = (-2 * mp.log(inner) + mp.log(1 - 2 * mp.log(inner))) / tuning
        v = n * rho2 + 1

        def width(a):
            log = mp.log(mp.sqrt(v) / a) if side == "two_sided" else mp.log(1 + mp.sqrt(v) / (2 * a))
            return se * mp.sqrt(2 * v / (n * rho2) * log)

        distance = abs(value) if side == "two_sided" else value if side == "greater" else -value
        # The alpha at which the interval ends at 0, by the root of the width itself.
        p = mp.mpf(1)
        if distance > 0 and width(mp.mpf(1)) < distance:
            p = mp.exp(mp.findroot(lambda a: width(mp.exp(a)) - distance, (-60, 0), solver="anderson", tol=1e-30))
        cases[side] = {"half_width": number(width(alpha)), "p_value": number(p)}
    return {"value": value, "se": se, "n": n, "tuning": tuning, "expected": cases}


def mixture(value, se, variance_of_prior):
    """The likelihood ratio as an integral over the prior, and the interval's end as the root of it."""
    with mp.workdps(22):
        return mixture_at(value, se, variance_of_prior)


def mixture_at(value, se, variance_of_prior):
    tau, alpha, cases = mp.sqrt(variance_of_prior), mp.mpf(ALPHA), {}
    prior = lambda d: mp.npdf(d, 0, tau)

    def ratio_at(x, side):
        likelihood = lambda d: mp.exp((d * x - d * d / 2) / mp.mpf(se) ** 2)
        peak = x / (1 + mp.mpf(se) ** 2 / mp.mpf(variance_of_prior))
        spread = 1 / mp.sqrt(1 / mp.mpf(se) ** 2 + 1 / mp.mpf(variance_of_prior))
        grid = [peak + i * spread for i in range(-14, 15, 2)]
        if side == "two_sided":
            return mp.quad(lambda d: prior(d) * likelihood(d), grid)
        grid = [0] + [edge for edge in grid if edge > 0] if any(edge > 0 for edge in grid) else [0, 6 * spread]
        return mp.quad(lambda d: 2 * prior(d) * likelihood(d), grid)

    for side in SIDES:
        x = mp.mpf(-value if side == "less" else value)
        end = mp.findroot(lambda y: mp.log(ratio_at(y, side) * alpha), (se, 8 * se), solver="anderson", tol=1e-18)
        cases[side] = {"half_width": number(end), "p_value": number(min(mp.mpf(1), 1 / ratio_at(x, side)))}
    return {"value": value, "se": se, "variance": variance_of_prior, "expected": cases}


def posterior(value, se, prior):
    value, se = mp.mpf(value), mp.mpf(se)
    m, s = value, se
    if prior:
        weights = 1 / se**2, 1 / mp.mpf(prior[1]) ** 2
        m = (value * weights[0] + prior[0] * weights[1]) / sum(weights)
        s = 1 / mp.sqrt(sum(weights))
    # Over its value at 0, since quadrature stops at an absolute error.
    scale = mp.npdf(0, m, s)
    density = lambda x: mp.npdf(x, m, s) / scale
    lower = sorted({min(edge, mp.mpf(0)) for edge in [m + i * s for i in range(-40, 41, 2)]} | {mp.mpf(0)})
    upper = sorted({max(edge, mp.mpf(0)) for edge in [m + i * s for i in range(-40, 41, 2)]} | {mp.mpf(0)})
    return {
        "value": number(value),
        "se": number(se),
        "prior": prior,
        "expected": {
            "mean": number(m),
            "deviation": number(s),
            "probability_better": number(mp.ncdf(m / s)),
            "expected_loss": number(scale * mp.quad(lambda x: -x * density(x), lower)),
            "expected_gain": number(scale * mp.quad(lambda x: x * density(x), upper)),
        },
    }


def beta_binomial(control, arm, prior):
    shapes = [(mp.mpf(prior[0]) + s, mp.mpf(prior[1]) + n - s) for s, n in (control, arm)]
    below = lambda shape, x: mp.betainc(shape[0], shape[1], 0, x, regularized=True)

    def edges():
        found = {mp.mpf(0), mp.mpf(1)}
        for a, b in shapes:
            m = a / (a + b)
            s = mp.sqrt(m * (1 - m) / (a + b + 1))
            found |= {min(max(m + i * s, mp.mpf(0)), mp.mpf(1)) for i in range(-24, 25, 3)}
        return sorted(found)

    grid = edges()
    density = lambda shape, x: x ** (shape[0] - 1) * (1 - x) ** (shape[1] - 1) / mp.beta(*shape)
    with mp.workdps(18):
        loss = mp.quad(lambda x: below(shapes[1], x) * (1 - below(shapes[0], x)), grid)
        gain = mp.quad(lambda x: below(shapes[0], x) * (1 - below(shapes[1], x)), grid)
        better = mp.quad(lambda x: density(shapes[1], x) * below(shapes[0], x), grid)
    return {
        "control": control,
        "arm": arm,
        "prior": prior,
        "expected": {"probability_better": number(better), "expected_loss": number(loss), "expected_gain": number(gain)},
    }


def srm(counts, weights):
    used = [(c, mp.mpf(w)) for c, w in zip(counts, weights) if w > 0]
    total, n = sum(w for _, w in used), sum(c for c, _ in used)
    shares = [w / total for _, w in used]
    peer = stats.chisquare([c for c, _ in used], [float(n * share) for share in shares])
    log_beta = lambda a: sum(map(mp.loggamma, a)) - mp.loggamma(sum(a))
    factor = log_beta([100 * t + c for (c, _), t in zip(used, shares)]) - log_beta([100 * t for t in shares])
    factor -= sum(c * mp.log(t) for (c, _), t in zip(used, shares))
    statistic = mp.fsum([(c - n * t) ** 2 / (n * t) for (c, _), t in zip(used, shares)])
    p = mp.gammainc(mp.mpf(len(used) - 1) / 2, statistic / 2, mp.inf, regularized=True)
    near(float(peer.pvalue), float(p), 1e-7)
    return {
        "counts": counts,
        "weights": weights,
        "expected": {"p_value": number(p), "sequential_p_value": number(min(mp.mpf(1), mp.exp(-factor)))},
    }


def equivalence(control, arm, margin):
    answer = contrast(one_mean(control), one_mean(arm))
    p, lower, _ = ttost_ind(arm, control, -margin, margin, usevar="unequal")
    return {
        "margin": margin,
        "estimate": answer["absolute"]["estimate"],
        "se": answer["absolute"]["se"],
        "df": answer["df"],
        "expected": {"p_value": number(p), "not_inferior": number(lower[1])},
    }


def group_sequential(information, kind, alpha, sides):
    """Each boundary as the root of the probability of a multivariate normal box."""
    from scipy.optimize import brentq

    def spent(t):
        side, t = alpha / sides, min(t, 1)
        if kind == "obrien_fleming":
            return 2 * stats.norm.sf(stats.norm.isf(side / 2) / math.sqrt(t))
        return side * math.log1p((math.e - 1) * t) if kind == "pocock" else side * t ** float(kind)

    bounds, done = [], 0.0
    for k, t in enumerate(information):
        spend = spent(t) - done
        cov = [[min(u, v) / math.sqrt(u * v) for u in information[: k + 1]] for v in information[: k + 1]]

        def excess(z):
            if k == 0:
                return stats.norm.sf(z) - spend
            low = [-b if sides == 2 else -np.inf for b in bounds] + [z]
            box = stats.multivariate_normal.cdf(
                bounds + [np.inf], cov=cov, lower_limit=low, abseps=1e-10, releps=1e-10, maxpts=2_000_000
            )
            return box - spend

        bounds.append(brentq(excess, -4, 12, xtol=1e-11))
        done += spend
    return {"information": information, "spending": kind, "alpha": alpha, "sides": sides, "expected": bounds}


def quantile_sequence(name, q, tuning, control, arm):
    """The evidence at every candidate value, ties on the side that has less: the minimum over all of them."""
    q, alpha = mp.mpf(q), mp.mpf(ALPHA)
    weight = tuning / (-2 * mp.log(alpha) + mp.log(1 - 2 * mp.log(alpha)))
    a, b = weight * q, weight * (1 - q)

    def evidence(s, n, side):
        # The upper part with the parameters exchanged: the difference of two integrals would leave no digits.
        part = {
            "both": lambda a, b: mp.beta(a, b),
            "fewer": lambda a, b: mp.betainc(a, b, 0, q),
            "more": lambda a, b: mp.betainc(b, a, 0, 1 - q),
        }[side]
        above = part(a + s, b + n - s) / part(a, b)
        return above / (q**s * (1 - q) ** (n - s))

    answers = {}
    for alternative, sides in (("two_sided", ("both", "both")), ("greater", ("more", "fewer")), ("less", ("fewer", "more"))):
        least = mp.inf
        for x in sorted({*control, *arm}):
            product = mp.mpf(1)
            for rows, side in zip((control, arm), sides):
                open_ = range(sum(r < x for r in rows), sum(r <= x for r in rows) + 1)
                product *= min(evidence(s, len(rows), side) for s in open_)
            least = min(least, product)
        answers[alternative] = number(min(mp.mpf(1), 1 / least))
    return {"name": name, "q": float(q), "tuning": tuning, "control": control, "arm": arm, "expected": answers}


# Cases --------------------------------------------------------------------------------------------------------------------


def rounded(values, digits=4):
    return [round(float(value), digits) for value in values]


def main():
    random = np.random.default_rng(20261124)
    log, normal = random.lognormal, random.normal
    pair = lambda n, slope=0.7: [rounded([slope * x + normal(), x]) for x in normal(5, 2, n)]
    four = lambda n: [
        rounded([u * d * 0.3 + normal(0, 0.2), d, u * d0 * 0.3 + normal(0, 0.2), d0])
        for u, d, d0 in zip(log(0, 0.5, n), random.integers(1, 9, n), random.integers(1, 9, n))
    ]
    units = lambda n, shift=0.0: [
        rounded(log(unit + shift, 0.3, rows)) for unit, rows in zip(normal(0, 0.5, n), random.integers(1, 8, n))
    ]
    document = {
        "welch": [
            welch("normal", rounded(normal(10, 2, 40)), rounded(normal(11, 3, 55))),
            welch("log-normal", rounded(log(0, 1.5, 60)), rounded(log(0.2, 1.5, 30))),
            welch("two against three", [1.0, 2.0], [1.5, 3.0, 3.5]),
            welch("1e9 plus or minus 1", [1e9 - 1, 1e9, 1e9 + 1, 1e9], [1e9, 1e9 + 1, 1e9 + 1, 1e9 + 2, 1e9]),
            welch("minus 1e9", [-1e9 - 1, -1e9 + 1, -1e9], [-1e9 + 2, -1e9 + 1]),
            welch("tiny values", [1e-150, 3e-150, 4e-150], [2e-150, 9e-150, 5e-150, 1e-150]),
            welch("equal values", [3.0] * 5, [3.0] * 4),
            welch("two constants", [3.0] * 5, [4.0] * 4),
            welch("one constant arm", [3.0] * 5, [4.0, 5.0, 7.0]),
            welch("one unit", [3.0], [4.0, 5.0, 7.0]),
            welch("empty arm", [3.0, 4.0], []),
            welch("both empty", [], []),
            welch("negative control", [-5.0, -6.0, -4.5], [-3.0, -2.0, -4.0, -1.0]),
            welch("far apart", rounded(normal(0, 1, 30)), rounded(normal(1000, 1, 30))),
        ],
        "proportion": [
            proportion("usual", [14, 28], [16, 30]),
            proportion("many", [50123, 1000000], [50987, 1000500]),
            proportion("none against some", [0, 40], [7, 50]),
            proportion("none and none", [0, 40], [0, 50]),
            proportion("all and all", [40, 40], [50, 50]),
            proportion("all against some", [40, 40], [45, 50]),
            proportion("one unit", [1, 1], [3, 9]),
            proportion("no units", [0, 0], [3, 9]),
        ],
        "ratio": [
            ratio(
                "clicks per view",
                [[int(random.binomial(d, 0.2)), d] for d in random.integers(1, 30, 40).tolist()],
                [[int(random.binomial(d, 0.25)), d] for d in random.integers(1, 30, 50).tolist()],
            ),
            ratio("constant denominator", [[1.0, 2.0], [3.0, 2.0], [4.0, 2.0]], [[2.0, 2.0], [5.0, 2.0], [6.0, 2.0]]),
            ratio("denominator of zero", [[1.0, 0.0], [2.0, 0.0]], [[1.0, 1.0], [2.0, 3.0]]),
            ratio("large means", [[1e7 + 1, 1e6], [1e7 - 4, 1e6 + 1], [1e7, 1e6]], [[1e7 + 9, 1e6 - 1], [1e7, 1e6 + 2], [1e7 + 5, 1e6]]),
            ratio("one unit", [[1.0, 2.0]], [[1.0, 1.0], [2.0, 3.0]]),
        ],
        "clustered": [clustered("users with requests", units(30), units(35, 0.1))],
        "adjusted": [
            adjusted("correlated", pair(40), pair(50)),
            adjusted("negatively", pair(30, -1.5), pair(30, -1.5)),
            adjusted("useless", pair(25, 0.0), pair(35, 0.0)),
            adjusted("constant covariate", [[1.0, 7.0], [2.0, 7.0], [4.0, 7.0]], [[3.0, 7.0], [5.0, 7.0], [9.0, 7.0]]),
            adjusted("large means", [[1e9 + x, 1e8 + y] for x, y in pair(12)], [[1e9 + x, 1e8 + y] for x, y in pair(15)]),
        ],
        "adjusted_ratio": [adjusted_ratio("orders", four(40), four(45))],
        "quantile": [
            quantile("median", 0.5, units(40), units(45, 0.2)),
            quantile("p90", 0.9, units(40), units(60, 0.2)),
            quantile("p99 with too few rows", 0.99, units(40), units(45)),
            quantile("single rows", 0.25, [[x] for x in rounded(normal(0, 1, 80))], [[x] for x in rounded(normal(0, 1, 90))]),
        ],
        "sequence": [
            sequence(*case)
            for case in [(0.5, 0.33, 6461, 5000), (0.2344, 0.1298, 6461, 5000), (-3.0, 0.5, 900, 5000), (0.02, 0.001, 10**7, 5000), (1.0, 0.3, 10, 1e6)]
        ],
        "mixture": [mixture(*case) for case in [(0.7, 0.2, 0.09), (0.1, 0.2, 0.09), (-0.9, 0.3, 0.01), (2.0, 0.5, 4.0)]],
        "posterior": [
            posterior(0.0408, 0.147, None),
            posterior(0.0408, 0.147, [0.0, 0.3]),
            posterior(5.0, 0.25, None),
            posterior(-3.0, 0.2, [0.1, 1.0]),
            posterior(0.0, 1e-9, None),
        ],
        "beta_binomial": [
            beta_binomial(*case)
            for case in [
                ([49, 100], [51, 100], [1, 1]),
                ([0, 12], [3, 9], [0.5, 0.5]),
                ([0, 5], [0, 300], [0.5, 0.5]),
                ([7, 7], [5, 5], [1, 1]),
                ([50, 2000], [59, 2000], [1, 1]),
                ([2, 10], [90, 100], [2.5, 3]),
            ]
        ],
        "srm": [
            srm(*case)
            for case in [
                ([1000, 1200], [0.5, 0.5]),
                ([1000, 1200, 900], [0.5, 0.5, 0.0]),
                ([166080, 171180, 166300], [1, 1, 1]),
                ([0, 10, 10], [0.34, 0.33, 0.33]),
                ([9010, 98, 870], [0.9, 0.01, 0.09]),
                ([50_000_000, 50_030_000], [1, 1]),
                ([3, 0], [1, 1]),
            ]
        ],
        "equivalence": [
            equivalence(rounded(normal(10, 2, 40)), rounded(normal(10.2, 3, 55)), margin) for margin in (0.5, 1.5, 4.0)
        ],
        "group_sequential": [
            group_sequential([0.3, 0.7, 1.0], "obrien_fleming", 0.05, 2),
            group_sequential([0.3, 0.7, 1.0], "obrien_fleming", 0.025, 1),
            group_sequential([0.25, 0.5, 0.75], "pocock", 0.05, 2),
            group_sequential([0.1, 0.4, 1.3], "2.0", 0.1, 1),
            group_sequential([0.5, 0.6, 1.0], "3.0", 0.01, 2),
        ],
        "quantile_sequence": [
            quantile_sequence("medians apart", 0.5, 100, rounded(normal(0, 1, 90), 2), rounded(normal(0.8, 1, 70), 2)),
            quantile_sequence("p90 the same", 0.9, 200, rounded(normal(0, 1, 80), 2), rounded(normal(0, 1, 80), 2)),
            quantile_sequence("ties", 0.75, 50, [float(x) for x in random.poisson(2, 60)], [float(x) for x in random.poisson(4, 60)]),
        ],
    }
    text = json.dumps(document, indent=1)
    (HERE / "experiment.json").write_text(compact(text) + "\n")


def compact(text):
    """Lists of numbers on one line: the file is read by people only where a case fails."""
    import re

    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: "[" + re.sub(r"\s+", " ", found.group(1)) + "]", text)


if __name__ == "__main__":
    main()
