#!/usr/bin/env python3
"""Every operation of a service with tokens: without one, with a wrong one, with each scope and by password, each answer as it is described.

Usage: tests/openapi/tokens.py URL INGEST READ ADMIN LIMITED SLOW

The tokens have the scopes of their names; LIMITED may send events of one model only, and SLOW one request a second.
"""

import base64
import sys

from interface import Interface, send

# A token of a scope opens these.
OPENS = {"ingest": {"ingest"}, "read": {"read"}, "admin": {"ingest", "read", "admin"}}
# What stands for a name in a path; nothing has it, so that nothing is changed.
NAME = "nobody"
MODELS = "/api/v1/models"


def asked(path):
    """The path with names."""
    parts = (NAME if part.startswith("{") else part for part in path.split("/"))
    return "/".join(parts)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def password(token):
    return {"Authorization": "Basic " + base64.b64encode(f"anyone:{token}".encode()).decode()}


class Tokens:
    """Sends requests and gathers what is wrong."""

    def __init__(self, url, tokens):
        self.url, self.tokens = url, tokens
        self.interface, self.found, self.held = Interface(url, tokens["read"]), [], 0

    def hold(self, path, method, headers, expected):
        """An answer has to be as it is described, and of this status and code; no status stands for anything but 401 and 403."""
        body = b"" if method == "post" else None
        answer = send(method, self.url + asked(path), body, headers)
        self.held += 1
        self.found += self.interface.faults(path, method, answer)
        is_refusal = answer.status in (401, 403)
        seen = (answer.status, answer.code()) if is_refusal or answer.status == 429 else None
        if seen != expected:
            who = {name: value.split(" ")[0] for name, value in headers.items()}
            self.found.append(f"{method} {path} with {who}: {answer.status} {seen} in place of {expected}")

    def scopes(self):
        """Each operation with each token, and without."""
        for path, method, operation in self.interface.operations():
            ways = operation.get("security", [])
            needed = {scope for way in ways for scopes in way.values() for scope in scopes}
            if not needed:
                self.hold(path, method, {}, None)
                continue
            if {} in ways:
                self.found.append(f"{method} {path} is described as open, although there are tokens")
            (scope,) = needed
            self.hold(path, method, {}, (401, "token_missing"))
            for wrong in ("nonsense", self.tokens["read"][:-1] + "?"):
                self.hold(path, method, bearer(wrong), (401, "token_invalid"))
            for owner, opens in OPENS.items():
                self.hold(path, method, bearer(self.tokens[owner]), None if scope in opens else (403, "scope_missing"))
            by_password = None if method == "get" else (401, "token_missing")
            self.hold(path, method, password(self.tokens["admin"]), by_password)
            if scope == "admin":
                self.hold(path, method, {**bearer(self.tokens["admin"]), "Sec-Fetch-Site": "cross-site"}, (403, "cross_origin"))
                own = {**password(self.tokens["admin"]), "Sec-Fetch-Site": "same-origin"}
                self.hold(path, method, own, None)

    def limits(self):
        """A token that is limited to models, and one that may come once a second."""
        for path, method, operation in self.interface.operations():
            if {"token": ["ingest"]} in operation.get("security", []):
                by_model = path in ("/v1/predictions", "/v1/outcomes", "/v1/payloads")
                self.hold(path, method, bearer(self.tokens["limited"]), None if by_model else (403, "token_limited_to_models"))
        # Two seconds' worth may come at once, and the bucket is full again after as many.
        answers = [send("get", self.url + MODELS, headers=bearer(self.tokens["slow"])) for _ in range(20)]
        refused = [answer for answer in answers if answer.status == 429]
        self.found += [fault for answer in refused for fault in self.interface.faults(MODELS, "get", answer)]
        if not refused or refused[0].code() != "rate_exceeded":
            self.found.append(f"a token that comes too often: {[answer.status for answer in answers]}")


def main(url, *tokens):
    """Holds all of them."""
    claims = Tokens(url, dict(zip(("ingest", "read", "admin", "limited", "slow"), tokens, strict=True)))
    claims.scopes()
    claims.limits()
    if claims.found:
        sys.exit("\n".join(claims.found))
    print(f"{claims.held} requests with tokens and without are answered as it is described")


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    main(*sys.argv[1:])
