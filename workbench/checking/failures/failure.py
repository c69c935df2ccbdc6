"""What a failure is: a property with its story, asked of the facts of one state, whichever engine holds them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from workbench.checking.facts import Facts

#: What a scenario must have for a property to be about it at all; see ``measure.exploration.explore.needs_met``.
Need = Literal["descriptor", "encrypted", "i386", "readers", "second vCPU", "restore"]


@dataclass(frozen=True)
class Failure:
    """One way to fail (``always``: ``holds`` must be true in every state), or one thing that must be possible.

    ``what`` happens, ``why`` it matters, the smallest ``example``, and where it was ``seen`` for real.
    ``sometimes`` properties guard against models in which nothing happens: they satisfy everything else.
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
