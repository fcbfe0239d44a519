"""What does the ASGI middleware take of a request, by part, in CPU time of threads and on warm caches?

No server and no network but a sink: 400 requests in a row, of 20 features, then a pause in which the background does its part, in turns
without the middleware, with its wrappers alone, and with all of it. Prints medians over rounds, in microseconds a request.
In a server that answers 1,000 a second, caches are cold, and each part takes up to four times as long: `model_server.py`.

Usage: middleware.py [ROUNDS]
"""

import asyncio
import statistics
import sys
import time

from model_server import BODY, predict
from overhead import started

REQUESTS, PAUSE_S = 400, 0.25
ROUNDS = 40
SCOPE = {"type": "http", "path": "/predict"}


async def receive():
    return {"type": "http.request", "body": BODY, "more_body": False}


async def send(_message):
    pass


def asked(app):
    """Microseconds of this thread's CPU time a request."""

    async def run():
        begun = time.thread_time_ns()
        for _ in range(REQUESTS):
            await app(SCOPE, receive, send)
        return (time.thread_time_ns() - begun) / REQUESTS / 1e3

    return asyncio.run(run())


def main(rounds):
    import windvane
    from windvane.hooks import asgi

    sink, port = started("overhead.py", "sink")
    client = windvane.init(f"http://127.0.0.1:{port}", model="bench")
    windvane.log_measurement("u", "m", 1.0)  # starts the background
    middleware = asgi.Middleware(predict, routes={"/predict": asgi.Route()})
    took = {"the application": [], "wrappers": [], "logging": [], "background": []}
    try:
        for _ in range(rounds):
            alone = asked(predict)
            client._log_exchange = lambda *_: None
            wrapped = asked(middleware)
            del client._log_exchange
            time.sleep(PAUSE_S)
            others = time.process_time_ns() - time.thread_time_ns()
            logged = asked(middleware)
            time.sleep(PAUSE_S)
            others = (time.process_time_ns() - time.thread_time_ns() - others) / REQUESTS / 1e3
            for name, us in zip(took, (alone, wrapped - alone, logged - wrapped, others)):
                took[name].append(us)
        windvane.flush(20)
        assert client.stats().received == client.stats().logged == rounds * REQUESTS + 1, client.stats()
    finally:
        sink.kill()
    for name, us in took.items():
        print(f"{name:16} {statistics.median(us):.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
