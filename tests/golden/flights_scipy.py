"""Compares `windvane drift` with SciPy on real data: January to March of the flights against each later month.

    python tests/golden/flights_scipy.py --windvane target/debug/windvane [--months 4,7] [--all]

Statistics and p-values of every column must agree to 1e-9 (relative, or absolute for p-values below what `1 - cdf` in SciPy
can resolve). Exits with 1 where a number differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from drift import categorical, numeric  # noqa: E402

ROOT = Path(__file__).parent.parent.parent
FEW = "ks,wasserstein,mann_whitney,t_test,welch,psi,chi_square,jensen_shannon"
ALL = (
    "ks,wasserstein,wasserstein_normed,energy,mann_whitney,cramer_von_mises,anderson_darling,epps_singleton,"
    "t_test,welch,psi,chi_square,g_test,cramers_v,jensen_shannon,hellinger,total_variation,l_infinity"
)
# Methods whose p-value is the library's own question of the same distribution; the others have p-values of ours.
WITH_P = {"ks", "mann_whitney", "cramer_von_mises", "anderson_darling", "epps_singleton", "t_test", "welch", "chi_square", "g_test"}
TOLERANCE = 1e-9
# SciPy says of its series for Cramér-von Mises that it is not accurate far out: it leaves up to this where p is 0.
SERIES = 1e-6


def values(table, name):
    column = table[name].drop_null()
    return column.to_numpy().astype(float)


def counts(left, right, name):
    sides = []
    for table in (left, right):
        counted = pc.value_counts(table[name])
        sides.append({entry["values"].as_py(): entry["counts"].as_py() for entry in counted})
    keys = sorted(set(sides[0]) | set(sides[1]), key=lambda key: (key is None, str(key)))
    return [[side.get(key, 0) for key in keys] for side in sides]


def differs(got, want, field, word):
    if want is None or got is None:
        return (want is None) != (got is None)
    off = abs(got - want)
    # Far out SciPy's p-values are differences from one; below this they have no digits to compare.
    floor = 1e-12 if field == "statistic" else SERIES if word == "cramer_von_mises" else TOLERANCE
    return off > TOLERANCE * abs(want) and off > floor


def compare(windvane, methods, sides, folder):
    left, right = sides
    paths = []
    for role, table in (("reference", left), ("current", right)):
        paths.append(str(Path(folder) / f"{role}.parquet"))
        pq.write_table(table, paths[-1])
    command = [windvane, "drift", *paths, "--format", "json", "--methods", methods]
    document = json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
    compared, failures = 0, []
    for column in document["columns"]:
        name = column["column"]
        if column["kind"] == "numeric":
            expected = numeric(values(left, name), values(right, name), methods.split(","))
        else:
            expected = categorical(*counts(left, right, name))
        for method in column["methods"]:
            word = method["method"]
            if word not in expected:
                continue
            if expected[word]["statistic"] is None and method["statistic"] is None:
                continue
            for field in ("statistic", "p_value") if word in WITH_P else ("statistic",):
                compared += 1
                if differs(method[field], expected[word][field], field, word):
                    failures.append(f"{name} {word} {field}: {method[field]!r}, SciPy {expected[word][field]!r}")
    return compared, failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--windvane", required=True)
    parser.add_argument("--data", default=str(ROOT / "data" / "flights.parquet"))
    parser.add_argument("--all", action="store_true", help="every method that SciPy has, which takes minutes")
    parser.add_argument("--months", default="4,5,6,7,8,9,10,11,12")
    arguments = parser.parse_args()
    table = pq.read_table(arguments.data).drop_columns(["event_id", "unit_id"])
    month = pc.month(table["ts"])
    reference = table.filter(pc.less_equal(month, 3))
    failed = False
    for number in map(int, arguments.months.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            current = table.filter(pc.equal(month, number))
            compared, failures = compare(arguments.windvane, ALL if arguments.all else FEW, (reference, current), folder)
        print(f"month {number}: {compared} numbers compared with SciPy, {len(failures)} differ", *failures, sep="\n  ")
        failed |= bool(failures) or compared == 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
