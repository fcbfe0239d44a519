"""ASGI middleware: FastAPI, Starlette, Ray Serve's ingress, and every other ASGI application.

    app.add_middleware(windvane.hooks.asgi.Middleware, routes={"/predict": windvane.hooks.asgi.Route(model="delay")})
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, Awaitable, Callable, Dict, Mapping, MutableMapping

import windvane

from .routes import BODY_BYTES_MAX, EVENT_ID_BYTES, Exchange, Route

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
        if route is None:
            await self.app(scope, receive, send)
            return
        exchange = Exchange()
        exchange.route = route
        exchange.event_id = (windvane._current or windvane.current())._take_id()
        begun = perf_counter_ns()

        async def receive_kept() -> Message:
            message = await receive()
            if len(exchange.request) <= BODY_BYTES_MAX:
                exchange.request += message.get("body", b"")
            return message

        # No coroutine of its own: what the server answers is awaited by the application.
        def send_kept(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (EVENT_ID_BYTES, exchange.event_id.encode())]}
            elif len(exchange.response) <= BODY_BYTES_MAX:
                exchange.response += message.get("body", b"")
            return send(message)

        try:
            await self.app(scope, receive_kept, send_kept)
        finally:
            exchange.latency_us = (perf_counter_ns() - begun) / 1000
            (windvane._current or windvane.current())._log_exchange(exchange)
