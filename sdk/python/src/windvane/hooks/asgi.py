"""ASGI middleware: FastAPI, Starlette, Ray Serve's ingress, and every other ASGI application.

    app.add_middleware(windvane.hooks.asgi.Middleware, routes={"/predict": windvane.hooks.asgi.Route(model="delay")})
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, Awaitable, Callable, Dict, Mapping, MutableMapping

import windvane

from .routes import ABOUT, BODY_BYTES_MAX, CANCELLED, EVENT_ID_BYTES, Route

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
        except BaseException as error:
            call.raised(error)
            raise
        finally:
            latency_us = (perf_counter_ns() - begun) / 1000
            client = windvane._current or windvane.current()
            client._log_exchange(route, call.event_id, call.request, call.response, call.fate, latency_us)


class _Call:
    """What stands between the application and the server for one request: one small object, as it is made on cold caches."""

    __slots__ = ("_receive", "_send", "event_id", "is_over", "request", "response", "status", "was_left")

    def __init__(self, receive: Receive, send: Send, event_id: str) -> None:
        self._receive = receive
        self._send = send
        self.event_id = event_id
        # Bytes that are added to none are not copied.
        self.request = self.response = b""
        self.status = 500
        # The response is whole; the client went away before it was.
        self.is_over = self.was_left = False

    @property
    def fate(self) -> int:
        """The status of the exchange."""
        return CANCELLED if self.was_left and not self.is_over else self.status

    def raised(self, error: BaseException) -> None:
        """The application did not come to its end: because of a fault, or because nobody waits for it any more."""
        # Starlette's, of a server whose `send` says that the client is away.
        if not isinstance(error, Exception) or type(error).__name__ == "ClientDisconnect":
            self.was_left = True
        elif not self.is_over and self.status < 400:
            self.status = 500

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.was_left = True
        elif len(self.request) <= BODY_BYTES_MAX:
            self.request += message.get("body", b"")
        return message

    # No coroutine of its own: what the server answers is awaited by the application.
    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), (EVENT_ID_BYTES, self.event_id.encode())]}
        else:
            self.is_over = not message.get("more_body", False)
            if len(self.response) <= BODY_BYTES_MAX:
                self.response += message.get("body", b"")
        return self._send(message)
