"""Does a model server answer as fast with the middleware as without?

Three servers take turns in answering 1,000 requests a second each: one with the middleware and two without, which are alike, so that
what they differ by is noise. Requests leave when they are due, over as many connections as it takes, and are timed from then on, so
that a server that stands still is charged for all who wait.
Each turn gives a p99 of its own: how far those of the two servers without lie from each other, turn by turn, is the noise that the
middleware's distance is held against.
The model is a product of 20 weights in plain Python: what is measured is the server and the hook, and both must fit on a small machine.

With BURN_US, a fourth server, without the middleware, works for so many microseconds once each response is on its way: what does that much
CPU time alone, with no second thread, do to the p99?

Usage: model_server.py [ROUNDS [BURN_US]]
"""

import asyncio
import json
import statistics
import sys
import threading
import time
from pathlib import Path

from overhead import median_p99, quantiles, started

RATE, ROUND_S = 1_000, 3.0
ROUNDS = 8
WARM_ROUNDS = 1
CONNECTIONS = 32
# After a round the hook sends what it has queued, and is charged for it.
SETTLE_S = 1.5
BODY = json.dumps({f"x{k}": k * 0.1 for k in range(20)}).encode()
REQUEST = (
    b"POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


async def predict(scope, receive, send):
    """The whole server: reads JSON, answers a score."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    score = sum(weight * value for weight, value in enumerate(json.loads(body).values()))
    content = json.dumps({"score": score}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def burning(us):
    """The same server, which holds its thread for a while after each response."""

    async def burn(scope, receive, send):
        await predict(scope, receive, send)
        end = time.perf_counter_ns() + us * 1_000
        while time.perf_counter_ns() < end:
            pass

    return burn


def serve(sink_port, burn_us):
    import uvicorn

    import windvane
    from windvane.hooks import asgi

    app = burning(int(burn_us)) if burn_us != "0" else predict
    if sink_port != "0":
        windvane.init(f"http://127.0.0.1:{sink_port}", model="bench")
        app = asgi.Middleware(predict, routes={"/predict": asgi.Route()})
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", access_log=False))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    threading.Event().wait()


def cpu_us(pid):
    """What a process has used: all its threads, and those beside the busiest, which is that of the event loop; of Linux alone."""
    held = sorted(int((task / "schedstat").read_text().split()[0]) / 1e3 for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(held), sum(held[:-1])


async def asked(connection):
    """One request over a connection that is kept open."""
    reader, writer = connection
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    assert b"score" in await reader.readexactly(int(length.split(b":")[1]))


def pace(loop, ask, end):
    """Has each request leave when it is due. Not by timers of the event loop: they are up to a millisecond late, more after a longer
    answer, so that a server would be charged several times for what it takes."""
    start = time.perf_counter_ns()
    for i in range(int(RATE * ROUND_S)):
        due = start + i * 1_000_000_000 // RATE
        if (left := due - time.perf_counter_ns()) > 0:
            time.sleep(left / 1e9)
        loop.call_soon_threadsafe(ask, due)
    loop.call_soon_threadsafe(end)


async def round_of(port):
    """Nanoseconds from when each request was due."""
    free = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    took = []

    async def one(due_ns):
        connection = await free.get()
        await asked(connection)
        took.append(time.perf_counter_ns() - due_ns)
        free.put_nowait(connection)

    loop, tasks = asyncio.get_running_loop(), []
    all_due = asyncio.Event()
    pacer = threading.Thread(target=pace, args=(loop, lambda due_ns: tasks.append(loop.create_task(one(due_ns))), all_due.set))
    pacer.start()
    await all_due.wait()
    pacer.join()
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return took


def p99_us(took):
    return sorted(took)[len(took) * 99 // 100] / 1e3


def distances(rounds, name):
    """The p99 of each turn above that of the server without, in the same turn: the median, and an interval of 95 % of it by ranks."""
    apart = sorted(p99_us(one) - p99_us(other) for one, other in zip(rounds[name], rounds["without"]))
    n = len(apart)
    reach = max(0, int((n - 1.96 * n**0.5) / 2))
    return f"p99 above without, us: median {statistics.median(apart):.0f}, 95 % {apart[reach]:.0f} to {apart[n - 1 - reach]:.0f}"


def main(turns, burn_us):
    sink, sink_port = started("overhead.py", "sink")
    servers = {
        "without": started("model_server.py", "serve", "0", "0"),
        "with middleware": started("model_server.py", "serve", str(sink_port), "0"),
        "without, another": started("model_server.py", "serve", "0", "0"),
    }
    if burn_us != "0":
        servers[f"without, {burn_us} us"] = started("model_server.py", "serve", "0", burn_us)
    rounds = {name: [] for name in servers}
    used = dict.fromkeys(servers, (0.0, 0.0))
    try:
        for number in range(WARM_ROUNDS + turns):
            for name, (process, port) in servers.items():
                before = cpu_us(process.pid)
                took = asyncio.run(round_of(port))
                time.sleep(SETTLE_S)
                if number >= WARM_ROUNDS:
                    rounds[name].append(took)
                    used[name] = tuple(sum_us + after - start for sum_us, after, start in zip(used[name], cpu_us(process.pid), before))
    finally:
        for process, _ in [*servers.values(), (sink, 0)]:
            process.kill()
    for name, held in rounds.items():
        n = sum(map(len, held))
        print(
            f"model server at {RATE}/s, us  {name:16} {n} requests  {quantiles(sum(held, []))}  rounds' p99 {median_p99(held)}  "
            f"CPU of the server {used[name][0] / n:.0f} a request, {used[name][1] / n:.1f} of it beside the event loop",
            flush=True,
        )
        if name != "without":
            print(f"{name:16} {distances(rounds, name)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS, sys.argv[2] if len(sys.argv) > 2 else "0")
