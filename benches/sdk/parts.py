"""Which part of a call of `log_prediction` costs what, in its own thread's CPU time?

`PYTHONPATH=sdk/python/src python benches/sdk/parts.py`: a loop that does nothing, packing and each encoder alone, and whole calls into a
queue that is small and full, where callers encode, and into one that keeps, where they copy, in turns. Prints p50, p90, p99 and p99.9 in microseconds, with the garbage collector on and off.
"""

import gc
import time

from windvane import _encode, _packed
from windvane._client import Client
from windvane._settings import Settings

ROUNDS, CALLS = 30, 300


def client(queue_bytes):
    return Client(
        Settings(
            "http://127.0.0.1:9", model="m", version="1", trace_context=False, retry_delay_s=60, retry_delay_max_s=60,
            exit_timeout_s=0, queue_bytes=queue_bytes,
        )
    )  # fmt: skip


def features(i):
    return {f"feature_{k}": "carrier-UA" if k % 4 == 0 else (i * 31 + k) * 0.37 for k in range(20)}


def record(values):
    head = {"model": "m", "event_id": "01a21f34-58b3-7060-9514-101d3646d905", "ts": 1_356_998_400_123_456, "version": "1"}
    return {**head, "features": values, "prediction": {"score": 0.5}, "latency_us": 830}


def nothing(_values):
    for _ in range(250):
        pass


def main():
    shapes = _packed.Shapes()
    full, keeping = client(1 << 14), client(1 << 30)
    ways = {
        "a loop of 250": nothing,
        "json alone": lambda values: _encode._line_by_json(record(values)),
        "orjson alone": lambda values: _encode._line_by_orjson(record(values)),
        "packing alone": lambda values: shapes.pack("01a21f34-58b3-7060-9514-101d3646d905", 1, {"score": 0.5, "latency_us": 830}, values),
        "call, queue full": lambda values: full.log_prediction(values, score=0.5, latency_us=830),
        "call": lambda values: keeping.log_prediction(values, score=0.5, latency_us=830),
    }
    for collected in (True, False):
        (gc.enable if collected else gc.disable)()
        took = {name: [] for name in ways}
        for number in range(ROUNDS):
            for name, call in ways.items():
                for i in range(CALLS):
                    values = features(number * CALLS + i)
                    begun = time.thread_time_ns()
                    call(values)
                    took[name].append(time.thread_time_ns() - begun)
        for name, times in took.items():
            times.sort()
            found = [round(times[int(len(times) * q)] / 1000, 1) for q in (0.5, 0.9, 0.99, 0.999)]
            print(f"collector {'on ' if collected else 'off'}  {name:16} {found}", flush=True)


if __name__ == "__main__":
    main()
