"""Whether both have found the same: the largest difference of any metric of any day."""

import json
import pathlib
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
