"""What never leaves the process: names that are dropped or hashed, texts that are masked, a function of your own.

Redaction runs before an event is encoded, mostly in the sender's thread, so that neither the spool nor the network holds what it took out.
"""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import re
from typing import Any, Callable, Mapping, Optional, Pattern, Sequence, Union

Record = dict[str, Any]
_MAPS = ("features", "tags", "arms", "embeddings")
_TEXTS = ("unit_id", "label", "arm", "status")


class Redaction:
    """Rules for names (with `*` and `?`) of features, tags, arms, embeddings and of the field `unit_id`, and for texts.

    `drop` removes; `hash` writes 16 hexadecimal digits of HMAC-SHA-256 in place of the value, so that equal values stay equal;
    `mask` replaces what a regular expression finds in any text by `***`; `function` gets the record last and answers the
    record, or None to drop the event.
    """

    def __init__(
        self,
        *,
        drop: Sequence[str] = (),
        hash: Sequence[str] = (),
        key: Union[str, bytes] = b"",
        mask: Sequence[Union[str, Pattern[str]]] = (),
        function: Optional[Callable[[Record], Optional[Record]]] = None,
    ) -> None:
        if hash and not key:
            raise ValueError("hash needs a key: without one, short values are found by trying")
        self._drop = _matcher(drop)
        self._hash = _matcher(hash)
        self._key = key.encode() if isinstance(key, str) else key
        self._mask = [re.compile(pattern) for pattern in mask]
        self._function = function
        # Names repeat from event to event; what the rules say of each is kept, up to a bound.
        self._known: dict[str, str] = {}

    def apply(self, record: Record) -> Optional[Record]:
        """The record without what the rules take out; None where the event is to be dropped."""
        redacted: Record = {}
        for field, value in record.items():
            if field in _MAPS and isinstance(value, Mapping):
                redacted[field] = self._map(value)
            elif field in _TEXTS:
                action = self._action(field)
                if action != "drop":
                    redacted[field] = self._hashed(value) if action == "hash" else self._masked(value)
            elif field == "prediction" and isinstance(value, Mapping):
                redacted[field] = {name: self._masked(held) for name, held in value.items()}
            else:
                redacted[field] = value
        return redacted if self._function is None else self._function(redacted)

    def _map(self, values: Mapping[str, Any]) -> dict[str, Any]:
        kept = {}
        for name, value in values.items():
            action = self._action(str(name))
            if action == "hash":
                kept[name] = self._hashed(value)
            elif action != "drop":
                kept[name] = self._masked(value)
        return kept

    def _action(self, name: str) -> str:
        action = self._known.get(name)
        if action is None:
            action = "drop" if self._drop(name) else "hash" if self._hash(name) else "keep"
            if len(self._known) < 10_000:
                self._known[name] = action
        return action

    def _hashed(self, value: Any) -> Any:
        if value is None:
            return None
        return hmac.new(self._key, str(value).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:16]

    def _masked(self, value: Any) -> Any:
        if self._mask and isinstance(value, str):
            for pattern in self._mask:
                value = pattern.sub("***", value)
        return value


def _matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    if not globs:
        return lambda name: False
    pattern = re.compile("|".join(fnmatch.translate(glob) for glob in globs))
    return lambda name: pattern.match(name) is not None
