"""Rows of an experiment as Parquet: `rows.py FILE ROWS METRICS`.

Three arms at random, one row a unit. The last fifth of the metrics are shares of a tenth, the others are gamma(2, 3); each arm is a
little better than the one before it.
"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PART = 1_000_000


def main():
    path, rows, metrics = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    shares = metrics // 5
    rng = np.random.default_rng(1)
    fields = [("unit", pa.int64()), ("arm", pa.string())] + [(f"m{i}", pa.float64()) for i in range(metrics)]
    schema = pa.schema(fields)
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, PART):
            n = min(PART, rows - start)
            arm = rng.integers(0, 3, n)
            columns = [np.arange(start, start + n), np.array(["A", "B", "C"])[arm]]
            for i in range(metrics):
                if i < metrics - shares:
                    columns.append(rng.gamma(2.0, 3.0, n) + 0.01 * arm)
                else:
                    columns.append((rng.random(n) < 0.1 + 0.001 * arm).astype(float))
            writer.write_table(pa.table([pa.array(column) for column in columns], schema=schema))


if __name__ == "__main__":
    main()
