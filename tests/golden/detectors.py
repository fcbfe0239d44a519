"""Golden values for detectors of change: where River's and MOA's signal, on streams that both languages draw alike.

In a virtual environment with river 0.22.0 and SciPy 1.17, `python tests/golden/detectors.py` rewrites tests/golden/detectors.json.
ADWIN of River up to 0.21 comes from `python tests/golden/detectors.py` with river 0.21.2, which adds its answers to that file.
"""

import json
import math
from collections import deque
from importlib.metadata import version
from pathlib import Path

from river import drift

PATH = Path(__file__).with_name("detectors.json")
LENGTH = 4000


def uniforms(seed):
    """A linear congruential generator: 32 bits, the constants of Numerical Recipes."""
    state = seed
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state / 2**32


def errors(seed, rate):
    draws = uniforms(seed)
    return [1.0 if next(draws) < rate(i) else 0.0 for i in range(LENGTH)]


def values(seed, shift):
    draws = uniforms(seed)
    return [(next(draws) + next(draws) + next(draws) + next(draws) - 2.0) * 1.7320508075688772 + shift(i) for i in range(LENGTH)]


STREAMS = {
    "steady_errors": errors(1, lambda i: 0.2),
    "sudden_errors": errors(2, lambda i: 0.1 if i < 2000 else 0.4),
    "gradual_errors": errors(3, lambda i: 0.1 + 0.3 * i / LENGTH),
    "fewer_errors": errors(4, lambda i: 0.5 if i < 1500 else 0.2),
    "steady_values": values(5, lambda i: 0.0),
    "sudden_values": values(6, lambda i: 0.0 if i < 2500 else 1.5),
    "falling_values": values(7, lambda i: -0.001 * i),
}


class Moa:
    """ADWIN with MOA's loop over the cuts, written out: buckets as a list, no cleverness."""

    def __init__(self, delta=0.002, clock=32, maximum=5, least=5):
        self.delta, self.clock, self.maximum, self.least = delta, clock, maximum, least
        self.rows, self.width, self.total, self.variance, self.time = [deque()], 0, 0.0, 0.0, 0
        self.drift_detected = False

    def update(self, x):
        self.rows[0].append((x, 0.0))
        self.width += 1
        if self.width > 1:
            before = self.width - 1
            self.variance += before * (x - self.total / before) ** 2 / self.width
        self.total += x
        for i, row in enumerate(self.rows):
            if len(row) <= self.maximum:
                break
            n, one, two = 2**i, row.popleft(), row.popleft()
            if i + 1 == len(self.rows):
                self.rows.append(deque())
            spread = n * n * (one[0] / n - two[0] / n) ** 2 / (2 * n)
            self.rows[i + 1].append((one[0] + two[0], one[1] + two[1] + spread))
        self.time += 1
        self.drift_detected = False
        if self.time % self.clock == 0 and self.width > 10:
            while self.cut():
                self.drift_detected = True

    def cut(self):
        n0, u0 = 0, 0.0
        for i in reversed(range(len(self.rows))):
            for k, (total, _) in enumerate(self.rows[i]):
                n0, u0 = n0 + 2**i, u0 + total
                if i == 0 and k == len(self.rows[0]) - 1:
                    return False
                n1, u1 = self.width - n0, self.total - u0
                if n0 > self.least + 1 and n1 > self.least + 1 and self.exceeds(n0, n1, u0 / n0 - u1 / n1):
                    self.delete()
                    return True
        return False

    def exceeds(self, n0, n1, difference):
        log = math.log(2 * math.log(self.width) / self.delta)
        m = 1 / (n0 - self.least + 1) + 1 / (n1 - self.least + 1)
        bound = math.sqrt(2 * m * self.variance / self.width * log) + 2 / 3 * log * m
        return abs(difference) > bound

    def delete(self):
        n = 2 ** (len(self.rows) - 1)
        total, variance = self.rows[-1].popleft()
        self.width -= n
        self.total -= total
        self.variance -= variance + n * self.width * (total / n - self.total / self.width) ** 2 / (n + self.width)
        if not self.rows[-1]:
            self.rows.pop()


def detectors():
    binary = drift.binary
    return {
        "adwin_moa": Moa,
        "adwin_river": drift.ADWIN,
        "page_hinkley": lambda: drift.PageHinkley(threshold=20.0),
        "ddm": binary.DDM,
        "eddm": binary.EDDM,
        "hddm_a": binary.HDDM_A,
        "hddm_a_both": lambda: binary.HDDM_A(two_sided_test=True),
        "hddm_w": binary.HDDM_W,
        "kswin_whole": lambda: drift.KSWIN(alpha=0.001, window_size=60, stat_size=30, seed=1),
    }


def signals(make, stream):
    detector, changes, warnings = make(), [], 0
    for i, x in enumerate(stream):
        detector.update(x)
        if detector.drift_detected:
            changes.append(i)
        elif getattr(detector, "warning_detected", False):
            warnings += 1
    return {"changes": changes, "warnings": warnings}


def main():
    about_errors = ("ddm", "eddm", "hddm")
    if version("river").startswith("0.21"):
        answers = json.loads(PATH.read_text())
        makers = {"adwin_river21": drift.ADWIN}
    else:
        answers, makers = {}, detectors()
    for name, make in makers.items():
        answers[name] = {
            stream: signals(make, xs)
            for stream, xs in STREAMS.items()
            if stream.endswith("errors") or not name.startswith(about_errors)
        }
    PATH.write_text(json.dumps(answers, sort_keys=True) + "\n")


main()
