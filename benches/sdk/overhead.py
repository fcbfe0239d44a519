"""What does a hook cost the program that it is in?

`benches/sdk/run.sh` runs this with the environment of the SDK's tests. Four ways take turns in one process, round by round, so that
whatever else the machine does hits all of them alike: no hook, `windvane.log_prediction` with 20 features by each encoder, and a span of
the OpenTelemetry SDK with the same 20 values as attributes. Each is called 1,000 times a second by a thread that sleeps in between, by one
that asks a model of scikit-learn in between, as a busy model server does, and then back to back. All send to a sink in another process.
Then what a server that is away costs in memory; `model_server.py` asks a model server with and without the middleware.
Times are over all calls; beside them is the median over rounds of a round's own p99, which one bad round does not move.
"""

import json
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RATE, ROUNDS, ROUND_S = 1_000, 10, 2.0
WARM_ROUNDS = 1
BUSY_ROUNDS, BUSY_CALLS = 20, 500
AWAY_EVENTS, AWAY_QUEUE_BYTES = 300_000, 16 << 20


class Sink(BaseHTTPRequestHandler):
    """Takes everything and keeps nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        # More than any batch holds: the SDK counts no more than it sent.
        body = b"" if self.path == "/v1/traces" else b'{"accepted": 1000000, "rejected": []}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def sink():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


def started(program, *arguments):
    """A child of this bench, and the port that it says it listens on."""
    command = [sys.executable, str(Path(__file__).with_name(program)), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def features(i):
    return {f"feature_{k}": "carrier-UA" if k % 4 == 0 else (i * 31 + k) * 0.37 for k in range(20)}


def quantiles(took):
    """Of nanoseconds, in microseconds."""
    took = sorted(took)
    return {f"p{q}": round(took[min(len(took) - 1, int(len(took) * q / 100))] / 1000, 1) for q in (50, 90, 99, 99.9)}


def median_p99(rounds):
    """The median over rounds of each round's own p99."""
    found = sorted(quantiles(took)["p99"] for took in rounds)
    return found[len(found) // 2]


def nothing(*_values):
    pass


def ways(port):
    """By name: what makes a way ready, a call, and what waits until all of it is sent."""
    import windvane
    from windvane import _encode
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    windvane.init(f"http://127.0.0.1:{port}", model="bench", version="1", trace_context=False)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces")))
    tracer = provider.get_tracer("bench")

    def hook(values):
        windvane.log_prediction(values, score=0.5, latency_us=830)

    def encoded_by(encoder):
        def prepare():
            _encode.fast = encoder

        return prepare

    def span(values):
        with tracer.start_as_current_span("predict") as opened:
            opened.set_attributes(values)

    return {
        "no hook": (nothing, nothing, nothing),
        "windvane": (encoded_by(_encode._line_by_json), hook, windvane.flush),
        "windvane[fast]": (encoded_by(_encode._line_by_orjson), hook, windvane.flush),
        "opentelemetry span": (nothing, span, provider.force_flush),
    }


def predicting():
    """What waits by asking a model for one row after the other, each some 100 us of work."""
    import numpy
    from sklearn.linear_model import LogisticRegression

    rows = numpy.random.default_rng(9).normal(size=(500, 20))
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)

    def wait(left):
        end = time.perf_counter() + left
        while time.perf_counter() < end:
            model.predict_proba(rows[:1])

    return wait


def paced(call, rate, seconds, begin, wait=time.sleep):
    """Calls at a rate; answers each call's wall time and its thread's own CPU time. Late calls follow at once."""
    wall, own = [], []
    start = time.perf_counter()
    for i in range(int(rate * seconds)):
        values = features(begin + i)
        due = start + i / rate
        if (left := due - time.perf_counter()) > 0:
            wait(left)
        cpu, begun = time.thread_time_ns(), time.perf_counter_ns()
        call(values)
        ended, cpu_ended = time.perf_counter_ns(), time.thread_time_ns()
        wall.append(ended - begun)
        own.append(cpu_ended - cpu)
    return wall, own


