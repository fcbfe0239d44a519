"""Which arm a unit gets: the rule of `docs/ASSIGNMENT.md`, the same in every language, asked of nobody.

`sdk/vectors/assignment.json` holds what it must answer.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Mapping, Optional

_RULE = "windvane.assignment/1"
_POINTS = 2.0**53


def _point(purpose: str, name: str, unit: str) -> int:
    state = hashlib.sha256()
    for field in (_RULE, purpose, name, unit):
        text = field.encode("utf-8")
        state.update(len(text).to_bytes(4, "big"))
        state.update(text)
    return int.from_bytes(state.digest()[:8], "big") >> 11


@dataclass(frozen=True)
class Assignment:
    """What became of a unit: `outcome` is `arm`, `ramp` (not let in yet), `layer` (in another slot) or `holdout`; a client answers `undefined` of a
    unit that is no text."""

    outcome: str
    arm: Optional[str]


@dataclass(frozen=True)
class Layer:
    """The part `[begin, end)` of a layer that an experiment takes."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True)
class Holdout:
    """The share of units that no experiment with this holdout touches."""

    name: str
    share: float


class Experiment:
    """An experiment as its services know it: arms with weights, and who is let in.

    >>> Experiment("checkout-test", {"A": 0.5, "B": 0.5}).assign("user-42").arm
    'B'
    """

    def __init__(
        self,
        name: str,
        arms: Mapping[str, float],
        *,
        salt: Optional[str] = None,
        ramp: float = 1.0,
        layer: Optional[Layer] = None,
        holdout: Optional[Holdout] = None,
    ) -> None:
        salt = name if salt is None else salt
        if not name or not salt:
            raise ValueError("an experiment has a name and a salt that are not empty")
        if not all(arms):
            raise ValueError(f"arms are {dict(arms)!r}; accepted are names that are not empty")
        weights = list(arms.values())
        if not all(0.0 <= w for w in weights) or not 0.0 < sum(weights) < math.inf:
            raise ValueError(f"arms are {dict(arms)!r}; accepted are weights of 0 or more, one of them above 0")
        if not 0.0 <= ramp <= 1.0:
            raise ValueError(f"ramp is {ramp}; accepted are shares from 0 to 1")
        if layer is not None and not 0.0 <= layer.begin < layer.end <= 1.0:
            raise ValueError(f"layer is {layer}; accepted is 0 <= begin < end <= 1")
        if holdout is not None and not 0.0 <= holdout.share <= 1.0:
            raise ValueError(f"holdout is {holdout}; accepted are shares from 0 to 1")
        self.name = name
        self._salt = salt
        self._layer = layer
        self._holdout = holdout
        self._ramp = math.floor(ramp * _POINTS)
        total = 0.0
        for weight in weights:
            total += weight
        cumulated = 0.0
        self._bounds: list[tuple[int, str]] = []
        for arm, weight in arms.items():
            cumulated += weight
            self._bounds.append((math.floor(cumulated / total * _POINTS), arm))

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any], name: Optional[str] = None) -> Experiment:
        """Reads the fields of `docs/ASSIGNMENT.md`: `salt`, `arms`, `ramp`, `layer`, `holdout`."""
        layer, holdout = definition.get("layer"), definition.get("holdout")
        arms = {arm["arm"]: arm["weight"] for arm in definition["arms"]}
        if len(arms) < len(definition["arms"]):
            raise ValueError(f"arms are {definition['arms']!r}; accepted is each name once")
        return cls(
            name or definition["salt"],
            arms,
            salt=definition["salt"],
            ramp=definition.get("ramp", 1.0),
            layer=Layer(layer["name"], layer["from"], layer["to"]) if layer else None,
            holdout=Holdout(holdout["name"], holdout["share"]) if holdout else None,
        )

    def assign(self, unit: str) -> Assignment:
        """The arm of a unit, or why it has none."""
        holdout, layer = self._holdout, self._layer
        if holdout is not None and _point("holdout", holdout.name, unit) < math.floor(holdout.share * _POINTS):
            return Assignment("holdout", None)
        if layer is not None:
            point = _point("layer", layer.name, unit)
            if not math.floor(layer.begin * _POINTS) <= point < math.floor(layer.end * _POINTS):
                return Assignment("layer", None)
        if _point("ramp", self._salt, unit) >= self._ramp:
            return Assignment("ramp", None)
        point = _point("arm", self._salt, unit)
        for bound, arm in self._bounds:
            if point < bound:
                return Assignment("arm", arm)
        raise AssertionError("the last arm ends at 2**53")
