"""What middleware keeps of a request and its response, and the line that the background makes of both.

Reading two bodies, making a record of them, packing it and writing it as JSON again is most of what an exchange would cost in the
background, where it holds up whoever wants the interpreter meanwhile. An object of scalars is already what a line has as `features`: it is
read once, to see that it is one, and then taken over as it came. What cannot be taken over goes the long way, as a record.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

from . import _encode
from ._encode import ANSWERS
from ._packed import SCALARS
from ._records import Records, answer_of
from ._settings import Settings

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from .hooks.routes import Route

# Bodies beyond this are not read, only timed.
BODY_BYTES_MAX = 64 << 10
# The status of an exchange whose client went away before the end of the response: beyond those of HTTP.
CANCELLED = 1_000
_ANSWER_NAMES = (*ANSWERS, "probabilities")
_INFINITY = float("inf")
_BLANKS = " \t\n\r"
_COLONS = (b'":', b" :", b"\t:", b"\n:", b"\r:")
# Of models and versions whose part of a line is kept; a server has as many as it has routes.
_HEADS_MAX = 256


class Exchange(NamedTuple):
    """One request and its response, as far as they were kept."""

    route: Route
    event_id: str
    request: bytes
    response: bytes
    status: int
    latency_us: float
    # When it was logged, and the ids of the span that it was in.
    ended_ns: int
    trace: Optional[Dict[str, str]]

    def fields(self, fault: Callable[[str], None]) -> Dict[str, Any]:
        """Arguments of `log_prediction`; those that are known without the bodies where these cannot be read."""
        try:
            return self._read()
        except Exception as error:
            fault(f"cannot read an exchange: {error!r}")
            return self._known()

    def _known(self) -> Dict[str, Any]:
        known: Dict[str, Any] = {"latency_us": self.latency_us, "status": _word(self.status)}
        if self.route.model is not None:
            known["model"] = self.route.model
        if self.route.version is not None:
            known["version"] = self.route.version
        return {**known, **(self.trace or {})}

    def _read(self) -> Dict[str, Any]:
        route, fields = self.route, self._known()
        asked = _json(self.request)
        if asked is not None:
            features = route.features(asked) if route.features is not None else _scalars(asked)
            if features:
                fields["features"] = features
            if route.unit_id is not None:
                fields["unit_id"] = route.unit_id(asked)
        said = _json(self.response) if self.status < 400 else None
        if said is not None:
            fields.update(route.answer(said) if route.answer is not None else _shaped(said))
        return fields


class Splicer:
    """Lines of exchanges whose bodies are taken over."""

    def __init__(self, settings: Settings, records: Records) -> None:
        self._settings = settings
        self._records = records
        self._heads: Dict[Tuple[Optional[str], Optional[str]], Tuple[bytes, bytes]] = {}

    def line(self, exchange: Exchange) -> Optional[bytes]:
        """The line; None where a record is to be made of the exchange, because of what it holds or because redaction reads records."""
        if self._settings.redaction is not None or exchange.route.has_functions:
            return None
        route, event_id, request, response, status, latency_us, ended_ns, trace = exchange
        try:
            head, shared = self._heads.get((route.model, route.version)) or self._head(route.model, route.version)
            return b'%b,"event_id":"%b","ts":%d%b%b%b%b,"latency_us":%d,"status":"%b"}' % (
                head,
                event_id.encode(),
                ended_ns // 1000,
                shared,
                b"" if trace is None else _members(trace),
                _features(request),
                _answer(response) if status < 400 else b"",
                round(latency_us),
                b"ok" if status < 400 else _word(status).encode(),
            )
        except Exception:  # who makes the record finds out what is wrong, if something is
            return None

    def _head(self, model: Optional[str], version: Optional[str]) -> Tuple[bytes, bytes]:
        """What lines of a model begin with, and what else they share."""
        fields = {} if version is None else {"version": version}
        if model is not None:
            fields["model"] = model
        record = self._records.with_tags(self._records.prediction("", 0, fields, None))
        begin = {"model": record.pop("model")}
        del record["event_id"], record["ts"]
        head = (_encode.line(begin)[:-1], b"," + _encode.line(record)[1:-1] if record else b"")
        if len(self._heads) < _HEADS_MAX:
            self._heads[model, version] = head
        return head


def _word(status: int) -> str:
    """The status of a prediction."""
    return "ok" if status < 400 else "cancelled" if status == CANCELLED else f"http_{status}"


def _features(body: bytes) -> bytes:
    """The member of a line that holds the scalars of a request's body; nothing where there are none."""
    asked = load(body) if body else None
    if type(asked) is not dict or not asked:
        return b""
    if SCALARS.issuperset(map(type, asked.values())) and _names_once(body, asked):
        return b',"features":' + _one_line(body)
    scalars = _scalars(asked)
    return _members({"features": scalars}) if scalars else b""


def _answer(body: bytes) -> bytes:
    """The member of a line that holds the answer of a response's body; nothing where there is none."""
    said = load(body) if body else None
    if type(said) is not dict:
        return b""
    if len(said) == 1:
        ((name, value),) = said.items()
        if name in ANSWERS and value is not None and type(value) in SCALARS and _names_once(body, said):
            return b',"prediction":' + _one_line(body)
    answer = answer_of(_shaped(said))
    return b"" if answer is None else _members({"prediction": answer})


def _members(record: Dict[str, Any]) -> bytes:
    """Members to go on with in an object. Raises what JSON cannot say."""
    return b"," + _encode.fast(record)[1:-1] if record else b""


def _names_once(body: bytes, read: Mapping[str, Any]) -> bool:
    """Whether no name of an object of scalars comes twice, which readers take in different ways."""
    # Each member has a colon, after a quotation mark or a blank. As many of those as names leave none for a second member of a name.
    n = len(read)
    return body.count(b":") == n or sum(map(body.count, _COLONS)) == n


def _one_line(body: bytes) -> bytes:
    """JSON has ends of lines between its tokens alone, where any blank will do."""
    return body.replace(b"\n", b" ").replace(b"\r", b" ")


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).raw_decode


def _load_by_json(body: bytes) -> Any:
    text = str(body, "utf-8").strip(_BLANKS)
    value, end = _decode(text)
    if end != len(text):
        raise ValueError("something follows the value")
    if "\\" in text and ("\\ud" in text or "\\uD" in text):
        raise ValueError("there may be half of a surrogate pair")
    if type(value) is dict:
        values = value.values()
        if _INFINITY in values or -_INFINITY in values:
            raise ValueError("a number is beyond doubles")
    return value


# Reads what every reader of JSON reads alike, names that come twice aside, and raises what is beyond; tests take each in turn.
load: Callable[[bytes], Any] = _load_by_json if orjson is None else orjson.loads


def _json(body: bytes) -> Any:
    if not body or len(body) > BODY_BYTES_MAX:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None


def _scalars(body: Any) -> Dict[str, Any]:
    if not isinstance(body, dict):
        return {}
    return {name: value for name, value in body.items() if not isinstance(value, (dict, list))}


def _shaped(body: Any) -> Dict[str, Any]:
    if not isinstance(body, dict):
        return {}
    return {name: body[name] for name in _ANSWER_NAMES if body.get(name) is not None}
