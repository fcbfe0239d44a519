"""Golden values for the ways of inference of `windvane experiment`: sums through SciPy, roots and integrals.

In a virtual environment with tests/requirements.txt, `python tests/golden/experiment_inference.py` rewrites
tests/golden/experiment_inference.json. Nothing here shares code with the program: p-values of sequences are roots of their
interval's width, boundaries of looks are roots of integrals over the earlier look, shares are compared by integration.
"""

import json
import math
from pathlib import Path

import numpy as np
from scipy import integrate, optimize, stats

HERE = Path(__file__).parent
ALPHA = 0.05
# n, sum, sum of squares; published by GrowthBook (gb/frequentist/test_tests.py).
CONTROL, ARM = (3407, 1396.87, 52377.9767), (3461, 2422.7, 134698.29)
# Units and successes.
SHARES, FEW = ((28, 14), (30, 24)), ((18, 1), (15, 6))


def moments(arm):
    n, total, squares = arm
    return n, total / n, (squares - total * total / n) / (n - 1)


def contrast(control, arm, variance=lambda found: found[2]):
    """Differences, absolute and relative, with their standard errors and Satterthwaite's degrees of freedom."""
    (n0, m0, _), (n1, m1, _) = control, arm
    v0, v1 = variance(control) / n0, variance(arm) / n1
    df = (v0 + v1) ** 2 / (v0**2 / (n0 - 1) + v1**2 / (n1 - 1))
    relative = (m1 - m0) / abs(m0), math.sqrt(v1 / m0**2 + v0 * m1**2 / m0**4)
    return {"n": n0 + n1, "absolute": (m1 - m0, math.sqrt(v0 + v1)), "relative": relative, "df": df,
            "means": (m0, v0, m1, v1)}


MEANS = contrast(moments(CONTROL), moments(ARM))


def shares(pair):
    of = lambda arm: (arm[0], arm[1] / arm[0], None)
    return contrast(of(pair[0]), of(pair[1]), lambda found: found[1] * (1 - found[1]))


def of_one_likelihood(pair):
    """What decides of two shares over many looks: their difference with the error of shares that are alike (the pooled z), which has no
    degrees of freedom."""
    found, ((n0, s0), (n1, s1)) = shares(pair), pair
    pooled = (s0 + s1) / (n0 + n1)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
    return {**found, "absolute": (found["absolute"][0], error), "df": math.inf}


def width(n, se, alpha, tuning, sides):
    """Half the interval of the asymptotic confidence sequence (arXiv:2103.06476, theorem 2.2 and proposition B.1)."""
    a = alpha if sides == 2 else 2 * alpha
    rho2 = (-2 * math.log(a) + math.log(1 - 2 * math.log(a))) / tuning
    root = math.sqrt(n * rho2 + 1)
    log = math.log(root / alpha) if sides == 2 else math.log(1 + root / (2 * alpha))
    return se * math.sqrt(2 * (n * rho2 + 1) / (n * rho2) * log)


def sequential(found, tuning, sides, scale="relative"):
    value, se = found[scale]
    half = width(found["n"], se, ALPHA, tuning, sides)
    # The plan's rho is fixed at ALPHA; the p-value is the alpha in the logarithm at which the end of the interval is 0.
    a = ALPHA if sides == 2 else 2 * ALPHA
    rho2 = (-2 * math.log(a) + math.log(1 - 2 * math.log(a))) / tuning
    root = math.sqrt(found["n"] * rho2 + 1)
    scale = 2 * (found["n"] * rho2 + 1) / (found["n"] * rho2)

    def end(log_p):
        log = math.log(root) - log_p if sides == 2 else math.log1p(math.exp(math.log(root / 2) - log_p))
        return value - se * math.sqrt(max(scale * log, 0))

    top = math.log(root) if sides == 2 else 50
    p = math.exp(optimize.brentq(end, -200, top, xtol=1e-13))
    return half, min(p, 1.0)


