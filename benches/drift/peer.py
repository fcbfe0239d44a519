"""One other tool over the same two files, defaults as they come: `peer.py evidently|nannyml|scipy FOLDER COLUMNS`.

Reads the first COLUMNS columns with pandas, compares, and prints how many of them the tool calls drifted. The whole process is
what is measured, as it is for windvane.
"""

import sys
import warnings
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

warnings.filterwarnings("ignore")


def read(folder, count):
    names = pq.read_schema(folder / "reference.parquet").names[:count]
    return [pd.read_parquet(folder / f"{side}.parquet", columns=names) for side in ("reference", "current")]


def evidently(reference, current):
    from evidently import Report
    from evidently.presets import DataDriftPreset

    result = Report([DataDriftPreset()]).run(current_data=current, reference_data=reference)
    counted = [metric["value"] for metric in result.dict()["metrics"] if "DriftedColumnsCount" in str(metric)]
    return counted[0]["count"]


def nannyml(reference, current):
    import nannyml

    names = list(reference.columns)
    calculator = nannyml.UnivariateDriftCalculator(column_names=names)
    result = calculator.fit(reference).calculate(current)
    frame = result.filter(period="analysis").to_df()
    return sum(bool(frame[name].xs("alert", axis=1, level=-1).to_numpy().any()) for name in names)


def scipy(reference, current):
    from scipy import stats

    drifted = 0
    for name in reference.columns:
        a, b = reference[name], current[name]
        if pd.api.types.is_numeric_dtype(a):
            p = stats.ks_2samp(a, b).pvalue
        else:
            table = pd.concat([a.value_counts(), b.value_counts()], axis=1).fillna(0)
            p = stats.chi2_contingency(table.T.to_numpy()).pvalue
        drifted += p < 0.05
    return drifted


def main():
    tool, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    reference, current = read(folder, count)
    drifted = {"evidently": evidently, "nannyml": nannyml, "scipy": scipy}[tool](reference, current)
    print(f"{tool}: {drifted} of {len(reference.columns)} columns drifted")


if __name__ == "__main__":
    main()
