"""Golden values for the statistics of experiments: SciPy, statsmodels and mpmath on small samples, usual and nasty.

In a virtual environment with tests/requirements.txt, statsmodels 0.15 and mpmath 1.4, `python tests/golden/experiment.py`
rewrites tests/golden/experiment.json. Everything is computed from the rows, in 40 digits and by other formulas than the
kernels use: sums of squared linearised values instead of covariances, numerical gradients instead of written ones, roots and
quadrature instead of closed forms. Where SciPy or statsmodels have the same test, the script checks that they agree.
"""

import json
import re
from pathlib import Path

import numpy as np
from experiment_estimators import adjusted, adjusted_ratio, clustered, proportion, quantile, ratio, welch
from experiment_modes import (
    beta_binomial, equivalence, group_sequential, mixture, posterior, quantile_sequence, sequence, srm
)

HERE = Path(__file__).parent


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
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: "[" + re.sub(r"\s+", " ", found.group(1)) + "]", text)


if __name__ == "__main__":
    main()