def spent(spending, alpha, t):
    if spending == "obrien_fleming":
        return 2 * stats.norm.sf(stats.norm.isf(alpha / 2) / math.sqrt(t))
    if spending == "pocock":
        return alpha * math.log(1 + (math.e - 1) * t)
    return alpha * t ** float(spending.removeprefix("power(").removesuffix(")"))


def second_boundary(spending, alpha, sides, times):
    """The boundary of the second of two looks: the chance not to cross at the first and to cross at it."""
    side = alpha / sides
    first = stats.norm.isf(spent(spending, side, times[0]))
    target = spent(spending, side, times[1]) - spent(spending, side, times[0])
    step = math.sqrt(times[1] - times[0])

    def crossed(z):
        inner = lambda x: stats.norm.pdf(x) * stats.norm.sf((z * math.sqrt(times[1]) - x * math.sqrt(times[0])) / step)
        low = -first if sides == 2 else -12
        return integrate.quad(inner, low, first, epsabs=1e-15, epsrel=1e-12, limit=400)[0] - target

    return optimize.brentq(crossed, -8, 12, xtol=1e-12)


def group(found, spending, sides, times):
    value, se = found["absolute"]
    z = stats.norm.isf(stats.t.sf(value / se, found["df"]))
    boundary = second_boundary(spending, ALPHA, sides, times)
    gap = lambda log_alpha: second_boundary(spending, math.exp(log_alpha), sides, times) - z
    p = math.exp(optimize.brentq(gap, math.log(1e-9), math.log(0.49), xtol=1e-11))
    reach = stats.t.isf(stats.norm.sf(boundary), found["df"]) * se
    return {"z": z, "boundary": boundary, "p_value": p, "alpha_spent": spent(spending, ALPHA / sides, times[1]) * sides,
            "absolute_ci": [value - reach, value + reach if sides == 2 else None]}


def posterior(found, mean, sd, rope):
    value, se = found["relative"]
    precision = 1 / se**2 + 1 / sd**2
    m, s = (value / se**2 + mean / sd**2) / precision, 1 / math.sqrt(precision)
    density = stats.norm(m, s)
    loss = integrate.quad(lambda x: -x * density.pdf(x), m - 12 * s, 0, epsabs=1e-14)[0]
    gain = integrate.quad(lambda x: x * density.pdf(x), 0, m + 12 * s, epsabs=1e-14)[0]
    half = stats.norm.isf(ALPHA / 2) * s
    return {"mean": m, "sd": s, "probability_better": density.sf(0), "expected_loss": loss, "expected_gain": gain,
            "ci": [m - half, m + half], "probability_in_rope": density.cdf(rope[1]) - density.cdf(rope[0])}


def beta_binomial(pair, a, b):
    (n0, s0), (n1, s1) = pair
    control, arm = stats.beta(a + s0, b + n0 - s0), stats.beta(a + s1, b + n1 - s1)
    quad = lambda of: integrate.quad(of, 0, 1, epsabs=1e-13, epsrel=1e-12, limit=500)[0]
    return {"mean": arm.mean(), "mean_control": control.mean(),
            "probability_better": quad(lambda x: arm.pdf(x) * control.cdf(x)),
            "expected_loss": quad(lambda x: arm.cdf(x) * control.sf(x)),
            "expected_gain": quad(lambda x: arm.sf(x) * control.cdf(x))}


def fieller(found):
    m0, v0, m1, v1 = found["means"]
    c2 = stats.t.isf(ALPHA / 2, found["df"]) ** 2
    roots = sorted(np.roots([m0**2 - c2 * v0, -2 * m0 * m1, m1**2 - c2 * v1]).real)
    return [roots[0] - 1, roots[1] - 1]


def at_margin(found, null, side):
    """Against m = (1 + null)·m0 for a control above 0, by the error of m - (1 + null)·m0."""
    m0, v0, m1, v1 = found["means"]
    t = (m1 - (1 + null) * m0) / math.sqrt(v1 + (1 + null) ** 2 * v0)
    return float(stats.t.sf(t, found["df"]) if side == "greater" else stats.t.cdf(t, found["df"]))


