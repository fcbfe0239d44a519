"""Test vectors of the assignment rule: an implementation by docs/ASSIGNMENT.md alone, in Python's standard library.

`python sdk/vectors/assignment.py` rewrites sdk/vectors/assignment.json. It shares no code with the Rust one, so that one of them
being wrong shows.
"""

import hashlib
import json
import math
from pathlib import Path

RULE = "windvane.assignment/1"
POINTS = 2**53


def point(purpose, name, unit):
    message = b"".join(
        len(field.encode()).to_bytes(4, "big") + field.encode() for field in (RULE, purpose, name, unit)
    )
    return int.from_bytes(hashlib.sha256(message).digest()[:8], "big") >> 11


def assign(definition, unit):
    """The outcome, the arm and the points of a unit."""
    holdout, layer = definition.get("holdout"), definition.get("layer")
    points = {
        "holdout": point("holdout", holdout["name"], unit) if holdout else None,
        "layer": point("layer", layer["name"], unit) if layer else None,
        "ramp": point("ramp", definition["salt"], unit),
        "arm": point("arm", definition["salt"], unit),
    }
    if holdout and points["holdout"] < math.floor(holdout["share"] * POINTS):
        return "holdout", None, points
    if layer:
        begin, end = math.floor(layer["from"] * POINTS), math.floor(layer["to"] * POINTS)
        if not begin <= points["layer"] < end:
            return "layer", None, points
    if points["ramp"] >= math.floor(definition["ramp"] * POINTS):
        return "ramp", None, points
    total = 0.0
    for arm in definition["arms"]:
        total += arm["weight"]
    cumulated = 0.0
    for arm in definition["arms"]:
        cumulated += arm["weight"]
        if points["arm"] < math.floor(cumulated / total * POINTS):
            return "arm", arm["arm"], points
    raise AssertionError("the last arm ends at 2**53")


def arms(**weights):
    return [{"arm": name, "weight": weight} for name, weight in weights.items()]


UNITS = ["1", "user-42", "N14228", "", " ", "a b", "\u00c4rger", "A\u0308rger", "東京", "😀👍🏽", "İstanbul", "x" * 128, "line\nbreak", "nul\x00byte"]

EXPERIMENTS = {
    "halves": {"salt": "checkout-test", "ramp": 1.0, "arms": arms(A=0.5, B=0.5)},
    "thirds": {"salt": "thirds", "ramp": 1.0, "arms": arms(A=1, B=1, C=1)},
    "tenths": {"salt": "tenths", "ramp": 1.0, "arms": arms(**{f"arm{i}": 0.1 for i in range(10)})},
    "a weight of zero first, between and last": {
        "salt": "zero",
        "ramp": 1.0,
        "arms": arms(off=0, A=3, also_off=0, B=1, last_off=0),
    },
    "one arm": {"salt": "one", "ramp": 1.0, "arms": arms(only=7)},
    "ramp of 0": {"salt": "checkout-test", "ramp": 0.0, "arms": arms(A=0.5, B=0.5)},
    "ramp of 1 %": {"salt": "checkout-test", "ramp": 0.01, "arms": arms(A=0.5, B=0.5)},
    "ramp of 50 %": {"salt": "checkout-test", "ramp": 0.5, "arms": arms(A=0.5, B=0.5)},
    "holdout of 20 %": {
        "salt": "held",
        "holdout": {"name": "2026", "share": 0.2},
        "ramp": 1.0,
        "arms": arms(A=1, B=1),
    },
    "first slot of a layer": {
        "salt": "first",
        "layer": {"name": "ranking", "from": 0.0, "to": 0.3},
        "ramp": 1.0,
        "arms": arms(A=1, B=1),
    },
    "second slot of a layer": {
        "salt": "second",
        "layer": {"name": "ranking", "from": 0.3, "to": 1.0},
        "ramp": 1.0,
        "arms": arms(A=1, B=1),
    },
    "everything at once, in another script": {
        "salt": "実験-β",
        "layer": {"name": "Schicht", "from": 0.1, "to": 0.9},
        "holdout": {"name": "dauerhaft", "share": 0.1},
        "ramp": 0.75,
        "arms": [{"arm": "対照", "weight": 2.5}, {"arm": "neu", "weight": 1.5}],
    },
}


def main():
    vectors = []
    for name, definition in EXPERIMENTS.items():
        for number, unit in enumerate(UNITS):
            outcome, arm, points = assign(definition, unit)
            vectors.append(
                {
                    "name": f"{name}, unit {number}",
                    "definition": definition,
                    "unit": unit,
                    "points": points,
                    "outcome": outcome,
                    "arm": arm,
                }
            )
    # Units of which one in a hundred is let in, so that the narrow ramp is seen from both sides.
    inside = [f"user-{i}" for i in range(400)]
    narrow = EXPERIMENTS["ramp of 1 %"]
    for unit in [unit for unit in inside if assign(narrow, unit)[0] == "arm"][:3]:
        outcome, arm, points = assign(narrow, unit)
        vectors.append(
            {
                "name": f"ramp of 1 %, let in: {unit}",
                "definition": narrow,
                "unit": unit,
                "points": points,
                "outcome": outcome,
                "arm": arm,
            }
        )
    lines = ",\n".join("    " + json.dumps(vector, ensure_ascii=False) for vector in vectors)
    text = '{\n  "rule": ' + json.dumps(RULE) + ',\n  "vectors": [\n' + lines + "\n  ]\n}\n"
    Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
