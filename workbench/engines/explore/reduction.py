"""The interface by which search engines merge states: a reduction replaces each state by a representative.

Engines take a reduction or None (no states are merged); they do not know which states it merges or why that is sound.
The only reduction is ``workbench.engines.explore.symmetry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from workbench.engines.explore.search import State

if TYPE_CHECKING:
    import numpy as np

    from workbench.engines.explore.tables.bit_layout import Layout, Words


class PackedReduction(Protocol):
    """Representatives of packed states, many at once."""

    def use(self, layout: Layout) -> None:
        """Work in this layout from now on; raises Outgrown if a representative has no place in it."""

    def least(self, words: Words) -> Words:
        """The representative of each state."""

    def flat(self) -> tuple[np.ndarray, ...]:
        """The same as moves of bit fields, in the arrays that the compiled loops take."""


class Reduction(Protocol):
    """Representatives of the states of one space."""

    def least(self, state: State) -> State:
        """The representative of a state."""

    def compare(self, state: State) -> None:
        """Raise SymmetryError if a state behaves differently from those that it is merged with."""

    def packed(self) -> PackedReduction:
        """The same reduction for packed states; ``use`` sets the layout."""