def mean_metric(name="m", **more):
    arm = lambda arm_name, sums: {"arm": arm_name, "n": sums[0], "sum": sums[1], "sum_sq": sums[2]}
    return {"metric": name, "type": "mean", "arms": [arm("a", CONTROL), arm("b", ARM)], **more}


def share_metric(pair, name="s", **more):
    arm = lambda arm_name, sums: {"arm": arm_name, "n": sums[0], "sum": sums[1]}
    return {"metric": name, "type": "proportion", "arms": [arm("a", pair[0]), arm("b", pair[1])], **more}


def case(name, metrics, options, expected):
    return {"name": name, "metrics": metrics, "options": options, "expected": expected}


def absolute(found, tuning, sides):
    """What decides at any time: the sequence of the absolute difference."""
    half, p = sequential(normal(found), tuning, sides, "absolute")
    return {"p_value": p, "ci": ends(found, half, sides)}


def normal(found):
    """The difference as the normal deviate with its tail of Student's t."""
    value, se = found["absolute"]
    return {**found, "absolute": (math.copysign(stats.norm.isf(stats.t.sf(abs(value / se), found["df"])), value) * se, se)}


def ends(found, half, sides):
    """The interval whose ends are as far as t with the tail of the normal half-width."""
    value, se = found["absolute"]
    half = stats.t.isf(stats.norm.sf(half / se), found["df"]) * se
    return [value - half, value + half][:sides]


def sequential_cases():
    half, p = sequential(MEANS, 1000, 1)
    one = {"sequential": {"p_value": p, "ci": [MEANS["relative"][0] - half]}, "decision": absolute(MEANS, 1000, 1)}
    options = ["--inference", "sequential", "--sequential-tuning", "1000", "--alternative", "greater"]
    yield case("one-sided sequence", [mean_metric()], options, one)
    strong = shares(SHARES)
    half, p = sequential(strong, 60, 2)
    relative = {"p_value": p, "ci": [strong["relative"][0] - half, strong["relative"][0] + half]}
    both = {"sequential": relative, "decision": absolute(of_one_likelihood(SHARES), 60, 2)}
    yield case("two-sided sequence", [share_metric(SHARES)], ["--inference", "sequential", "--sequential-tuning", "60"], both)


def mixture(value, se, tau, sides):
    """The p-value and half the interval of a test whose evidence is the likelihood ratio averaged over a normal prior, or over its
    upper half where one side is looked for: an integral, and the root of it."""
    def evidence(x):
        of = lambda theta: stats.norm.pdf(theta, 0, tau) * math.exp((x * theta - theta * theta / 2) / se**2)
        centre, spread = x * tau**2 / (tau**2 + se**2), tau * se / math.hypot(tau, se)
        low, high = centre - 12 * spread, centre + 12 * spread
        if sides == 2:
            return integrate.quad(of, low, high, epsabs=0, epsrel=1e-12, limit=400)[0]
        return 2 * integrate.quad(of, max(low, 0), max(high, 12 * spread), epsabs=0, epsrel=1e-12, limit=400)[0]

    half = optimize.brentq(lambda x: math.log(evidence(x)) + math.log(ALPHA), 0, 12 * math.hypot(tau, se), xtol=1e-13)
    return min(1.0, 1 / evidence(value)), half


def absolute_mixture(found, tau, sides):
    """What decides at any time: the same mixture in units of the control, over the absolute difference."""
    unit = abs(found["means"][0])
    p, half = mixture(*normal(found)["absolute"], tau * unit, sides)
    return {"p_value": p, "ci": ends(found, half, sides)}


def mixture_cases():
    strong = shares(SHARES)
    value, se = strong["relative"]
    # Howard et al. 2021, proposition 6: the precision that makes the boundary lowest at a standard error of 0.1.
    log = -2 * math.log(ALPHA)
    planned = math.sqrt((log + math.log1p(log)) * 0.1**2)
    for method, tau in [("msprt(0.3)", 0.3), ("normal_mixture(0.1)", planned)]:
        p, half = mixture(value, se, tau, 2)
        yield case(method, [share_metric(SHARES)], ["--inference", "sequential", "--sequential-method", method],
                   {"sequential": {"p_value": p, "ci": [value - half, value + half]},
                    "decision": absolute_mixture(of_one_likelihood(SHARES), tau, 2)})
    p, half = mixture(value, se, 0.3, 1)
    yield case("one-sided msprt", [share_metric(SHARES)],
               ["--inference", "sequential", "--sequential-method", "msprt(0.3)", "--alternative", "greater"],
               {"sequential": {"p_value": p, "ci": [value - half]}, "decision": absolute_mixture(of_one_likelihood(SHARES), 0.3, 1)})


