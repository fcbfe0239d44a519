"""Cuts the files that the README compares out of data/flights.parquet, into the folder that is named.

Run it with `make cuts`. Months are those of UTC, as in data/monitors.toml, and the halves of June are those of
tests/golden/flights_split.py, so that the README's figures come out.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
SHORT = ["temp", "carrier", "distance"]


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    flights = pq.read_table(HERE / "flights.parquet")
    year, month = pc.year(flights["ts"]), pc.month(flights["ts"])
    in_2013 = pc.equal(year, 2013)
    of_month = {number: flights.filter(pc.and_(in_2013, pc.equal(month, number))) for number in (1, 2, 6)}
    is_spring = pc.and_(in_2013, pc.less(month, 4))
    june = of_month[6].drop_columns(["event_id", "unit_id"])
    halves = np.array_split(np.random.default_rng([6, 0]).permutation(len(june)), 2)
    cuts = {
        "january": of_month[1],
        "february": of_month[2],
        "spring": flights.filter(is_spring),
        "later": flights.filter(pc.invert(is_spring)),
        "june_a": june.take(halves[0]),
        "june_b": june.take(halves[1]),
    }
    for name, rows in cuts.items():
        pq.write_table(rows, folder / f"{name}.parquet")
    for name, rows in {"january": of_month[1], "june": of_month[6]}.items():
        csv.write_csv(rows.select(SHORT), folder / f"{name}.csv")


if __name__ == "__main__":
    main()
