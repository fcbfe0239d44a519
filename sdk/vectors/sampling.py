"""Test vectors of sampling by event id: the rule in Python's standard library, written apart from the SDK's.

`python sdk/vectors/sampling.py` rewrites sdk/vectors/sampling.json. In ClickHouse the same point is
`bitShiftRight(reinterpretAsUInt64(reverse(substring(SHA256(concat('windvane.sampling/1', char(0), event_id)), 1, 8))), 11)`.
"""

import hashlib
import json
import math
from pathlib import Path

RULE = "windvane.sampling/1"
POINTS = 2**53
IDS = ["", "e1", "0190b6d2-7c1f-7a4e-8a5b-0123456789ab", "order/42", "x" * 128, "Ärger", "A\u0308rger", "東京", "😀", "nul\x00byte", "line\nbreak"]
RATES = [0.0, 0.01, 0.1, 1 / 3, 0.5, 0.9999, 1.0]


def point(event_id):
    digest = hashlib.sha256(RULE.encode() + b"\0" + event_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 11


def main():
    # Ids of which one in a hundred is kept, so that the narrow rate is seen from both sides.
    kept = [f"id-{i}" for i in range(400) if point(f"id-{i}") < math.floor(0.01 * POINTS)][:3]
    vectors = [
        {"event_id": id, "point": point(id), "kept": {str(rate): point(id) < math.floor(rate * POINTS) for rate in RATES}}
        for id in IDS + kept
    ]
    lines = ",\n".join("    " + json.dumps(vector, ensure_ascii=False) for vector in vectors)
    text = '{\n  "rule": ' + json.dumps(RULE) + ',\n  "vectors": [\n' + lines + "\n  ]\n}\n"
    Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
