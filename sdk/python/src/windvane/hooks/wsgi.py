"""WSGI middleware: Flask, Django, and every other WSGI application.

    app.wsgi_app = windvane.hooks.wsgi.Middleware(app.wsgi_app, routes={"/predict": windvane.hooks.wsgi.Route(model="delay")})
"""

from __future__ import annotations

import io
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping

import windvane

from .routes import ABOUT, BODY_BYTES_MAX, CANCELLED, EVENT_ID, Route

__all__ = ["Middleware", "Route"]


class Middleware:
    """Logs one prediction for each request of a route that is named. Responses pass through as they come."""

    def __init__(self, app: Callable[..., Iterable[bytes]], routes: Mapping[str, Route]) -> None:
        self.app = app
        self.routes: Dict[str, Route] = dict(routes)

    def __call__(self, environ: Dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        route = self.routes.get(environ.get("PATH_INFO", ""))
        if route is None or environ.get("REQUEST_METHOD") in ABOUT:
            return self.app(environ, start_response)
        event_id = windvane.current()._take_id()
        call = _Call(route, event_id, _body(environ))

        def start(status: str, headers: List[Any], *error: Any) -> Any:
            call.status = int(status.split(" ", 1)[0])
            return start_response(status, [*headers, (EVENT_ID, event_id)], *error)

        try:
            call.app_response = self.app(environ, start)
        except BaseException:
            call.failed()
            call.log()
            raise
        return call


class _Call:
    """One request, and the application's response to it; logs when the server is done with it."""

    __slots__ = ("app_response", "response", "status", "_route", "_event_id", "_request", "_begun_ns", "_is_over")

    def __init__(self, route: Route, event_id: str, request: bytes) -> None:
        self.app_response: Iterable[bytes] = ()
        self.response = b""
        self.status = 500
        self._route = route
        self._event_id = event_id
        self._request = request
        self._begun_ns = time.perf_counter_ns()
        # Where it never is, the server had nobody to send the rest to.
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self.app_response:
                if len(self.response) <= BODY_BYTES_MAX:
                    self.response += part
                yield part
        except Exception:
            self.failed()
            raise
        self._is_over = True

    def failed(self) -> None:
        """The application did not come to its end."""
        self.status = max(self.status, 500)
        self._is_over = True

    def close(self) -> None:
        """Called by the server at the end, whatever happened."""
        try:
            close = getattr(self.app_response, "close", None)
            if close is not None:
                close()
        finally:
            self.log()

    def log(self) -> None:
        """Logs what was seen."""
        latency_us = (time.perf_counter_ns() - self._begun_ns) / 1000
        client = windvane.current()
        status = self.status if self._is_over else CANCELLED
        client._log_exchange(self._route, self._event_id, self._request, self.response, status, latency_us)


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
