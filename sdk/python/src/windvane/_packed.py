"""Events as they wait in the queue: packed in the call, made into JSON by the sender's thread.

Writing JSON with the standard library is most of what a call would cost, half of it the digits of numbers. Packing with `marshal` takes a
tenth of that time, the check of types included, and is a copy of the values of this instant: smaller than the line, of known length, and
nothing that the garbage collector walks. It never leaves the process. Only exact built-in scalars are packed, and dictionaries of them,
because `marshal` writes what supports the buffer protocol, NumPy's scalars among them, as bytes without a type: those are made plain first.
Everything else is encoded in the call, as is everything where the queue is half full.

Predictions of one model have the same names again and again. `Shapes` keeps each set of names once, and an event is a number and values.
Version 2 of marshal's format looks for no object that it has seen before; later ones keep a table of them for each event.
"""

from __future__ import annotations

import marshal
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

SCALARS = frozenset((str, float, int, bool, type(None)))
_VALUES = SCALARS | {dict}
_BRACE = ord("{")
_FORMAT = 2
# Of all names that a client keeps: what has more, features that are named by their content say, is packed with its names.
SHAPES_MAX = 256
SHAPES_BYTES_MAX = 1 << 20
# Of a name beside its text: the string's head and its places in two tuples.
_NAME_BYTES = 80


class Shape(NamedTuple):
    """The names of an event: arguments, and features where there are any."""

    fields: Tuple[str, ...]
    features: Optional[Tuple[str, ...]]


class Shapes:
    """Sets of names by number, up to a bound. A number never changes, and callers need no lock to find it."""

    def __init__(self) -> None:
        self._numbers: Dict[Tuple[Any, ...], int] = {}
        self._shapes: Dict[int, Shape] = {}
        self._left_bytes = SHAPES_BYTES_MAX

    def pack(self, event_id: str, ts: Union[int, str], fields: Mapping[str, Any], features: Optional[Dict[Any, Any]]) -> Optional[bytes]:
        """The bytes of a prediction; None where its values are not plain or its names are not kept."""
        # Names of arguments are texts, so that the first None is where features begin.
        if features is None:
            names: Tuple[Any, ...] = tuple(fields)
            values: Tuple[Any, ...] = (event_id, ts, *fields.values())
        else:
            names = (*fields, None, *features)
            values = (event_id, ts, *fields.values(), *features.values())
        number = self._numbers.get(names)
        if number is None:
            number = self._add(names, fields, features)
            if number is None:
                return None
        if not SCALARS.issuperset(map(type, values)):
            plain = _plain_values(values)
            if plain is None:
                return None
            values = plain
        return marshal.dumps((number, *values), _FORMAT)

    def _add(self, names: Tuple[Any, ...], fields: Mapping[str, Any], features: Optional[Dict[Any, Any]]) -> Optional[int]:
        named = () if features is None else tuple(features)
        if not {str}.issuperset(map(type, named)):
            return None
        size = sum(map(len, fields)) + sum(map(len, named)) + _NAME_BYTES * (len(fields) + len(named))
        # Threads that meet here at once may take two numbers for the same names, and both are right.
        number = len(self._shapes)
        if number >= SHAPES_MAX or size > self._left_bytes:
            return None
        self._left_bytes -= size
        shape = Shape(tuple(fields), None if features is None else named)
        while self._shapes.setdefault(number, shape) is not shape:
            number += 1
        self._numbers[names] = number
        return number

    def unpack(self, held: Tuple[Any, ...]) -> Tuple[str, Union[int, str], Dict[str, Any], Optional[Dict[str, Any]]]:
        """The event id, the time, the arguments and the features of a prediction."""
        number, event_id, ts, *values = held
        fields, features = self._shapes[number]
        given = dict(zip(fields, values))
        return event_id, ts, given, None if features is None else dict(zip(features, values[len(fields) :]))


def pack(record: Dict[str, Any]) -> Optional[bytes]:
    """The record's bytes; None where it holds more than scalars and dictionaries of them."""
    return marshal.dumps((record,), _FORMAT) if _is_plain(record) else None


def is_packed(payload: bytes) -> bool:
    """Whether these are the bytes of a tuple, while a line begins with a brace."""
    return payload[0] != _BRACE


def unpack(payload: bytes) -> Union[Dict[str, Any], Tuple[Any, ...]]:
    """The record that was packed, or what `Shapes.unpack` reads."""
    held: Tuple[Any, ...] = marshal.loads(payload)
    return held[0] if len(held) == 1 else held


def _plain_values(values: Iterable[Any]) -> Optional[Tuple[Any, ...]]:
    """Values with the scalars of NumPy as Python's; None where one is neither scalar nor a dictionary of scalars."""
    made: List[Any] = []
    for value in values:
        kind = type(value)
        if kind not in SCALARS and not (kind is dict and _is_plain(value)):
            item = getattr(value, "item", None)
            if item is None or getattr(value, "ndim", 0) != 0:
                return None
            value = item()
            if type(value) not in SCALARS:
                return None
        made.append(value)
    return tuple(made)


def _is_plain(record: Dict[str, Any]) -> bool:
    if not SCALARS.issuperset(map(type, record)):
        return False
    kinds = set(map(type, record.values()))
    if not kinds <= _VALUES:
        return False
    return dict not in kinds or all(_is_plain(value) for value in record.values() if type(value) is dict)
