"""Compares `windvane drift` with SciPy on real data: January to March of the flights against each later month.

    python tests/golden/flights_scipy.py --windvane target/debug/windvane [--months 4,7] [--all]

Statistics and p-values of every column must agree to 1e-9 (relative, or absolute for p-values below what `1 - cdf` in SciPy
can resolve). Exits with 1 where a number differs, and where the numbers are not exactly those of the columns and methods below:
one that is no longer told is a difference too.

`ks` and `wasserstein` fit numbers only, which have an order and distances. `chi_square` fits categories only: it tests counts of
kinds that the data itself names, and numbers have none but bins, whose edges are quantiles of the reference. So the reference
would be spread evenly by construction, and the answer would hang on how many bins somebody chose; numbers have `ks` for that
question. `jensen_shannon` and `psi` are distances, and fit both: numbers in the bins of docs/METHODS.md, which are made here
again by NumPy (`distribution` in the document has other ones, for its picture).
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from drift import bins, categorical, numeric  # noqa: E402

ROOT = Path(__file__).parent.parent.parent
TIMES = {"ts", "scheduled_departure", "outcome_ts"}
NUMBERS = (
    "hour,distance,scheduled_minutes,dep_delay,temp,dewp,humid,wind_speed,wind_gust,precip,pressure,visib,score"
).split(",")
CATEGORIES = "carrier,origin,dest,outcome_label".split(",")
# What is asked of numbers, of numbers in bins and of categories alike, and of categories.
FEW = ("ks,wasserstein,mann_whitney,t_test,welch", "psi,jensen_shannon", "chi_square")
ALL = (
    "ks,wasserstein,wasserstein_normed,energy,mann_whitney,cramer_von_mises,anderson_darling,epps_singleton,t_test,welch",
    "psi,kl,jensen_shannon,hellinger,total_variation,l_infinity",
    "chi_square,g_test,cramers_v",
)
# Half of these values are one and the same, so that the scale of the method is 0: SciPy refuses, and Windvane says null.
NO_SCALE = {("precip", "epps_singleton"), ("visib", "epps_singleton")}
# Methods whose p-value is the library's own question of the same distribution; the others have p-values of ours.
WITH_P = {"ks", "mann_whitney", "cramer_von_mises", "anderson_darling", "epps_singleton", "t_test", "welch", "chi_square", "g_test"}
TOLERANCE = 1e-9
# SciPy says of its series for Cramér-von Mises that it is not accurate far out: it leaves up to this where p is 0.
SERIES = 1e-6


def values(table, name):
    numbers = table[name].drop_null().to_numpy().astype(float)
    return numbers[~np.isnan(numbers)]


def counts(left, right, name):
    sides = []
    for table in (left, right):
        counted = pc.value_counts(table[name])
        sides.append({entry["values"].as_py(): entry["counts"].as_py() for entry in counted})
    keys = sorted(set(sides[0]) | set(sides[1]), key=lambda key: (key is None, str(key)))
    return [[side.get(key, 0) for key in keys] for side in sides]


def by_scipy(sides, methods):
    """SciPy's answers by column, method and field; None where it has none."""
    of_numbers, of_both, of_categories = (words.split(",") for words in methods)
    answers = {}

    def keep(name, words, by_word):
        for word in words:
            for field in ("statistic", "p_value") if word in WITH_P else ("statistic",):
                answers[name, word, field] = by_word.get(word, {}).get(field)

    for name in NUMBERS:
        a, b = (values(table, name) for table in sides)
        missing = [len(table) - len(known) for table, known in zip(sides, (a, b))]
        keep(name, of_numbers, numeric(a, b, of_numbers))
        keep(name, of_both, categorical(*bins(a, b, missing)))
    for name in CATEGORIES:
        keep(name, of_both + of_categories, categorical(*counts(*sides, name)))
    return answers


def differs(got, want, field, word):
    off = abs(got - want)
    # Far out SciPy's p-values are differences from one; below this they have no digits to compare.
    floor = 1e-12 if field == "statistic" else SERIES if word == "cramer_von_mises" else TOLERANCE
    return off > TOLERANCE * abs(want) and off > floor


def by_windvane(windvane, sides, methods, folder):
    """Windvane's answers by column, method and field, and the columns that it skipped."""
    paths = []
    for role, table in zip(("reference", "current"), sides):
        paths.append(str(Path(folder) / f"{role}.parquet"))
        pq.write_table(table, paths[-1])
    command = [windvane, "drift", *paths, "--format", "json", "--methods", ",".join(methods)]
    document = json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
    answers = {
        (column["column"], method["method"], field): method[field]
        for column in document["columns"]
        for method in column["methods"]
        for field in (("statistic", "p_value") if method["method"] in WITH_P else ("statistic",))
    }
    return answers, {skipped["column"] for skipped in document["skipped"]}


def compare(windvane, methods, sides, folder):
    told, skipped = by_windvane(windvane, sides, methods, folder)
    expected = by_scipy(sides, methods)
    failures = [f"{' '.join(key)}: not told" for key in sorted(expected.keys() - told.keys())]
    failures += [f"{' '.join(key)}: told, but not compared" for key in sorted(told.keys() - expected.keys())]
    failures += [f"{name}: skipped or not, unlike before" for name in sorted(skipped ^ TIMES)]
    furthest = 0.0
    common = sorted(expected.keys() & told.keys())
    for key in common:
        (name, word, field), got, want = key, told[key], expected[key]
        if got is None or want is None:
            agrees = got is want and (name, word) in NO_SCALE
        else:
            agrees = not differs(got, want, field, word)
            furthest = max(furthest, min(abs(got - want), abs(got / want - 1) if want else math.inf))
        if not agrees:
            failures.append(f"{name} {word} {field}: {got!r}, SciPy {want!r}")
    return len(common), furthest, failures


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
            methods = ALL if arguments.all else FEW
            compared, furthest, failures = compare(arguments.windvane, methods, (reference, current), folder)
        said = f"{compared} numbers compared with SciPy, {len(failures)} differ; those told are within {furthest:.1e}"
        print(f"month {number}: {said}", *failures, sep="\n  ")
        failed |= bool(failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
