"""What schemathesis does not know by itself: bodies that are not JSON, and that a body is as its Content-Encoding says.

Loaded by SCHEMATHESIS_HOOKS. Bodies of these media are those of tests/openapi/bodies.py, whole, cut, and with a byte changed.
"""

import json

import schemathesis
from hypothesis import strategies as st

import interface
from bodies import NDJSON, PACKED, taken


@st.composite
def damaged(draw, bodies):
    """One of the bodies, whole or not."""
    body = draw(st.sampled_from(bodies))
    kind = draw(st.sampled_from(["whole", "whole", "cut", "changed"]))
    at = draw(st.integers(0, max(len(body) - 1, 0)))
    if kind == "cut":
        return body[:at]
    return body[:at] + bytes([draw(st.integers(0, 255))]) + body[at + 1 :] if kind == "changed" else body


def generated():
    """The media that are not JSON, and bodies of each."""
    by_media = {}
    for _, media, _, body in taken():
        if media == NDJSON or not media.endswith("json"):
            by_media.setdefault(media, []).append(body)
    return by_media


for name, bodies in generated().items():
    schemathesis.openapi.media_type(name, damaged(bodies))


@schemathesis.deserializer(interface.PROTOBUF)
def of_protobuf(context, response):
    """What the description says of it in JSON."""
    return interface.of_protobuf(context.operation.path, response.status_code, response.content)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Compresses the body as its header says; a header that says something else stays a fault."""
    pack = PACKED.get((case.headers or {}).get("Content-Encoding", "").replace("x-gzip", "gzip"))
    if pack is None or case.body is schemathesis.core.NOT_SET:
        return
    body = case.body if isinstance(case.body, bytes) else json.dumps(case.body, default=str).encode()
    case.body = pack(body)
