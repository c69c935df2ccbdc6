"""Marks: what a state is counted for. A state can violate a property (or have it), meet its premise, name a culprit.

Rule kept here: a mark, once given, never changes, so that one engine can continue to count where another stopped.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from workbench.engines.explore.model import Property


class Role(Enum):
    """What a mark says of a state: it decides the verdict (violates, or has), or it meets the premise."""

    DECIDES = "decides"
    PREMISE = "premise"


class Mark(NamedTuple):
    """The property that is marked, and the role; or, instead of the role, the name of a culprit."""

    code: str
    role: Hashable


class Marks:
    """The marks of a model's properties by number; those that decide the verdicts come first, in the model's order."""

    def __init__(self, properties: Sequence[Property]) -> None:
        self._numbers: dict[Mark, int] = {}
        #: For each property: whether the states in which it holds are counted, not those that violate it.
        self.wanted = [prop.kind == "sometimes" for prop in properties]
        for prop in properties:
            self.number(prop.code, Role.DECIDES)

    def number(self, code: str, role: Hashable) -> int:
        """Return the number of a mark; a new one gets the next number."""
        return self._numbers.setdefault(Mark(code, role), len(self._numbers))

    def culprits(self, code: str) -> Iterator[tuple[str, int]]:
        """Yield each culprit met so far of a property, with the number of its mark."""
        for mark, number in self._numbers.items():
            if mark.code == code and isinstance(mark.role, str):
                yield mark.role, number
