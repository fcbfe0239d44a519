"""A month of flights against a random split of itself: nothing drifted, so nothing may be said to have.

    python tests/golden/flights_split.py --windvane target/debug/windvane [--splits 1] [--methods …]

Splits each of the twelve months at random into halves, which makes every difference between them chance, and runs
`windvane drift` on them. The share of runs that say drift must stay at or below alpha plus two standard errors; the seeds are
fixed, so the same build always answers the same. Exits with 1 where it does not hold.
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

ROOT = Path(__file__).parent.parent.parent
ALPHA = 0.05


def drifted(windvane, halves, folder, methods):
    """Names the columns that `windvane drift` says moved."""
    paths = []
    for role, half in zip(("reference", "current"), halves):
        paths.append(str(Path(folder) / f"{role}.parquet"))
        pq.write_table(half, paths[-1])
    command = [windvane, "drift", *paths, "--format", "json", "--alpha", str(ALPHA)]
    if methods:
        command += ["--methods", methods]
    document = json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
    if document["verdict"] == "insufficient_data" or not document["columns"]:
        raise SystemExit("nothing was compared, so nothing is shown")
    return [column["column"] for column in document["columns"] if column["verdict"] == "drift"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--windvane", required=True)
    parser.add_argument("--data", default=str(ROOT / "data" / "flights.parquet"))
    parser.add_argument("--splits", type=int, default=1, help="random splits of each month")
    parser.add_argument("--methods", help="methods instead of the defaults")
    arguments = parser.parse_args()
    table = pq.read_table(arguments.data).drop_columns(["event_id", "unit_id"])
    month = pc.month(table["ts"])
    runs, alarms = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, 13):
            flights = table.filter(pc.equal(month, number))
            for split in range(arguments.splits):
                order = np.random.default_rng([number, split]).permutation(len(flights))
                halves = [flights.take(half) for half in np.array_split(order, 2)]
                moved = drifted(arguments.windvane, halves, folder, arguments.methods)
                runs += 1
                if moved:
                    alarms.append(f"month {number}, split {split}: {', '.join(moved)}")
    bound = ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
    print(f"{runs} random splits, {len(alarms)} said drift; at most {bound:.3f} of them may", *alarms, sep="\n  ")
    return 1 if len(alarms) > bound * runs else 0


if __name__ == "__main__":
    sys.exit(main())
