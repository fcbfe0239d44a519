"""Whether both have found the same, and how long they took: the largest difference of any number of any day, and the ratios of the medians.

What `points` found are the values of metrics; what `whole` found, intervals, curves and gains too. Ours keep at most 2,048 points of the gain curve,
so that gains are compared within a thousandth."""

import json
import pathlib
import statistics
import sys

work = pathlib.Path(sys.argv[1])
ours = json.loads((work / "windvane.out").read_text())


def values(chunk):
    return {metric["metric"]: metric["realised"] for metric in chunk["metrics"]}


def of_points(chunk, expected):
    found = values(chunk)
    yield from (("value", found[name] - value) for name, value in expected.items())


def of_whole(chunk, expected):
    yield from of_points(chunk, expected["metrics"])
    for metric in chunk["metrics"]:
        yield from (("interval", a - b) for a, b in zip(metric["ci"], expected["intervals"][metric["metric"]], strict=True))
    for found, wanted in zip(chunk["calibration"], expected["calibration"], strict=True):
        yield from (("calibration", found[key] - wanted[key]) for key in ("n", "mean_score", "observed"))
        yield from (("calibration", a - b) for a, b in zip(found["ci"], wanted["ci"], strict=True))
    for found, wanted in zip(chunk["lift"], expected["lift"], strict=True):
        yield from (("gain", found[key] - wanted[key]) for key in ("gain", "lift"))


def largest(name, of_chunk):
    theirs = json.loads((work / f"{name}.out").read_text())
    worst = {}
    pairs = list(zip(ours["chunks"], theirs["days"].values(), strict=True))
    for segment in ours["segments"]:
        region = segment["segment"]["region"]
        pairs += [(chunk, theirs["segments"][f"{day} {region}"]) for chunk, day in zip(segment["chunks"], theirs["days"], strict=True)]
    for what, difference in (found for chunk, expected in pairs for found in of_chunk(chunk, expected)):
        worst[what] = max(worst.get(what, 0.0), abs(difference))
    print(f"{name}, largest difference: " + ", ".join(f"{what} {difference:.3g}" for what, difference in worst.items()))


largest("points", of_points)
largest("whole", of_whole)
seconds = {}
for run in (work / "runs").read_text().splitlines():
    name, wall, *_ = run.split()
    seconds.setdefault(name, []).append(float(wall))
took = {name: statistics.median(walls) for name, walls in seconds.items()}
for name in ("points", "whole"):
    print(f"{name} took {took[name] / took['windvane']:.1f} times as long: {took[name]:.2f} s and {took['windvane']:.2f} s")
