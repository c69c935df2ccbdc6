"""What a protocol with its mitigations is called in tables: ``generic+carry-registry``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Label(NamedTuple):
    """A protocol's name and the mitigations switched on; its text is written and read here alone."""

    name: str
    mitigations: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Label:
        """Return the label that ``text`` writes."""
        name, *mitigations = text.split("+")
        return cls(name, tuple(mitigations))

    def __str__(self) -> str:
        return "".join(self.pieces)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The parts between which a long label may be broken: the name, then each mitigation with its plus sign."""
        return (self.name, *(f"+{mitigation}" for mitigation in self.mitigations))


def joined(mitigations: Iterable[str]) -> str:
    """Return what a column of mitigations says; nothing if there are none."""
    return "+".join(mitigations)
