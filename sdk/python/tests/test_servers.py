"""FastAPI, Flask and gunicorn, the real ones: a request is a prediction, and no fork loses or repeats one."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

import windvane
from kit import accounted, eventually
from windvane._exchange import Exchange, Splicer
from windvane.hooks import asgi, wsgi


def broken(_body):
    raise RuntimeError("a fault in the route")


def routes(route):
    return {
        "/predict": route(model="delay", version="7", unit_id=lambda body: body.get("tail")),
        "/odd": route(model="delay", answer=broken),
        "/crash": route(model="delay"),
        "/stream": route(model="delay"),
        "/endless": route(model="delay"),
        "/breaks": route(model="delay"),
    }


def endless():
    """A body that goes on as long as somebody listens."""
    while True:
        yield b"x" * 65_536
        time.sleep(0.001)


def breaks():
    yield b"{"
    raise RuntimeError("the model crashed")


@pytest.fixture
def fastapi_url():
    app = FastAPI()
    app.add_middleware(asgi.Middleware, routes=routes(asgi.Route))

    @app.post("/predict")
    async def predict(request: Request):
        body = await request.json()
        if body["distance"] < 0:
            return JSONResponse({"detail": "negative"}, status_code=422)
        return {"score": body["distance"] / 10_000}

    @app.head("/predict")
    @app.options("/predict")
    def about():
        return {"score": 1}

    @app.post("/odd")
    def odd():
        return {"score": 0.5}

    @app.post("/crash")
    def crash():
        raise RuntimeError("the model crashed")

    @app.post("/stream")
    def stream():
        return StreamingResponse(iter([b'{"label": ', b'"late"}']), media_type="application/json")

    app.post("/endless")(lambda: StreamingResponse(endless()))
    app.post("/breaks")(lambda: StreamingResponse(breaks()))

    @app.post("/other")
    def other():
        return {}

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    eventually(lambda: server.started)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def flask_url():
    app = Flask("test")
    app.wsgi_app = wsgi.Middleware(app.wsgi_app, routes=routes(wsgi.Route))

    @app.post("/predict")
    def predict():
        distance = request.get_json()["distance"]
        return (jsonify(detail="negative"), 422) if distance < 0 else jsonify(score=distance / 10_000)

    app.get("/predict", endpoint="about")(lambda: jsonify(score=1))  # and with it HEAD, and OPTIONS
    app.post("/odd")(lambda: jsonify(score=0.5))
    app.post("/crash", endpoint="crash")(lambda: 1 / 0)
    app.post("/stream", endpoint="stream")(lambda: app.response_class(iter(['{"label": ', '"late"}'])))
    app.post("/endless", endpoint="endless")(lambda: app.response_class(endless()))
    app.post("/breaks", endpoint="breaks")(lambda: app.response_class(breaks()))
    app.post("/other", endpoint="other")(lambda: {})
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def post(url, body):
    asked = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=20) as response:
            return response.status, response.headers.get("windvane-event-id"), response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("windvane-event-id"), error.read()


@pytest.mark.parametrize("framework", ["fastapi_url", "flask_url"])
def test_each_request_of_a_named_route_is_a_prediction(framework, client, collector, request):
    url = request.getfixturevalue(framework)
    answers = [
        post(f"{url}/predict", {"distance": 1400, "carrier": "UA", "tail": "N1", "nested": {"a": 1}}),
        post(f"{url}/predict", {"distance": -1}),
        post(f"{url}/odd", {"distance": 1}),
        post(f"{url}/stream", {"distance": 2}),
        post(f"{url}/crash", {"distance": 3}),
        post(f"{url}/other", {}),
    ]
    assert [status for status, _, _ in answers] == [200, 422, 200, 200, 500, 200]
    for method in ("HEAD", "OPTIONS"):
        with urllib.request.urlopen(urllib.request.Request(f"{url}/predict", method=method), timeout=20) as response:
            assert (response.status, response.headers.get("windvane-event-id")) == (200, None), f"{method} asks about a route"
    eventually(lambda: windvane.stats().logged == 5)
    assert windvane.flush()
    # A server may send a response before its middleware has logged it, so that the next request overtakes it.
    order = {event_id: place for place, (_, event_id, _) in enumerate(answers[:4])}
    good, bad, odd, stream, crash = sorted(collector.records["predictions"], key=lambda r: order.get(r["event_id"], 9))
    assert good["event_id"] == answers[0][1] and answers[5][1] is None
    assert (good["model"], good["version"], good["unit_id"], good["status"]) == ("delay", "7", "N1", "ok")
    assert good["features"] == {"distance": 1400, "carrier": "UA", "tail": "N1"}
    assert good["prediction"] == {"score": 0.14} and 0 < good["latency_us"] < 10_000_000
    assert (bad["status"], "prediction" in bad, bad["features"]) == ("http_422", False, {"distance": -1})
    assert (odd["status"], "prediction" in odd) == ("ok", False)
    assert stream["prediction"] == {"label": "late"} and answers[3][2] == b'{"label": "late"}'
    assert crash["status"] == "http_500"


@pytest.mark.parametrize("framework", ["fastapi_url", "flask_url"])
def test_a_client_that_goes_away_is_told_from_an_application_that_breaks(framework, client, collector, request):
    url = urllib.parse.urlsplit(request.getfixturevalue(framework))
    for path in ("/endless", "/breaks"):
        asked = socket.create_connection((url.hostname, url.port), timeout=20)
        asked.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
        while b"x" * 1_000 not in (part := asked.recv(65_536)) and part:
            pass
        asked.close()
    eventually(lambda: windvane.stats().logged == 2)
    assert windvane.flush()
    records = collector.records["predictions"]
    assert sorted((r["status"], "prediction" in r) for r in records) == [("cancelled", False), ("http_500", False)]


def test_what_an_application_is_told_of_its_client(client, collector):
    """What servers of ASGI say in one way or another."""

    async def left(_scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"score": 1}', "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    async def whole(_scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"score": 1}'})
        assert (await receive())["type"] == "http.disconnect"

    async def ended(_scope, _receive, _send):
        raise asyncio.CancelledError

    class ClientDisconnect(Exception):
        pass

    async def away(_scope, _receive, _send):
        raise ClientDisconnect

    async def receive():
        return {"type": "http.disconnect"}

    async def send(_message):
        pass

    for app, raised in [(left, None), (whole, None), (ended, asyncio.CancelledError), (away, ClientDisconnect)]:
        middleware = asgi.Middleware(app, routes={"/predict": asgi.Route(model=app.__name__)})
        with pytest.raises(raised) if raised else contextlib.nullcontext():
            asyncio.run(middleware({"type": "http", "path": "/predict", "method": "POST"}, receive, send))
    assert windvane.flush()
    found = {record["model"]: (record["status"], record.get("prediction")) for record in collector.records["predictions"]}
    assert found == {"left": ("cancelled", None), "whole": ("ok", {"score": 1}), "ended": ("cancelled", None), "away": ("cancelled", None)}


def serve_once(route, asked, answered):
    """One exchange through the middleware, without a server."""

    async def app(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answered})

    async def receive():
        return {"type": "http.request", "body": asked}

    sent = []

    async def send(message):
        sent.append(message)

    middleware = asgi.Middleware(app, routes={"/predict": route})
    asyncio.run(middleware({"type": "http", "path": "/predict"}, receive, send))
    return dict(sent[0]["headers"])[b"windvane-event-id"].decode()


def test_bodies_are_read_in_the_background_and_functions_run_in_the_request(client, collector, monkeypatch):
    windvane.log_prediction({"first": True}, score=0.5)  # from here on the background runs, and exchanges may wait for it
    assert windvane.flush()
    threads = []
    read, spliced = [], []

    def watch(owner, name, by):
        tried = getattr(owner, name)

        def watched(*arguments):
            by.append(threading.current_thread().name)
            return tried(*arguments)

        monkeypatch.setattr(owner, name, watched)

    watch(Exchange, "fields", read)
    watch(Splicer, "line", spliced)

    def features(body):
        threads.append(threading.current_thread().name)
        return body

    with windvane.context(tags={"shard": "7"}):
        in_context = serve_once(asgi.Route(model="delay"), b'{"x": 1}', b'{"score": 0.25}')
    read_later = serve_once(asgi.Route(model="delay"), b'{"x": 2}', b'{"score": 0.5}')
    read_too = serve_once(asgi.Route(model="delay"), b'{"x": 2,' + b" " * 2_048 + b'"y": 3}', b'{"score": 0.5}')
    broken = serve_once(asgi.Route(model="delay"), b'{"x": 3', b'{"score": 0.75}')
    large = serve_once(asgi.Route(model="delay"), json.dumps({"x": 4, "list": [0] * 20_000}).encode(), b'{"score": 1}')
    asked = serve_once(asgi.Route(model="delay", features=features), b'{"x": 5}', b'{"score": 1.5}')
    eventually(lambda: len(read) == 4 and len(spliced) == 3)  # `flush` would read in this thread
    assert windvane.flush()
    held = {record["event_id"]: record for record in collector.records["predictions"]}
    assert [(held[n].get("features"), held[n]["prediction"]["score"]) for n in (in_context, read_later, read_too, broken, large, asked)] == [
        ({"x": 1}, 0.25), ({"x": 2}, 0.5), ({"x": 2, "y": 3}, 0.5), (None, 0.75), ({"x": 4}, 1), ({"x": 5}, 1.5),
    ]  # fmt: skip
    assert held[in_context]["tags"] == {"shard": "7"}
    here = threading.current_thread().name
    assert threads == [here]
    assert sorted(read) == sorted([here, "windvane", here, here])  # the first, the broken one that waited, the large and the asked one
    assert spliced == ["windvane"] * 3  # the broken one in vain
    assert accounted(windvane.stats()) == windvane.stats().logged == 7


def test_what_the_application_sends_is_left_as_it_is_and_what_it_raises_is_raised(client, collector):
    start = {"type": "http.response.start", "status": 503, "headers": [(b"a", b"b")]}
    sent = []

    async def app(_scope, receive, send):
        assert [(await receive())["body"] for _ in range(2)] == [b'{"x":', b" 1}"]
        await send(start)
        raise RuntimeError("the model crashed")

    asked = [{"type": "http.request", "body": b" 1}"}, {"type": "http.request", "body": b'{"x":', "more_body": True}]

    async def receive():
        return asked.pop()

    async def send(message):
        sent.append(message)

    middleware = asgi.Middleware(app, routes={"/predict": asgi.Route(model="delay")})
    with pytest.raises(RuntimeError, match="crashed"):
        asyncio.run(middleware({"type": "http", "path": "/predict"}, receive, send))
    assert start["headers"] == [(b"a", b"b")] and [name for name, _ in sent[0]["headers"]] == [b"a", b"windvane-event-id"]
    assert windvane.flush()
    (record,) = collector.records["predictions"]
    assert (record["status"], record["features"], record["event_id"].encode()) == ("http_503", {"x": 1}, sent[0]["headers"][1][1])


GUNICORN_APP = """
import os, windvane
windvane.init(os.environ["COLLECTOR"], model="forked", flush_interval_s=0.05)
windvane.log_prediction({"who": "master"}, score=0.5)

