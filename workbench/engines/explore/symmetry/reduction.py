"""Symmetry as a reduction (``workbench.engines.explore.reduction``): states that differ by an exchange are merged."""

from __future__ import annotations

from workbench.engines.explore.reference import PlainSearch, successors
from workbench.engines.explore.search import State
from workbench.engines.explore.space import Space
from workbench.engines.explore.symmetry.check import hold_against, stands_for
from workbench.engines.explore.symmetry.packed import PackedSymmetry
from workbench.engines.explore.symmetry.representatives import Renamings
from workbench.engines.explore.tables.packed_search import PackedSearch
from workbench.engines.explore.trace import as_wide, towards


class SymmetryReduction:
    """The reduction of one space. Raises WorkbenchError if its model declares nothing interchangeable."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.renamings = Renamings(space)
        self.least = self.renamings.least

    @property
    def ways(self) -> int:
        """The number of renamed forms of a state, its own included."""
        return len(self.renamings.all) + 1

    def compare(self, state: State) -> None:
        """Raise SymmetryError if a renamed state has other successors or other verdicts than the state."""
        self.renamings.refute(state, lambda other: successors(self.space, other))

    def packed(self) -> PackedSymmetry:
        """The same reduction for packed states, which still needs their layout."""
        return PackedSymmetry(self.space, self.renamings)

    def hold_against(self, search: PlainSearch | PackedSearch) -> None:
        """Raise SymmetryError if what a search has met is not symmetric."""
        hold_against(self.renamings, search, self.compare)

    def stands_for(self, search: PlainSearch | PackedSearch) -> int | None:
        """The number of states that the representatives of a search stand for; None if there are too many to count."""
        return stands_for(self.renamings, search)

    def unmerged(self, states: list[State]) -> list[State]:
        """The actual trace from the initial state of which the given states are renamed forms."""
        space, path, actions = self.space, [self.space.initial()], []
        for packed in states[1:]:
            goal = self.least(as_wide(space, packed))  # engines choose other representatives
            action, after = towards(space, path[-1], goal, self.least)
            path.append(after)
            actions.append(action)
        steps = [space.step_of(action, state) for action, state in zip(actions, path, strict=False)]
        home = self.renamings.home(steps)
        return path if home is None else [home.apply(state) for state in path]
