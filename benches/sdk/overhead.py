"""What does a hook cost the program that it is in?

`benches/sdk/run.sh` runs this with the environment of the SDK's tests. Three ways take turns in one process, round by round, so that
whatever else the machine does hits all of them alike: no hook, `windvane.log_prediction` with 20 features, and a span of the
OpenTelemetry SDK with the same 20 values as attributes. Both send to a sink in another process. Then a model server answers with and
without the middleware.
"""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROUNDS, CALLS = 60, 500
RATE, SECONDS = 1_000, 5.0


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


def started(*arguments):
    process = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def features(i):
    return {f"feature_{k}": "carrier-UA" if k % 4 == 0 else (i * 31 + k) * 0.37 for k in range(20)}


def quantiles(took):
    took.sort()
    return {f"p{q}": round(took[min(len(took) - 1, int(len(took) * q / 100))] / 1000, 2) for q in (50, 99, 99.9)}


def ways(port):
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

    nothing = lambda *values: None  # noqa: E731
    return {
        "no hook": (nothing, nothing),
        "windvane": (encoded_by(_encode._line_by_json), hook),
        "windvane[fast]": (encoded_by(_encode._line_by_orjson), hook),
        "opentelemetry span": (nothing, span),
    }


def per_call(made):
    """Wall time and the calling thread's own CPU time of each call, the ways taking turns."""
    wall, own = {name: [] for name in made}, {name: [] for name in made}
    for number in range(ROUNDS):
        for name, (prepare, call) in made.items():
            prepare()
            for i in range(CALLS):
                values = features(number * CALLS + i)
                cpu, begun = time.thread_time_ns(), time.perf_counter_ns()
                call(values)
                ended, cpu_ended = time.perf_counter_ns(), time.thread_time_ns()
                wall[name].append(ended - begun)
                own[name].append(cpu_ended - cpu)
    for name in made:
        print(f"per call, us   {name:20} wall {quantiles(wall[name])}  own CPU {quantiles(own[name])}", flush=True)


def cpu_share(made):
    """The process's CPU at 1,000 calls a second, the background thread included."""
    for name, (prepare, call) in made.items():
        prepare()
        begun, cpu = time.perf_counter(), time.process_time()
        calls = 0
        while (now := time.perf_counter()) - begun < SECONDS:
            due = int((now - begun) * RATE)
            while calls < due:
                call(features(calls))
                calls += 1
            time.sleep(0.002)
        share = (time.process_time() - cpu) / (time.perf_counter() - begun)
        print(f"at {RATE} calls/s  {name:20} {calls} calls, {share:.2%} of a core, making the values included", flush=True)


def model_server(port):
    import numpy
    import uvicorn
    from fastapi import FastAPI, Request
    from sklearn.linear_model import LogisticRegression

    import windvane
    from windvane.hooks import asgi

    app = FastAPI()
    if port != "0":
        windvane.init(f"http://127.0.0.1:{port}", model="bench")
        app.add_middleware(asgi.Middleware, routes={"/predict": asgi.Route()})
    generator = numpy.random.default_rng(7)
    rows = generator.normal(size=(500, 20))
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)

    @app.post("/predict")
    async def predict(request: Request):
        body = await request.json()
        return {"score": float(model.predict_proba([list(body.values())])[0, 1])}

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    threading.Event().wait()


def served(sink_port):
    """Requests one after another to both servers in turn."""
    import http.client

    servers = {"without": started("model", "0"), "with middleware": started("model", str(sink_port))}
    took = {name: [] for name in servers}
    body = json.dumps({f"x{k}": k * 0.1 for k in range(20)})
    connections = {name: http.client.HTTPConnection("127.0.0.1", port) for name, (_, port) in servers.items()}
    for number in range(80):
        for name, connection in connections.items():
            for _ in range(50):
                begun = time.perf_counter_ns()
                connection.request("POST", "/predict", body, {"content-type": "application/json"})
                assert b"score" in connection.getresponse().read()
                if number >= 5:
                    took[name].append(time.perf_counter_ns() - begun)
    for name, times in took.items():
        rate = len(times) / (sum(times) / 1e9)
        print(f"model server   {name:20} {len(times)} requests at {rate:.0f}/s, us {quantiles(times)}", flush=True)
    for process, _ in servers.values():
        process.kill()


def main():
    process, port = started("sink")
    made = ways(port)
    for prepare, call in made.values():
        prepare()
        for i in range(200):
            call(features(i))
    per_call(made)
    cpu_share(made)
    import windvane

    windvane.flush(20)
    print(windvane.stats(), flush=True)
    served(port)
    process.kill()


if __name__ == "__main__":
    {"sink": sink, "model": lambda: model_server(sys.argv[2])}.get(sys.argv[1] if len(sys.argv) > 1 else "", main)()
