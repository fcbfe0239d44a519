"""Golden values for exact, paired and planning kernels: SciPy's and statsmodels' answers on random and nasty inputs.

In a virtual environment with tests/requirements.txt and statsmodels 0.15, `python tests/golden/kernels.py` rewrites
tests/golden/kernels.json.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import NormalIndPower, TTestIndPower

HERE = Path(__file__).parent
ALTERNATIVES = ("two-sided", "less", "greater")
warnings.filterwarnings("ignore")
rng = np.random.default_rng(6)


def number(value):
    value = float(value)
    return value if math.isfinite(value) else None


def binomials():
    shares = [(0, 1), (1, 1), (0, 1000), (1000, 1000), (5, 1000), (1985, 2000), (499_000, 1_000_000), (3, 10)]
    shares += [(int(rng.binomial(n, p)), n) for n in (7, 60, 4000) for p in (0.02, 0.5, 0.93)]
    for k, n in shares:
        for p in (0.01, 0.3, 0.5, 0.99):
            exact = stats.binomtest(k, n).proportion_ci(0.95, "exact")
            wilson = stats.binomtest(k, n).proportion_ci(0.95, "wilson")
            yield {
                "k": k,
                "n": n,
                "share": p,
                "p_values": [number(stats.binomtest(k, n, p, alternative).pvalue) for alternative in ALTERNATIVES],
                "clopper_pearson": [number(exact.low), number(exact.high)],
                "wilson": [number(wilson.low), number(wilson.high)],
            }


def supremum(n, m, region):
    """The largest chance of a set of tables, on a grid and then by golden sections around its best point."""
    x, y = np.arange(n + 1), np.arange(m + 1)

    def chance(p):
        return stats.binom.pmf(x, n, p) @ region @ stats.binom.pmf(y, m, p)

    grid = np.linspace(0, 1, 4001)
    values = [chance(p) for p in grid]
    best = int(np.argmax(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, 4000)]
    for _ in range(60):
        left, right = high - (high - low) * 0.6180339887498949, low + (high - low) * 0.6180339887498949
        if chance(left) >= chance(right):
            high = right
        else:
            low = left
    return max(values[best], chance((low + high) / 2))


def tables():
    """SciPy's own searches miss maxima and tied tables, so only its definitions are used."""
    cases = [((19, 53), (13, 47)), ((12, 15), (7, 15)), ((0, 4), (5, 5)), ((0, 30), (6, 25)), ((1, 1), (0, 1))]
    cases += [((int(rng.integers(0, n + 1)), n), (int(rng.integers(0, m + 1)), m)) for n, m in ((9, 14), (20, 20), (40, 11))]
    for (k, n), (l, m) in cases:
        x, y = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
        greater = stats.hypergeom.sf(y - 1, n + m, x + y, m)
        less = stats.hypergeom.cdf(y, n + m, x + y, m)
        sides = {}
        for name, fisher in (("greater", greater), ("less", less)):
            sides[name] = supremum(n, m, fisher <= fisher[k, l] * (1 + 1e-9))
        sides["two-sided"] = min(1.0, 2 * min(sides.values()))
        yield {
            "control": [k, n],
            "treatment": [l, m],
            "boschloo": [number(sides[alternative]) for alternative in ALTERNATIVES],
            "fisher": [
                number(stats.fisher_exact([[l, k], [m - l, n - k]], alternative).pvalue) for alternative in ALTERNATIVES
            ],
        }


def differences():
    cases = [
        [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4],
        [1.0],
        [3.0, -2.0, 4.0, 5.0],
        [0.0, 0.0, 1.0, -1.0, 2.0],
        [1e9 + 1, 1e9 - 1, 1e9, 1e9 + 4, -1e9],
    ]
    cases += [list(np.round(rng.normal(0.3, 1, n), digits)) for n in (12, 50, 51, 200) for digits in (1, 12)]
    for values in cases:
        values = [float(value) for value in values]
        yield {
            "differences": values,
            "wilcoxon": [
                number(stats.wilcoxon(values, correction=True, alternative=alternative).pvalue)
                for alternative in ALTERNATIVES
            ],
            "t": number(stats.ttest_1samp(values, 0).pvalue),
        }


def pairs():
    for b, c in ((15, 5), (0, 0), (1, 0), (0, 9), (40, 61), (1000, 1100)):
        table = [[100, b], [c, 50]]
        yield {
            "first_only": b,
            "second_only": c,
            "exact": number(mcnemar(table, exact=True).pvalue),
            "corrected": number(mcnemar(table, exact=False, correction=True).pvalue) if b + c else 1.0,
        }


def bootstraps():
    for values in (rng.normal(3, 1, 30), rng.exponential(2, 25), rng.poisson(1.0, 40).astype(float)):
        found = {}
        for method in ("percentile", "BCa"):
            run = stats.bootstrap((values,), np.mean, n_resamples=999, method=method, rng=np.random.default_rng(1))
            interval = run.confidence_interval
            found[method] = [number(interval.low), number(interval.high)]
        left = np.array([np.delete(values, i).mean() for i in range(len(values))])
        influence = (len(values) - 1) * (left.mean() - left)
        yield {
            "estimate": number(values.mean()),
            "replicates": sorted(map(float, run.bootstrap_distribution)),
            "acceleration": number((influence**3).sum() / 6 / (influence**2).sum() ** 1.5),
            "percentile": found["percentile"],
            "bca": found["BCa"],
        }


def powers():
    for effect, n, ratio in ((0.5, 50, 1), (0.3, 20, 2), (0.05, 5000, 0.5), (1.5, 3, 1), (0.2, 8, 4)):
        for alternative, name in (("two-sided", "two-sided"), ("larger", "greater")):
            yield {
                "effect": effect,
                "n": n,
                "ratio": ratio,
                "alternative": name,
                "normal": number(NormalIndPower().power(effect, n, 0.05, ratio, alternative)),
                "student": number(TTestIndPower().power(effect, n, 0.05, ratio=ratio, alternative=alternative)),
            }


def main():
    golden = {
        "binomials": list(binomials()),
        "tables": list(tables()),
        "differences": list(differences()),
        "pairs": list(pairs()),
        "bootstraps": list(bootstraps()),
        "powers": list(powers()),
    }
    (HERE / "kernels.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
