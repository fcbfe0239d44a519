"""Whether both have found the same, and how long they took: the largest difference of any metric of any day, and the ratio of the medians."""

import json
import pathlib
import statistics
import sys

work = pathlib.Path(sys.argv[1])
ours = json.loads((work / "windvane.out").read_text())
theirs = json.loads((work / "pandas.out").read_text())
worst = 0.0
for chunk, (day, expected) in zip(ours["chunks"], theirs["days"].items(), strict=True):
    found = {metric["metric"]: metric["realised"] for metric in chunk["metrics"]}
    worst = max([worst] + [abs(found[name] - value) for name, value in expected.items()])
for segment in ours["segments"]:
    region = segment["segment"]["region"]
    for chunk, day in zip(segment["chunks"], theirs["days"], strict=True):
        found = {metric["metric"]: metric["realised"] for metric in chunk["metrics"]}
        expected = theirs["segments"][f"{day} {region}"]
        worst = max([worst] + [abs(found[name] - value) for name, value in expected.items()])
print(f"largest difference {worst:.3g}")
seconds = {"windvane": [], "pandas": []}
for run in (work / "runs").read_text().splitlines():
    name, wall, *_ = run.split()
    seconds[name].append(float(wall))
took = {name: statistics.median(walls) for name, walls in seconds.items()}
print(f"pandas took {took['pandas'] / took['windvane']:.1f} times as long: {took['pandas']:.2f} s and {took['windvane']:.2f} s")