def app(environ, start_response):
    event_id = windvane.log_prediction({"who": str(os.getpid())}, score=0.5)
    start_response("200 OK", [("content-length", "36")])
    return [event_id.encode()]
"""


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "each worker"])
def test_gunicorn_prefork_loses_and_repeats_nothing(preload, collector, tmp_path):
    (tmp_path / "app.py").write_text(GUNICORN_APP)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)
    os.set_inheritable(listening.fileno(), True)
    port, fd = listening.getsockname()[1], listening.fileno()
    command = [sys.executable, "-m", "gunicorn", "app:app", "--bind", f"fd://{fd}", "--workers", "3", "--log-level", "error"]
    command += ["--preload"] if preload else []
    server = subprocess.Popen(command, cwd=tmp_path, pass_fds=[fd], env={**os.environ, "COLLECTOR": collector.url})
    try:
        ids = []
        for _ in range(60):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as response:
                ids.append(response.read().decode())
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        listening.close()
    arrived = [record["event_id"] for record in collector.records["predictions"]]
    masters = [r for r in collector.records["predictions"] if r["features"]["who"] == "master"]
    assert set(ids) <= set(arrived) and len(arrived) == len(set(arrived))
    assert len(masters) == (1 if preload else 3)
    assert len(arrived) == 60 + len(masters)
