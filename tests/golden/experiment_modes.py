"""What is made of an estimate: sequences, mixtures, posteriors, and the tests beside them, in 40 digits, for experiment.py."""

import math

import mpmath as mp
import numpy as np
from experiment_estimators import ALPHA, contrast, near, number, one_mean
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.weightstats import ttost_ind

SIDES = ("two_sided", "greater", "less")


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
