"""Test vectors of event encoding: what an SDK is called with, the record it must send, and what the collector must read in it.

`python sdk/vectors/events.py` rewrites sdk/vectors/events.json, by CONTRACT's field names alone. `call` is in the words of every SDK:
the fields of the record, `NaN`, `Infinity` and `-Infinity` written as {"float": "nan"} and so on, because JSON has none.
`record` is compared as parsed JSON: languages write the same double in different digits. `row` is what the collector reads.
"""

import json
from pathlib import Path

TS = 1_356_998_400_123_456
NAN, INF, NEGATIVE = {"float": "nan"}, {"float": "inf"}, {"float": "-inf"}
BASE = {"model": "delay", "event_id": "e1", "ts": TS}


def prediction(name, call, row, record=None):
    sent = {**BASE, **(call if record is None else record)}
    seen = {"model": "delay", "event_id": "e1", "ts_us": TS, "num": {}, "cat": {}, **row}
    return {"name": name, "kind": "predictions", "call": {**BASE, **call}, "record": sent, "row": seen}


def other(name, kind, call, row):
    return {"name": name, "kind": kind, "call": call, "record": call, "row": row}


VECTORS = [
    prediction("nothing but a model", {}, {"kind": "", "status": "ok"}),
    prediction(
        "every field",
        {
            "version": "7",
            "environment": "prod",
            "unit_id": "N14228",
            "arms": {"checkout-test": "B"},
            "features": {"distance": 1400, "carrier": "UA", "holiday": False, "temp": None},
            "embeddings": {"text": [0.5, -0.25]},
            "prediction": {"score": 0.125},
            "latency_us": 830,
            "status": "ok",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
            "tags": {"region": "east"},
        },
        {
            "version": "7",
            "environment": "prod",
            "unit_id": "N14228",
            "arms": {"checkout-test": "B"},
            "num": {"distance": 1400.0},
            "cat": {"carrier": "UA", "holiday": "false"},
            "embeddings": {"text": [0.5, -0.25]},
            "kind": "score",
            "score": 0.125,
            "latency_us": 830,
            "status": "ok",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
            "tags": {"region": "east"},
        },
    ),
    prediction(
        "a label with probabilities",
        {"prediction": {"label": "late", "probabilities": {"late": 0.75, "on_time": 0.25}}},
        {"kind": "label", "label": "late", "probabilities": {"late": 0.75, "on_time": 0.25}},
    ),
    prediction("a label alone", {"prediction": {"label": "late"}}, {"kind": "label", "label": "late"}),
    prediction("a value", {"prediction": {"value": -12.5}}, {"kind": "value", "value": -12.5}),
    prediction("a score of zero", {"prediction": {"score": 0}}, {"kind": "score", "score": 0.0}),
    prediction(
        "texts of any script",
        {"features": {"Größe": "東京", "emoji": "😀👍🏽", "quote": "\"\\/\b\f\n\r\t", "nul": "a\x00b", "line": "\u2028"}},
        {"cat": {"Größe": "東京", "emoji": "😀👍🏽", "quote": "\"\\/\b\f\n\r\t", "nul": "a\x00b", "line": "\u2028"}},
    ),
    prediction(
        "numbers at the edges",
        {"features": {"tiny": 5e-324, "huge": 1.7976931348623157e308, "third": 0.1, "whole": 9007199254740993, "minus": -0.0}},
        {"num": {"tiny": 5e-324, "huge": 1.7976931348623157e308, "third": 0.1, "whole": 9007199254740992.0, "minus": -0.0}},
    ),
    prediction(
        "what is not a finite number is missing",
        {"features": {"a": NAN, "b": INF, "c": NEGATIVE, "d": 1.5}},
        {"num": {"d": 1.5}},
        {"features": {"a": None, "b": None, "c": None, "d": 1.5}},
    ),
    prediction(
        "an answer that is not a finite number is a status",
        {"features": {"d": 1.5}, "prediction": {"score": NAN}},
        {"num": {"d": 1.5}, "kind": "", "status": "non_finite"},
        {"features": {"d": 1.5}, "status": "non_finite"},
    ),
    prediction(
        "a status that was given stays",
        {"prediction": {"value": INF}, "status": "error"},
        {"kind": "", "status": "error"},
        {"status": "error"},
    ),
    other(
        "an outcome with a label",
        "outcomes",
        {"model": "delay", "event_id": "e1", "ts": TS, "label": "late"},
        {"model": "delay", "event_id": "e1", "ts_us": TS, "label": "late"},
    ),
    other(
        "an outcome with a value",
        "outcomes",
        {"model": "delay", "event_id": "e1", "ts": TS, "value": 17.0},
        {"model": "delay", "event_id": "e1", "ts_us": TS, "value": 17.0},
    ),
    other(
        "an exposure",
        "exposures",
        {"experiment": "checkout-test", "unit_id": "u1", "arm": "B", "ts": TS, "event_id": "x1"},
        {"experiment": "checkout-test", "unit_id": "u1", "arm": "B", "ts_us": TS, "event_id": "x1"},
    ),
    other(
        "a measurement",
        "measurements",
        {"unit_id": "u1", "metric": "revenue", "value": 12.5, "ts": TS, "event_id": "m1"},
        {"unit_id": "u1", "metric": "revenue", "value": 12.5, "ts_us": TS, "event_id": "m1"},
    ),
]


def main():
    lines = ",\n".join("    " + json.dumps(vector, ensure_ascii=False) for vector in VECTORS)
    text = '{\n  "rule": "windvane.events/1",\n  "vectors": [\n' + lines + "\n  ]\n}\n"
    Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