def calls(made, pace, wait):
    """Each call at 1,000 a second, and the process's CPU meanwhile, the background thread and its last batch included."""
    wall, own, share = ({name: [] for name in made} for _ in range(3))
    for number in range(WARM_ROUNDS + ROUNDS):
        for name, (prepare, call, flush) in made.items():
            prepare()
            begun, cpu = time.perf_counter(), time.process_time()
            took, used = paced(call, RATE, ROUND_S, number * 10_000, wait)
            lasted = time.perf_counter() - begun
            flush()
            if number >= WARM_ROUNDS:
                wall[name].append(took)
                own[name].append(used)
                share[name].append((time.process_time() - cpu) / lasted)
    none = sum(share["no hook"]) / ROUNDS
    for name in made:
        n = sum(map(len, wall[name]))
        mean = sum(share[name]) / ROUNDS
        print(
            f"call at {RATE}/s, {pace}, us  {name:20} {n} calls  wall {quantiles(sum(wall[name], []))} rounds' p99 {median_p99(wall[name])}  "
            f"own CPU {quantiles(sum(own[name], []))} rounds' p99 {median_p99(own[name])}  "
            f"CPU {mean:.2%} of a core, {mean - none:+.2%} to no hook",
            flush=True,
        )


def back_to_back(made):
    """The same calls one after another, as of a server that is busy: that the hook is still in the caches makes the difference."""
    own = {name: [] for name in made}
    for number in range(BUSY_ROUNDS):
        for name, (prepare, call, flush) in made.items():
            prepare()
            _, used = paced(call, 1e9, BUSY_CALLS / 1e9, number * BUSY_CALLS)
            own[name].append(used)
            flush()
    for name, rounds in own.items():
        n = sum(map(len, rounds))
        print(f"call back to back, us  {name:20} {n} calls  own CPU {quantiles(sum(rounds, []))} rounds' p99 {median_p99(rounds)}", flush=True)


def resident_bytes():
    """What the process holds in memory; of Linux alone."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def away():
    """A server that is away: events as fast as they can be made, far more than the queue takes."""
    import windvane

    client = windvane.init(
        "http://127.0.0.1:9", model="bench", version="1", queue_bytes=AWAY_QUEUE_BYTES, exit_timeout_s=0.5, trace_context=False
    )
    windvane.log_prediction(features(0), score=0.5)
    before, most, longest = resident_bytes(), 0, 0
    for i in range(AWAY_EVENTS):
        values = features(i)
        begun = time.thread_time_ns()
        client.log_prediction(values, score=0.5, latency_us=830)
        longest = max(longest, time.thread_time_ns() - begun)
        if i % 1_000 == 0:
            most = max(most, client.stats().queued_bytes)
    grown = resident_bytes() - before
    client.close()
    stats = client.stats()
    lost = stats.dropped_total + stats.unconfirmed + stats.rejected
    assert most <= AWAY_QUEUE_BYTES and stats.received + lost == stats.logged == AWAY_EVENTS + 1, stats
    print(
        f"server away: {stats.logged} events, queue of {AWAY_QUEUE_BYTES >> 20} MiB: at most {most / 2**20:.1f} MiB queued, "
        f"memory grew by {grown / 2**20:.1f} MiB, longest call {longest / 1000:.0f} us of its own CPU; {json.dumps(stats.dropped)}",
        flush=True,
    )


def main():
    process, port = started("overhead.py", "sink")
    try:
        made = ways(port)
        calls(made, "asleep in between", time.sleep)
        calls(made, "predicting in between", predicting())
        back_to_back(made)
        import windvane

        assert windvane.flush(20), windvane.stats()
        print(windvane.stats(), flush=True)
        subprocess.run([sys.executable, __file__, "away"], check=True)
    finally:
        process.kill()


if __name__ == "__main__":
    {"sink": sink, "away": away}.get(sys.argv[1] if len(sys.argv) > 1 else "", main)()
