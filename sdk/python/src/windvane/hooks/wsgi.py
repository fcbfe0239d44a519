"""WSGI middleware: Flask, Django, and every other WSGI application.

    app.wsgi_app = windvane.hooks.wsgi.Middleware(app.wsgi_app, routes={"/predict": windvane.hooks.wsgi.Route(model="delay")})
"""

from __future__ import annotations

import io
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping

import windvane

from .routes import BODY_BYTES_MAX, EVENT_ID, Exchange, Route

__all__ = ["Middleware", "Route"]


class Middleware:
    """Logs one prediction for each request of a route that is named. Responses pass through as they come."""

    def __init__(self, app: Callable[..., Iterable[bytes]], routes: Mapping[str, Route]) -> None:
        self.app = app
        self.routes: Dict[str, Route] = dict(routes)

    def __call__(self, environ: Dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        route = self.routes.get(environ.get("PATH_INFO", ""))
        if route is None:
            return self.app(environ, start_response)
        exchange = Exchange()
        exchange.route = route
        exchange.event_id = windvane.current()._take_id()
        exchange.request = _body(environ)
        begun = time.perf_counter_ns()

        def start(status: str, headers: List[Any], *error: Any) -> Any:
            exchange.status = int(status.split(" ", 1)[0])
            return start_response(status, [*headers, (EVENT_ID, exchange.event_id)], *error)

        try:
            response = self.app(environ, start)
        except BaseException:
            _end(exchange, begun)
            raise
        return _Response(response, exchange, begun)


class _Response:
    """The application's response; logs when the server is done with it."""

    def __init__(self, response: Iterable[bytes], exchange: Exchange, begun_ns: int) -> None:
        self._response = response
        self._exchange = exchange
        self._begun_ns = begun_ns

    def __iter__(self) -> Iterator[bytes]:
        for part in self._response:
            if len(self._exchange.response) <= BODY_BYTES_MAX:
                self._exchange.response += part
            yield part

    def close(self) -> None:
        """Called by the server at the end, whatever happened."""
        try:
            close = getattr(self._response, "close", None)
            if close is not None:
                close()
        finally:
            _end(self._exchange, self._begun_ns)


def _end(exchange: Exchange, begun_ns: int) -> None:
    exchange.latency_us = (time.perf_counter_ns() - begun_ns) / 1000
    windvane.current()._log_exchange(exchange)


def _body(environ: Dict[str, Any]) -> bytes:
    """Reads a small JSON body and puts it back; others are left alone."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return b""
    if not 0 < length <= BODY_BYTES_MAX or "json" not in environ.get("CONTENT_TYPE", ""):
        return b""
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body
