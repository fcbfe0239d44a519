"""raw.csv as a table of medians beside the first tool: `summary.py RAW`."""

import csv
import statistics
import sys


def main():
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    tools = list(dict.fromkeys(row["tool"] for row in rows))
    median = {
        (tool, field): statistics.median(float(row[field]) for row in rows if row["tool"] == tool)
        for tool in tools
        for field in ("wall_s", "cpu_s", "peak_mib")
    }
    print(f"{int(rows[0]['rows']):,} rows × {rows[0]['metrics']} metrics × 3 arms, medians of {len(rows) // len(tools)} runs\n")
    print(f"| tool | wall s | CPU s | peak MiB | wall, times {tools[0]} | memory, times {tools[0]} |")
    print("|---|---|---|---|---|---|")
    for tool in tools:
        failed = "" if all(row["exit"] == "0" for row in rows if row["tool"] == tool) else " (failed)"
        wall, cpu, peak = (median[tool, field] for field in ("wall_s", "cpu_s", "peak_mib"))
        faster, leaner = wall / median[tools[0], "wall_s"], peak / median[tools[0], "peak_mib"]
        print(f"| {tool}{failed} | {wall:.2f} | {cpu:.2f} | {peak:,.0f} | {faster:.1f} | {leaner:.1f} |")


if __name__ == "__main__":
    main()
