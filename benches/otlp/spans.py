"""How many spans a second does a receiver of OTLP over gRPC acknowledge, and when can they be read?

Sends messages of 1,000 spans with 10 attributes each, serialised before the clock starts, over 4 channels. Prints one JSON line.
Usage: spans.py ADDRESS SPANS SERVICE, and `--gzip`.
"""

import json
import os
import random
import sys
import threading
import time

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPANS_A_MESSAGE = 1000
CHANNELS = 4


def message(generator: random.Random, service: str) -> bytes:
    request = wire.ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.add(key="service.name").value.string_value = service
    of_resource.resource.attributes.add(key="deployment.environment.name").value.string_value = "bench"
    scope = of_resource.scope_spans.add()
    scope.scope.name = "bench"
    now = time.time_ns()
    for _ in range(SPANS_A_MESSAGE):
        span = scope.spans.add(
            trace_id=generator.randbytes(16),
            span_id=generator.randbytes(8),
            name=generator.choice(["GET /", "GET /cart", "POST /pay", "predict"]),
            kind=2,
            start_time_unix_nano=now,
            end_time_unix_nano=now + generator.randrange(10**6, 10**9),
        )
        for n in range(6):
            span.attributes.add(key=f"text.{n}").value.string_value = generator.choice(["alpha", "beta", "gamma", "delta"])
        for n in range(3):
            span.attributes.add(key=f"count.{n}").value.int_value = generator.randrange(1000)
        span.attributes.add(key="share").value.double_value = generator.random()
    return request.SerializeToString()


def main() -> None:
    address, spans, service = sys.argv[1].removeprefix("http://"), int(sys.argv[2]), sys.argv[3]
    compression = grpc.Compression.Gzip if "--gzip" in sys.argv else None
    generator = random.Random(7)
    messages = [message(generator, service) for _ in range(spans // SPANS_A_MESSAGE)]
    waiting, times, lock = list(messages), [], threading.Lock()

    def send() -> None:
        with grpc.insecure_channel(address) as channel:
            export = channel.unary_unary(METHOD)
            while True:
                with lock:
                    if not waiting:
                        return
                    body = waiting.pop()
                begun = time.perf_counter()
                export(body, timeout=60, compression=compression)
                times.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    senders = [threading.Thread(target=send) for _ in range(CHANNELS)]
    [sender.start() for sender in senders]
    [sender.join() for sender in senders]
    took = time.perf_counter() - begun
    times.sort()
    result = {
        "spans": len(times) * SPANS_A_MESSAGE,
        "bytes_a_span": round(sum(map(len, messages)) / spans, 1),
        "acknowledged_s": round(took, 3),
        "spans_per_s": round(len(times) * SPANS_A_MESSAGE / took),
        "p50_ms": round(times[len(times) // 2] * 1e3, 1),
        "p99_ms": round(times[len(times) * 99 // 100] * 1e3, 1),
        "driver_cpu_s": round(sum(os.times()[:2]), 2),
    }
    print(json.dumps(result))


main()
