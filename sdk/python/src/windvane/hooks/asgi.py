"""ASGI middleware: FastAPI, Starlette, Ray Serve's ingress, and every other ASGI application.

    app.add_middleware(windvane.hooks.asgi.Middleware, routes={"/predict": windvane.hooks.asgi.Route(model="delay")})
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, Awaitable, Callable, Dict, Mapping, MutableMapping

import windvane

from .routes import ABOUT, BODY_BYTES_MAX, EVENT_ID_BYTES, Route

__all__ = ["Middleware", "Route"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Middleware:
    """Logs one prediction for each request of a route that is named. Bodies pass through as they come, and are copied up to a bound."""

    def __init__(self, app: Any, routes: Mapping[str, Route]) -> None:
        self.app = app
        self.routes: Dict[str, Route] = dict(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes.get(scope.get("path", "")) if scope["type"] == "http" else None
        if route is None or scope.get("method") in ABOUT:
            await self.app(scope, receive, send)
            return
        call = _Call(receive, send, (windvane._current or windvane.current())._take_id())
        begun = perf_counter_ns()
        try:
            await self.app(scope, call.receive, call.send)
        finally:
            latency_us = (perf_counter_ns() - begun) / 1000
            client = windvane._current or windvane.current()
            client._log_exchange(route, call.event_id, call.request, call.response, call.status, latency_us)


class _Call:
    """What stands between the application and the server for one request: one small object, as it is made on cold caches."""

    __slots__ = ("_receive", "_send", "event_id", "request", "response", "status")

    def __init__(self, receive: Receive, send: Send, event_id: str) -> None:
        self._receive = receive
        self._send = send
        self.event_id = event_id
        # Bytes that are added to none are not copied.
        self.request = self.response = b""
        self.status = 500

    async def receive(self) -> Message:
        message = await self._receive()
        if len(self.request) <= BODY_BYTES_MAX:
            self.request += message.get("body", b"")
        return message

    # No coroutine of its own: what the server answers is awaited by the application.
    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), (EVENT_ID_BYTES, self.event_id.encode())]}
        elif len(self.response) <= BODY_BYTES_MAX:
            self.response += message.get("body", b"")
        return self._send(message)
