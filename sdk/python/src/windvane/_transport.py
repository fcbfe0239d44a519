"""One kept-open HTTP connection to the collector, used by the sender's thread alone."""

from __future__ import annotations

import codecs
import http.client
import re
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import Mapping, Optional, Tuple

ANSWER_BYTES_MAX = 8 << 20
# Names of hosts go through it. Imported by the first connection, in the background, it is missing for good in a child that is forked meanwhile.
codecs.lookup("idna")


class Unreachable(Exception):
    """No answer. `in_doubt`: the request may have arrived all the same."""

    def __init__(self, cause: BaseException, *, in_doubt: bool, reused: bool) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.in_doubt = in_doubt
        self.reused = reused


@dataclass(frozen=True)
class Answer:
    """A response, whole."""

    status: int
    retry_after: Optional[str]
    body: bytes


def address(url: object) -> Tuple[bool, str, Optional[int], str]:
    """Whether a URL is one of TLS, its host, its port, and the path that requests begin with.

    Raises ValueError, which has no password in it, where it is no address of a server.
    """
    shown = re.sub(r"(?si)^([a-z][a-z0-9+.-]*://)?.*@", r"\1…@", str(url))
    accepted = "accepted is http://HOST:PORT or https://HOST:PORT"
    try:
        parts = urllib.parse.urlsplit(url if isinstance(url, str) else "")
        host, port = parts.hostname or "", parts.port
    except ValueError:  # says what the port is, which may be a password
        parts, host, port = urllib.parse.urlsplit(""), "", None
    if parts.username is not None:
        raise ValueError(f"url is {shown!r}, with a user or a password, which are not sent; {accepted}, with an API token as token")
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", host) or parts.query or parts.fragment:
        raise ValueError(f"url is {shown!r}; {accepted}")
    return parts.scheme == "https", host, port, parts.path.rstrip("/")


class Transport:
    """Posts to and gets from one server. Redirects are not followed: a token goes only where it was meant to go."""

    def __init__(
        self, url: str, token: Optional[str], timeout_s: float, tls: Optional[ssl.SSLContext] = None
    ) -> None:
        self._secure, self._host, self._port, self._path = address(url)
        self._timeout_s = timeout_s
        self._tls = tls
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._connection: Optional[http.client.HTTPConnection] = None
        # Whether the request that is being made may have arrived.
        self.sent = False

    def request(
        self, method: str, path: str, body: Optional[bytes] = None, headers: Optional[Mapping[str, str]] = None
    ) -> Answer:
        """Sends one request and reads its answer.

        Raises Unreachable where there is none.
        """
        connection, reused = self._connection, self._connection is not None
        self.sent = False
        try:
            if connection is None:
                connection = self._connect()
                connection.connect()
            self.sent = True
            connection.request(method, self._path + path, body, {**self._headers, **(headers or {})})
            response = connection.getresponse()
            content = response.read(ANSWER_BYTES_MAX)
            answer = Answer(response.status, response.getheader("retry-after"), content)
            if response.will_close or not response.isclosed():
                connection.close()
                connection = None
        except Exception as error:  # of the network, of HTTP, or of a connection that `close` took away meanwhile
            self.close()
            if connection is not None:
                connection.close()
            raise Unreachable(error, in_doubt=self.sent, reused=reused) from error
        self._connection = connection
        return answer

    def close(self) -> None:
        """Closes the connection; the next request opens one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            context = self._tls or ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
