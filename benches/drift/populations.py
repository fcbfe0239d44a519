"""Two Parquet files of one size for the comparison: `populations.py FOLDER ROWS COLUMNS`.

Of every four columns three are numbers (normal, exponential and Cauchy in turn, every other one rounded to two decimals) and one
has ten or fifty categories. In the current file the first column is shifted by a fifth of a standard deviation; nothing else
changes. Numbers are 32 bits wide, so that the largest pair fits on a small disk. A column is drawn from its own seed: any
subset of columns can be made alone.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS_A_GROUP = 100_000


def column(index, rows, seed, shift):
    rng = np.random.default_rng([seed, index])
    if index % 4 == 3:
        count = 10 if index % 8 == 3 else 50
        weights = 1 / np.arange(1, count + 1)
        codes = rng.choice(count, rows, p=weights / weights.sum()).astype(np.int32)
        return pa.DictionaryArray.from_arrays(codes, [f"category {i}" for i in range(count)]).cast(pa.string())
    law = [rng.standard_normal, rng.standard_exponential, rng.standard_cauchy][index % 4]
    values = law(rows) + (shift if index == 0 else 0.0)
    return pa.array((np.round(values, 2) if index % 2 else values).astype(np.float32))


def write(path, rows, columns, seed, shift):
    names = [f"x{i:04}" for i in range(columns)]
    schema = pa.schema([(name, pa.string() if i % 4 == 3 else pa.float32()) for i, name in enumerate(names)])
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for group, start in enumerate(range(0, rows, ROWS_A_GROUP)):
            size = min(ROWS_A_GROUP, rows - start)
            arrays = [column(i, size, seed + 1000 * group, shift) for i in range(columns)]
            writer.write_table(pa.table(arrays, schema=schema))


def main():
    folder, rows, columns = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "reference.parquet", rows, columns, 1, 0.0)
    write(folder / "current.parquet", rows, columns, 2, 0.2)


if __name__ == "__main__":
    main()
