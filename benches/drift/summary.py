"""raw.csv as a table: `summary.py RAW`. Where a tool read fewer columns, its time for all of them is a straight line; where it ran several
times, the run with the median time stands for them."""

import csv
import itertools
import sys


def median_run(runs):
    """Of those that ended well, where any did."""
    runs = list(runs)
    ended = sorted((run for run in runs if run["exit"] == "0"), key=lambda run: float(run["wall_s"]))
    return ended[len(ended) // 2] if ended else runs[0]


def main():
    with open(sys.argv[1], newline="") as file:
        by_tool = itertools.groupby(csv.DictReader(file), key=lambda row: (row["rows"], row["columns"], row["tool"]))
        rows = [median_run(runs) for _, runs in by_tool]
    ours = {(row["rows"], row["columns"]): float(row["wall_s"]) for row in rows if row["tool"] == "windvane" and row["exit"] == "0"}
    print("| rows a side × columns | tool | columns read | wall s | CPU s | peak MiB | wall s for all columns | times windvane |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        size = f"{int(row['rows']):,} × {int(row['columns']):,}"
        share = int(row["columns"]) / int(row["columns_read"])
        at_least = row["wall_s"].startswith(">")
        wall = float(row["wall_s"].lstrip(">"))
        everything = wall * share
        mark = "at least " if at_least else ("about " if share > 1 else "")
        base = ours.get((row["rows"], row["columns"]))
        ratio = f"{mark}{everything / base:.1f}" if base else "-"
        failed = "" if row["exit"] in ("0", "124") else f" (exit {row['exit']})"
        print(
            f"| {size} | {row['tool']}{failed} | {row['columns_read']} | {row['wall_s']} | {row['cpu_s'] or '-'} | {row['peak_mib'] or '-'} "
            f"| {mark}{everything:.1f} | {ratio} |"
        )


if __name__ == "__main__":
    main()
