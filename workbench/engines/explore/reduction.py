"""What an engine knows of merging states: a reduction puts one representative in the place of each state.

Without one, every state stands for itself. Engines are given one or None, and never ask which states are alike or why
that is sound; of those there is one, ``workbench.engines.explore.symmetry``.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from workbench.engines.explore.search import State
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
        """Raise SymmetryError if a state goes on otherwise than those that it is merged with."""

    def packed(self) -> PackedReduction:
        """The same for packed states, to be told their layout."""
