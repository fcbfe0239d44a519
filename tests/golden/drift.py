"""Golden values for the drift kernels: SciPy's answers on small samples, and published formulas in NumPy where it has none.

In a virtual environment with tests/requirements.txt, `python tests/golden/drift.py` rewrites tests/golden/drift.json.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon

HERE = Path(__file__).parent
warnings.filterwarnings("ignore")


def finite(value):
    value = float(value)
    return value if math.isfinite(value) else None


def pair(statistic, p=None):
    return {"statistic": finite(statistic), "p_value": None if p is None else finite(p)}


def mmd(a, b):
    """The unbiased estimate of MMD² (Gretton et al. 2012, eq. 3); the median is of the distances of different pooled values."""
    different = np.unique(np.concatenate([a, b]))
    squared = (different[:, None] - different[None, :]) ** 2
    positive = np.sort(squared[squared > 0])
    median = positive[len(positive) // 2]

    def kernel(x, y):
        return np.exp(-((x[:, None] - y[None, :]) ** 2) / median)

    n, m = len(a), len(b)
    own = [(kernel(side, side).sum() - size) / (size * (size - 1)) for side, size in ((a, n), (b, m))]
    return sum(own) - 2 * kernel(a, b).sum() / (n * m)


def numeric(a, b, only=None):
    """Every numeric method that SciPy has, or only some, reference first."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    both = np.concatenate([a, b])
    vary = len(np.unique(both)) > 1

    def test(function, *arguments, **options):
        answer = function(*arguments, **options)
        return pair(answer.statistic, answer.pvalue)

    kernels = {
        "ks": lambda: test(stats.ks_2samp, a, b),
        "cramer_von_mises": lambda: test(stats.cramervonmises_2samp, a, b),
        "mann_whitney": lambda: test(stats.mannwhitneyu, a, b, alternative="two-sided"),
        "wasserstein": lambda: pair(stats.wasserstein_distance(a, b)),
        "energy": lambda: pair(stats.energy_distance(a, b)),
        "t_test": lambda: test(stats.ttest_ind, b, a, equal_var=True),
        "welch": lambda: test(stats.ttest_ind, b, a, equal_var=False),
    }
    if a.std() > 0:
        kernels["wasserstein_normed"] = lambda: pair(stats.wasserstein_distance(a, b) / a.std())
    # More values than this are pooled into cells.
    if vary and len(both) <= 128:
        kernels["mmd"] = lambda: pair(mmd(a, b))
    if vary:
        kernels["anderson_darling"] = lambda: test(stats.anderson_ksamp, [a, b], variant="midrank")
    if vary and min(len(a), len(b)) >= 5 and stats.iqr(both) > 0:
        kernels["epps_singleton"] = lambda: test(stats.epps_singleton_2samp, a, b)
    return {name: kernel() for name, kernel in kernels.items() if only is None or name in only}


