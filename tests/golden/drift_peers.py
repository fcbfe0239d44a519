"""What Evidently and NannyML themselves say of two small samples, for `--compat` (drift_peers.json).

Run once with each tool, in an environment of its own:

    python tests/golden/drift_peers.py          # with evidently==0.7.23, or with nannyml==0.13.1

The samples (drift_peers_reference.csv, drift_peers_current.csv) have missing values on both sides, more of them in the
second; a number of many different values, one of few, and two categorical columns.
"""

import csv
import importlib.util
import json
import os
import pathlib
import warnings

import numpy as np
import pandas as pd

# NannyML would report its use to its makers.
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

HERE = pathlib.Path(__file__).parent
COLUMNS = ["amount", "visits", "plan", "flag"]
NUMBERS = ["amount", "visits"]


def draw(path, seed, rows, shift):
    rng = np.random.default_rng(seed)
    plans = [0.5, 0.3, 0.15, 0.05] if shift == 0 else [0.42, 0.33, 0.15, 0.10]
    flags = [0.6, 0.4] if shift == 0 else [0.66, 0.34]
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        for _ in range(rows):
            amount = round(float(rng.gamma(2.0, 10.0 + 10 * shift)), 3)
            visits = int(rng.poisson(3 + shift))
            plan = str(rng.choice(["free", "pro", "team", "own"], p=plans))
            flag = str(rng.choice(["yes", "no"], p=flags))
            out.writerow([
                "" if rng.random() < 0.06 + 0.1 * shift else amount,
                visits,
                "" if rng.random() < 0.04 + 0.2 * shift else plan,
                flag,
            ])


def evidently(reference, current):
    from evidently.legacy.calculations import stattests  # noqa: F401: registers them
    from evidently.legacy.calculations.stattests import registry
    from evidently.legacy.core import ColumnType

    names = [
        "ks", "chisquare", "wasserstein", "kl_div", "psi", "jensenshannon", "anderson", "cramer_von_mises", "es",
        "hellinger", "mannw", "t_test",
    ]  # fmt: skip
    said = {}
    for column in COLUMNS:
        kind = ColumnType.Numerical if column in NUMBERS else ColumnType.Categorical
        for name in names:
            a, b = reference[column].dropna(), current[column].dropna()
            try:
                test = registry.get_stattest(a, b, kind, name)
            except Exception:  # Not for columns of this kind.
                continue
            result = test(a, b, kind, None)
            said[f"{column}.{name}"] = [float(result.drift_score), bool(result.drifted)]
    return said


def nannyml(reference, current):
    import nannyml

    calculator = nannyml.UnivariateDriftCalculator(
        column_names=COLUMNS,
        treat_as_categorical=[column for column in COLUMNS if column not in NUMBERS],
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon", "wasserstein", "hellinger"],
        categorical_methods=["chi2", "jensen_shannon", "l_infinity", "hellinger"],
        chunk_number=1,
    ).fit(reference)
    rows = calculator.calculate(current).filter(period="analysis").to_df()
    names = {(column, name) for column, name, _ in rows.columns if column in COLUMNS}
    return {f"{column}.{name}": float(rows[(column, name, "value")].iloc[0]) for column, name in sorted(names)}


def main():
    warnings.simplefilter("ignore")
    paths = [HERE / f"drift_peers_{side}.csv" for side in ("reference", "current")]
    draw(paths[0], 1, 700, 0.0)
    draw(paths[1], 2, 500, 0.3)
    reference, current = (pd.read_csv(path) for path in paths)
    target = HERE / "drift_peers.json"
    said = json.loads(target.read_text()) if target.exists() else {}
    for name, tool in {"evidently": evidently, "nannyml": nannyml}.items():
        if importlib.util.find_spec(name):
            said[name] = tool(reference.copy(), current.copy())
    target.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
