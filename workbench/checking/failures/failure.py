"""The class of failures: a property of the facts of one state, independent of the engine, with its explanation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from workbench.checking.facts import Facts

#: What a scenario must have for a property to apply to it; see ``measure.exploration.explore.needs_met``.
Need = Literal["descriptor", "encrypted", "i386", "readers", "second vCPU", "restore"]


@dataclass(frozen=True)
class Failure:
    """A property that must hold in every state (``always``), or that must hold in some state (``sometimes``).

    ``what`` happens, ``why`` it matters, the smallest ``example``, and where it was ``seen`` for real.
    ``sometimes`` properties detect models in which nothing happens, which satisfy all other properties.
    """

    code: str
    name: str
    kind: Literal["always", "sometimes"]
    holds: Callable[[Facts], bool]
    what: str
    why: str
    example: str
    seen: str
    needs: frozenset[Need] = frozenset()

    def __repr__(self) -> str:
        return f"<failure {self.code} {self.name}>"
