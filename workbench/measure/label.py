"""The name of a protocol with its mitigations, as in tables: ``generic+carry-registry``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Label(NamedTuple):
    """A protocol's name and the mitigations switched on; only this class writes and parses the text form."""

    name: str
    mitigations: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Label:
        """Return the label whose text form is ``text``."""
        name, *mitigations = text.split("+")
        return cls(name, tuple(mitigations))

    def __str__(self) -> str:
        return "".join(self.pieces)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The parts between which a long label may be broken: the name, then each mitigation with its plus sign."""
        return (self.name, *(f"+{mitigation}" for mitigation in self.mitigations))


def joined(mitigations: Iterable[str]) -> str:
    """The mitigations as the text of a column; empty if there are none."""
    return "+".join(mitigations)