def looks_cases():
    for spending, alternative, sides in [("obrien_fleming", "two-sided", 2), ("power(2)", "two-sided", 2),
                                         ("pocock", "greater", 1), ("obrien_fleming", "greater", 1)]:
        found = group(MEANS, spending, sides, [0.5, 0.8])
        decision = {"p_value": found["p_value"], "ci": [found["absolute_ci"][0]]}
        found["absolute_ci"] = [end for end in found["absolute_ci"] if end is not None]
        options = ["--inference", "group_sequential", "--information-fraction", "0.5,0.8", "--spending", spending,
                   "--alternative", alternative]
        yield case(f"{spending} {alternative}", [mean_metric()], options, {"group_sequential": found, "decision": decision})


def bayesian_cases():
    found = posterior(MEANS, 0.1, 0.3, (-0.02, 0.05))
    yield case("normal prior", [mean_metric()],
               ["--inference", "bayesian", "--prior", "normal(0.1,0.3)", "--rope", "-0.02,0.05"],
               {"bayesian": found, "decision": {"ci": found["ci"]}})
    yield case("beta prior", [share_metric(FEW)], ["--inference", "bayesian", "--prior", "beta(1,2)"],
               {"beta_binomial": beta_binomial(FEW, 1, 2)})


def beside_cases():
    (n0, s0), (n1, s1) = FEW
    table = [[s1, s0], [n1 - s1, n0 - s0]]
    for alternative in ["two-sided", "greater", "less"]:
        exact = stats.boschloo_exact(table, alternative=alternative, n=512).pvalue
        yield case(f"exact {alternative}", [share_metric(FEW)], ["--alternative", alternative], {"exact_p_value": exact})
    yield case("fieller", [mean_metric()], [], {"relative_fieller": {"ends": fieller(MEANS)}})
    held = at_margin(MEANS, -0.05, "greater")
    yield case("guardrail", [mean_metric()], ["--guardrail", "m", "--margin", "0.05"], {"guardrail": {"p_value": held}})
    lower = at_margin(MEANS, 0.05, "less")
    yield case("guardrail of less", [mean_metric(better="lower")], ["--guardrail", "m", "--margin", "m=0.05"],
               {"guardrail": {"p_value": lower}})
    p = float(2 * stats.t.sf(abs(MEANS["absolute"][0] / MEANS["absolute"][1]), MEANS["df"]))
    three = [mean_metric("m"), mean_metric("x"), mean_metric("y")]
    yield case("preferential", three,
               ["--correction", "preferential_bonferroni", "--primary", "m", "--primary-share", "0.8"],
               {"p_adjusted": p / 0.8})
    yield case("not preferred", [mean_metric("x"), mean_metric("m"), mean_metric("y")],
               ["--correction", "preferential_bonferroni", "--primary", "m", "--primary-share", "0.8"],
               {"p_adjusted": p * 2 / 0.2})
    one = float(stats.t.sf(MEANS["absolute"][0] / MEANS["absolute"][1], MEANS["df"]))
    low = MEANS["absolute"][0] - stats.t.isf(ALPHA, MEANS["df"]) * MEANS["absolute"][1]
    yield case("one side", [mean_metric()], ["--alternative", "greater"],
               {"p_value": one, "absolute": {"ci": [low]}, "decision": {"p_value": one}})


cases = [*sequential_cases(), *mixture_cases(), *looks_cases(), *bayesian_cases(), *beside_cases()]
(HERE / "experiment_inference.json").write_text(json.dumps(cases, indent=1) + "\n")