def bins(a, b, missing, number=10):
    """Counts of both samples between quantiles of the reference, then below them, above them and missing."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    # Not np.linspace: its 0.6000000000000001 puts the edge just above the value that is the quantile, which then is below it.
    edges = np.unique(np.quantile(a[np.isfinite(a)], np.arange(number + 1) / number))
    return [
        [*np.histogram(side, edges)[0], (side < edges[0]).sum(), (side > edges[-1]).sum(), gone]
        for side, gone in zip((a, b), missing)
    ]


def categorical(a, b):
    """Every categorical method that SciPy has, on counts."""
    table = np.array([a, b])
    used = table[:, table.sum(axis=0) > 0]
    chi = stats.chi2_contingency(used, correction=False)
    g = stats.chi2_contingency(used, correction=False, lambda_="log-likelihood")
    p, q = used[0] / used[0].sum(), used[1] / used[1].sum()
    half = (used + 0.5) / (used.sum(axis=1, keepdims=True) + 0.5 * used.shape[1])
    n, columns = used.sum(), used.shape[1]
    phi = max(0, chi.statistic / n - (columns - 1) / (n - 1))
    v = math.sqrt(phi / min(1 - 1 / (n - 1), columns - 1 - (columns - 1) ** 2 / (n - 1)))
    answers = {
        "chi_square": pair(chi.statistic, chi.pvalue),
        "g_test": pair(g.statistic, g.pvalue),
        "cramers_v": pair(v, chi.pvalue),
        "jensen_shannon": pair(jensenshannon(p, q, base=2)),
        "hellinger": pair(math.sqrt(max(0, 1 - np.sqrt(p * q).sum()))),
        "total_variation": pair(np.abs(p - q).sum() / 2),
        "l_infinity": pair(np.abs(p - q).max()),
        "psi": pair(((half[1] - half[0]) * np.log(half[1] / half[0])).sum()),
        "kl": pair(stats.entropy(half[0], half[1])),
    }
    if columns == 2:
        fisher = stats.fisher_exact(used.T)
        answers["fisher_exact"] = pair(fisher.statistic, fisher.pvalue)
        # The second category as what is missing: chi-square without correction is the square of the pooled z.
        few = stats.contingency.expected_freq(used).min() < 5
        answers["missing_rate"] = pair(q[1] - p[1], fisher.pvalue if few else chi.pvalue)
    new = table[1][table[0] == 0].sum()
    # One new category, and no other that could be new by chance.
    if not new or ((table[0] == 0).sum() == 1 and table.sum(axis=0)[table[0] > 0].min() > 40):
        total, current = table.sum(), table[1].sum()
        answers["new_categories"] = pair(new / current, stats.hypergeom.pmf(new, total, new, current) if new else 1)
    return answers


def write():
    rng = np.random.default_rng(20130101)
    samples = {
        "evidently_two_sample": (
            [38.7, 41.5, 43.8, 44.5, 45.5, 46.0, 47.7, 58.0],
            [39.2, 39.3, 39.7, 41.4, 41.8, 42.9, 43.3, 45.8],
        ),
        "normal_equal_sizes": (rng.normal(0, 1, 60), rng.normal(0.4, 1, 60)),
        "normal_unequal_sizes": (rng.normal(0, 1, 75), rng.normal(0, 1.6, 41)),
        "few_against_many": (rng.normal(0, 1, 6), rng.normal(1, 1, 90)),
        "ties": (rng.poisson(2, 80).astype(float), rng.poisson(3, 70).astype(float)),
        "two_values": (rng.integers(0, 2, 50).astype(float), rng.integers(0, 2, 45).astype(float)),
        "heavy_tails": (rng.standard_cauchy(100), rng.standard_cauchy(90) * 2),
        "large_offset": (1e4 + rng.normal(0, 1, 50), 1e4 + rng.normal(0.5, 1, 50)),
        "coprime_sizes": (rng.exponential(1, 97), rng.exponential(1.3, 101)),
        "far_apart": (rng.normal(0, 1, 64), rng.normal(9, 1, 70)),
        "identical": (list(range(40)), list(range(40))),
    }
    counts = {
        "six_categories": ([16, 18, 16, 14, 12, 12], [16, 16, 16, 16, 16, 8]),
        "three_categories": ([5, 5, 8], [4, 6, 8]),
        "right_and_wrong": ([126, 10], [62, 75]),
        "right_and_wrong_less": ([126, 10], [121, 16]),
        "new_category": ([50, 30, 0], [40, 30, 9]),
        "gone_category": ([50, 30, 20], [40, 30, 0]),
        "many": (list(rng.multinomial(5000, rng.dirichlet(np.ones(40)))), list(rng.multinomial(3000, rng.dirichlet(np.ones(40))))),
        "three_equal": ([10, 10, 10], [10, 10, 10]),
        "few_missing": ([300, 2], [295, 7]),
        "more_missing": ([900, 100], [760, 140]),
    }
    sizes = [(200, 0.05), (200, 0.11), (5000, 0.005), (5000, 0.02), (30000, 0.004), (30000, 0.012), (30000, 0.03), (150000, 0.0021), (40, 0.1), (40, 0.22), (12, 0.4), (9, 0.08)]
    document = {
        "scipy": __import__("scipy").__version__,
        "numpy": np.__version__,
        "numeric": [
            {"name": name, "reference": [float(x) for x in a], "current": [float(x) for x in b], "methods": numeric(a, b)}
            for name, (a, b) in samples.items()
        ],
        "categorical": [
            {"name": name, "reference": [int(x) for x in a], "current": [int(x) for x in b], "methods": categorical(a, b)}
            for name, (a, b) in counts.items()
        ],
        "one_sample_ks": [{"n": n, "d": d, "p_value": float(stats.kstwo.sf(d, n))} for n, d in sizes],
    }
    (HERE / "drift.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    write()
